// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func clockTime(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-01-02T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return t
}

func newCronJob(t *testing.T, spec, status string) *unstructured.Unstructured {
	return parse(t, fmt.Sprintf(`{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"namespace":"shop","name":"c","uid":"1","creationTimestamp":"2026-01-01T00:00:00Z","labels":{%q:"true"},"annotations":{%q:"1800"}},
		"spec":{"schedule":"0 * * * *"%s},"status":{%s}}`, v1beta1.PageLabel, v1beta1.PageProgressDeadlineAnnotation, spec, status))
}

func newJob(t *testing.T, name, meta, status string) *unstructured.Unstructured {
	return parse(t, fmt.Sprintf(`{"apiVersion":"batch/v1","kind":"Job","metadata":{"namespace":"shop","name":%q,"uid":%q,"creationTimestamp":"2026-01-02T05:00:00Z","labels":{%q:"true"}%s},"spec":{},"status":{%s}}`,
		name, name, v1beta1.PageLabel, meta, status))
}

func endedAt(kind, at string) string {
	return fmt.Sprintf(`"conditions":[{"type":%q,"status":"True","reason":"R","lastTransitionTime":"2026-01-02T%sZ"}]`, kind, at)
}

// A user resolves the Alert, suspends the CronJob for two minutes, and resumes it: no Alert fires for the run that failed before.
func TestResolveOfASuspendedCronJob(t *testing.T) {
	status := `"lastScheduleTime":"2026-01-02T05:00:00Z","lastSuccessfulTime":"2026-01-02T04:10:00Z"`
	failed := batchv1.JobCondition{Type: batchv1.JobFailed, LastTransitionTime: metav1.NewTime(clockTime("05:10:00"))}
	e := func(now time.Time) Evidence {
		return Evidence{Now: now, Runs: []Run{{Name: "run", Began: clockTime("05:00:00"), Ended: &failed}}}
	}
	fails, stopped := newCronJob(t, "", status), newCronJob(t, `,"suspend":true`, status)
	in := Inputs{Asks: true, ResolveAfter: time.Minute, FiredFor: clockTime("05:10:00"), SeenSince: clockTime("05:10:00")} // a person has resolved the Alert
	in.Result = Compute(fails, e(clockTime("05:15:00")))
	if action, _ := Decide(in, clockTime("05:15:00")); action != Keep {
		t.Fatal(action)
	}
	in.Result, in.SeenSince, in.HasRecovered = Compute(stopped, e(clockTime("05:18:00"))), clockTime("05:16:00"), true
	if action, _ := Decide(in, clockTime("05:18:00")); action == Resolve {
		in.FiredFor = time.Time{} // as Reconciler.resolve does
	}
	in.Result, in.SeenSince = Compute(fails, e(clockTime("05:20:00"))), clockTime("05:20:00")
	if action, _ := Decide(in, clockTime("05:20:00")); action != Keep {
		t.Errorf("%s for the run that failed at 05:10, which a person has resolved: %+v", action, in.Result)
	}
}

