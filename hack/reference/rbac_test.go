// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
