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

package receivers

import (
	"strings"
	"testing"
)

// F-P13: the strict policy holds for addresses in Secrets, which admission does not see.
func TestPolicyChecksTheAddressInASecret(t *testing.T) {
	for url, want := range map[string]string{
		"":                                    "",
		"https://hooks.slack.com/services/T0": "",
		"https://10.0.0.7/hook":               "",
		"http://hooks.example.com":            "not encrypted",
		"https://prometheus":                  "in the cluster",
		"https://api.shop.svc:8443/":          "in the cluster",
		"https://api.shop.svc.cluster.local.": "in the cluster",
		"https://api。shop.ｓｖｃ/":               "in the cluster", // F-S63
		"https://api.shop.%EF%BD%93vc/":       "in the cluster",
		"http://hooks.example.com\n":          "not encrypted", // made with echo: providers drop the line break
	} {
		data := map[string][]byte{"url": []byte(url)}
		if err := PolicyCompatible.CheckSecret(data); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		err := PolicyStrict.CheckSecret(data)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--receiver-policy=strict")) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
	if Policy("lax").Validate() == nil {
		t.Error("an unknown policy is taken")
	}
}
