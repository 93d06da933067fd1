// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
