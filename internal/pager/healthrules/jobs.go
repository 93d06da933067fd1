// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // CronJobs name time zones, which neither an image nor Windows need have

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/internal/kube/times"
)

// computeJob computes the result for a Job. Pods that fail before the Job does are retried.
func computeJob(o *unstructured.Unstructured, _ Evidence) Result {
	j, err := decode[batchv1.Job](o)
	if err != nil {
		return unreadable(err)
	}
	if ended := endOf(&j); ended != nil {
		state := Healthy
		if ended.Type == batchv1.JobFailed {
			state = Failing
		}
		return Result{State: state, Since: ended.LastTransitionTime.Time, Reason: ended.Reason, Message: ended.Message, HasEnded: true}
	}
	if ptr.Deref(j.Spec.Suspend, false) {
		return suspended
	}
	since := j.CreationTimestamp.Time
	if j.Status.StartTime != nil { // since it was suspended last
		since = j.Status.StartTime.Time
	}
	return Result{State: Progressing, Since: since, Reason: "Running", Message: fmt.Sprintf("%d pods are active, %d have failed", j.Status.Active, j.Status.Failed)}
}

// DecidingJob returns the Job that decides at a time about several of a name, or of a CronJob, and when another one will; zero: time alone does not
// change that. It is the one that has ended last, or has been in progress for longer than it may, which counts from then on; else the newest. nil:
// there are no Jobs.
func DecidingJob(jobs []*unstructured.Unstructured, now time.Time) (deciding *unstructured.Unstructured, again time.Time) {
	var best candidate
	for _, job := range jobs {
		at, hasEnded := decidesAt(job)
		if !hasEnded && at.After(now) {
			again = times.Earliest(again, at)
		}
		hasDecided := hasEnded || !at.IsZero() && !at.After(now)
		next := candidate{job: job, at: at, hasDecided: hasDecided}
		if best.job == nil || next.decidesBefore(best) {
			best = next
		}
	}
	return best.job, again
}

// candidate is one of the Jobs that may decide.
type candidate struct {
	job        *unstructured.Unstructured
	at         time.Time // when it has decided, or will
	hasDecided bool
}

// decidesBefore reports whether a Job decides instead of other. Of two that have ended in the same second the one that has failed does.
func (c candidate) decidesBefore(other candidate) bool {
	if c.hasDecided != other.hasDecided {
		return c.hasDecided
	}
	if !c.hasDecided {
		return c.job.GetCreationTimestamp().After(other.job.GetCreationTimestamp().Time)
	}
	if c.at.Equal(other.at) {
		return hasFailed(c.job) && !hasFailed(other.job)
	}
	return c.at.After(other.at)
}

func hasFailed(job *unstructured.Unstructured) bool { return Compute(job, Evidence{}).State == Failing }

// decidesAt returns when a Job has ended, or else when it will have been in progress for longer than it may; zero: it may for ever.
func decidesAt(job *unstructured.Unstructured) (at time.Time, hasEnded bool) {
	result := Compute(job, Evidence{})
	if result.HasEnded {
		return result.Since, true
	}
	ask, _, err := ParseAsk(job, job.GetKind())
	if err != nil || ask.ProgressDeadline == 0 || result.State != Progressing {
		return time.Time{}, false
	}
	return result.Since.Add(ask.ProgressDeadline), false
}

// endOf returns the condition by which a Job has ended; nil: it has not.
func endOf(job *batchv1.Job) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		c := &job.Status.Conditions[i]
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobFailed || c.Type == batchv1.JobComplete) {
			return c
		}
	}
	return nil
}

// defaultStartingDeadline is how late a run of a CronJob may begin that does not say.
const defaultStartingDeadline = 5 * time.Minute

// settleOverdue is for how long a process sees a CronJob whose runs are overdue before it believes that: its controller may have begun a run.
const settleOverdue = time.Minute

// A Run has the fields of a CronJob's Job that are read.
type Run struct {
	Name  string
	Began time.Time
	// IsDeleted is whether the Job is being deleted.
	IsDeleted bool
	// Ended is the condition by which the Job has ended; nil: it has not.
	Ended *batchv1.JobCondition
}

// RunOf returns the run that a Job is.
func RunOf(job *batchv1.Job) Run {
	run := Run{Name: job.Name, Began: job.CreationTimestamp.Time, IsDeleted: job.DeletionTimestamp != nil}
	if ended := endOf(job); ended != nil {
		run.Ended = new(*ended) // alone, without the Job
	}
	return run
}

