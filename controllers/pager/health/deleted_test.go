// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// endedJob returns a Job of a name that ended at a time.
func endedJob(t *testing.T, uid string, at time.Time) *healthrules.Trimmed {
	t.Helper()
	trimmed, err := healthrules.Trim(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"namespace": "shop", "name": "import", "uid": uid},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Failed", "status": "True", "lastTransitionTime": at.Format(time.RFC3339)}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return trimmed
}

// Of the Jobs of a name the one is kept that ended last, so that no number of them takes the room of others.
func TestDeletedJobs(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	req := func(name string) request { return request{Resource: jobs, Kind: "Job", Namespace: "shop", Name: name} }
	dropped := 0
	d := deletedJobs{dropped: func(request) { dropped++ }}
	last := endedJob(t, "2", at.Add(time.Minute))
	d.add(req("import"), endedJob(t, "1", at))
	d.add(req("import"), last)
	d.add(req("import"), endedJob(t, "0", at.Add(-time.Minute)))
	if d.of(req("import")) != last {
		t.Error("another Job than the last one is kept")
	}
	for i := range maxDeletedJobs {
		d.add(req(string(rune('a'+i))), last)
	}
	if dropped != 1 {
		t.Errorf("%d were dropped, want 1", dropped)
	}
	d.forget(req("import"), endedJob(t, "2", at))
	if d.of(req("import")) != last {
		t.Error("a Job is forgotten that was not handled")
	}
	d.forget(req("import"), last)
	d.add(req("export"), last)
	if d.of(req("import")) != nil || dropped != 1 {
		t.Errorf("no room after a Job was handled: %d were dropped", dropped)
	}
}
