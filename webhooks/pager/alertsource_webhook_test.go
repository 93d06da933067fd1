// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"slices"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func TestSeveritiesWithoutEffect(t *testing.T) {
	spec := &v1beta1.AlertSourceSpec{
		SeverityMap:      map[string]v1beta1.Severity{"None": v1beta1.SeverityInfo, "critical": v1beta1.SeverityCritical, "debug": v1beta1.SeverityInfo},
		IgnoreSeverities: []string{"none", "debug", "trace"},
	}
	want := []string{
		`spec.severityMap["None"] has no effect: spec.ignoreSeverities has it, so that such alerts are dropped`,
		`spec.severityMap["debug"] has no effect: spec.ignoreSeverities has it, so that such alerts are dropped`,
	}
	if got := severityWarnings(spec); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	spec.IgnoreSeverities = nil
	if got := severityWarnings(spec); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}