// NeedsRuns reports whether the runs of a CronJob decide about it: one has begun. A run that waited for another one begins after the last success, which
// the status of the CronJob does not show.
func NeedsRuns(o *unstructured.Unstructured) bool {
	return o.GroupVersionKind().GroupKind() == cronJob && !statusOf(o).time("lastScheduleTime").IsZero()
}

// A schedule has the facts that decide about a CronJob.
type schedule struct {
	cronJob batchv1.CronJob
	times   cron.Schedule
	// started and succeeded are of the last run, and of the last one that succeeded. A run may begin long after started, which is the scheduled time.
	started, succeeded time.Time
	// changed is when the spec was changed last; zero: the object does not say.
	changed  time.Time
	evidence Evidence
	deadline time.Duration
}

// computeCronJob computes the result for a CronJob: it fails if its last run that has ended did, or if two runs are overdue since the last
// success. A run that is younger than the deadline may still succeed.
func computeCronJob(o *unstructured.Unstructured, e Evidence) Result {
	c, err := decode[batchv1.CronJob](o)
	if err != nil {
		return unreadable(err)
	}
	if ptr.Deref(c.Spec.Suspend, false) {
		return suspended
	}
	s := schedule{cronJob: c, changed: specChangedAt(o), evidence: e, deadline: defaultDeadline}
	s.started, s.succeeded = timeOf(c.Status.LastScheduleTime), timeOf(c.Status.LastSuccessfulTime)
	if ask, _, err := ParseAsk(o, o.GetKind()); err == nil {
		s.deadline = ask.ProgressDeadline
	}
	if failed, ok := s.lastRunFailed(); ok {
		return failed
	}
	if s.times, err = parseSchedule(c.Spec); err != nil {
		return Result{State: Unknown, Reason: "UnreadableSchedule", Message: err.Error()}
	}
	missedAt := s.missedAt()
	overdueAt := s.overdueAt(missedAt)
	if !overdueAt.IsZero() && !e.Now.Before(overdueAt) {
		return Result{State: Failing, Since: overdueAt, IsRenewed: true, WellAt: s.succeeded, Reason: "RunsOverdue", Settle: settleOverdue, Message: s.overdueMessage()}
	}
	return s.asItShouldBe(missedAt, overdueAt)
}

// asItShouldBe returns the result of a CronJob that does not fail before runs that are missed at a time are overdue.
func (s schedule) asItShouldBe(missedAt, overdueAt time.Time) Result {
	result := Result{State: Healthy, Reason: "Succeeded", Message: "the last run succeeded", WellAt: s.succeeded, Again: overdueAt}
	hasMissed := !overdueAt.IsZero() && !s.evidence.Now.Before(missedAt)
	switch {
	case s.succeeded.Before(s.started), hasMissed && len(s.cronJob.Status.Active) > 0:
		result.State, result.Reason, result.Message, result.Since = Progressing, "Running", "a run is active", s.started
	case hasMissed:
		result.State, result.Reason, result.Message, result.Since, result.WellAt = Progressing, "Rescheduled", "no run has been due since its spec was changed", s.changed, time.Time{}
	case s.started.IsZero():
		result.Reason, result.Message = "NotScheduled", "no run has begun"
	}
	return result
}

// specChangedAt returns when the spec of an object was changed last, or another field together with it; zero: the object does not say.
func specChangedAt(o *unstructured.Unstructured) time.Time {
	var last time.Time
	for _, entry := range fields(o.Object).object("metadata").objects("managedFields") {
		_, hasSpec := entry.object("fieldsV1")["f:spec"]
		if at := entry.time("time"); hasSpec && at.After(last) {
			last = at
		}
	}
	return last
}

func timeOf(at *metav1.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.Time
}

