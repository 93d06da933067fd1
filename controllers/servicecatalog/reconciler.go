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

package servicecatalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"github.com/gophernetes/bellhop/internal/patch"
)

const (
	// recordTimeout bounds a write of a result. It also holds while the process stops.
	recordTimeout = 10 * time.Second
	// patience is how long an object waits for its broker before the status says so, which costs a write.
	patience = 10 * time.Second
	// lowPriority is the priority of polls and retries: changes by users go first.
	lowPriority = handler.LowPriority
)

// reconciler is the reconcile shell that instances and bindings share: it observes an object, sends a request to its broker, and
// records the result. O is the type of the objects, S that of their status, and M what a process remembers of an object beyond it.
type reconciler[O client.Object, S any, M comparable] struct {
	*kit
	kind       Kind[O, S, M]
	client     client.Client // reads the cache, and shows this process's own writes
	live       client.Reader
	fresh      *consistency.ObjectFreshness
	definition *definition
	ledger     *ledger[S, M]
	orphans    *orphanage
	claims     claims
	recoveries recoveries
	wake       enqueue.Enqueuer
	line       *line
	chatter    *rate.Limiter
}

// Kind is what differs between the kinds of objects that the engine reconciles.
type Kind[O client.Object, S any, M comparable] interface {
	OrphanRemover
	// Name returns the kind, such as ServiceInstance.
	Name() string
	New() O
	Status(O) *S
	CopyStatus(*S) *S
	Conditions(*S) []v1beta1.Condition
	Attempts(*S) *v1beta1.Attempts
	// IsInProgress reports whether an operation is in progress.
	IsInProgress(*S) bool
	// IsCreated reports whether the broker has confirmed the resource.
	IsCreated(*S) bool
	// UnsettledAt returns the objects that are not settled at a broker.
	UnsettledAt(context.Context, v1beta1.Broker) []reconcile.Request
	// ReconcileObject takes one step for an object that the cache shows as it is.
	ReconcileObject(context.Context, *view[O, S, M]) (ctrl.Result, error)
}

// view is an object during a reconcile.
type view[O client.Object, S any, M comparable] struct {
	before O // as it is on record; it belongs to the cache
	object O // the same, with a status that is not recorded yet
	known  *entry[S, M]
	// polled: the request was a poll.
	polled bool
	// stopping returns an error once the process stops or no longer leads.
	stopping func() error
	// blame attributes an answer that looks like a misconfiguration.
	blame lifecycle.Attribution
}

func (v *view[O, S, M]) scope() *view[O, S, M] { return v }

// KindScope is a Scope, together with what a kind looks up for its object.
type KindScope[O client.Object, S any, M comparable] interface {
	// StatusForBlocker returns the status of an object whose reconcile is blocked.
	StatusForBlocker(why *lifecycle.Blocker, now time.Time) S
	scope() *view[O, S, M]
}

func newReconciler[O client.Object, S any, M comparable](k *kit, of Kind[O, S, M], c client.Client, live client.Reader) *reconciler[O, S, M] {
	r := &reconciler[O, S, M]{
		kit: k, kind: of, client: c, live: live, chatter: newNewsLimiter(),
		fresh:      k.freshness(of.Name(), of.New()),
		definition: newDefinition(live, of.Name()),
	}
	r.line = newLine(of.Name(), k.connections, k.clock, &r.wake)
	left := newOrphans()
	r.ledger = newLedger[S, M](left)
	r.orphans = &orphanage{
		index: k.index, connections: k.connections, definition: r.definition, recorder: k.recorder, clock: k.clock, left: left, wake: r.wake.AddFirst, remover: of,
	}
	return r
}

// Reconcile takes one step for an object, and for the resources that earlier objects of its name have left at brokers.
func (r *reconciler[O, S, M]) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.barrier.WaitForSync(ctx); err != nil {
		return ctrl.Result{}, err
	}
	before := r.kind.New()
	err := r.fresh.Read(ctx, r.client, req.NamespacedName, before, client.UnsafeDisableDeepCopy)
	switch {
	case apierrors.IsNotFound(err):
		queued := r.ledger.drop(req.NamespacedName)
		r.line.leave(req.NamespacedName, &queued)
	case err != nil:
		return ctrl.Result{}, err
	default:
		r.ledger.of(before)
	}
	var result ctrl.Result
	again, failed := r.orphans.undo(ctx, req.NamespacedName)
	if err == nil { // the object exists
		result, err = r.open(ctx, before)
		failed = errors.Join(err, failed)
	}
	if errors.Is(failed, errStopping) {
		return ctrl.Result{}, nil
	}
	if failed != nil {
		return ctrl.Result{Priority: cmp.Or(result.Priority, new(0))}, failed
	}
	return sooner(result, again), nil
}

// open reconciles an object, if the cache shows it as this process has left it.
func (r *reconciler[O, S, M]) open(ctx context.Context, before O) (ctrl.Result, error) {
	if fresh, err := r.fresh.IsFresh(ctx, before); err != nil || !fresh {
		return ctrl.Result{}, err
	}
	v := &view[O, S, M]{before: before, object: before.DeepCopyObject().(O), known: r.ledger.of(before)}
	if v.known.released { // it is gone, or has the finalizer of another controller
		return ctrl.Result{}, nil
	}
	r.resume(v)
	v.stopping = ctx.Err
	ctx = context.WithoutCancel(ctx) // a request that was sent is finished and recorded also when the process stops
	result, err := r.kind.ReconcileObject(ctx, v)
	if !r.kind.IsInProgress(r.kind.Status(v.object)) {
		r.ledger.rest(before)
	}
	return patch.RequeueOnConflict(ctx, result, err)
}

