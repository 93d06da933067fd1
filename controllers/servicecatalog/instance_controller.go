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
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/kube"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/outbound"
)

const (
	// recordTimeout is how long a write may take that says what has happened. It is not
	// cut short when the process is asked to stop.
	recordTimeout = 10 * time.Second
	// patience is how long an object waits for a slot at its broker before its status
	// says so, which costs a write.
	patience = 10 * time.Second
	// askAgain is how often it asks for a slot, should it not be called.
	askAgain = outbound.QueueTimeout / 3
)

// InstanceReconciler has brokers provide what ServiceInstances say.
type InstanceReconciler struct {
	client      client.Client // reads are from the cache and show our own writes
	live        client.Reader
	fresh       *kube.Freshness
	index       index.Index
	connections *connections
	clusterID   *clusterID
	definition  *definition
	recorder    events.EventRecorder
	metrics     *metrics
	clock       clock.PassiveClock
	ledger      *ledger[v1beta1.ServiceInstanceStatus]
	recent      *recent
	orphans     *orphanage[v1beta1.ServiceInstanceStatus]
	wake        kube.Wakeups
	line        line
	// relist has a broker's catalog read again.
	relist func(brokerKey)
}

// instanceView is what a reconcile sees of an instance.
type instanceView struct {
	before *v1beta1.ServiceInstance // as the API server has it
	si     *v1beta1.ServiceInstance // the same, with what is not recorded yet
	known  *entry[v1beta1.ServiceInstanceStatus]
	world  instanceWorld
	unread error // why the parameters could not be read; it is tried again
}

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile takes one step with an instance, and with what former ones of its name have
// left behind.
func (r *InstanceReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	before := &v1beta1.ServiceInstance{}
	err := r.client.Get(ctx, req.NamespacedName, before)
	switch {
	case apierrors.IsNotFound(err):
		queued := r.ledger.drop(req.NamespacedName)
		r.line.leave(req.NamespacedName, &queued)
	case err != nil:
		return ctrl.Result{}, err
	default:
		r.ledger.of(before)
	}
	again, undoing := r.orphans.undo(ctx, req.NamespacedName)
	if err != nil { // there is none now
		return ctrl.Result{RequeueAfter: again}, undoing
	}
	result, err := r.attend(ctx, before)
	return sooner(result, again), errors.Join(err, undoing)
}

// attend reads, decides, acts and records.
func (r *InstanceReconciler) attend(ctx context.Context, before *v1beta1.ServiceInstance) (ctrl.Result, error) {
	if fresh, err := r.fresh.IsFresh(ctx, before); err != nil || !fresh {
		return ctrl.Result{}, err
	}
	v := &instanceView{before: before, si: before.DeepCopy(), known: r.ledger.of(before)}
	if v.known.released { // it is gone, or another's finalizer holds it
		return ctrl.Result{}, nil
	}
	if v.known.unrecorded != nil {
		v.si.Status = *v.known.unrecorded.DeepCopy()
	}
	if err := r.look(ctx, v); err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up what the instance refers to: %w", err)
	}
	next, err := r.decide(ctx, v)
	if err != nil {
		return ctrl.Result{}, r.unproven(ctx, v, err)
	}
	switch {
	case next.protect:
		return ctrl.Result{}, kube.Superseded(ctx, r.protect(ctx, before))
	case next.refs != nil:
		return ctrl.Result{}, kube.Superseded(ctx, r.writeRefs(ctx, before, next.refs))
	}
	ctx = context.WithoutCancel(ctx) // what is under way is finished and recorded also when the process stops
	result, err := r.act(ctx, v, next)
	if err == nil {
		err = v.unread
	}
	if !v.si.Status.AsyncOpInProgress {
		r.ledger.rest(before)
	}
	return result, kube.Superseded(ctx, err)
}

// decide decides, and reads what that takes.
func (r *InstanceReconciler) decide(ctx context.Context, v *instanceView) (instanceStep, error) {
	for {
		v.world.now = r.clock.Now()
		next := decideInstance(v.si, v.world)
		var err error
		switch {
		case next.prove:
			v.known.definition, err = r.definition.state(ctx)
			v.world.definition = v.known.definition
		case next.read:
			if err := r.readParameters(ctx, v); err != nil {
				v.world.parameters.known, v.world.parameters.absent, v.unread = true, true, err
				v.world.parameters.problem = &word{v1beta1.ReasonErrorWithParameters, err.Error()}
			}
		default:
			return next, nil
		}
		if err != nil {
			return next, err
		}
	}
}

// unproven records that it cannot be told whether the CRD is being deleted.
func (r *InstanceReconciler) unproven(ctx context.Context, v *instanceView, err error) error {
	if ctx.Err() != nil { // the process stops
		return err
	}
	why := word{v1beta1.ReasonDeprovisionCallFailed, "The broker is not asked before it is known why this object is deleted: " + err.Error()}
	return errors.Join(err, r.record(ctx, v, troubledInstance(v.si, why, r.clock.Now())))
}