// lastRunFailed returns the result of a CronJob whose last run that has ended has failed. Where the Job of the last run is gone, a run that is not
// active and is younger than the last success has failed.
func (s schedule) lastRunFailed() (Result, bool) {
	var last Run
	for _, run := range s.evidence.Runs {
		if run.Ended != nil && (last.Ended == nil || last.Ended.LastTransitionTime.Before(&run.Ended.LastTransitionTime)) {
			last = run
		}
	}
	ended := last.Ended
	isGone := ended == nil || ended.LastTransitionTime.Time.Before(s.started)
	switch {
	case ended != nil && ended.Type == batchv1.JobFailed && s.succeeded.Before(ended.LastTransitionTime.Time):
		message := fmt.Sprintf("Job %s did not succeed: %s: %s", last.Name, ended.Reason, ended.Message)
		return Result{State: Failing, Since: ended.LastTransitionTime.Time, IsRenewed: true, WellAt: s.succeeded, Reason: "RunFailed", Message: message}, true
	case isGone && !s.evidence.AreRunsOld && s.succeeded.Before(s.started) && len(s.cronJob.Status.Active) == 0:
		message := fmt.Sprintf("the run that began at %s did not succeed", s.started.UTC().Format(time.RFC3339))
		return Result{State: Failing, Since: s.started, IsRenewed: true, WellAt: s.succeeded, Reason: "RunFailed", Message: message}, true
	}
	return Result{}, false
}

// overdueAt returns when runs that are missed at a time are overdue: no run that has begun is younger than the deadline, and one has begun or was due
// since the spec was changed, as by whoever resumes the CronJob. Zero: never, or a run may take as long as it wants.
func (s schedule) overdueAt(missed time.Time) time.Time {
	if missed.IsZero() || s.deadline == 0 && len(s.cronJob.Status.Active) > 0 {
		return time.Time{}
	}
	overdue := missed
	began := s.hopefulSince()
	if !began.IsZero() && began.Add(s.deadline).After(overdue) {
		overdue = began.Add(s.deadline)
	}
	if due := s.beginsUntil(s.times.Next(s.changed)); s.changed.After(began) && due.After(overdue) {
		overdue = due
	}
	return overdue
}

// missedAt returns when two runs are missed: two scheduled times since the last success have passed, with the time by which their runs may be
// late. Zero: the schedule has no times, such as February 30.
func (s schedule) missedAt() time.Time {
	from := s.succeeded
	if from.IsZero() {
		from = s.cronJob.CreationTimestamp.Time
	}
	return s.beginsUntil(s.times.Next(s.times.Next(from)))
}

// beginsUntil returns until when the run of a scheduled time may begin.
func (s schedule) beginsUntil(scheduled time.Time) time.Time {
	late := defaultStartingDeadline
	if seconds := s.cronJob.Spec.StartingDeadlineSeconds; seconds != nil {
		late = min(time.Duration(*seconds)*time.Second, maxProgressDeadline)
	}
	if scheduled.IsZero() {
		return scheduled
	}
	return scheduled.Add(late)
}

// hopefulSince returns when the run began that may still succeed; zero: no run may. It is the first one without an end since the last success: where
// runs overlap, the last one is always young. A run that is replaced by its deadline says nothing.
func (s schedule) hopefulSince() time.Time {
	began := s.activeSince()
	if len(began) == 0 {
		return time.Time{}
	}
	first := slices.IndexFunc(began, func(at time.Time) bool { return !at.Before(s.succeeded) })
	if first < 0 { // all began before the last success of another one
		first = len(began) - 1
	}
	isReplaced := s.cronJob.Spec.ConcurrencyPolicy == batchv1.ReplaceConcurrent
	if isReplaced && !s.times.Next(began[first]).After(began[first].Add(s.deadline)) {
		return time.Time{}
	}
	return began[first]
}

// activeSince returns when the runs began that have no end, in order. One whose Job is not seen began at its scheduled time or later.
func (s schedule) activeSince() []time.Time {
	var began []time.Time
	for _, run := range s.evidence.Runs {
		if run.Ended == nil && !run.IsDeleted {
			began = append(began, run.Began)
		}
	}
	if len(began) == 0 && len(s.cronJob.Status.Active) > 0 {
		return []time.Time{s.started}
	}
	slices.SortFunc(began, time.Time.Compare)
	return began
}

func (s schedule) overdueMessage() string {
	if s.succeeded.IsZero() {
		return fmt.Sprintf("no run of the schedule %q has succeeded yet", s.cronJob.Spec.Schedule)
	}
	return fmt.Sprintf("no run of the schedule %q has succeeded since %s", s.cronJob.Spec.Schedule, s.succeeded.UTC().Format(time.RFC3339))
}

// parseSchedule reads a schedule as Kubernetes does.
func parseSchedule(spec batchv1.CronJobSpec) (cron.Schedule, error) {
	text := spec.Schedule
	if zone := ptr.Deref(spec.TimeZone, ""); zone != "" {
		text = "TZ=" + zone + " " + text
	}
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return nil, fmt.Errorf("the schedule %q cannot be read: %w", text, err)
	}
	return parsed, nil
}
