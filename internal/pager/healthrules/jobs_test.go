// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// F-B16: the last run that has ended decides about a CronJob, and the age of its last success.
func TestComputeCronJob(t *testing.T) {
	at := func(text string) *metav1.Time {
		parsed, err := time.Parse(time.TimeOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return &metav1.Time{Time: parsed.AddDate(2026, 0, 0)}
	}
	run := func(kind batchv1.JobConditionType, ended string) batchv1.Job {
		return batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: "run"},
			Status:     batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: "R", LastTransitionTime: *at(ended)}}},
		}
	}
	daysAgo := func(days int, text string) *metav1.Time { return &metav1.Time{Time: at(text).AddDate(0, 0, -days)} }
	begun := func(texts ...string) (runs []batchv1.Job) {
		for _, text := range texts {
			runs = append(runs, batchv1.Job{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: *at(text)}})
		}
		return runs
	}
	active := []corev1.ObjectReference{{Kind: "Job", Name: "run"}}
	for name, c := range map[string]struct {
		schedule          string // default: each hour
		policy            batchv1.ConcurrencyPolicy
		zone              *string
		starting          *int64
		changed           string // its spec
		status            batchv1.CronJobStatus
		runs              []batchv1.Job
		areRunsOld        bool
		deadline          string
		now               string
		want, since, next string
	}{
		"new":                        {now: "00:30:00", want: "Healthy NotScheduled", next: "02:05:00"},
		"never created a run":        {now: "02:05:00", want: "Failing RunsOverdue", since: "02:05:00"},
		"succeeded":                  {status: batchv1.CronJobStatus{LastScheduleTime: at("03:00:00"), LastSuccessfulTime: at("03:00:10")}, now: "03:59:00", want: "Healthy Succeeded", next: "05:05:00"},
		"creates no run any more":    {status: batchv1.CronJobStatus{LastScheduleTime: at("03:00:00"), LastSuccessfulTime: at("03:00:10")}, now: "05:05:00", want: "Failing RunsOverdue", since: "05:05:00"},
		"a run is late, as it may":   {starting: new(int64(1800)), status: batchv1.CronJobStatus{LastScheduleTime: at("03:00:00"), LastSuccessfulTime: at("03:00:10")}, now: "05:29:00", want: "Healthy Succeeded", next: "05:30:00"},
		"a run is active":            {status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "04:59:00", want: "Progressing Running", since: "04:00:00", next: "05:05:00"},
		"a run hangs":                {status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "05:05:00", want: "Failing RunsOverdue", since: "05:05:00"},
		"a run may take three hours": {deadline: "10800", status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "06:59:00", want: "Progressing Running", since: "04:00:00", next: "07:00:00"},
		"a run may take for ever":    {deadline: "0", status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "23:00:00", want: "Progressing Running", since: "04:00:00"},
		"a later run is active": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "05:30:00",
			runs: begun("05:00:00"), want: "Progressing Running", since: "05:00:00", next: "06:00:00",
		},
		"each run hangs": {
			schedule: "* * * * *", status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("03:00:10"), Active: slices.Repeat(active, 120)}, now: "05:00:30",
			runs: begun("05:00:00", "03:01:00", "03:02:00"), want: "Failing RunsOverdue", since: "04:01:00",
		},
		"a run hung before the last success": {
			deadline: "10800", status: batchv1.CronJobStatus{LastScheduleTime: at("06:00:00"), LastSuccessfulTime: at("04:50:00"), Active: slices.Repeat(active, 3)}, now: "06:30:00",
			runs: begun("01:00:00", "05:00:00", "06:00:00"), want: "Progressing Running", since: "06:00:00", next: "08:00:00",
		},
		"a slow run began before the last success": {
			policy: batchv1.ForbidConcurrent, deadline: "10800", status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("04:50:00"), Active: active}, now: "06:30:00",
			runs: begun("04:40:00", "01:00:00"), want: "Progressing Running", since: "05:00:00", next: "07:40:00",
		},
		"a run is being deleted": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("03:00:10"), Active: slices.Repeat(active, 2)}, now: "05:30:00",
			runs: append(begun("05:00:00"), batchv1.Job{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: *at("04:00:00"), DeletionTimestamp: at("04:30:00")}}),
			want: "Progressing Running", since: "05:00:00", next: "06:00:00",
		},
		"a missed run began late": {
			schedule: "0 2 * * *", status: batchv1.CronJobStatus{LastScheduleTime: at("02:00:00"), LastSuccessfulTime: daysAgo(10, "02:00:10"), Active: active}, now: "15:02:00",
			runs: begun("15:00:01"), want: "Progressing Running", since: "02:00:00", next: "16:00:01",
		},
		"a missed run began late and is replaced tomorrow": {
			schedule: "0 2 * * *", policy: batchv1.ReplaceConcurrent, status: batchv1.CronJobStatus{LastScheduleTime: at("02:00:00"), LastSuccessfulTime: daysAgo(10, "02:00:10"), Active: active}, now: "15:02:00",
			runs: begun("15:00:01"), want: "Progressing Running", since: "02:00:00", next: "16:00:01",
		},
		"resumed": {
			schedule: "0 2 * * *", starting: new(int64(600)), changed: "15:00:00", status: batchv1.CronJobStatus{LastScheduleTime: daysAgo(10, "02:00:00"), LastSuccessfulTime: daysAgo(10, "02:00:10")}, now: "15:01:00",
			want: "Progressing Rescheduled", since: "15:00:00", next: "02:10:00",
		},
		"resumed, and the missed run hangs": {
			schedule: "0 2 * * *", changed: "15:00:00", status: batchv1.CronJobStatus{LastScheduleTime: at("02:00:00"), LastSuccessfulTime: daysAgo(10, "02:00:10"), Active: active}, now: "16:01:00",
			runs: begun("15:00:01"), want: "Failing RunsOverdue", since: "16:00:01",
		},
		"enabled long after its creation": {changed: "15:10:00", now: "15:11:00", want: "Progressing Rescheduled", since: "15:10:00", next: "16:05:00"},
		"resumed, and creates no run":     {changed: "15:10:00", now: "16:05:00", want: "Failing RunsOverdue", since: "16:05:00"},
		"changed before two runs were overdue": {
			changed: "03:30:00", status: batchv1.CronJobStatus{LastScheduleTime: at("03:00:00"), LastSuccessfulTime: at("03:00:10")}, now: "05:05:00",
			want: "Failing RunsOverdue", since: "05:05:00",
		},
		"never created a run, which may take for ever": {deadline: "0", now: "02:05:00", want: "Failing RunsOverdue", since: "02:05:00"},
		"each run is replaced": {
			schedule: "*/10 * * * *", policy: batchv1.ReplaceConcurrent, status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "05:01:00",
			runs: begun("05:00:00"), want: "Failing RunsOverdue", since: "03:25:00",
		},
		"the last run failed": {status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("03:00:10")}, now: "04:01:00", want: "Failing RunFailed", since: "04:00:00"},
		"a failed run is not kept": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("03:00:10")}, now: "04:01:00",
			runs: []batchv1.Job{run(batchv1.JobComplete, "03:00:10")}, want: "Failing RunFailed", since: "04:00:00",
		},
		"a run ended after its Job was read": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("03:00:10")}, now: "04:01:00",
			runs: append(begun("04:00:00"), run(batchv1.JobComplete, "03:00:10")), areRunsOld: true, want: "Progressing Running", since: "04:00:00", next: "05:05:00",
		},
		"a run failed before the others were read": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "05:01:00",
			runs: []batchv1.Job{run(batchv1.JobFailed, "04:00:10")}, areRunsOld: true, want: "Failing RunFailed", since: "04:00:10",
		},
		"a success is not in the status yet": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("03:00:10")}, now: "04:01:00",
			runs: []batchv1.Job{run(batchv1.JobComplete, "04:00:10")}, want: "Progressing Running", since: "04:00:00", next: "05:05:00",
		},
		"no run ever succeeded": {status: batchv1.CronJobStatus{LastScheduleTime: at("01:00:00")}, now: "01:01:00", want: "Failing RunFailed", since: "01:00:00"},
		"overlapping runs fail": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "05:00:30",
			runs: []batchv1.Job{run(batchv1.JobComplete, "03:00:10"), run(batchv1.JobFailed, "04:50:00"), {}}, want: "Failing RunFailed", since: "04:50:00",
		},
		"a run failed, and a later one succeeded": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("05:00:10")}, now: "05:00:30",
			runs: []batchv1.Job{run(batchv1.JobComplete, "05:00:10"), run(batchv1.JobFailed, "04:50:00")}, want: "Healthy Succeeded", next: "07:05:00",
		},
		"a run began late, after the last success, and failed": {
			policy: batchv1.ForbidConcurrent, status: batchv1.CronJobStatus{LastScheduleTime: at("04:00:00"), LastSuccessfulTime: at("04:50:00")}, now: "04:56:00",
			runs: []batchv1.Job{run(batchv1.JobComplete, "04:50:00"), run(batchv1.JobFailed, "04:55:00")}, want: "Failing RunFailed", since: "04:55:00",
		},
		"a run failed, and the next one is active": {
			status: batchv1.CronJobStatus{LastScheduleTime: at("05:00:00"), LastSuccessfulTime: at("03:00:10"), Active: active}, now: "05:00:30",
			runs: []batchv1.Job{run(batchv1.JobFailed, "04:00:10")}, want: "Failing RunFailed", since: "04:00:10",
		},
		"in a time zone":           {schedule: "0 9 * * *", zone: new("Asia/Tokyo"), now: "00:30:00", want: "Healthy NotScheduled"},
		"a zone that is not known": {zone: new("Mars/Olympus"), now: "00:30:00", want: "Unknown UnreadableSchedule"},
		"a day that never comes":   {schedule: "0 0 30 2 *", now: "00:30:00", want: "Healthy NotScheduled"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := batchv1.CronJobSpec{Schedule: c.schedule, TimeZone: c.zone, StartingDeadlineSeconds: c.starting, ConcurrencyPolicy: c.policy}
			if c.schedule == "" {
				spec.Schedule = "0 * * * *"
			}
			cronJob := &batchv1.CronJob{
				TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"},
				ObjectMeta: metav1.ObjectMeta{Name: "c", CreationTimestamp: *at("00:00:00"), Labels: map[string]string{v1beta1.PageLabel: "true"}},
				Spec:       spec, Status: c.status,
			}
			if c.deadline != "" {
				cronJob.Annotations = map[string]string{v1beta1.PageProgressDeadlineAnnotation: c.deadline}
			}
			if c.changed != "" {
				cronJob.ManagedFields = []metav1.ManagedFieldsEntry{
					{Time: at("00:00:00"), FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:schedule":{}}}`)},
					{Time: at(c.changed), FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{},"f:spec":{"f:suspend":{}}}`)},
					{Time: at("23:00:00"), FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{}}`)},
					{Time: at("23:00:00"), FieldsV1: metav1.NewFieldsV1(`{"f:status":{}}`), Subresource: "status"},
					{},
				}
			}
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(cronJob)
			if err != nil {
				t.Fatal(err)
			}
			e := Evidence{Now: at(c.now).Time, AreRunsOld: c.areRunsOld}
			for i := range c.runs {
				e.Runs = append(e.Runs, RunOf(&c.runs[i]))
			}
			o := &unstructured.Unstructured{Object: content}
			if len(e.Runs) > 0 && !NeedsRuns(o) {
				t.Fatal("the runs are not read")
			}
			got := Compute(o, e)
			text := func(at time.Time) string {
				if at.IsZero() {
					return ""
				}
				return at.UTC().Format(time.TimeOnly)
			}
			if got.State == Healthy {
				got.Since = time.Time{}
			}
			next := text(got.Again)
			if c.zone != nil {
				next = ""
			}
			if got.IsRenewed != (got.State == Failing) {
				t.Errorf("%s: each run renews its time: %t", got.Reason, got.IsRenewed)
			}
			if state := string(got.State) + " " + got.Reason; state != c.want || text(got.Since) != c.since || next != c.next {
				t.Errorf("%s since %q, again at %q: %s", state, text(got.Since), next, got.Message)
			}
		})
	}
}

