// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package version has the version of the operator's binary.
package version

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
)

// The linker sets version in a release: -X github.com/gophernetes/bellhop/internal/version.version=v1.2.3. It sets commit where the source is not
// in a Git repository, as in the build of an image with a container engine.
var version, commit string

// Unknown stands for a value that the binary does not record, such as the commit of one that was built outside of a Git repository.
const Unknown = "unknown"

// Info is how a binary was built.
type Info struct {
	// Version is the version of the release, such as v1.2.3; for other builds the pseudo-version of the commit.
	Version string
	// Commit is the Git commit, with "-dirty" if files were changed.
	Commit string
	// Go is the version of Go, such as go1.26.4.
	Go string
}

// String returns the line that --version prints.
func (i Info) String() string {
	return fmt.Sprintf("bellhop %s (commit %s, %s)", i.Version, i.Commit, i.Go)
}

// UserAgent is the header User-Agent of all requests.
func UserAgent() string { return "bellhop/" + Get().Version }

// Get returns the Info of the running binary.
var Get = sync.OnceValue(func() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{GoVersion: Unknown}
	}
	return read(version, commit, build)
})

// read returns the Info of a build; release and linked are the version and the commit that the linker set.
func read(release, linked string, build *debug.BuildInfo) Info {
	settings := map[string]string{}
	for _, s := range build.Settings {
		settings[s.Key] = s.Value
	}
	info := Info{Version: release, Commit: settings["vcs.revision"], Go: build.GoVersion}
	if info.Version == "" {
		info.Version = strings.Trim(build.Main.Version, "()") // (devel)
	}
	if info.Version == "" {
		info.Version = Unknown
	}
	switch {
	case info.Commit == "":
		info.Commit = cmp.Or(linked, Unknown)
	case settings["vcs.modified"] == "true":
		info.Commit += "-dirty"
	}
	return info
}
