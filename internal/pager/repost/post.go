// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package repost

import (
	"cmp"
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/message"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
	"github.com/gophernetes/bellhop/internal/panics"
)

// slotHeartbeat is how often a batch asks for a slot, in case it is not notified of one.
const slotHeartbeat = limiter.QueueTimeout / 3

// post claims the items of a batch, and sends those that fit into one request. An item that cannot be claimed is skipped until the next round.
func (l *Loop) post(ctx context.Context, key endpoints.Key, batch []item) answer {
	release := l.acquireSlot(ctx, key)
	if release == nil {
		return answer{outcome: outcome{failed: batch}}
	}
	forLimiter := limiter.Result{Outcome: limiter.NotSent}
	defer func() { release(l.Clock.Now(), forLimiter) }()
	claimed, target := l.claim(ctx, key, batch)
	defer l.yield(claimed)
	if len(claimed) == 0 {
		return answer{}
	}
	n, version, failure := l.send(context.WithoutCancel(ctx), key, target, claimed)
	sent, rest := claimed[:n], claimed[n:]
	if n > 1 && mayBeOfOne(failure) {
		// The limiter, the metrics and the health must not count that against the receiver, so that the slot is returned as NotSent.
		return answer{split: sent, rest: rest}
	}
	forLimiter = endpoints.LimiterResult(failure)
	l.Metrics.CountReposts(target.Spec, n, failure)
	l.Health.ObserveRepost(key, version, failure, l.Clock.Now())
	log.FromContext(ctx).V(1).Info("Receiver answered to reposts", "receiver", key.Ref, "alerts", n, "failure", failure)
	switch {
	case failure == nil:
		return answer{outcome: outcome{posted: sent}, rest: rest}
	case mayBeOfOne(failure):
		return answer{outcome: outcome{refused: sent}, rest: rest}
	}
	return answer{outcome: outcome{failed: sent}, rest: rest}
}

// mayBeOfOne reports whether one alert may be the cause of a failure: the receiver refuses it, or its message panics.
func mayBeOfOne(failure *result.Error) bool {
	return failure != nil && (failure.Reason == result.ReasonRejected || failure.Reason == result.ReasonInternalError)
}

// acquireSlot waits for a slot at the receiver's limiter; nil: ctx has ended.
func (l *Loop) acquireSlot(ctx context.Context, key endpoints.Key) limiter.Release {
	type ticket struct{ _ byte }
	id, notified := &ticket{}, make(chan struct{}, 1)
	for {
		now := l.Clock.Now()
		slots := l.Endpoints.Limiters.Of(key, now)
		if ctx.Err() != nil {
			return nil
		}
		if release, _ := slots.Enter(limiter.Request{ID: id, Flow: "reposts", Exempt: true, Notify: func() { signal(notified) }}, now); release != nil {
			return release
		}
		select {
		case <-notified:
		case <-time.After(slotHeartbeat):
		case <-ctx.Done():
			slots.Cancel(id, now)
			return nil
		}
	}
}

// signal sends to a channel that has a signal at most.
func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// claim returns the items that the receiver still holds, as they are now, and the receiver.
func (l *Loop) claim(ctx context.Context, key endpoints.Key, batch []item) (claimed []item, target alertrules.Target) {
	ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	for _, i := range batch {
		if held, found := l.claimHeld(ctx, key, i); held != nil {
			claimed, target = append(claimed, *held), found
		}
	}
	return claimed, target
}

// claimHeld claims an item and returns it as it is now, and its receiver; nil: it is in use, or the receiver no longer holds it, or cannot be
// used, such as a ClusterReceiver that does not select the namespace any more.
func (l *Loop) claimHeld(ctx context.Context, key endpoints.Key, i item) (held *item, target alertrules.Target) {
	var err error // a panic for one Alert must not end the process
	defer panics.Recover(ctx, panics.Reconciler, "claiming an alert to repost", &err)
	target, err = l.Resolver.Target(ctx, i.alert.Namespace, key.Ref)
	if err != nil || target.Problem != nil {
		return nil, target
	}
	now := l.Alerts.Claim(ctx, i.alert, i.ref)
	if now == nil {
		return nil, target
	}
	defer func() {
		if held == nil {
			l.Alerts.Yield(now, i.ref)
		}
	}()
	i.alert = now
	if !i.isHeld(target.Spec) || !i.isFinal && l.isLeaving(i) {
		return nil, target
	}
	return &i, target
}

// isHeld reports whether a receiver holds the alert, and forgets it otherwise.
func (i item) isHeld(receiver *v1beta1.CommonReceiverSpec) bool {
	row := i.row()
	stays := i.alert.DeletionTimestamp.IsZero() || i.isFinal && alertrules.RetainsExternal(i.alert)
	return stays && providers.RepostEvery(receiver, row.ExternalID) > 0 && alertrules.IsHeld(i.alert, row)
}

func (l *Loop) yield(claimed []item) {
	for _, i := range claimed {
		l.Alerts.Yield(i.alert, i.ref)
	}
}

// send tries to send the first alerts, as many as fit into one request. attempted is how many the outcome is about: all if there is no sender.
func (l *Loop) send(ctx context.Context, key endpoints.Key, target alertrules.Target, claimed []item) (attempted int, version string, failure *result.Error) {
	attempted = len(claimed)
	defer func() {
		if recovered := recover(); recovered != nil { // a panic for one message must not end the process
			failure = endpoints.FailureOfPanic(ctx, key.Ref, recovered)
		}
	}()
	sender, version, err := l.Endpoints.Sender(ctx, key.Namespace, key.Ref, target)
	if err != nil {
		return attempted, cmp.Or(version, target.Revision), endpoints.FailureOf(err)
	}
	var batch []notify.BatchMessage
	for _, i := range claimed {
		m, messageKey := message.Repost(i.alert, i.row(), i.isFinal, l.Clock.Now())
		batch = append(batch, notify.BatchMessage{Message: m, Key: messageKey})
	}
	attempted, _, err = sender.(notify.BatchSender).SendBatch(ctx, batch)
	if err != nil {
		failure = endpoints.FailureOf(err)
	}
	return attempted, cmp.Or(version, target.Revision), failure
}
