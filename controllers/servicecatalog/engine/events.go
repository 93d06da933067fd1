// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// isQuiet reports whether the reason of the condition Ready is one without events.
func isQuiet(conditions []v1beta1.Condition) bool {
	ready := rules.FindCondition(conditions, v1beta1.ConditionReady)
	return ready != nil && rules.TraitsOf(ready.Reason).Quiet
}

// hasOpenProblem reports whether an event has announced a problem that has not ended. Conditions with a quiet reason do not show that: for them it
// returns remembered.
func hasOpenProblem(conditions []v1beta1.Condition, remembered bool) bool {
	if isQuiet(conditions) {
		return remembered
	}
	ready := rules.FindCondition(conditions, v1beta1.ConditionReady)
	return ready != nil && !rules.IsTrue(ready)
}

// emitEvents emits an event about a new problem or an operation in progress, and about the end of a problem if openProblem. Expected changes are
// only in the conditions and the log: an event about each would be a tenth of an object's cost for the API server.
func emitEvents(ctx context.Context, recorder events.EventRecorder, about client.Object, before, after []v1beta1.Condition, openProblem bool) {
	becomesTrue := func(condition string) bool {
		return rules.IsTrue(rules.FindCondition(after, condition)) && !rules.IsTrue(rules.FindCondition(before, condition))
	}
	if becomesTrue(v1beta1.ConditionFailed) {
		failed := rules.FindCondition(after, v1beta1.ConditionFailed)
		log.FromContext(ctx).Info("Failed", "reason", failed.Reason, "message", failed.Message)
	}
	ready, readyBefore := rules.FindCondition(after, v1beta1.ConditionReady), rules.FindCondition(before, v1beta1.ConditionReady)
	if ready == nil || isQuiet(after) {
		return
	}
	isAnnounced := readyBefore != nil && readyBefore.Reason == ready.Reason && readyBefore.Status == ready.Status
	if isAnnounced && !becomesTrue(v1beta1.ConditionStalled) {
		return
	}
	if rules.IsTrue(ready) && !openProblem {
		log.FromContext(ctx).Info("Ready", "reason", ready.Reason)
		return
	}
	eventType := corev1.EventTypeNormal
	isStalled := rules.IsTrue(rules.FindCondition(after, v1beta1.ConditionStalled))
	if !rules.IsTrue(ready) && (isStalled || rules.TraitsOf(ready.Reason).Warning) {
		eventType = corev1.EventTypeWarning
	}
	note := ready.Message
	if eventType == corev1.EventTypeNormal && !about.GetDeletionTimestamp().IsZero() {
		note = strings.Replace(note, ". "+rules.HowToRelease(about), "", 1) // only a user whose deletion fails has to know
	}
	recorder.Eventf(about, nil, eventType, ready.Reason, "Reconcile", "%s", redact.Shorten(note, rules.MaxNote))
}

// announceNextID emits an event about an id that an object did not have before. After a restore from a backup only events and the log have the ids
// that were in force since the backup.
func announceNextID(ctx context.Context, recorder events.EventRecorder, before v1beta1.ServiceObject, id string) {
	former := rules.Distinct(catalog.ExternalIDs(before)...)
	if id == "" || len(former) == 0 || slices.Contains(former, id) {
		return
	}
	log.FromContext(ctx).Info("Uses another external id", "id", id, "formerIDs", former)
	recorder.Eventf(before, nil, corev1.EventTypeNormal, v1beta1.ReasonExternalIDChanged, "Reconcile", "%s",
		redact.Shorten(fmt.Sprintf("The id at the broker is %q from now on; former ids of this object: %s", id, rules.Enumerate(former)), rules.MaxNote))
}

// EmitRelease emits an event about the removal of the finalizer: a Warning if the object's resource is left at the broker, else a Normal
// one, about the end of a problem, if openProblem.
func EmitRelease(ctx context.Context, recorder events.EventRecorder, about client.Object, at audit.External, why rules.Cause, openProblem bool) {
	switch {
	case why.Reason == v1beta1.ReasonRetained:
		audit.Left(ctx, recorder, about, at, why.Reason, "Release", why.Message)
	case openProblem:
		recorder.Eventf(about, nil, corev1.EventTypeNormal, why.Reason, "Release", "%s", redact.Shorten(redact.Capitalize(why.Message), rules.MaxNote))
	default:
		log.FromContext(ctx).V(1).Info("Released", "reason", why.Reason)
	}
}

// EmitFinalizerRefused emits an event if the error says that the API server refuses the finalizer of an object that has no status to say so: it has
// none before it has the finalizer, or is a Secret.
func EmitFinalizerRefused(recorder events.EventRecorder, about client.Object, err error) {
	if refused, ok := errors.AsType[*patch.RefusedError](err); ok {
		recorder.Eventf(about, nil, corev1.EventTypeWarning, v1beta1.ReasonFinalizerRefused, "SetFinalizers", "%s", redact.Shorten(redact.Capitalize(refused.Error()), rules.MaxNote))
	}
}
