// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// Schedule says when the requests about an instance or a binding are due: from its attempts, the operation on record, and the time.
type Schedule struct {
	Object metav1.Object
	// Attempts are the attempts in the status; nil: none has failed.
	Attempts *v1beta1.Attempts
	Now      time.Time
	// Parameters are the parameters of the spec.
	Parameters Parameters
	// Requested: a person has asked for another attempt at the same spec.
	Requested bool
	// Removing: the attempts are of the object's removal.
	Removing bool
	// Recovered is when the broker last recovered from failures.
	Recovered time.Time
	// Running is how long the broker has been working on the operation on record. LastPoll is when this process last polled it, and PollAfter the
	// Retry-After of that answer.
	Running   time.Duration
	LastPoll  time.Time
	PollAfter time.Duration
}

// IsForFormerSpec reports whether the attempts are of another spec than the present one.
func (s Schedule) IsForFormerSpec() bool {
	a := s.Attempts
	return a != nil && (a.Generation != s.Object.GetGeneration() || s.compareParameters() == OtherParameters || s.Requested)
}

// NeedsParameters reports whether only the parameters, which have to be read, say whether the attempts are of the present spec.
func (s Schedule) NeedsParameters() bool {
	a := s.Attempts
	return a != nil && a.Generation == s.Object.GetGeneration() && s.compareParameters() == UnreadParameters
}

func (s Schedule) compareParameters() Comparison {
	return s.Parameters.Compare(s.Attempts.ParametersVersion, s.Attempts.ParametersDigest, "")
}

// PresentSpec identifies the present spec.
func (s Schedule) PresentSpec() v1beta1.AttemptedSpec {
	return v1beta1.AttemptedSpec{Generation: s.Object.GetGeneration(), ParametersVersion: s.Parameters.Version, ParametersDigest: s.Parameters.Digest}
}

// IsStopped reports whether the present spec was refused, so that it is not tried again.
func (s Schedule) IsStopped() bool {
	return s.Attempts != nil && s.Attempts.Stopped && !s.IsForFormerSpec()
}

// Renew returns the attempts for the present spec. Of attempts for a former spec it keeps the fields about resources that their requests may have
// left at the broker; nil: there are no such resources.
func (s Schedule) Renew() *v1beta1.Attempts {
	a := s.Attempts
	switch {
	case !s.IsForFormerSpec():
		return a
	case a.Unknown == 0 && !a.Conflict && len(a.PlanIDs) == 0:
		return nil
	}
	var backoff v1beta1.Backoff
	if IsConflictUnexplained(a) { // whether an answer has shown the conflict does not change with the spec
		backoff.Misconfigured = a.Misconfigured
	}
	return &v1beta1.Attempts{
		AttemptedSpec:  s.PresentSpec(),
		Backoff:        backoff,
		Outcome:        v1beta1.Outcome{Unknown: a.Unknown, Conflict: a.Conflict},
		CandidatePlans: v1beta1.CandidatePlans{PlanIDs: a.PlanIDs},
	}
}

// Stop returns the attempts with the mark that the present spec is not tried again.
func (s Schedule) Stop() *v1beta1.Attempts {
	a := s.Attempts
	if a == nil {
		a = &v1beta1.Attempts{}
	}
	a.AttemptedSpec = s.PresentSpec()
	a.Stopped, a.NextTime = true, nil
	return a
}

// AfterRecovery returns the attempts, which record that the broker has recovered since the last one. An object that waits after orphan
// mitigations is due at once then, and only once.
func (s Schedule) AfterRecovery() *v1beta1.Attempts {
	a := s.Attempts
	if a == nil || !isMitigationSlow(a.Mitigation) || a.Stopped || a.Recovered || a.LastTime == nil || !s.Recovered.After(a.LastTime.Time) {
		return a
	}
	due := a.DeepCopy()
	due.Recovered, due.NextTime = true, nil
	return due
}

// NextAttempt returns when the next attempt is due; zero: now.
func (s Schedule) NextAttempt() time.Time {
	a := s.Attempts
	switch {
	case a == nil, a.NextTime == nil, !a.NextTime.After(s.Now):
		return time.Time{}
	case (a.Removals > 0 || a.Unremoved > 0) && a.Count == 0 && !times.DueAt(a.NextTime.Time, mitigationDelay(s.Object.GetUID(), a.Mitigation), s.Now).After(s.Now): // LastTime is not the removal's
		return time.Time{}
	case a.LastTime != nil && !times.DueAfter(a.LastTime.Time, a.NextTime.Sub(a.LastTime.Time), s.Now).After(s.Now):
		return time.Time{}
	case a.Generation != s.Object.GetGeneration() && !s.Object.GetDeletionTimestamp().IsZero() && !s.Removing: // not of the removal
		return time.Time{}
	}
	return a.NextTime.Time
}

// IsDue reports whether the next attempt is due.
func (s Schedule) IsDue() bool { return s.NextAttempt().IsZero() }

// NextPoll returns when the operation is polled next; zero: now. The nanoseconds of the last poll are the jitter that spreads the
// polls of operations that began together. Answers that look like a misconfiguration delay it, as they delay an attempt (R12).
func (s Schedule) NextPoll() time.Time {
	var next time.Time
	if !s.LastPoll.IsZero() { // otherwise this process has not polled it yet
		wait := PollInterval(s.Running, s.PollAfter)
		chance := time.Duration(s.LastPoll.Nanosecond() % 1000)
		next = times.DueAfter(s.LastPoll, min(wait+wait*chance/4000, lastPoll), s.Now)
	}
	if MisconfiguredAnswers(s.Attempts) > 0 {
		next = times.Latest(next, s.NextAttempt())
	}
	return next
}
