// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestAnObjectComesAgainAfterAConflict: there may be no event about it any more.
func TestAnObjectComesAgainAfterAConflict(t *testing.T) {
	si := rulestest.NewInstance()
	conflict := apierrors.NewConflict(schema.GroupResource{}, si.Name, errors.New("it was changed"))
	c := controllertest.NewCluster(t, interceptor.Funcs{}, si)
	r := newStub(c, &Config{Barrier: consistency.CacheBarrier{Cache: c, Live: c}, Clients: &brokers.Clients{}})
	r.reconcile = func(context.Context, *Scope) (ctrl.Result, error) {
		return ctrl.Result{}, conflict
	}
	if result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); err != nil || result.IsZero() {
		t.Errorf("again %v, %v", !result.IsZero(), err)
	}
}

// TestAStoppingProcessSendsNothing: what it began to decide before is left to the next leader. A process that was stopped for longer than its lease
// continues before the election notices, and may renew the lease.
func TestAStoppingProcessSendsNothing(t *testing.T) {
	for name, test := range map[string]struct{ stops, pauses bool }{"F-S5 it stops, or no longer leads": {stops: true}, "its lease has ended": {pauses: true}, "it leads": {}} {
		t.Run(name, func(t *testing.T) {
			now := clocktesting.NewFakePassiveClock(rulestest.T0)
			lease := &leadership.Lease{Clock: now}
			lease.Renew(rulestest.T0, time.Second)
			si := rulestest.NewInstance()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			c := controllertest.NewCluster(t, interceptor.Funcs{}, si)
			r := newStub(c, &Config{Barrier: consistency.CacheBarrier{Cache: c, Live: c}, Clients: &brokers.Clients{}, ObserveRequest: func(brokers.Key, limiter.Result) {}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0), Leadership: lease})
			asked := false
			r.reconcile = func(ctx context.Context, s *Scope) (ctrl.Result, error) {
				if test.stops {
					stop()
				}
				if test.pauses {
					now.SetTime(rulestest.T0.Add(time.Second))
				}
				_, _, err := r.send(ctx, s, rulestest.NewOffering().Broker, Step{Request: &operation.Request{Operation: rules.Provision}}, func() (operation.Answer, error) {
					asked = true
					return operation.Answer{Outcome: osbresult.Outcome{Class: osbresult.Done}}, nil
				})
				return ctrl.Result{}, err
			}
			result, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)})
			if errors.Is(err, leadership.ErrEnded) != test.pauses || err != nil && !test.pauses || asked == (test.stops || test.pauses) {
				t.Errorf("the broker was asked: %t; then %+v, %v", asked, result, err)
			}
			if !test.pauses {
				return
			}
			r.reconcile = func(context.Context, *Scope) (ctrl.Result, error) {
				asked = true
				return ctrl.Result{}, nil
			}
			for _, renewed := range []bool{false, true} { // results that are not recorded yet are not recorded either
				if renewed {
					lease.Renew(now.Now(), time.Second)
				}
				if _, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); errors.Is(err, leadership.ErrEnded) == renewed || asked != renewed {
					t.Errorf("the lease is renewed: %t, it is reconciled: %t; then %v", renewed, asked, err)
				}
			}
		})
	}
}

// F-JS11: an object was on record as Ready for as long as its broker took to remove it. A broker that answers soon costs no write.
func TestTheStatusSaysThatARemovalIsInFlight(t *testing.T) {
	for name, test := range map[string]struct {
		takes  time.Duration
		writes int
	}{"soon": {inFlightDelay / 2, 0}, "late": {time.Minute, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				si, writes := rulestest.NewInstance(), 0
				c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, subresource string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
					writes++
					return c.SubResource(subresource).Patch(ctx, o, p, opts...)
				}}, si)
				r := newStub(c, &Config{Clients: &brokers.Clients{}, Recorder: events.NewFakeRecorder(10), Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
				before := &v1beta1.ServiceInstance{}
				if err := c.Get(t.Context(), client.ObjectKeyFromObject(si), before); err != nil {
					t.Fatal(err)
				}
				s := &Scope{Before: before, Object: before.DeepCopy(), Memory: &Memory{}}
				inFlight := before.Status.DeepCopy()
				instancerules.SetConditions(inFlight, rules.RemovalInFlight(deletedInstance(), v1beta1.ReasonDeprovisioning, "deprovision"), rulestest.T0)
				a, err := r.await(t.Context(), s, inFlight, func() (operation.Answer, error) {
					time.Sleep(test.takes)
					return operation.Answer{Operation: "it"}, nil
				})
				if err != nil || a.Operation != "it" || writes != test.writes {
					t.Errorf("%+v, %v, %d writes", a, err, writes)
				}
				if test.writes > 0 && s.Before.GetResourceVersion() == before.ResourceVersion {
					t.Error("the next write would conflict")
				}
			})
		})
	}
}

