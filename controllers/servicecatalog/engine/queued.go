// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// reconcileQueued handles an object that waits for a slot. The status says so after a while, unless that is no news. An object that does not
// request the slot again in time loses its place.
func (r *Reconciler) reconcileQueued(ctx context.Context, m Machine, wait limiter.Wait, call *operation.Request) (ctrl.Result, error) {
	s, now := m.Common(), r.Clock.Now()
	recorded := s.Object.CommonStatus()
	status := recorded
	if !r.isWaitQuiet(s, call) && !rules.IsSlow(status.Common().Attempts) { // otherwise the conditions say why it is retried slowly
		status = m.StatusForBlocker(BlockerForQueue(wait.Cause, *s.Memory.Queue), now)
	}
	if s.Memory.PendingStatus == nil && !equality.Semantic.DeepEqual(status, recorded) {
		if at := wait.Since.Add(QueuedConditionDelay); now.Before(at) {
			return enqueue.Requeue(at, now), nil
		}
		if again := r.Queue.AllowStatus(now); again > 0 {
			return enqueue.Requeue(now.Add(again), now), nil
		}
	}
	return enqueue.Requeue(now.Add(brokers.QueueHeartbeat), now), r.Record(ctx, s, status)
}

// isWaitQuiet reports whether the status does not say that a request waits for a slot: a poll, a request about an id left behind, which changes no
// condition, and a request for a Ready object of a kind with QuietWhileReady.
func (r *Reconciler) isWaitQuiet(s *Scope, call *operation.Request) bool {
	status := s.Object.CommonStatus().Common()
	works := r.kind.QuietWhileReady && s.Object.GetDeletionTimestamp().IsZero() && rules.IsTrue(rules.FindCondition(status.Conditions, v1beta1.ConditionReady))
	return call.CleanUp || status.AsyncOpInProgress || works
}

// BlockerForQueue returns the blocker of an object that waits for a slot.
func BlockerForQueue(cause limiter.Cause, broker brokers.Key) *rules.Blocker {
	message := "Other requests to the broker come first"
	switch cause {
	case limiter.LooksMisconfigured:
		return &rules.Blocker{Failed: true, Cause: rules.Cause{Reason: v1beta1.ReasonQueued, Message: "All answers of the broker look like a misconfiguration; this request is retried with " + brokers.NameOf(broker) + ", see its status"}}
	case limiter.Down:
		message = "Circuit breaker open, or Retry-After in effect: one request at a time is sent until the broker answers"
	case limiter.Failing:
		message = "Retries at the broker keep failing; until they succeed, a few requests each second are sent, in turn"
	case limiter.TenantBusy:
		message = fmt.Sprintf("Requests to other ServiceBrokers of namespace %q come first: all of a namespace together have at most %d in flight to those that answer, and as many to the others, or %d while these hang", broker.Namespace, limiter.TenantSlots, limiter.TenantProbes)
	case limiter.Busy, limiter.RateLimited:
	}
	return rules.InProgress(v1beta1.ReasonQueued, message)
}