// keep remembers a status until it is on record.
func (r *reconciler[O, S, M]) keep(v *view[O, S, M], status S) {
	v.known.unrecorded, v.known.recorded, v.known.version = r.kind.CopyStatus(&status), r.kind.Status(v.before), v.before.GetResourceVersion()
}

// resume continues with a status that is not recorded yet. If another status was recorded since, perhaps by another leader, a
// refusal is dropped, as it may follow from that; what a broker has done, or may have, is kept.
func (r *reconciler[O, S, M]) resume(v *view[O, S, M]) {
	if v.known.unrecorded == nil {
		return
	}
	if v.known.refused && !lifecycle.NotAfter(v.before.GetResourceVersion(), v.known.version) && !equality.Semantic.DeepEqual(r.kind.Status(v.before), v.known.recorded) {
		v.known.unrecorded = nil
		return
	}
	*r.kind.Status(v.object) = *r.kind.CopyStatus(v.known.unrecorded)
}

// connect returns the client of a broker, or the blocker for its credentials: with an error where a retry may help.
func (r *reconciler[O, S, M]) connect(ctx context.Context, b v1beta1.Broker) (*osb.Client, *lifecycle.Blocker, error) {
	broker, err := r.connections.to(ctx, b)
	if err == nil {
		return broker.Client, nil, nil
	}
	bad, ok := errors.AsType[*credentialsError](err)
	if !ok {
		return nil, nil, err
	}
	if !bad.temporary {
		err = nil
	}
	return nil, bad.blocks(b, v1beta1.ReasonErrorGettingAuthCredentials, fmt.Sprintf("%s %q: %s", catalog.ScopeOf(b).BrokerKind(), b.GetName(), bad.message)), err
}

// send sends a request once the broker has a slot for it; otherwise queued says what it waits for. first is the status to record
// before the request; nil: none. After an error no request was sent.
func (r *reconciler[O, S, M]) send(ctx context.Context, v *view[O, S, M], broker v1beta1.Broker, what lifecycle.Operation, first *S, ask func() (osbresult.Outcome, error)) (queued *limiter.Wait, err error) {
	tried := r.kind.Attempts(r.kind.Status(v.object))
	if tried != nil && tried.Generation != v.object.GetGeneration() {
		tried = nil
	}
	leave, wait := r.line.enter(v.object, &v.known.queued, keyOf(broker), what, tried)
	if leave == nil {
		return &wait, nil
	}
	result := limiter.Result{Unasked: true}
	defer func() {
		verdict := leave(r.clock.Now(), result)
		v.blame = r.blame(broker, result, verdict)
	}()
	if first != nil {
		if err := r.record(ctx, v, *first); err != nil {
			return nil, err
		}
	}
	if v.stopping() != nil {
		return nil, errStopping
	}
	out, err := ask()
	if err != nil {
		return nil, err
	}
	if out.Misconfigured() {
		r.connections.noteFault(keyOf(broker), what, out)
	}
	result, v.polled, v.known.refused = resultOf(out), what == lifecycle.Poll, out.Class == osbresult.Rejected
	if out.Class == osbresult.NeedsCatalog {
		r.relist(keyOf(broker))
	}
	v.known.polled, v.known.asked = time.Time{}, 0
	if what == lifecycle.Poll || out.Class == osbresult.Accepted {
		v.known.polled, v.known.asked = r.clock.Now(), out.RetryAfter
	}
	return nil, nil
}

// blame attributes an answer. If the broker is at fault, its catalog is read, so that its status has the error.
func (r *reconciler[O, S, M]) blame(broker v1beta1.Broker, result limiter.Result, of limiter.Verdict) lifecycle.Attribution {
	if !result.Misconfigured || of.OwnFault || !of.Slow {
		return lifecycle.Attribution{OwnFault: result.Misconfigured && of.OwnFault}
	}
	r.relist(keyOf(broker))
	return lifecycle.Attribution{Probed: brokerNamed(keyOf(broker))}
}

// later returns when to reconcile an object again.
func (r *reconciler[O, S, M]) later(wake time.Time, status *S) ctrl.Result {
	result := enqueue.Requeue(wake, r.clock.Now())
	if r.kind.IsInProgress(status) || lifecycle.HasFailed(r.kind.Attempts(status)) {
		result.Priority = new(lowPriority)
	}
	return result
}

// atOnce returns a reconcile of its own for the next request, which may have to wait for a slot.
func (r *reconciler[O, S, M]) atOnce(status *S) ctrl.Result {
	return r.later(r.clock.Now(), status)
}

// observeRecovery records what a request says of the broker's health, and wakes the objects that wait for its recovery.
func (r *reconciler[O, S, M]) observeRecovery(ctx context.Context, broker v1beta1.Broker, before, after *S) {
	key := keyOf(broker)
	if r.kind.IsCreated(after) && !r.kind.IsCreated(before) {
		if r.recoveries.succeeded(key, r.clock.Now()) {
			for _, waiting := range r.kind.UnsettledAt(ctx, broker) {
				r.wake.Add(waiting.NamespacedName)
			}
		}
		return
	}
	// A failure after a recovery is the fault of the object.
	if a := r.kind.Attempts(after); lifecycle.IsSlow(a) && !a.Recovered && !r.kind.IsCreated(after) {
		r.recoveries.failed(key)
	}
}
