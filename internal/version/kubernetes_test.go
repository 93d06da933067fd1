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

import "testing"

// F-U17
func TestIsTooOld(t *testing.T) {
	for server, want := range map[string]bool{
		"v1.30.14": true, "v1.30.4-eks-2d5f260": true, "v1.9.11": true, "v0.40.0": true, "1.30": true,
		"v" + OldestKubernetes + ".0": false, "v1.31.0-alpha.1": false, "v1.36.3+k3s1": false, "v1.100.0": false, "v2.0.0": false,
		"": false, "v1": false, "latest": false, "v1.x": false,
	} {
		if got := IsTooOld(server); got != want {
			t.Errorf("%q: %t", server, got)
		}
	}
}
