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

package binding

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
)

// Phase is what is in progress for a binding. This file alone reads and writes the fields of the status that a phase stands for:
// currentOperation, asyncOpInProgress and orphanMitigationInProgress. A phase does not say whether the broker has the binding
// (IsBound), what is left there to remove (unbindStatus), or whether a successor replaces a predecessor (predecessorID). Which binding is
// being removed follows from the status alone: while Unbinding, the first of predecessors, and the present one where there is none and the
// object is being deleted; while Mitigating, the present one.
type Phase int

// The phases: an operation is accepted while the broker works on it and is polled.
const (
	// Idle: nothing is in progress.
	Idle Phase = iota
	// Binding: a bind request may have been sent.
	Binding
	BindAccepted
	// Unbinding: a predecessor, or the binding of an object that is deleted, is being removed.
	Unbinding
	UnbindAccepted
	// Mitigating: what a failed request may have left at the broker is being removed.
	Mitigating
	MitigationAccepted
)

// PhaseOf returns the phase of a status, also of one that the original service-catalog has written.
func PhaseOf(s *v1beta1.ServiceBindingStatus) Phase {
	switch async := s.AsyncOpInProgress; {
	case s.OrphanMitigationInProgress && async:
		return MitigationAccepted
	case s.OrphanMitigationInProgress:
		return Mitigating
	case s.CurrentOperation == v1beta1.OperationUnbind && async:
		return UnbindAccepted
	case s.CurrentOperation == v1beta1.OperationUnbind:
		return Unbinding
	case async:
		return BindAccepted
	case s.CurrentOperation != "":
		return Binding
	}
	return Idle
}

// setPhase records a phase, and drops what it has no use for. During an orphan mitigation, currentOperation stays that of the request
// that has failed.
func setPhase(s *v1beta1.ServiceBindingStatus, p Phase) {
	switch {
	case p == Idle:
		s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = "", nil, nil
	case p == Binding || p == BindAccepted:
		s.CurrentOperation = v1beta1.OperationBind
	case p.isUnbinding():
		s.CurrentOperation = v1beta1.OperationUnbind
	}
	s.AsyncOpInProgress, s.OrphanMitigationInProgress = p.IsAccepted(), p.isMitigating()
	if !p.IsAccepted() {
		s.LastOperation = nil
	}
}

// abandonMitigation ends an orphan mitigation without a result. A removal that the broker has accepted is not polled any more, since
// its end would be taken for that of the request that has failed.
func abandonMitigation(s *v1beta1.ServiceBindingStatus) {
	setPhase(s, Mitigating)
	s.OrphanMitigationInProgress = false
}

// IsAccepted reports whether the broker works on an operation, and is polled.
func (p Phase) IsAccepted() bool {
	return p == BindAccepted || p == UnbindAccepted || p == MitigationAccepted
}

func (p Phase) isUnbinding() bool { return p == Unbinding || p == UnbindAccepted }

func (p Phase) isMitigating() bool { return p == Mitigating || p == MitigationAccepted }

// isRemoval reports whether something is being removed at the broker.
func (p Phase) isRemoval() bool { return p.isUnbinding() || p.isMitigating() }

// accepted returns the phase once the broker has accepted its operation.
func (p Phase) accepted() Phase {
	switch p {
	case Binding:
		return BindAccepted
	case Unbinding:
		return UnbindAccepted
	case Mitigating:
		return MitigationAccepted
	default:
		return p
	}
}

// unaccepted returns the phase once the broker does not work on its operation any more.
func (p Phase) unaccepted() Phase {
	switch p {
	case BindAccepted:
		return Binding
	case UnbindAccepted:
		return Unbinding
	case MitigationAccepted:
		return Mitigating
	default:
		return p
	}
}

// requestsBinding reports whether a bind request was sent, or is the one after which the broker is cleaned up.
func requestsBinding(s *v1beta1.ServiceBindingStatus) bool {
	return s.CurrentOperation == v1beta1.OperationBind
}

// IsReplacement reports whether the operation in progress creates the successor of a binding, or cleans up after that.
func IsReplacement(s *v1beta1.ServiceBindingStatus) bool {
	return s.PredecessorID != "" && requestsBinding(s)
}

// IsBound reports whether the broker has confirmed the binding, or the one that it replaces.
func IsBound(s *v1beta1.ServiceBindingStatus) bool { return s.ExternalProperties != nil }

// isDelivered reports whether the credentials are in the Secret.
func isDelivered(s *v1beta1.ServiceBindingStatus) bool {
	return IsBound(s) && s.ReconciledGeneration > 0
}

// MayExist reports whether a request for a binding is on record.
func MayExist(s *v1beta1.ServiceBindingStatus) bool {
	return PhaseOf(s) != Idle || IsBound(s) || s.UnbindStatus == v1beta1.UnbindRequired
}

// isNew reports whether nothing was ever recorded. The original service-catalog may have recorded a condition only.
func isNew(s *v1beta1.ServiceBindingStatus) bool {
	return len(s.Conditions) == 0 && s.UnbindStatus == "" && PhaseOf(s) == Idle
}

// isRefusedByOriginal reports whether the original service-catalog, which counted no attempts, has given the binding up: it did not
// retry after Failed=True. Bellhop's own conditions, which have Stalled, may be Failed also while a binding waits.
func isRefusedByOriginal(s *v1beta1.ServiceBindingStatus) bool {
	isOriginal := lifecycle.FindCondition(s.Conditions, v1beta1.ConditionStalled) == nil
	return isOriginal && s.Attempts == nil && s.ReconciledGeneration > 0 && lifecycle.IsTrue(lifecycle.FindCondition(s.Conditions, v1beta1.ConditionFailed))
}
