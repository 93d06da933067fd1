// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// newRun returns a Job of a CronJob: one that has ended at a time with a condition, or has begun then.
func newRun(name, kind, at string, annotations map[string]any) *unstructured.Unstructured {
	status := map[string]any{"active": int64(1), "startTime": at}
	if kind != "" {
		status = map[string]any{"conditions": []any{map[string]any{"type": kind, "status": "True", "reason": "R", "lastTransitionTime": at}}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{"namespace": "shop", "name": name, "uid": name, "creationTimestamp": at, "labels": map[string]any{v1beta1.PageLabel: "true"},
			"annotations":     annotations,
			"ownerReferences": []any{map[string]any{"apiVersion": "batch/v1", "kind": "CronJob", "name": "import", "uid": "c", "controller": true}}},
		"status": status,
	}}
}

func clockTime(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-01-02T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return t
}

func decideAbout(t *testing.T, r *Reconciler, req request) (healthrules.Action, time.Time) {
	f, known, err := r.objects.get(t.Context(), req, r.now())
	if err != nil || !known {
		t.Fatal(known, err)
	}
	s, err := r.observe(t.Context(), r.client, req, f)
	if err != nil {
		t.Fatal(err)
	}
	if s == nil {
		return healthrules.Keep, time.Time{}
	}
	action, again := r.decide(req, &s.in)
	if action == healthrules.Keep {
		r.forgetHandled(s, f.kept, again) // as Reconcile does
	}
	return action, again
}

// A failure is reported after an hour. The run of 05:00 fails, that of 05:30 succeeds, and its Job is deleted at once.
func TestADeletedSuccessCountsUntilAFailureIsDue(t *testing.T) {
	r := newReconcilerWithoutJobs(t)
	after := map[string]any{v1beta1.PageAfterAnnotation: "3600"}
	failed := newRun("failed", "Failed", "2026-01-02T05:10:00Z", after)
	ok := newRun("ok", "Complete", "2026-01-02T05:35:00Z", after)
	if _, err := r.objects.api.Resource(jobs.WithVersion("v1")).Namespace("shop").Create(t.Context(), failed.DeepCopy(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	trimmed, err := healthrules.Trim(failed)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.objects.kinds[jobs].informers[""].GetIndexer().Add(trimmed); err != nil {
		t.Fatal(err)
	}
	req := requestFor(jobs, trimmed)
	r.now = func() time.Time { return clockTime("05:10:01") }
	if action, again := decideAbout(t, r, req); action != healthrules.Keep || !again.Equal(clockTime("06:10:00")) {
		t.Fatal(action, again)
	}
	r.now = func() time.Time { return clockTime("05:35:01") }
	last, err := healthrules.Trim(ok)
	if err != nil {
		t.Fatal(err)
	}
	r.objects.drop(req, last)
	if action, again := decideAbout(t, r, req); action != healthrules.Keep {
		t.Fatal(action, again)
	}
	r.now = func() time.Time { return clockTime("06:10:00") } // when it was to be looked at again
	if action, _ := decideAbout(t, r, req); action != healthrules.Keep {
		t.Errorf("%s at 06:10 for the run that failed at 05:10, and the run of 05:30 has succeeded", action)
	}
}

// The deletion of a Job that hangs may take long, and is no recovery.
func TestAJobThatIsBeingDeletedIsGone(t *testing.T) {
	r := newReconcilerWithoutJobs(t)
	hanging := newRun("hanging", "", "2026-01-02T05:00:00Z", map[string]any{v1beta1.PageProgressDeadlineAnnotation: "3600"})
	hanging.SetDeletionTimestamp(&metav1.Time{Time: clockTime("06:10:00")})
	s, err := r.observe(t.Context(), r.client, request{Resource: jobs, Kind: "CronJob", Namespace: "shop", Name: "import"}, found{object: hanging})
	if err != nil || s == nil || !s.in.IsGone || s.in.Asks {
		t.Errorf("%+v, %v", s, err)
	}
}
