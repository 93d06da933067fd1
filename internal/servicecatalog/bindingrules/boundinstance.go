// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"fmt"
	"strings"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// BoundInstance are the instance of a binding, with the class and the plan that it has at the broker.
type BoundInstance struct {
	Instance *v1beta1.ServiceInstance
	Class    v1beta1.Class
	Plan     v1beta1.Plan
	// Target is where its bindings are; nil: the instance is at no broker.
	Target *v1beta1.ServiceBindingTarget
	// Plans are the ids of the plans that the instance may have, the most likely one first.
	Plans []string
	// Missing is why the class or the plan does not exist.
	Missing *rules.Blocker
}

// Effective returns the features of the instance's plan; none where the plan is not known.
func (in BoundInstance) Effective() catalog.Effective {
	if in.Class != nil && in.Plan != nil {
		return catalog.EffectiveOf(in.Class, in.Plan)
	}
	return catalog.Effective{MaximumPollingDuration: catalog.MaximumPollingDuration}
}

// Blocker returns why a binding cannot be made to the instance; nil: it can.
func (in BoundInstance) Blocker(b *v1beta1.ServiceBinding) *rules.Blocker {
	name := b.Spec.InstanceRef.Name
	if in.Instance == nil {
		return rules.MissingReference(b, v1beta1.ReasonReferencesNonexistentInstance, fmt.Sprintf("ServiceInstance %q does not exist in namespace %q", name, b.Namespace))
	}
	status, effective := &in.Instance.Status, in.Effective()
	switch {
	case !in.Instance.DeletionTimestamp.IsZero():
		return in.wait(v1beta1.ReasonErrorInstanceNotReady, fmt.Sprintf("ServiceInstance %q is being deleted", name))
	case in.Missing != nil:
		return in.Missing
	case !effective.Bindable:
		return &rules.Blocker{Cause: rules.Cause{Reason: v1beta1.ReasonErrorNonbindableServiceClass, Message: fmt.Sprintf("instances of plan %q of %q cannot be bound to", in.Plan.Common().ExternalName, in.Class.Common().ExternalName)}, Failed: true}
	case len(effective.Unsupported) > 0:
		return &rules.Blocker{Cause: rules.Cause{Reason: v1beta1.ReasonUnsupportedBinding, Message: fmt.Sprintf("bindings of %q require %s, which Kubernetes cannot provide", in.Class.Common().ExternalName, strings.Join(effective.Unsupported, ", "))}, Failed: true}
	case !instancerules.IsProvisioned(status) || in.Target == nil:
		return in.wait(v1beta1.ReasonErrorInstanceNotReady, fmt.Sprintf("ServiceInstance %q is not provisioned%s", name, readyReason(status)))
	case status.Unusable:
		return rules.BlockedBy(v1beta1.ReasonInstanceUnusable, fmt.Sprintf("the broker says that ServiceInstance %q can no longer be used", name))
	case instancerules.PhaseOf(status).Accepted:
		return in.wait(v1beta1.ReasonErrorAsyncOperationInProgress, fmt.Sprintf("the broker is working on ServiceInstance %q", name))
	}
	return nil
}

// wait is the blocker for an instance that exists and cannot be bound to: in progress, unless the instance is Stalled.
func (in BoundInstance) wait(reason, message string) *rules.Blocker {
	if IsInstanceStalled(in.Instance) {
		return rules.BlockedBy(reason, message)
	}
	return rules.InProgress(reason, message)
}

// IsInstanceStalled reports whether an instance is Stalled.
func IsInstanceStalled(instance *v1beta1.ServiceInstance) bool {
	return instance != nil && rules.IsTrue(rules.FindCondition(instance.Status.Conditions, v1beta1.ConditionStalled))
}

// readyReason returns the reason of the instance's condition Ready in brackets; empty: there is no condition.
func readyReason(s *v1beta1.ServiceInstanceStatus) string {
	if ready := rules.FindCondition(s.Conditions, v1beta1.ConditionReady); ready != nil {
		return " (" + ready.Reason + ")"
	}
	return ""
}
