// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// emitEvents emits an event if the condition Ready of a broker has changed. A change of the message alone causes an event only where a
// catalog is partly synced and its problems differ, at the first attempt.
func emitEvents(recorder events.EventRecorder, before v1beta1.Broker, after v1beta1.ServiceBrokerStatus) {
	is, was := readyConditions(before, after)
	if is == nil || rules.TraitsOf(is.Reason).Quiet {
		return
	}
	if was != nil && was.Reason == is.Reason && was.Status == is.Status {
		hasNewProblems := is.Reason == v1beta1.ReasonPartlySynced && was.Message != is.Message
		if !hasNewProblems || after.Attempts > 1 {
			return
		}
	}
	eventType := corev1.EventTypeWarning
	isStalled := rules.IsTrue(rules.FindCondition(after.Conditions, v1beta1.ConditionStalled))
	if is.Reason == v1beta1.ReasonFetchedCatalog || is.Reason == v1beta1.ReasonBrokerInUse && !isStalled {
		eventType = corev1.EventTypeNormal
	}
	recorder.Eventf(before, nil, eventType, is.Reason, "Relist", "%s", redact.Shorten(is.Message, rules.MaxNote))
}

// readyConditions returns the condition Ready of a broker: is after a reconcile, was before it; nil: there is no condition.
func readyConditions(before v1beta1.Broker, after v1beta1.ServiceBrokerStatus) (is, was *v1beta1.Condition) {
	is = rules.FindCondition(after.Conditions, v1beta1.ConditionReady)
	was = rules.FindCondition(before.CommonStatus().Conditions, v1beta1.ConditionReady)
	return is, was
}

// logTransition logs when a broker begins to fail, and when it works again.
func logTransition(ctx context.Context, before v1beta1.Broker, after v1beta1.ServiceBrokerStatus) {
	is, was := readyConditions(before, after)
	failed := was != nil && !rules.IsTrue(was) && !rules.TraitsOf(was.Reason).Quiet && was.Reason != v1beta1.ReasonBrokerInUse
	switch {
	case is == nil || rules.TraitsOf(is.Reason).Quiet:
	case is.Reason == v1beta1.ReasonBrokerInUse:
		if was == nil || was.Reason != is.Reason {
			log.FromContext(ctx).Info("Deleted broker is in use", "message", is.Message)
		}
	case !failed && !rules.IsTrue(is):
		log.FromContext(ctx).Error(nil, "Broker does not work", "reason", is.Reason, "message", is.Message)
	case failed && rules.IsTrue(is):
		log.FromContext(ctx).Info("Broker works again")
	}
}
