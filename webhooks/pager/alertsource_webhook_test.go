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