// The broker has confirmed a removal, and an admission policy refuses to remove the finalizer: the status says both, and the next process sends nothing.
func TestRemovalIsRecordedBesideARefusedFinalizer(t *testing.T) {
	si := deletedInstance()
	si.Finalizers = []string{v1beta1.Finalizer}
	si.Status.ProvisionStatus, si.Status.DeprovisionStatus = v1beta1.Provisioned, v1beta1.DeprovisionRequired
	instancerules.SetConditions(&si.Status, rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonProvisionedSuccessfully}, rulestest.T0)
	writes := 0
	c := controllertest.NewCluster(t, interceptor.Funcs{
		Patch: refuseFinalizers("denied by policy"),
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			writes++
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}, si)
	r := newStub(c, &Config{Barrier: consistency.CacheBarrier{Cache: c, Live: c}, Clients: &brokers.Clients{}, Recorder: events.NewFakeRecorder(10), Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
	answered := false
	r.reconcile = func(ctx context.Context, s *Scope) (ctrl.Result, error) {
		if !answered {
			answered = true
			status := &s.Object.(*v1beta1.ServiceInstance).Status
			status.DeprovisionStatus, status.ProvisionStatus = v1beta1.DeprovisionSucceeded, v1beta1.NotProvisioned
			instancerules.SetConditions(status, rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonDeprovisionedSuccessfully}, rulestest.T0)
			r.KeepPending(s)
		}
		s.Inputs = &operation.Inputs{}
		next := instancerules.Decide(s.Object.(*v1beta1.ServiceInstance), instancerules.Inputs{})
		if next.Request != nil || next.Need != "" {
			t.Errorf("the removal is requested again: %+v, needs %q", next.Request, next.Need)
		}
		return r.finish(ctx, machine{scope: s}, Step{Decision: next.Decision, Status: s.Object.CommonStatus()})
	}
	guarded := guard.Reconciler(r, guard.InStatus(c, func() client.Object { return &v1beta1.ServiceInstance{} }, rules.ShowFailure))
	for attempt := range 3 {
		if attempt == 2 { // another process
			r.pending = newPending()
		}
		if _, err := guarded.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); err == nil {
			t.Fatal("no error")
		}
		now := &v1beta1.ServiceInstance{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(si), now); err != nil {
			t.Fatal(err)
		}
		ready, stalled := rules.FindCondition(now.Status.Conditions, v1beta1.ConditionReady), rules.FindCondition(now.Status.Conditions, v1beta1.ConditionStalled)
		if now.Status.DeprovisionStatus != v1beta1.DeprovisionSucceeded || rules.IsTrue(ready) || stalled.Reason != v1beta1.ReasonFinalizerRefused {
			t.Errorf("attempt %d: deprovisionStatus is %s, Ready is %s, Stalled has the reason %s", attempt, now.Status.DeprovisionStatus, ready.Status, stalled.Reason)
		}
	}
	if writes != 2 {
		t.Errorf("the status is written %d times, want the result and the refusal", writes)
	}
}

// refuseFinalizers is an admission policy that refuses all writes of metadata.
func refuseFinalizers(text string) func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
	return func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "serviceinstances"}, o.GetName(), errors.New(text))
	}
}

func deletedInstance() *v1beta1.ServiceInstance {
	si := rulestest.NewInstance()
	si.DeletionTimestamp = new(metav1.NewTime(rulestest.T0))
	return si
}

