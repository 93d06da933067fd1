// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package repost repeats the alerts of receivers that forget them otherwise, such as an Alertmanager. At each interval of the provider it posts all
// alerts that a receiver holds in batches: a request for each Alert would be too many. Reposts are not recorded in a status: the statuses of the
// Alerts already have the messages that a receiver holds.
package repost

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
	"github.com/gophernetes/bellhop/internal/panics"
)

const (
	// lookEvery is the interval at which the loop looks for receivers whose alerts are due.
	lookEvery = 5 * time.Second
	// collectTime is how long the loop waits for more Alerts that go away.
	collectTime = 200 * time.Millisecond
	// retryAfter is the time after which items that failed in a round are posted again.
	retryAfter = 30 * time.Second
	// roundTimeout bounds a round, which may wait for slots at a receiver that fails. The items that are left are posted again like items that
	// failed.
	roundTimeout = 5 * time.Minute
	// forgetAfter: without a call of Keep for this long, the loop sends no final repost of the Alert.
	forgetAfter = time.Minute
)

// Alerts gives access to Alerts, about each of which a receiver gets one request at a time.
type Alerts interface {
	// Claim keeps other requests about an Alert from a receiver, and returns the Alert as it is then. It returns nil if another request is in
	// flight, or the Alert is gone.
	Claim(context.Context, *v1beta1.Alert, v1beta1.ReceiverRef) *v1beta1.Alert
	// Yield ends a claim.
	Yield(*v1beta1.Alert, v1beta1.ReceiverRef)
	// Wake reconciles an Alert.
	Wake(types.NamespacedName)
}

// Metrics counts reposts.
type Metrics interface {
	// CountReposts counts the alerts of a request to a receiver; failure is nil for a success.
	CountReposts(receiver *v1beta1.CommonReceiverSpec, alerts int, failure *result.Error)
}

// Options are the dependencies of a Loop.
type Options struct {
	Cache     client.Reader
	Alerts    Alerts
	Resolver  receivers.Resolver
	Endpoints *endpoints.Cache
	Health    *endpoints.Health
	Metrics   Metrics
	Clock     clock.PassiveClock
}

// Loop reposts alerts.
type Loop struct {
	Options

	mu      sync.Mutex
	rounds  map[roundID]*round
	leaving map[leavingID]*leaving
	running sync.WaitGroup // rounds
	woken   chan struct{}
}

// roundID identifies the rounds to a receiver: of the alerts that it holds, or of the last reposts of Alerts that go away.
type roundID struct {
	endpoints.Key

	isFinal bool // of Alerts that go away
}

// round is the state of the rounds with one ID: whether one is running, and when the next one is due.
type round struct {
	running bool
	due     time.Time // when the next one is due
	// failed are the items that failed in the last one, and are posted again at retryAt.
	failed  []item
	retryAt time.Time
	// requests has an element for each request in flight. The rounds to one receiver share it.
	requests chan struct{}
}

// dueItems returns the items that are due.
func (r *round) dueItems(items []item, now time.Time) []item {
	if r.running {
		return nil
	}
	if !now.Before(r.due) {
		return items
	}
	if !now.Before(r.retryAt) {
		return r.failed
	}
	return nil
}

// leavingID identifies an Alert at one receiver.
type leavingID struct {
	uid types.UID
	ref v1beta1.ReceiverRef
}

func (i item) leavingID() leavingID { return leavingID{i.alert.UID, i.ref} }

// leaving is an Alert that goes away, at a receiver that holds it.
type leaving struct {
	item

	asked        time.Time // of the last call of Keep
	kept, failed bool
}

// New returns a loop.
func New(o Options) *Loop {
	return &Loop{Options: o, rounds: map[roundID]*round{}, leaving: map[leavingID]*leaving{}, woken: make(chan struct{}, 1)}
}

// Start runs the loop until ctx ends. It is a manager.Runnable.
func (l *Loop) Start(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if err := l.Look(ctx); err != nil {
			log.FromContext(ctx).V(1).Info("Could not look for alerts to repost", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			l.Wait()
			return nil
		case <-ticker.C:
		case <-l.woken:
			time.Sleep(collectTime)
		}
	}
}

// Wait waits for the rounds that were begun.
func (l *Loop) Wait() { l.running.Wait() }