// The same for a dated condition of a Deployment that is paused, and goes on.
func TestResolveOfAPausedDeployment(t *testing.T) {
	deployment := func(paused bool) *unstructured.Unstructured {
		return parse(t, fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":"shop","name":"c","uid":"1","labels":{%q:"true"}},"spec":{"replicas":1,"paused":%t},
			"status":{"updatedReplicas":1,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","lastTransitionTime":"2026-01-02T05:10:00Z"}]}}`, v1beta1.PageLabel, paused))
	}
	in := Inputs{Asks: true, ResolveAfter: time.Minute, FiredFor: clockTime("05:10:00"), SeenSince: clockTime("05:16:00"), HasRecovered: true}
	in.Result = Compute(deployment(true), Evidence{})
	if action, _ := Decide(in, clockTime("05:18:00")); action == Resolve {
		in.FiredFor = time.Time{}
	}
	in.Result, in.SeenSince = Compute(deployment(false), Evidence{}), clockTime("05:20:00")
	if action, _ := Decide(in, clockTime("05:30:00")); action != Keep {
		t.Errorf("%s for the failure of 05:10, which a person has resolved: %+v", action, in.Result)
	}
}

// Hourly runs hang and are replaced. Once a user has resolved the Alert, the next one that hangs is the same failure.
func TestReplacedRunsAreOneFailure(t *testing.T) {
	in := Inputs{Asks: true, ResolveAfter: time.Minute, SeenSince: clockTime("04:00:00"), Ask: Ask{ProgressDeadline: 30 * time.Minute}}
	var fired []string
	for _, now := range []string{"05:10:00", "05:40:00", "06:10:00", "06:40:00", "07:10:00", "07:40:00"} {
		began := now[:2] + ":00:00"
		o := newCronJob(t, `,"concurrencyPolicy":"Replace"`, `"lastScheduleTime":"2026-01-02T`+began+`Z","lastSuccessfulTime":"2026-01-02T03:10:00Z","active":[{"kind":"Job","name":"run"}]`)
		result := Compute(o, Evidence{Now: clockTime(now), Runs: []Run{{Name: "run", Began: clockTime(began)}}})
		if result.State != in.Result.State {
			in.SeenSince = clockTime(now).Add(-2 * time.Minute)
		}
		in.Result = result
		if action, _ := Decide(in, clockTime(now)); action == Fire {
			fired = append(fired, now)
			in.FiredFor = in.Judge(clockTime(now)).Since // fires, and a person resolves it
		}
	}
	if len(fired) != 1 {
		t.Errorf("fired at %v, and no run has succeeded between", fired)
	}
}

// After a restart, the resolve of a user holds also if the first process had seen the Job a moment before its startTime, by a clock that is late.
func TestResolveOfAHangingJobAfterARestart(t *testing.T) {
	o := newJob(t, "import", fmt.Sprintf(`,"annotations":{%q:"3600"}`, v1beta1.PageProgressDeadlineAnnotation), `"active":1,"startTime":"2026-01-02T05:00:02Z"`)
	ask, _, _ := ParseAsk(o, "Job")
	in := Inputs{Asks: true, IsJob: true, Ask: ask, Result: Compute(o, Evidence{}), SeenSince: clockTime("05:00:01").Add(450 * time.Millisecond)} // Clock.Last is late by up to 2 s
	now := clockTime("06:00:10")
	if action, _ := Decide(in, now); action != Fire {
		t.Fatal(action)
	}
	in.FiredFor = in.Judge(now).Since.Truncate(time.Second) // as it is stored; then a person resolves it
	if action, _ := Decide(in, now); action != Keep {
		t.Fatal(action)
	}
	in.SeenSince = clockTime("06:30:00") // another process
	if action, _ := Decide(in, in.SeenSince); action != Keep {
		t.Errorf("%s after a restart: fired for %s, fails since %s", action, in.FiredFor, in.Judge(in.SeenSince).Since)
	}
}

// Two Jobs of a CronJob end in the same second: the failed one decides.
func TestJobsThatEndInOneSecond(t *testing.T) {
	ok, failed := newJob(t, "ok", "", endedAt("Complete", "05:10:00")), newJob(t, "failed", "", endedAt("Failed", "05:10:00"))
	one, _ := DecidingJob([]*unstructured.Unstructured{ok, failed}, clockTime("05:11:00"))
	other, _ := DecidingJob([]*unstructured.Unstructured{failed, ok}, clockTime("05:11:00"))
	if one != other || one != failed {
		t.Errorf("%s or %s decides, at random", one.GetName(), other.GetName())
	}
}

// A late run (Forbid) failed, and its Job is gone by its TTL: the Alert fires until a run succeeds.
func TestALateRunWhoseJobIsDeleted(t *testing.T) {
	o := newCronJob(t, `,"concurrencyPolicy":"Forbid"`, `"lastScheduleTime":"2026-01-02T04:00:00Z","lastSuccessfulTime":"2026-01-02T04:50:00Z"`)
	failed := batchv1.JobCondition{Type: batchv1.JobFailed, LastTransitionTime: metav1.NewTime(clockTime("04:55:00"))}
	in := Inputs{Asks: true, ResolveAfter: time.Minute, SeenSince: clockTime("04:55:00")}
	in.Result = Compute(o, Evidence{Now: clockTime("04:55:01"), Runs: []Run{{Name: "late", Began: clockTime("04:50:00"), Ended: &failed}}})
	if action, _ := Decide(in, clockTime("04:55:01")); action != Fire {
		t.Fatal(action)
	}
	in.IsFiring, in.FiredFor, in.SeenSince = true, clockTime("04:55:00"), clockTime("04:56:00")
	in.Result = Compute(o, Evidence{Now: clockTime("04:58:00")}) // ttlSecondsAfterFinished: 60
	if action, _ := Decide(in, clockTime("04:58:00")); action != Keep {
		t.Errorf("%s: no run has succeeded since: %+v", action, in.Result)
	}
}

// Replace, failed Jobs are not kept, runs each 5 minutes: a failed run, and the overdue ones after it, are one failure.
func TestARunThatFailedAndIsOverdue(t *testing.T) {
	doc := func(status string) *unstructured.Unstructured {
		o := newCronJob(t, `,"concurrencyPolicy":"Replace"`, status)
		o.Object["spec"].(map[string]any)["schedule"] = "*/5 * * * *"
		return o
	}
	in := Inputs{Asks: true, ResolveAfter: time.Minute, SeenSince: clockTime("04:10:00")}
	gone := doc(`"lastScheduleTime":"2026-01-02T04:15:00Z","lastSuccessfulTime":"2026-01-02T04:11:00Z"`)
	in.Result = Compute(gone, Evidence{Now: clockTime("04:17:00")})
	if action, _ := Decide(in, clockTime("04:17:00")); action != Fire {
		t.Fatal(action)
	}
	in.FiredFor = in.Result.Since // a person resolves it
	active := doc(`"lastScheduleTime":"2026-01-02T04:30:00Z","lastSuccessfulTime":"2026-01-02T04:11:00Z","active":[{"kind":"Job","name":"run"}]`)
	in.Result = Compute(active, Evidence{Now: clockTime("04:31:00"), Runs: []Run{{Name: "run", Began: clockTime("04:30:00")}}})
	if action, _ := Decide(in, clockTime("04:31:00")); action != Keep {
		t.Errorf("%s: the next run is a minute old, and a person has resolved the Alert: %+v", action, in.Result)
	}
}

// What a user has stopped proves no end of a failure, whatever its controller calls that.
func TestHaltedObjects(t *testing.T) {
	for name, object := range map[string]string{
		"CronJob":    `{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"a"},"spec":{"suspend":true},"status":{}}`,
		"Crossplane": `{"apiVersion":"example.org/v1","kind":"XDatabase","metadata":{"name":"a"},"status":{"conditions":[{"type":"Synced","status":"False","reason":"ReconcilePaused"}]}}`,
		"Strimzi":    `{"apiVersion":"kafka.strimzi.io/v1","kind":"Kafka","metadata":{"name":"a"},"status":{"conditions":[{"type":"ReconciliationPaused","status":"True"}]}}`,
		"CloudNativePG": `{"apiVersion":"postgresql.cnpg.io/v1","kind":"Cluster","metadata":{"name":"a"},
			"status":{"phase":"Cluster in healthy state","conditions":[{"type":"cnpg.io/hibernation","status":"True"}]}}`,
	} {
		if got := Compute(parse(t, object), Evidence{}); got.State != Healthy || !got.IsHalted {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
