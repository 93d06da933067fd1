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

package catalog

import "testing"

// F-JS9: a digest of an address is that of the place, whatever its spelling, and of nothing that is secret.
func TestF_JS9_NormalizeAddress(t *testing.T) {
	for value, want := range map[string]string{
		"https://broker.example.com":                "https://broker.example.com:443",
		" HTTPS://Broker.Example.COM.:443/ ":        "https://broker.example.com:443",
		"https://user:pass@broker.example.com/v/":   "https://broker.example.com:443/v",
		"http://broker.example.com/V?token=1#there": "http://broker.example.com:80/V",
		"http://[FD00::1]:8080/a%20b":               "http://[fd00::1]:8080/a%20b",
		"ftp://broker.example.com":                  "",
		"broker.example.com":                        "",
		"":                                          "",
	} {
		if got := NormalizeAddress(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
