// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bindingphase has the phase of a ServiceBinding: the operation that is in progress by its status.
package bindingphase

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Phase is the operation in progress for a binding. This package alone reads and writes the fields of the status that a phase stands for:
// currentOperation, asyncOpInProgress, orphanMitigationInProgress and rotates. A phase does not say whether the broker has the binding (IsBound),
// or whether bindings are left there to remove (unbindStatus, predecessors).
type Phase struct {
	Task Task
	// Accepted: the broker works on it, and is polled.
	Accepted bool
}

// Task is the purpose of the requests of a phase.
type Task string

const (
	// Idle: nothing is in progress.
	Idle Task = ""
	// Binding: a binding without a predecessor is requested of the broker.
	Binding Task = "Binding"
	// Rotating and Replacing: the successor of the binding under predecessorID is requested of the broker. The request of a rotation names that
	// binding. The predecessor stays until the Secret has the credentials of its successor.
	Rotating  Task = "Rotating"
	Replacing Task = "Replacing"
	// RemovingPredecessor: the first of predecessors is removed.
	RemovingPredecessor Task = "RemovingPredecessor"
	// Deleting: the binding of an object that is deleted is removed.
	Deleting Task = "Deleting"
	// Mitigating and MitigatingSuccessor: a binding that a failed request may have left at the broker is removed, under the present id.
	Mitigating          Task = "Mitigating"
	MitigatingSuccessor Task = "MitigatingSuccessor"
)

// Of decodes the phase of a status, also of one that the original service-catalog has written.
func Of(s *v1beta1.ServiceBindingStatus) Phase {
	return Phase{Task: TaskOf(s), Accepted: s.AsyncOpInProgress}
}

// TaskOf decodes the task of a status.
func TaskOf(s *v1beta1.ServiceBindingStatus) Task {
	replaces := s.PredecessorID != "" && s.CurrentOperation == v1beta1.OperationBind
	switch {
	case s.OrphanMitigationInProgress && replaces:
		return MitigatingSuccessor
	case s.OrphanMitigationInProgress:
		return Mitigating
	case s.CurrentOperation == v1beta1.OperationUnbind:
		return RemovalOf(s)
	case replaces && s.Rotates:
		return Rotating
	case replaces:
		return Replacing
	case s.CurrentOperation != "" || s.AsyncOpInProgress:
		return Binding
	}
	return Idle
}

// RemovalOf returns which removal comes first.
func RemovalOf(s *v1beta1.ServiceBindingStatus) Task {
	if len(s.Predecessors) > 0 {
		return RemovingPredecessor
	}
	return Deleting
}

// Encode writes the fields that the phase determines. During an orphan mitigation, currentOperation and rotates keep the values of the request that
// has failed.
func (p Phase) Encode(s *v1beta1.ServiceBindingStatus) {
	switch p.Task {
	case Idle:
		s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = "", nil, nil
	case Binding, Rotating, Replacing:
		s.CurrentOperation = v1beta1.OperationBind
	case RemovingPredecessor, Deleting:
		s.CurrentOperation = v1beta1.OperationUnbind
	case Mitigating, MitigatingSuccessor:
	}
	s.Rotates = p.Task == Rotating || p.Task == MitigatingSuccessor && s.Rotates
	s.AsyncOpInProgress, s.OrphanMitigationInProgress = p.Accepted, p.IsMitigating()
	if !p.Accepted {
		s.LastOperation = nil
	}
}

// Mitigation returns the phase in which the broker is cleaned up after a failed request.
func (p Phase) Mitigation() Phase {
	if p.IsReplacement() {
		return Phase{Task: MitigatingSuccessor}
	}
	return Phase{Task: Mitigating}
}

// AbandonedMitigation returns the phase after an orphan mitigation without a result: the phase of the request that has failed. A removal that the
// broker has accepted is not polled any more, since its end would be taken for the end of this request.
func (p Phase) AbandonedMitigation(s *v1beta1.ServiceBindingStatus) Phase {
	switch {
	case p.Task == MitigatingSuccessor && s.Rotates:
		return Phase{Task: Rotating}
	case p.Task == MitigatingSuccessor:
		return Phase{Task: Replacing}
	case s.CurrentOperation == "": // of the original service-catalog
		return Phase{}
	}
	return Phase{Task: Binding}
}

