// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"strings"
	"testing"
)

func TestParseWatched(t *testing.T) {
	own := len(builtIn)
	for list, want := range map[string]string{
		"":                                "",
		" ":                               "",
		"cert-manager.io/v1/certificates": "cert-manager.io/v1/certificates",
		"v1/pods, helm.toolkit.fluxcd.io/v2/helmreleases":                        "v1/pods helm.toolkit.fluxcd.io/v2/helmreleases",
		"rollouts.argoproj.io:Available=False":                                   "rollouts.argoproj.io:Available=False",
		"kafka.strimzi.io/v1/kafkas:NotReady=True|Ready=False,v1/pods":           "kafka.strimzi.io/v1/kafkas:NotReady=True|Ready=False v1/pods",
		"rollouts.argoproj.io, rollouts.argoproj.io:Available=False":             "rollouts.argoproj.io:Available=False",
		"argoproj.io/v1alpha1/rollouts,rollouts.argoproj.io:InvalidSpec=Unknown": "rollouts.argoproj.io:InvalidSpec=Unknown",
	} {
		watched, err := ParseWatched(list)
		if err != nil {
			t.Errorf("%q: %v", list, err)
			continue
		}
		var got []string
		for _, w := range watched[own:] {
			got = append(got, w.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v", list, got)
		}
	}
	for _, list := range []string{"certificates", "cert-manager.io/v1/", "a/b/c/d", "cert-manager.io/v1/Certificate", "//", "Rollouts.argoproj.io", ".argoproj.io", "a."} {
		if _, err := ParseWatched(list); err == nil || !strings.Contains(err.Error(), "GROUP/VERSION/RESOURCE") {
			t.Errorf("%q: error %v", list, err)
		}
	}
	for _, list := range []string{"batch/v1/jobs:Failed=True", "jobs.batch:Failed=True"} {
		if _, err := ParseWatched(list); err == nil || !strings.Contains(err.Error(), "leave the entry out") {
			t.Errorf("%q: error %v", list, err)
		}
	}
	for _, list := range []string{"v1/pods:", "v1/pods:Ready", "v1/pods:Ready=false", "v1/pods:=True", "v1/pods:Ready=False|", "v1/pods:Ready=False=True"} {
		if _, err := ParseWatched(list); err == nil || !strings.Contains(err.Error(), "TYPE=True") {
			t.Errorf("%q: error %v", list, err)
		}
	}
}

// A built-in kind can be given conditions, too.
func TestParseWatchedReplacesABuiltInKind(t *testing.T) {
	watched, err := ParseWatched("apps/v1/deployments:Available=False")
	if err != nil || len(watched) != len(builtIn) {
		t.Fatalf("%v, %v", watched, err)
	}
	if got := watched[len(watched)-1].String(); got != "apps/v1/deployments:Available=False" {
		t.Error(got)
	}
}

// What is written into an annotation of an Alert can be read again.
func TestFormatResource(t *testing.T) {
	for _, r := range builtIn {
		if got, err := ParseResource(FormatResource(r)); err != nil || got != r {
			t.Errorf("%v: %v, %v", r, got, err)
		}
	}
}
