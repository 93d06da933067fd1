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

package health

import (
	"strings"
	"testing"
)

func TestParseResources(t *testing.T) {
	own := len(builtIn)
	for list, want := range map[string]string{
		"":                                "",
		" ":                               "",
		"cert-manager.io/v1/certificates": "cert-manager.io/v1/certificates",
		"v1/pods, helm.toolkit.fluxcd.io/v2/helmreleases": "v1/pods helm.toolkit.fluxcd.io/v2/helmreleases",
	} {
		resources, err := ParseResources(list)
		if err != nil {
			t.Errorf("%q: %v", list, err)
			continue
		}
		var got []string
		for _, r := range resources[own:] {
			got = append(got, FormatResource(r))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v", list, got)
		}
	}
	for _, list := range []string{"certificates", "cert-manager.io/v1/", "a/b/c/d", "cert-manager.io/v1/Certificate", "//"} {
		if _, err := ParseResources(list); err == nil || !strings.Contains(err.Error(), "GROUP/VERSION/RESOURCE") {
			t.Errorf("%q: error %v", list, err)
		}
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