// F-S40: an object whose parameters could not be read kept a slot at its broker empty for 2 s, each time it was notified.
func TestAnObjectThatFailsBeforeItsRequestKeepsNoSlot(t *testing.T) {
	for name, failure := range map[string]error{
		"other objects read Secrets": fmt.Errorf("reading parameters: %w", secrets.ErrBusy),
		"a read fails":               errors.New("timeout"),
		"a write conflicts":          apierrors.NewConflict(schema.GroupResource{}, "db", errors.New("it was changed")),
	} {
		t.Run(name, func(t *testing.T) {
			si, now := rulestest.NewInstance(), time.Now() // the limiter has a clock of its own
			c := controllertest.NewCluster(t, interceptor.Funcs{}, si)
			r := newStub(c, &Config{Barrier: consistency.CacheBarrier{Cache: c, Live: c}, Clients: &brokers.Clients{}, ObserveRequest: func(brokers.Key, limiter.Result) {}, Clock: clocktesting.NewFakePassiveClock(now)})
			broker := rulestest.NewOffering().Broker
			endpoint := r.Clients.Limiters.Of(brokers.KeyOf(broker), now)
			var release limiter.Release
			for i := range 4 {
				release, _ = endpoint.Enter(limiter.Request{ID: i}, now)
			}
			var fails error
			asked := 0
			r.reconcile = func(ctx context.Context, s *Scope) (ctrl.Result, error) {
				if fails != nil {
					return ctrl.Result{}, fails
				}
				_, _, err := r.send(ctx, s, broker, Step{Request: &operation.Request{Operation: rules.Provision}}, func() (operation.Answer, error) {
					asked++
					return operation.Answer{Outcome: osbresult.Outcome{Class: osbresult.Done}}, nil
				})
				return ctrl.Result{}, err
			}
			reconcile := func() {
				t.Helper()
				if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); err != nil && !errors.Is(err, fails) {
					t.Fatal(err)
				}
			}
			reconcile()
			notified := 0
			endpoint.Enter(limiter.Request{ID: "another", Flow: "another", Notify: func() { notified++ }}, now)
			if release(now, limiter.Result{}); notified > 0 {
				t.Fatal("the slot is for the object, which has waited longer")
			}
			fails = failure
			if reconcile(); notified != 1 {
				t.Errorf("another object was notified %d times", notified)
			}
			fails = nil
			reconcile()
			if asked != 1 {
				t.Errorf("the object has lost its place: %d requests were sent", asked)
			}
		})
	}
}

// TestABrokersChatterIsWrittenNowAndThen: it may say something else at each poll, of each
// of thousands.
func TestABrokersChatterIsWrittenNowAndThen(t *testing.T) {
	si := provisioningInstance()
	c := controllertest.NewCluster(t, interceptor.Funcs{}, si)
	clock := clocktesting.NewFakePassiveClock(rulestest.T0)
	r := newStub(c, &Config{Clock: clock, Recorder: events.NewFakeRecorder(10), Clients: &brokers.Clients{}})
	before := &v1beta1.ServiceInstance{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(si), before); err != nil {
		t.Fatal(err)
	}
	s := &Scope{
		Before: before, Object: before.DeepCopy(), Memory: &Memory{}, polled: true,
	}
	say := func(reason, message string) {
		t.Helper()
		status := s.Object.(*v1beta1.ServiceInstance).Status.DeepCopy()
		instancerules.SetConditions(status, rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: message}, clock.Now())
		if err := r.Record(t.Context(), s, status); err != nil {
			t.Fatal(err)
		}
	}
	says := func(want string) {
		t.Helper()
		now := &v1beta1.ServiceInstance{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(si), now); err != nil {
			t.Fatal(err)
		}
		if got := rules.FindCondition(now.Status.Conditions, v1beta1.ConditionReady).Message; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	say(v1beta1.ReasonProvisioning, "10 %")
	says("10 %")
	say(v1beta1.ReasonProvisioning, "11 %")
	says("10 %")
	say(v1beta1.ReasonErrorPollingLastOperation, "no answer")
	says("No answer")
	clock.SetTime(clock.Now().Add(brokers.StatusInterval))
	say(v1beta1.ReasonErrorPollingLastOperation, "still none")
	says("Still none")
}

