// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import "runtime/debug"

// version is set by the linker in releases.
var version string

// Version is the version of the plugin: the release, else the commit that it was built from.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return "v0.0.0-" + setting.Value[:min(12, len(setting.Value))]
		}
	}
	return "unknown"
}
