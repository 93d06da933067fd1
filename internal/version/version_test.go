// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package version

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123abc"}
	for _, test := range []struct {
		name, release, linked string
		build                 debug.BuildInfo
		want                  string
	}{
		{"a release", "v1.2.3", "", debug.BuildInfo{GoVersion: "go1.26.4", Main: debug.Module{Version: "v1.2.4-0.20260131101112-0123abc"}, Settings: []debug.BuildSetting{commit}},
			"bellhop v1.2.3 (commit 0123abc, go1.26.4)"},
		{"a build of a commit", "", "", debug.BuildInfo{GoVersion: "go1.26.4", Main: debug.Module{Version: "v1.2.4-0.20260131101112-0123abc"}, Settings: []debug.BuildSetting{commit}},
			"bellhop v1.2.4-0.20260131101112-0123abc (commit 0123abc, go1.26.4)"},
		{"a build of changed files", "", "", debug.BuildInfo{GoVersion: "go1.26.4", Main: debug.Module{Version: "v1.2.4+dirty"}, Settings: []debug.BuildSetting{commit, {Key: "vcs.modified", Value: "true"}}},
			"bellhop v1.2.4+dirty (commit 0123abc-dirty, go1.26.4)"},
		{"a build without Git", "", "", debug.BuildInfo{GoVersion: "go1.26.4", Main: debug.Module{Version: "(devel)"}}, "bellhop devel (commit unknown, go1.26.4)"},
		{"a build without Git, of a known commit", "", "0123abc-dirty", debug.BuildInfo{GoVersion: "go1.26.4", Main: debug.Module{Version: "(devel)"}}, "bellhop devel (commit 0123abc-dirty, go1.26.4)"},
		{"nothing recorded", "", "", debug.BuildInfo{GoVersion: Unknown}, "bellhop unknown (commit unknown, unknown)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := read(test.release, test.linked, &test.build).String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestUserAgent(t *testing.T) {
	if agent := UserAgent(); agent != "bellhop/"+Get().Version || strings.ContainsAny(agent, " ()") {
		t.Errorf("got %q", agent)
	}
}