// provisioningInstance is one that the broker works on.
func provisioningInstance() *v1beta1.ServiceInstance {
	si := rulestest.NewInstance()
	si.Status.CurrentOperation, si.Status.AsyncOpInProgress = v1beta1.OperationProvision, true
	si.Status.DeprovisionStatus = v1beta1.DeprovisionRequired
	instancerules.SetConditions(&si.Status, rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonProvisioning}, rulestest.T0)
	return si
}

// F-S37: where an object vanishes during its request, nothing more is sent: one event and one audit line say the id, the broker and the answer.
func TestAnObjectThatVanishesIsReportedOnce(t *testing.T) {
	for name, replaced := range map[string]bool{"it is gone": false, "there is another of its name": true} {
		t.Run(name, func(t *testing.T) {
			si := rulestest.NewInstance()
			si.Finalizers = nil // removed by hand
			c, recorder := controllertest.NewCluster(t, interceptor.Funcs{}, si), events.NewFakeRecorder(10)
			r := newStub(c, &Config{Barrier: consistency.CacheBarrier{Cache: c, Live: c}, Clients: &brokers.Clients{}, Recorder: recorder, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
			broker := rulestest.NewOffering().Broker
			r.reconcile = func(_ context.Context, s *Scope) (ctrl.Result, error) {
				if s.Before.GetUID() == si.UID {
					s.Memory.Unrecorded = newUnrecorded(s.Before, audit.External{ID: "id-1", Broker: broker}, rules.Provision, osbresult.Outcome{Class: osbresult.Done, Status: 201})
				}
				return ctrl.Result{}, nil
			}
			request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}
			reconcile := func() {
				t.Helper()
				if _, err := r.Reconcile(t.Context(), request); err != nil {
					t.Fatal(err)
				}
			}
			reconcile()
			if err := c.Delete(t.Context(), si.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			if replaced {
				another := rulestest.NewInstance()
				another.UID, another.ResourceVersion = "another", ""
				if err := c.Create(t.Context(), another); err != nil {
					t.Fatal(err)
				}
			}
			reconcile()
			reconcile()
			if len(recorder.Events) != 1 {
				t.Fatalf("%d events", len(recorder.Events))
			}
			said := <-recorder.Events
			for _, word := range []string{"Warning " + v1beta1.ReasonResultNotRecorded, "provision request", "HTTP 201", "No further request is sent", `id "id-1" at`} {
				if !strings.Contains(said, word) {
					t.Errorf("%q lacks %q", said, word)
				}
			}
		})
	}
}

// F-S70: an object that waits for the broker of an id that it has left behind waits for that one, and not for its own one, which does not exist.
func TestAnObjectWaitsForTheBrokerOfALeftBehindID(t *testing.T) {
	broker := rulestest.NewOffering().Broker
	var asked []brokers.Key
	clients := brokers.NewClients(nil, nil, nil, 0, nil, nil)
	r := newStub(nil, &Config{Clients: clients, Clock: clocktesting.NewFakePassiveClock(rulestest.T0), CheckAvailability: func(key brokers.Key) { asked = append(asked, key) }})
	si := rulestest.NewInstance()
	si.Status.Gone = []v1beta1.GoneResource{{ID: "left"}}
	in := &operation.Inputs{CleanUpBrokers: map[string]operation.CleanUpBroker{"left": {Broker: broker}}}
	s := &Scope{Before: si, Object: si, Memory: &Memory{}, Inputs: in}
	in.Gone = r.observeGone(s)
	if since := in.Gone.Since["left"]; !since.Equal(rulestest.T0) {
		t.Errorf("the first 410 was seen at %v", since)
	}
	if err := r.observeCleanUps(t.Context(), in); err != nil || in.CleanUpBrokers["left"].Broker != broker {
		t.Fatal(err)
	}
	r.awaitSuccesses(s, Step{Decision: operation.Decision{CheckCleanUps: []string{"left"}}})
	if !slices.Equal(asked, []brokers.Key{brokers.KeyOf(broker)}) {
		t.Errorf("checked are %v", asked)
	}
	if to := s.brokerOf(&operation.Request{ID: "left", CleanUp: true}); to != broker {
		t.Errorf("requests go to %v", to)
	}
	if at := s.external("left"); at.Broker != broker {
		t.Errorf("events name %v", at.Broker)
	}
}