// WithoutPredecessor returns the phase of the same operation without a predecessor that is to stay.
func (p Phase) WithoutPredecessor() Phase {
	switch p.Task {
	case Rotating, Replacing:
		p.Task = Binding
	case MitigatingSuccessor:
		p.Task = Mitigating
	default:
	}
	return p
}

// HasOperation reports whether something is in progress.
func (p Phase) HasOperation() bool { return p.Task != Idle }

// Creates reports whether a binding is requested of the broker.
func (p Phase) Creates() bool { return p.Task == Binding || p.Task == Rotating || p.Task == Replacing }

// IsUnbinding reports whether a binding is removed at the broker that is not a left-over.
func (p Phase) IsUnbinding() bool { return p.Task == RemovingPredecessor || p.Task == Deleting }

// IsMitigating reports whether the broker is cleaned up after a failed request.
func (p Phase) IsMitigating() bool { return p.Task == Mitigating || p.Task == MitigatingSuccessor }

// IsRemoval reports whether something is being removed at the broker.
func (p Phase) IsRemoval() bool { return p.IsUnbinding() || p.IsMitigating() }

// IsReplacement reports whether a successor of the binding is created, or cleaned up after.
func (p Phase) IsReplacement() bool {
	return p.Task == Rotating || p.Task == Replacing || p.Task == MitigatingSuccessor
}

// IsConflictHeld reports whether the broker has something under the id that the record does not show to be left over from this object.
func (p Phase) IsConflictHeld(a *v1beta1.Attempts) bool {
	return p == Phase{Task: Binding} && rules.IsConflictUnexplained(a)
}

// IsReplacement reports whether the operation in progress creates the successor of a binding, or cleans up after that.
func IsReplacement(s *v1beta1.ServiceBindingStatus) bool { return Of(s).IsReplacement() }

// IsBound reports whether the broker has confirmed the binding, or the one that it replaces.
func IsBound(s *v1beta1.ServiceBindingStatus) bool { return s.ExternalProperties != nil }

// IsDelivered reports whether the credentials are in the Secret.
func IsDelivered(s *v1beta1.ServiceBindingStatus) bool {
	return IsBound(s) && s.ReconciledGeneration > 0
}

// IsOnBehalfOfUser reports whether a request is made on behalf of the user who created the binding. The user who deletes it, or requested a
// replacement, is not known, and requests that the operator makes by itself have no user.
func IsOnBehalfOfUser(b *v1beta1.ServiceBinding) bool {
	s := &b.Status
	replaces := s.Rebind != "" || s.AttemptedRebind != "" || s.ExternalID != "" || s.PredecessorID != ""
	return b.DeletionTimestamp.IsZero() && !replaces && !Of(s).IsRemoval()
}

// MayExist reports whether a request for a binding is on record.
func MayExist(s *v1beta1.ServiceBindingStatus) bool {
	return TaskOf(s) != Idle || IsBound(s) || s.UnbindStatus == v1beta1.UnbindRequired
}

// IsNew reports whether nothing was ever recorded. The original service-catalog may have recorded a condition only.
func IsNew(s *v1beta1.ServiceBindingStatus) bool {
	return len(s.Conditions) == 0 && s.UnbindStatus == "" && TaskOf(s) == Idle
}

// IsRefusedByOriginal reports whether the original service-catalog, which counted no attempts, has given the binding up: it did not
// retry after Failed=True. Bellhop's own conditions, which have Stalled, may be Failed also while a binding waits.
func IsRefusedByOriginal(s *v1beta1.ServiceBindingStatus) bool {
	isOriginal := rules.FindCondition(s.Conditions, v1beta1.ConditionStalled) == nil
	return isOriginal && s.Attempts == nil && s.ReconciledGeneration > 0 && rules.IsTrue(rules.FindCondition(s.Conditions, v1beta1.ConditionFailed))
}

// IsSlow reports whether requests for a binding are retried slowly. The removals of a binding that the broker has do not
// count: they were made to get new credentials.
func IsSlow(s *v1beta1.ServiceBindingStatus) bool {
	if a := s.Attempts; a != nil && IsBound(s) {
		return rules.IsSlow(&v1beta1.Attempts{Backoff: a.Backoff})
	}
	return rules.IsSlow(s.Attempts)
}
