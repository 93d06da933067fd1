// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/repost"
)

// keepHeartbeat is how often an Alert that waits for its last repost to a receiver is reconciled.
const keepHeartbeat = 30 * time.Second

// newReposts returns the loop that reposts the Alerts of this reconciler.
func (r *Reconciler) newReposts() *repost.Loop {
	return repost.New(repost.Options{Cache: r.resolver.Cache, Alerts: reposts{r}, Resolver: r.resolver, Endpoints: r.endpoints, Health: r.health, Metrics: r.metrics, Clock: r.clock})
}

// reposts is the repost.Alerts of a reconciler, which sends no request about an Alert while a repost of it is in flight.
type reposts struct{ *Reconciler }

func (r reposts) Claim(ctx context.Context, listed *v1beta1.Alert, ref v1beta1.ReceiverRef) *v1beta1.Alert {
	if !r.pending.beginRepost(listed, ref, r.clock.Now()) {
		return nil
	}
	isClaimed := false
	defer func() { // also after a panic
		if !isClaimed {
			r.Yield(listed, ref)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	now, isFresh, err := r.readFresh(ctx, nameOf(listed))
	if err != nil {
		log.FromContext(ctx).V(1).Info("Could not read an Alert to repost", "alert", nameOf(listed), "error", err.Error())
	}
	if err != nil || !isFresh || now.UID != listed.UID || r.leadership.Err() != nil {
		return nil
	}
	isClaimed = true
	return now
}

func (r reposts) Yield(a *v1beta1.Alert, ref v1beta1.ReceiverRef) {
	if isAwaited := r.pending.endRepost(a, ref); isAwaited {
		r.wake.AddFirst(nameOf(a))
	}
}

func (r reposts) Wake(name types.NamespacedName) { r.wake.Add(name) }

// sendFinalReposts posts an Alert that goes away without a resolve a last time to receivers that would forget it, so that they keep it. It reports
// whether the Alert has to wait for such a repost.
func (r *Reconciler) sendFinalReposts(ctx context.Context, s *scope, plan alertrules.Plan) (waits bool, err error) {
	if plan.KeepUntil.IsZero() {
		return false, nil
	}
	if s.lastPending > 0 { // the loop reads from the status which message a receiver holds
		if err := r.record(ctx, s, plan); err != nil {
			return false, err
		}
	}
	isDeleted := !s.alert.DeletionTimestamp.IsZero()
	for _, row := range plan.Held(s.alert) {
		ref := alertrules.RefOf(row)
		receiver := s.inputs.Receivers[ref]
		needsFinal := receiver.Problem == nil && providers.RepostEvery(receiver.Spec, row.ExternalID) > 0
		isBlocked := isDeleted && receiver.Blocked // a deletion does not wait for a receiver that fails
		if needsFinal && !isBlocked && r.reposts.Keep(s.alert, ref) {
			waits = true
		}
	}
	return waits, nil
}