// Of several Jobs, the one decides that has ended last, or hangs since; one that may yet end decides nothing.
func TestDecidingJob(t *testing.T) {
	job := func(name, created, deadline string, conditions ...batchv1.JobCondition) *unstructured.Unstructured {
		at, err := time.Parse(time.RFC3339, "2026-01-01T"+created+"Z")
		if err != nil {
			t.Fatal(err)
		}
		j := batchv1.Job{
			TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(at), Labels: map[string]string{v1beta1.PageLabel: "true"}},
			Status:     batchv1.JobStatus{Active: 1, Conditions: conditions},
		}
		if deadline != "" {
			j.Annotations = map[string]string{v1beta1.PageProgressDeadlineAnnotation: deadline}
		}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&j)
		if err != nil {
			t.Fatal(err)
		}
		return &unstructured.Unstructured{Object: content}
	}
	ended := func(kind batchv1.JobConditionType, at string) batchv1.JobCondition {
		ended, err := time.Parse(time.RFC3339, "2026-01-01T"+at+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(ended)}
	}
	succeeded := job("succeeded", "03:00:00", "600", ended(batchv1.JobComplete, "03:05:00"))
	failed := job("failed", "03:30:00", "600", ended(batchv1.JobFailed, "03:35:00"))
	running, unlimited := job("running", "04:00:00", "600"), job("unlimited", "02:00:00", "")
	later := job("later", "05:00:00", "600", ended(batchv1.JobComplete, "05:01:00"))
	for name, c := range map[string]struct {
		jobs       []*unstructured.Unstructured
		now        string
		want, next string
	}{
		"none":                           {now: "03:00:00"},
		"one runs":                       {jobs: []*unstructured.Unstructured{running}, now: "04:09:59", want: "running", next: "04:10:00"},
		"the last one that has ended":    {jobs: []*unstructured.Unstructured{failed, succeeded}, now: "03:36:00", want: "failed"},
		"one runs beside one that ended": {jobs: []*unstructured.Unstructured{running, succeeded}, now: "04:09:59", want: "succeeded", next: "04:10:00"},
		"one hangs since":                {jobs: []*unstructured.Unstructured{running, succeeded, failed}, now: "04:10:00", want: "running"},
		"one hangs, and another ended":   {jobs: []*unstructured.Unstructured{running, later}, now: "05:02:00", want: "later"},
		"one may take for ever":          {jobs: []*unstructured.Unstructured{unlimited, succeeded}, now: "23:00:00", want: "succeeded"},
		"both run":                       {jobs: []*unstructured.Unstructured{unlimited, running}, now: "04:00:01", want: "running", next: "04:10:00"},
	} {
		t.Run(name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, "2026-01-01T"+c.now+"Z")
			if err != nil {
				t.Fatal(err)
			}
			deciding, again := DecidingJob(c.jobs, now)
			got, next := "", ""
			if deciding != nil {
				got = deciding.GetName()
			}
			if !again.IsZero() {
				next = again.UTC().Format(time.TimeOnly)
			}
			if got != c.want || next != c.next {
				t.Errorf("%q decides, again at %q", got, next)
			}
		})
	}
}

// The hourly runs hang, and each is replaced by the next one, exactly at the default deadline.
func TestRunsThatAreReplacedAtTheDeadline(t *testing.T) {
	began := time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)
	o := parse(t, fmt.Sprintf(`{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"namespace":"shop","name":"c","uid":"1","creationTimestamp":"2026-01-01T00:00:00Z","labels":{%q:"true"}},
		"spec":{"schedule":"0 * * * *","concurrencyPolicy":"Replace"},"status":{"lastScheduleTime":"2026-01-02T08:00:00Z","lastSuccessfulTime":"2026-01-02T03:00:10Z","active":[{"kind":"Job","name":"run"}]}}`, v1beta1.PageLabel))
	for _, after := range []time.Duration{10 * time.Second, time.Hour - time.Second} {
		if got := Compute(o, Evidence{Now: began.Add(after), Runs: []Run{{Name: "run", Began: began}}}); got.State != Failing || got.Reason != "RunsOverdue" {
			t.Errorf("%s after it began: %+v", after, got)
		}
	}
}
