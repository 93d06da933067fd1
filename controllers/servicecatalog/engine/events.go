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

package engine

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/redact"
)

// isQuiet reports whether the reason of Ready has no event.
func isQuiet(conditions []v1beta1.Condition) bool {
	ready := lifecycle.FindCondition(conditions, v1beta1.ConditionReady)
	return ready != nil && lifecycle.TraitsOf(ready.Reason).Quiet
}

// hasOpenProblem reports whether an event has announced a problem that has not ended. Quiet conditions do not show that, so it is remembered.
func hasOpenProblem(conditions []v1beta1.Condition, remembered bool) bool {
	if isQuiet(conditions) {
		return remembered
	}
	ready := lifecycle.FindCondition(conditions, v1beta1.ConditionReady)
	return ready != nil && !lifecycle.IsTrue(ready)
}

// emitEvents emits events about problems, and about their end where open. Expected changes have no events, which were a tenth of the
// API server's cost of an object: conditions and log have them.
func emitEvents(ctx context.Context, recorder events.EventRecorder, about client.Object, before, after []v1beta1.Condition, open bool) {
	if failed := lifecycle.FindCondition(after, v1beta1.ConditionFailed); lifecycle.IsTrue(failed) && !lifecycle.IsTrue(lifecycle.FindCondition(before, v1beta1.ConditionFailed)) {
		log.FromContext(ctx).Info("Failed", "reason", failed.Reason, "message", failed.Message)
	}
	is, was := lifecycle.FindCondition(after, v1beta1.ConditionReady), lifecycle.FindCondition(before, v1beta1.ConditionReady)
	stalls := lifecycle.IsTrue(lifecycle.FindCondition(after, v1beta1.ConditionStalled)) && !lifecycle.IsTrue(lifecycle.FindCondition(before, v1beta1.ConditionStalled))
	if is == nil || lifecycle.TraitsOf(is.Reason).Quiet || was != nil && was.Reason == is.Reason && was.Status == is.Status && !stalls {
		return
	}
	if lifecycle.IsTrue(is) && !open {
		log.FromContext(ctx).Info("Ready", "reason", is.Reason)
		return
	}
	kind := corev1.EventTypeNormal
	if isStalled := lifecycle.IsTrue(lifecycle.FindCondition(after, v1beta1.ConditionStalled)); !lifecycle.IsTrue(is) && (isStalled || lifecycle.TraitsOf(is.Reason).Warning) {
		kind = corev1.EventTypeWarning
	}
	note := is.Message
	if kind == corev1.EventTypeNormal && !about.GetDeletionTimestamp().IsZero() {
		note = strings.Replace(note, ". "+lifecycle.HowToRelease(about), "", 1) // a deletion that makes progress needs no way out
	}
	recorder.Eventf(about, nil, kind, is.Reason, "Reconcile", "%s", redact.Shorten(note, lifecycle.MaxNote))
}

// EmitRelease emits an event about the release of an object: where something is left at the broker, or where open.
func EmitRelease(ctx context.Context, recorder events.EventRecorder, about client.Object, at audit.External, why lifecycle.Cause, open bool) {
	switch {
	case why.Reason == v1beta1.ReasonRetained:
		audit.Left(ctx, recorder, about, at, why.Reason, "Release", why.Message)
	case open:
		recorder.Eventf(about, nil, corev1.EventTypeNormal, why.Reason, "Release", "%s", redact.Shorten(why.Message, lifecycle.MaxNote))
	default:
		log.FromContext(ctx).V(1).Info("Released", "reason", why.Reason)
	}
}
