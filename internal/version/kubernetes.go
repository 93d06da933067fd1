// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package version

import (
	"strconv"
	"strings"
)

// OldestKubernetes is the oldest version of Kubernetes that is supported: the oldest one that the nightly run tests. Before 1.31, an API
// server refuses field selectors such as spec.externalName, by which users and programs find classes and plans.
const OldestKubernetes = "1.31"

// IsTooOld reports whether an API server, by the version that it says it has, as v1.30.4-eks-2d5f260, is older than OldestKubernetes. One
// whose version cannot be read is not.
func IsTooOld(server string) bool {
	major, minor, ok := majorAndMinor(server)
	oldestMajor, oldestMinor, _ := majorAndMinor(OldestKubernetes)
	return ok && (major < oldestMajor || major == oldestMajor && minor < oldestMinor)
}

// majorAndMinor returns 1 and 33 of v1.33.6.
func majorAndMinor(version string) (major, minor int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, majorErr := strconv.Atoi(parts[0])
	minor, minorErr := strconv.Atoi(parts[1])
	return major, minor, majorErr == nil && minorErr == nil
}
