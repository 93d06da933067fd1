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
	"strings"
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
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"github.com/gophernetes/bellhop/internal/patch"
)

const (
	// recordTimeout is how long a write may take that says what has happened. It is not
	// cut short when the process is asked to stop.
	recordTimeout = 10 * time.Second
	// patience is how long an object waits for a slot at its broker at least before its
	// status says so, which costs a write.
	patience = 10 * time.Second
	// askAgain is how often it asks for a slot, should it not be called.
	askAgain = limiter.QueueTimeout / 3
	// lowPriority is that of polls and retries: what users change goes before them.
	lowPriority = handler.LowPriority
)

// reconciler is what instances and bindings have in common: how they are read, how a broker
// is asked, and how what comes of it is recorded. O is the objects' type, S their status,
// and M what is remembered of one beyond that.
type reconciler[O client.Object, S any, M comparable] struct {
	*kit
	kind[O, S]
	client     client.Client // reads are from the cache and show our own writes
	live       client.Reader
	fresh      *consistency.ObjectFreshness
	definition *definition
	ledger     *ledger[S, M]
	orphans    *orphanage
	claims     claims
	recoveries recoveries
	wake       enqueue.Enqueuer
	line       line
	chatter    *rate.Limiter
	// attend decides, acts and records.
	attend func(context.Context, *view[O, S, M]) (ctrl.Result, error)
}

// kind is where objects have what both kinds have.
type kind[O client.Object, S any] struct {
	name       string
	new        func() O
	status     func(O) *S
	copy       func(*S) *S
	conditions func(*S) []v1beta1.Condition
	attempts   func(*S) *v1beta1.Attempts
	// working: the broker works on it.
	working func(*S) bool
	// made: the broker has confirmed that it is there.
	made func(*S) bool
	// atBroker are those for which something is still to be done at a broker.
	atBroker func(context.Context, index.Index, v1beta1.Broker) []reconcile.Request
}

// blame is whose fault an answer is that looks like a misconfiguration.
type blame struct {
	// ownFault: it is the object's own, as requests of others succeeded meanwhile.
	ownFault bool
	// probed is the broker with whose probe the object is retried; empty: it has its own times.
	probed string
}

// view is what a reconcile sees of an object.
type view[O client.Object, S any, M comparable] struct {
	before O // as the API server has it; the cache's own
	object O // the same, with what is not recorded yet
	known  *entry[S, M]
	// polled: the broker was asked how far it is.
	polled bool
	// stopping is not nil once the process stops or no longer leads.
	stopping func() error
	// blame is whose fault an answer is that looks like a misconfiguration.
	blame blame
	// troubled is the status that says what keeps the next step from being taken.
	troubled func(why *blocker) S
}

// errStopping is returned where a request is not sent because the process stops or no longer
// leads: it would arrive beside the next leader's.
var errStopping = errors.New("the process stops or no longer leads: nothing was sent")

func newReconciler[M comparable, O client.Object, S any](k *kit, of kind[O, S], c client.Client, live client.Reader) *reconciler[O, S, M] {
	r := &reconciler[O, S, M]{
		kit: k, kind: of, client: c, live: live, chatter: newNewsLimiter(),
		fresh:      freshness(k, of),
		definition: &definition{live: live, name: strings.ToLower(of.name) + "s." + v1beta1.GroupVersion.Group},
	}
	r.line = line{kind: of.name, connections: k.connections, clock: k.clock, wake: &r.wake, news: newNewsLimiter()}
	left := newOrphans()
	r.ledger = newLedger[S, M](left)
	r.orphans = &orphanage{
		index: k.index, connections: k.connections, definition: r.definition, recorder: k.recorder, clock: k.clock, orphans: left, wake: r.wake.AddFirst,
	}
	return r
}

// freshness is how far the cache has to be with objects of a kind.
func freshness[O client.Object, S any](k *kit, of kind[O, S]) *consistency.ObjectFreshness {
	return k.barrier.Of(v1beta1.GroupVersion.WithKind(of.name), of.new())
}

