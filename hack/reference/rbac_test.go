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

package main

import "testing"

func TestAggregationIsThatOfTheComponent(t *testing.T) {
	t.Chdir("../..")
	aggregated, err := readAggregation()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"bellhop-pager-alert-admin-role":                          "`admin`",
		"bellhop-servicecatalog-serviceinstance-editor-role":      "`edit`",
		"bellhop-servicecatalog-clusterserviceplan-viewer-role":   "`view`",
		"bellhop-servicecatalog-clusterservicebroker-viewer-role": "",
		"bellhop-pager-receiver-admin-role":                       "",
		"bellhop-pager-alertsource-viewer-role":                   "`view`",
		"bellhop-pager-alertsource-editor-role":                   "",
		"bellhop-alertsource-sender":                              "",
	} {
		if got := aggregated(name); got != want {
			t.Errorf("%s is aggregated to %q, want %q", name, got, want)
		}
	}
}