// Look begins the rounds that are due, and forgets receivers and Alerts about which there is nothing to do any more.
func (l *Loop) Look(ctx context.Context) (err error) {
	defer panics.Recover(ctx, panics.Reconciler, "looking for alerts to repost", &err)
	held, err := l.held(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Clock.Now()
	l.addLeaving(held, now)
	for id, r := range l.rounds {
		if len(held[id]) == 0 && !r.running {
			delete(l.rounds, id)
		}
	}
	for id, items := range held {
		if l.rounds[id] == nil {
			l.rounds[id] = l.newRound(id, items, now)
		}
		r := l.rounds[id]
		if due := r.dueItems(items, now); len(due) > 0 {
			r.running = true
			l.running.Go(func() { l.runRound(ctx, id, due, r) })
		}
	}
	return nil
}

// held returns the Alerts at receivers that hold them, but would forget them. Whether a receiver holds the present content is checked when the Alert
// is claimed.
func (l *Loop) held(ctx context.Context) (map[roundID][]item, error) {
	alerts, err := receivers.RepostedAlerts(ctx, l.Cache)
	if err != nil {
		return nil, err
	}
	held := map[roundID][]item{}
	for i := range alerts {
		a := &alerts[i]
		for _, row := range a.Status.Deliveries {
			isActive := a.DeletionTimestamp.IsZero() && a.Spec.State == v1beta1.AlertFiring && row.State == v1beta1.DeliverySent
			if isActive && providers.RepostInterval(row.ExternalID) > 0 {
				ref := alertrules.RefOf(row)
				id := roundID{Key: endpoints.KeyOf(a.Namespace, ref)}
				held[id] = append(held[id], item{alert: a, ref: ref})
			}
		}
	}
	return held, nil
}

// addLeaving adds the Alerts that go away, and forgets those that do not any more. The caller has locked mu.
func (l *Loop) addLeaving(held map[roundID][]item, now time.Time) {
	for id, going := range l.leaving {
		if now.Sub(going.asked) > forgetAfter {
			delete(l.leaving, id)
		} else if !going.kept {
			round := roundID{Key: endpoints.KeyOf(going.alert.Namespace, going.ref), isFinal: true}
			held[round] = append(held[round], going.item)
		}
	}
}

// newRound returns the state before the first round with items: it is due an interval after the oldest of the last attempts. It is due at once if
// that time was recorded by a clock that was ahead, or if the Alerts go away.
func (l *Loop) newRound(id roundID, items []item, now time.Time) *round {
	r := &round{requests: make(chan struct{}, batchesInFlight)}
	if other := l.rounds[roundID{id.Key, !id.isFinal}]; other != nil {
		r.requests = other.requests
	}
	if id.isFinal {
		return r
	}
	for _, i := range items {
		row := i.row()
		if row.LastAttemptTime == nil || times.IsAhead(row.LastAttemptTime.Time, now) {
			r.due = time.Time{}
			break
		}
		r.due = times.Earliest(r.due, row.LastAttemptTime.Add(providers.RepostInterval(row.ExternalID)))
	}
	return r
}

// runRound posts items to a receiver.
func (l *Loop) runRound(ctx context.Context, id roundID, items []item, r *round) {
	began := l.Clock.Now()
	limited, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	all := postAll(limited, items, func(ctx context.Context, batch []item) answer {
		r.requests <- struct{}{}
		defer func() { <-r.requests }()
		return l.post(ctx, id.Key, batch)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Clock.Now()
	isRetry := began.Before(r.due)
	r.running = false
	r.failed, r.retryAt = all.failed, now.Add(retryAfter)
	if id.isFinal {
		l.recordKept(all)
		r.due = now.Add(lookEvery) // for items that were added meanwhile, or could not be claimed
		if len(all.failed)+len(all.refused) > 0 {
			r.due = now.Add(retryAfter)
		}
		return
	}
	if !isRetry {
		r.due = began.Add(providers.RepostInterval(items[0].row().ExternalID))
	}
}

// recordKept records which alerts a receiver keeps, and which it has failed to, and wakes their Alerts. The caller has locked mu.
func (l *Loop) recordKept(all outcome) {
	for _, i := range all.posted {
		if going := l.leaving[i.leavingID()]; going != nil {
			going.kept = true
		}
	}
	for _, i := range slices.Concat(all.failed, all.refused) {
		if going := l.leaving[i.leavingID()]; going != nil {
			going.failed = true
		}
	}
	for _, i := range slices.Concat(all.posted, all.failed, all.refused) {
		l.Alerts.Wake(client.ObjectKeyFromObject(i.alert))
	}
}

// Recover has the next round to a receiver be due now, which succeeds again after it had failed.
func (l *Loop) Recover(key endpoints.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rounds[roundID{Key: key}]
	if r == nil || len(r.failed) == 0 {
		return
	}
	r.retryAt = l.Clock.Now()
	signal(l.woken)
}

// Keep has an Alert that goes away without a resolve posted a last time to a receiver, so that the receiver keeps it, and reports whether the Alert
// has to wait for that: an Alert that is being deleted does not wait for a receiver that fails. The Alert is reconciled after an answer. Its caller
// calls again before forgetAfter has passed.
func (l *Loop) Keep(a *v1beta1.Alert, ref v1beta1.ReceiverRef) (waits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := item{alert: a, ref: ref, isFinal: true}
	going := l.leaving[i.leavingID()]
	if going == nil {
		going = &leaving{item: i}
		l.leaving[i.leavingID()] = going
		signal(l.woken)
	}
	going.asked = l.Clock.Now()
	isDeleted := !a.DeletionTimestamp.IsZero()
	isGivenUp := isDeleted && going.failed
	return !going.kept && !isGivenUp
}

// isLeaving reports whether the Alert of an item goes away: a receiver that keeps it must not be posted another end.
func (l *Loop) isLeaving(i item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaving[i.leavingID()] != nil
}
