/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
