// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
