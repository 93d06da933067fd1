// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// Age is how long ago a time on record was. Clocks say that only once, when a process first sees the record: from then on it is measured, so that no
// clock that is set changes it. A recorded time that lies ahead says nothing about which clock is wrong: the present one may be behind. So it is never
// corrected in the record (R11).
type Age struct {
	// Recorded is the time on record; zero: there was none when the process last looked.
	Recorded time.Time
	// Looked is the uptime of the process when it last looked, and Age how long ago the recorded time was then.
	Looked, Age time.Duration
}

// Measure returns the present age of a recorded time that the process has seen before, and whether it has.
func (in *Inputs) Measure(known *Age, recorded *metav1.Time) (time.Duration, bool) {
	if known == nil || recorded == nil || !known.Recorded.Equal(recorded.Time) {
		return 0, false
	}
	return known.Age + in.Uptime - known.Looked, true
}

// ObserveOperation returns how long the broker has been working on the operation on record, with which Operation is set before a decision. nil: that is
// not known, since the process has seen the operation only while the API server's time was not known.
func (in *Inputs) ObserveOperation(s *v1beta1.OperationStatus) *Age {
	if !s.AsyncOpInProgress || s.OperationStartTime == nil {
		return &Age{Looked: in.Uptime}
	}
	seen := &Age{Recorded: s.OperationStartTime.Time, Looked: in.Uptime}
	var isKnown bool
	if seen.Age, isKnown = in.Measure(in.Operation, s.OperationStartTime); isKnown {
		return seen
	}
	if in.Operation == nil && in.Server.Known.IsZero() {
		return nil
	}
	// By a clock that is ahead alone, it would be overdue.
	seen.Age = max(times.Earliest(in.Now, in.Server.Known).Sub(seen.Recorded), 0)
	if in.Operation != nil { // it has begun since the process last looked
		seen.Age = min(seen.Age, in.Uptime-in.Operation.Looked)
	}
	return seen
}

// ObserveUnremoved returns how long the orphan mitigation has failed, with which Unremoved is set before a decision; nil: it does not fail.
func (in *Inputs) ObserveUnremoved(s *v1beta1.OperationStatus) *Age {
	if s.Attempts == nil || s.Attempts.UnremovedSince == nil {
		return nil
	}
	seen := &Age{Recorded: s.Attempts.UnremovedSince.Time, Looked: in.Uptime}
	var isKnown bool
	if seen.Age, isKnown = in.Measure(in.Unremoved, s.Attempts.UnremovedSince); !isKnown {
		seen.Age = max(times.Earliest(in.Now, in.Server.Steady).Sub(seen.Recorded), 0)
	}
	return seen
}

// IsMitigationOver reports whether the orphan mitigation has failed for so long that its id is left behind.
func (in *Inputs) IsMitigationOver(s *v1beta1.OperationStatus) bool {
	is := in.ObserveUnremoved(s)
	return is != nil && is.Age >= maxMitigation
}

// IsOverdue reports whether the broker has been working on the operation on record for longer than it may. Nothing is overdue while the API server's
// time is not known.
func (in *Inputs) IsOverdue(s *v1beta1.OperationStatus, limit time.Duration) bool {
	is := in.ObserveOperation(s)
	return is != nil && !is.Recorded.IsZero() && !in.Server.Known.IsZero() && is.Age >= limit
}

// running returns how long the broker has been working on the operation on record, as far as that is known, for the interval of polls.
func (in *Inputs) running(s *v1beta1.OperationStatus) time.Duration {
	if is := in.ObserveOperation(s); is != nil {
		return is.Age
	}
	return in.Now.Sub(s.OperationStartTime.Time)
}