// act makes the call of a step, if there is one, and records what came of it.
func (r *InstanceReconciler) act(ctx context.Context, v *instanceView, next instanceStep) (ctrl.Result, error) {
	if next.call == nil {
		r.line.leave(client.ObjectKeyFromObject(v.si), &v.known.queued)
		return r.settle(ctx, v, next)
	}
	broker, err := r.connections.to(ctx, v.world.offer.broker)
	if err != nil {
		bad, ok := errors.AsType[*credentialsError](err)
		if !ok {
			return ctrl.Result{}, err
		}
		r.line.leave(client.ObjectKeyFromObject(v.si), &v.known.queued)
		b := v.world.offer.broker
		v.world.problem = &word{v1beta1.ReasonErrorGettingAuthCredentials, fmt.Sprintf("%s %q: %s", catalog.ScopeOf(b).BrokerKind(), b.GetName(), bad.message)}
		result, err := r.settle(ctx, v, decideInstance(v.si, v.world))
		if bad.temporary && err == nil {
			err = bad
		}
		return result, err
	}
	entered, wait, leave := r.line.enter(v.si, &v.known.queued, keyOf(v.world.offer.broker), next.call.verb)
	if !entered {
		return r.queued(ctx, v, wait)
	}
	if next.journal || v.known.unrecorded != nil { // what follows from an answer comes after its record
		if err := r.record(ctx, v, next.status); err != nil {
			leave(outbound.Result{Unasked: true})
			return ctrl.Result{}, err
		}
	}
	a, err := r.call(ctx, v, broker, next.call)
	if err != nil { // nothing was sent
		leave(outbound.Result{Unasked: true})
		why := word{v1beta1.ReasonErrorGettingClusterID, err.Error()}
		return ctrl.Result{}, errors.Join(err, r.record(ctx, v, troubledInstance(v.si, why, r.clock.Now())))
	}
	leave(resultOf(a.Outcome))
	if a.Class == osb.NeedsCatalog {
		r.relist(keyOf(v.world.offer.broker))
	}
	if next.call.verb == poll || a.Class == osb.Accepted {
		v.known.polled, v.known.asked = r.clock.Now(), a.RetryAfter
	} else {
		v.known.polled = time.Time{}
	}
	v.si.Status = foldInstance(v.si, next.status, *next.call, a, r.clock.Now())
	v.known.unrecorded, v.known.made = v.si.Status.DeepCopy(), r.orphanOf(v, next.call, a)
	return r.follow(ctx, v)
}

// follow records what came of a call, and says when to go on.
func (r *InstanceReconciler) follow(ctx context.Context, v *instanceView) (ctrl.Result, error) {
	v.world.polled, v.world.asked, v.world.firstSight = v.known.polled, v.known.asked, false
	next, err := r.decide(ctx, v)
	if err != nil {
		return ctrl.Result{}, r.unproven(ctx, v, err)
	}
	if next.call != nil || next.refs != nil { // that is for another time, as it may wait for a slot
		result := r.later(next, v)
		result.RequeueAfter = time.Millisecond
		return result, r.record(ctx, v, v.si.Status)
	}
	return r.settle(ctx, v, next)
}

// settle records a step without a call.
func (r *InstanceReconciler) settle(ctx context.Context, v *instanceView, next instanceStep) (ctrl.Result, error) {
	if next.release != nil {
		return ctrl.Result{}, r.release(ctx, v, *next.release)
	}
	return r.later(next, v), r.record(ctx, v, next.status)
}

// lowPriority is that of polls: what users change goes before them.
const lowPriority = handler.LowPriority

func (r *InstanceReconciler) later(next instanceStep, v *instanceView) ctrl.Result {
	result := ctrl.Result{RequeueAfter: kube.Until(next.wake, v.world.now)}
	if next.status.AsyncOpInProgress {
		result.Priority = new(lowPriority)
	}
	return result
}

// record writes the status, if it is another than on record.
func (r *InstanceReconciler) record(ctx context.Context, v *instanceView, status v1beta1.ServiceInstanceStatus) error {
	if equality.Semantic.DeepEqual(status, v.before.Status) {
		v.known.unrecorded, v.known.made = nil, nil
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	after := v.before.DeepCopy()
	if err := kube.PatchStatus(ctx, r.client, after, status); err != nil {
		return err
	}
	announce(ctx, r.recorder, v.before, v.before.Status.Conditions, status.Conditions)
	v.known.unrecorded, v.known.made = nil, nil
	v.before = after
	return nil
}

// release lets the object go.
func (r *InstanceReconciler) release(ctx context.Context, v *instanceView, why word) error {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := kube.RemoveFinalizer(ctx, r.client, v.before.DeepCopy(), v1beta1.Finalizer); err != nil {
		return err
	}
	v.known.unrecorded, v.known.made, v.known.released = nil, nil, true
	r.recent.forget(v.before.UID)
	announceRelease(ctx, r.recorder, v.before, why)
	r.metrics.released("ServiceInstance", why)
	return nil
}
