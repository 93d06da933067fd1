// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// The Alert about a CronJob that runs each minute for 20 seconds ends once its runs succeed again, also if one is active most of the time.
func TestTheAlertOfACronJobOfEachMinuteEnds(t *testing.T) {
	first := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	var seen observations
	for second := range 600 {
		now := first.Add(time.Duration(second) * time.Second)
		started := now.Truncate(time.Minute)
		succeeded, active := started.Add(20*time.Second), []any{}
		var runs []healthrules.Run
		if now.Before(succeeded) {
			succeeded = succeeded.Add(-time.Minute)
			active = append(active, map[string]any{"kind": "Job", "name": "active"})
			runs = append(runs, healthrules.Run{Name: "active", Began: started})
		}
		complete := batchv1.JobCondition{Type: batchv1.JobComplete, Status: "True", LastTransitionTime: metav1.NewTime(succeeded)}
		runs = append(runs, healthrules.Run{Name: "last", Began: succeeded.Add(-20 * time.Second), Ended: &complete})
		o := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "batch/v1", "kind": "CronJob",
			"metadata": map[string]any{"namespace": "shop", "name": "backup", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": map[string]any{v1beta1.PageLabel: "true"}},
			"spec":     map[string]any{"schedule": "* * * * *", "concurrencyPolicy": "Forbid"},
			"status":   map[string]any{"lastScheduleTime": started.Format(time.RFC3339), "lastSuccessfulTime": succeeded.Format(time.RFC3339), "active": active},
		}}
		ask, asks, err := healthrules.ParseAsk(o, "CronJob")
		if err != nil {
			t.Fatal(err)
		}
		result := healthrules.Compute(o, healthrules.Evidence{Now: now, Runs: runs})
		in := healthrules.Inputs{Asks: asks, Ask: ask, Result: result, IsFiring: true, FiredFor: first.Add(-time.Hour), ResolveAfter: time.Minute}
		in.SeenSince, in.HasRecovered = seen.since("1", in.Answer(), now)
		if action, _ := healthrules.Decide(in, now); action == healthrules.Resolve {
			if second != 60 {
				t.Errorf("it ends after %d s", second)
			}
			return
		}
	}
	t.Error("10 runs in a row have succeeded, and the Alert fires")
}