// Reconcile takes one step with an object, and with what former ones of its name have left
// behind.
func (r *reconciler[O, S, M]) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.barrier.WaitForSync(ctx); err != nil {
		return ctrl.Result{}, err
	}
	before := r.new()
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
	if err == nil { // it is there
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

// open has an object attended to, if the cache shows what this process has made of it.
func (r *reconciler[O, S, M]) open(ctx context.Context, before O) (ctrl.Result, error) {
	if fresh, err := r.fresh.IsFresh(ctx, before); err != nil || !fresh {
		return ctrl.Result{}, err
	}
	v := &view[O, S, M]{before: before, object: before.DeepCopyObject().(O), known: r.ledger.of(before)}
	if v.known.released { // it is gone, or another's finalizer holds it
		return ctrl.Result{}, nil
	}
	r.resume(v)
	v.stopping = ctx.Err
	ctx = context.WithoutCancel(ctx) // what is under way is finished and recorded also when the process stops
	result, err := r.attend(ctx, v)
	if !r.working(r.status(v.object)) {
		r.ledger.rest(before)
	}
	return patch.RequeueOnConflict(ctx, result, err)
}

// keep keeps a status in mind until it is on record.
func (r *reconciler[O, S, M]) keep(v *view[O, S, M], status S) {
	v.known.unrecorded, v.known.recorded, v.known.version = r.copy(&status), r.status(v.before), v.before.GetResourceVersion()
}

// resume goes on from what is not recorded yet. If something else was recorded since, perhaps by
// another process that leads, a refusal may be due to that, and is forgotten; what a broker has
// done, or may have, is not.
func (r *reconciler[O, S, M]) resume(v *view[O, S, M]) {
	if v.known.unrecorded == nil {
		return
	}
	if v.known.refused && !notAfter(v.before.GetResourceVersion(), v.known.version) && !equality.Semantic.DeepEqual(r.status(v.before), v.known.recorded) {
		v.known.unrecorded = nil
		return
	}
	*r.status(v.object) = *r.copy(v.known.unrecorded)
}

// connect is the client for a broker, or what is wrong with its credentials: with an error
// if that may mend itself.
func (r *reconciler[O, S, M]) connect(ctx context.Context, b v1beta1.Broker) (*osb.Client, *blocker, error) {
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

// send asks a broker once there is a slot for that; queued says what it waits for. What is
// to be on record first is. After an error nothing was asked.
func (r *reconciler[O, S, M]) send(ctx context.Context, v *view[O, S, M], broker v1beta1.Broker, what verb, first *S, ask func() (osbresult.Outcome, error)) (queued *limiter.Wait, err error) {
	tried := r.attempts(r.status(v.object))
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
	result, v.polled, v.known.refused = resultOf(out), what == poll, out.Class == osbresult.Rejected
	if out.Class == osbresult.NeedsCatalog {
		r.relist(keyOf(broker))
	}
	v.known.polled, v.known.asked = time.Time{}, 0
	if what == poll || out.Class == osbresult.Accepted {
		v.known.polled, v.known.asked = r.clock.Now(), out.RetryAfter
	}
	return nil, nil
}

// blame says whose fault an answer is. If it is the broker's, its catalog is read, so that its
// status says what is wrong.
func (r *reconciler[O, S, M]) blame(broker v1beta1.Broker, result limiter.Result, of limiter.Verdict) blame {
	if !result.Misconfigured || of.OwnFault || !of.Slow {
		return blame{ownFault: result.Misconfigured && of.OwnFault}
	}
	r.relist(keyOf(broker))
	return blame{probed: brokerNamed(keyOf(broker))}
}

// context is what a broker is told of where an instance is, and the UID of its namespace.
func (r *reconciler[O, S, M]) context(ctx context.Context, namespace, instance string) (where osb.Context, space string, err error) {
	where = osb.Context{Namespace: namespace, InstanceName: instance}
	if where.ClusterID, err = r.clusterID.get(ctx); err == nil {
		space, err = namespaceUID(ctx, r.client, namespace)
	}
	return where, space, inTheWay(v1beta1.ReasonErrorGettingClusterID, err)
}

// queued is for what waits for a slot: at first in silence, and always if it has nothing
// to say. Who does not ask again in time loses its place, so that it does not come after others.
func (r *reconciler[O, S, M]) queued(ctx context.Context, v *view[O, S, M], wait limiter.Wait, silent bool) (ctrl.Result, error) {
	if v.known.unrecorded == nil {
		now := r.clock.Now()
		at := wait.Since.Add(patience)
		if !now.Before(at) && !silent {
			at = r.line.sayAt(v.known.queued, now)
		}
		if now.Before(at) {
			return enqueue.Requeue(at, now), nil
		}
	}
	status := *r.status(v.object)
	if !silent && !isSlow(r.attempts(&status)) { // what is retried slowly says why already
		status = v.troubled(whyQueued(wait.Cause, v.known.queued.broker))
	}
	now := r.clock.Now()
	return enqueue.Requeue(now.Add(askAgain), now), r.record(ctx, v, status)
}

// whyQueued is what keeps an object that waits for a slot at its broker.
func whyQueued(cause limiter.Cause, broker brokerKey) *blocker {
	message := "Other requests to the broker come first"
	switch cause {
	case limiter.Misconfigured:
		return &blocker{failed: true, word: word{v1beta1.ReasonQueued, "The broker answers all requests as one that is misconfigured; this one is retried with " + brokerNamed(broker) + ", see its status"}}
	case limiter.Down:
		message = "The broker does not answer, or asked to be left alone; one request at a time tries it until it answers"
	case limiter.Failing:
		message = "The broker fails again at what it is asked for again; until it does better, that is a few requests each second, in turn"
	case limiter.Busy, limiter.Throttled:
	}
	return inProgress(v1beta1.ReasonQueued, message)
}

// brokerNamed is how messages call a broker.
func brokerNamed(key brokerKey) string {
	return fmt.Sprintf("%s %q", scopeOf(key).BrokerKind(), key.name)
}

// resultOf says what an outcome means for others' requests. Who refuses one does answer.
func resultOf(o osbresult.Outcome) limiter.Result {
	switch {
	case o.Throttled():
		return limiter.Result{Wish: max(o.RetryAfter, time.Second)}
	case o.Status == 0 && o.Class == osbresult.Rejected:
		return limiter.Result{Unasked: true}
	case o.Misconfigured():
		return limiter.Result{Misconfigured: true, Unauthorized: o.Unauthorized()}
	case o.Unavailable():
		return limiter.Result{Failed: true}
	}
	return limiter.Result{Error: o.Class != osbresult.Done && o.Class != osbresult.Accepted && o.Class != osbresult.Gone}
}

// trouble is an error that keeps an object from being worked on, and that its status says.
type trouble struct {
	reason string
	error
}

// inTheWay has an error said with a reason.
func inTheWay(reason string, err error) error {
	if err == nil {
		return nil
	}
	return &trouble{reason, err}
}

// fail records what has come of requests, and what is in the way of going on. That is
// tried again.
func (r *reconciler[O, S, M]) fail(ctx context.Context, v *view[O, S, M], err error) error {
	if t, ok := errors.AsType[*trouble](err); ok {
		status := v.troubled(inProgress(t.reason, t.Error()))
		*r.status(v.object) = status
		r.keep(v, status)
	}
	if v.known.unrecorded == nil {
		return err
	}
	return errors.Join(err, r.record(ctx, v, *r.status(v.object)))
}

// record writes the status, if it is another than on record.
func (r *reconciler[O, S, M]) record(ctx context.Context, v *view[O, S, M], status S) error {
	before := r.status(v.before)
	if equality.Semantic.DeepEqual(status, *before) || v.polled && r.isChatter(before, &status) && !r.chatter.AllowN(r.clock.Now(), 1) {
		v.known.unrecorded, v.known.made = nil, nil
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	after := v.before.DeepCopyObject().(O)
	if err := patch.Status(ctx, r.client, after, status); err != nil {
		return err
	}
	open := r.isOpen(v)
	announce(ctx, r.recorder, v.before, r.conditions(before), r.conditions(&status), open)
	v.known.open = open && isQuiet(r.conditions(&status))
	v.known.unrecorded, v.known.made = nil, nil
	v.before = after
	return nil
}

// isOpen says whether an event has told of something that has not ended.
func (r *reconciler[O, S, M]) isOpen(v *view[O, S, M]) bool {
	return isOpen(r.conditions(r.status(v.before)), v.known.open)
}

// isChatter says whether nothing but words is new of what a broker works on: the next poll
// brings others.
func (r *reconciler[O, S, M]) isChatter(before, after *S) bool {
	a, b := r.copy(before), r.copy(after)
	for _, status := range []*S{a, b} {
		conditions := r.conditions(status)
		for i := range conditions {
			conditions[i].Message = ""
		}
	}
	return r.working(after) && equality.Semantic.DeepEqual(a, b)
}

// release lets the object go.
func (r *reconciler[O, S, M]) release(ctx context.Context, v *view[O, S, M], why word) error {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := patch.RemoveFinalizer(ctx, r.client, v.before.DeepCopyObject().(O), v1beta1.Finalizer); err != nil {
		return err
	}
	v.known.unrecorded, v.known.made, v.known.released = nil, nil, true
	announceRelease(ctx, r.recorder, v.before, why, r.isOpen(v))
	r.metrics.released(r.name, why)
	return nil
}

// later is when to look at an object again.
func (r *reconciler[O, S, M]) later(wake time.Time, status *S) ctrl.Result {
	result := enqueue.Requeue(wake, r.clock.Now())
	if r.working(status) || hasFailed(r.attempts(status)) {
		result.Priority = new(lowPriority)
	}
	return result
}

// atOnce is for what goes on in a turn of its own, as it may wait for a slot.
func (r *reconciler[O, S, M]) atOnce(status *S) ctrl.Result {
	return r.later(r.clock.Now(), status)
}
