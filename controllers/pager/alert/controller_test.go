// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/controllers/pager/receiver"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// TestAResultIsNotDropped: what was sent is not sent again because it could not
// be recorded at once.
func TestAResultIsNotDropped(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)

	away := 3 // times that the API server does not take a status
	c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		if away--; away >= 0 {
			return errors.New("away")
		}
		return c.SubResource(sub).Patch(ctx, o, p, opts...)
	}}, alert, receiver)
	r := newReconciler(t, c)
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(alert)}
	for range 3 {
		if _, err := r.Reconcile(t.Context(), request); err == nil {
			t.Fatal("a status that was not written is no error")
		}
	}
	if _, err := r.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), request.NamespacedName, alert); err != nil || !alert.Status.Sent {
		t.Errorf("sent is %v, %v", alert.Status.Sent, err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests for one page", n)
	}
}

// firstAttempt returns the delivery of an Alert, created at a time, to a receiver that refuses its first message; lead has the process lead.
func firstAttempt(t *testing.T, created time.Time, lead func(*Reconciler)) v1beta1.Delivery {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	alert.CreationTimestamp, alert.Status.ObservedGeneration = metav1.NewTime(created), -1
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver))
	lead(r)
	for range 2 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil {
		t.Fatal(err)
	}
	return alert.Status.Deliveries[0]
}

// TestAnAlertIsNewToItsLeader: what was created after this process began to lead was sent by no former leader, also where it is the first
// that is reconciled.
func TestAnAlertIsNewToItsLeader(t *testing.T) {
	created := time.Now().Truncate(time.Second)
	row := firstAttempt(t, created, func(r *Reconciler) {
		now := clocktesting.NewFakePassiveClock(created.Add(-time.Hour))
		r.clock = now
		r.serverTime = func() times.Server { return times.Server{Known: now.Now(), Steady: now.Now()} }
		r.lead()
		now.SetTime(created.Add(time.Second))
	})
	if row.Attempts != 1 || row.OutcomeUnknown {
		t.Errorf("%d attempts, outcome unknown %t; a refusal of the only attempt proves that the receiver holds nothing", row.Attempts, row.OutcomeUnknown)
	}
}

// TestAPageIsForReceiversThatTheCacheDoesNotShowYet: a new leader's may be behind.
func TestAPageIsForReceiversThatTheCacheDoesNotShowYet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	doubted := false
	c := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		switch o.(type) {
		case *metav1.PartialObjectMetadata:
			doubted = true
		case *v1beta1.Receiver:
			if !doubted {
				return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
			}
		}
		return c.Get(ctx, key, o, opts...)
	}}, alert, receiver)
	if _, err := newReconciler(t, c).Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), nameOf(alert), alert); err != nil || !alert.Status.Sent {
		t.Errorf("sent is %v, %v", alert.Status.Sent, err)
	}
}

// TestNobodyIsForgottenWhomTheCacheDoesNotShow: neither who is to be told that an Alert is over
// nor who was made together with it, in a script that deletes it at once.
func TestNobodyIsForgottenWhomTheCacheDoesNotShow(t *testing.T) {
	for name, want := range map[string]int32{"a page and its end": 2, "its end": 1, "a page by default": 2} {
		var requests atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
		defer server.Close()
		alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
		alert.CreationTimestamp, alert.DeletionTimestamp = metav1.Now(), new(metav1.Now())
		switch name {
		case "a page by default":
			alert.Spec.ReceiverRefs, receiver.Annotations = nil, map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
		case "its end":
			controllertest.SentTo(v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: receiver.Name})(alert)
		}
		cache, live := controllertest.NewCluster(t, interceptor.Funcs{}, alert), controllertest.NewCluster(t, interceptor.Funcs{}, receiver)
		r := newReconciler(t, cache)
		r.live = live
		for range 3 {
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
				t.Fatal(err)
			}
		}
		if n := requests.Load(); n != want {
			t.Errorf("of %s %d were sent", name, n)
		}
	}
}

// TestReceiversAreToldAfterAnOutage: an Alert that was deleted meanwhile has waited for that.
func TestReceiversAreToldAfterAnOutage(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	alert.DeletionTimestamp = new(metav1.NewTime(time.Now().Add(-24 * time.Hour)))
	controllertest.SentTo(v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: receiver.Name})(alert)
	if _, err := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver)).Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
		t.Fatal(err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// TestWhatIsConfirmedIsNotSentAgain: a new leader infers nothing from how often an Alert was edited meanwhile.
func TestWhatIsConfirmedIsNotSentAgain(t *testing.T) {
	for name, test := range map[string]struct {
		generation int64
		working    bool // the record was made while the Alert was still being sent to another receiver
		state      v1beta1.AlertState
		expired    bool
	}{
		"F-P4 no edit":                   {5, false, v1beta1.AlertFiring, false},
		"F-P4 no edit, in progress":      {5, true, v1beta1.AlertFiring, false},
		"F-P4 one edit, in progress":     {6, true, v1beta1.AlertFiring, false},
		"F-P4 two edits":                 {7, false, v1beta1.AlertFiring, false},
		"F-P4 two edits, resolved":       {7, false, v1beta1.AlertResolved, false},
		"F-P5 two edits, expired since":  {7, false, v1beta1.AlertFiring, true},
		"F-P5 one edit, expired, others": {6, true, v1beta1.AlertFiring, true},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
			defer server.Close()
			alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
			alert.Generation, alert.Status.ObservedGeneration, alert.Spec.State = test.generation, 5, test.state
			if test.expired {
				alert.CreationTimestamp.Time, alert.Spec.ExpireAfterSeconds = time.Now().Add(-time.Hour), new(int32(60))
			}
			if test.working {
				alert.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReconciling, Status: metav1.ConditionTrue}}
			}
			controllertest.SentTo(v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: receiver.Name})(alert)
			want := alert.Status.Deliveries[0].State
			if test.state == v1beta1.AlertResolved {
				row := &alert.Status.Deliveries[0]
				row.State, row.ContentHash, row.LastAttemptedHash = v1beta1.DeliveryResolved, alertrules.ResolvedHash(), alertrules.ResolvedHash()
				want = v1beta1.DeliveryResolved
			}
			r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver))
			for range 3 {
				if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil {
				t.Fatal(err)
			}
			if n := requests.Load(); n != 0 || alert.Status.Deliveries[0].State != want || !alert.Status.Sent {
				t.Errorf("%d requests, the delivery is %s, sent is %t", n, alert.Status.Deliveries[0].State, alert.Status.Sent)
			}
		})
	}
}

// TestF_P4_WhatDiffersIsOnRecordFirst: the process is killed once the receiver has a message, and the next one finds what it says.
func TestF_P4_WhatDiffersIsOnRecordFirst(t *testing.T) {
	edits := map[string]func(*v1beta1.Alert){
		"B":        func(a *v1beta1.Alert) { a.Spec.Content = "B" },
		"resolved": func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved },
	}
	for name, edit := range edits {
		for _, first := range []string{"confirmed", "not recorded"} {
			t.Run(first+", then "+name+" and back", func(t *testing.T) {
				var keys []string
				server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					keys = append(keys, r.Header.Get("webhook-id"))
				}))
				defer server.Close()
				alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
				alert.Generation, alert.Status.ObservedGeneration = 1, -1
				killed := false
				c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
					if killed && len(keys) > 0 {
						return errors.New("killed")
					}
					return c.SubResource(sub).Patch(ctx, o, p, opts...)
				}}, alert, receiver)
				lead := func(kill bool) { // a process that is killed once it has sent something
					t.Helper()
					killed, keys = kill, nil
					r := newReconciler(t, c)
					for range 3 {
						if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil && !kill {
							t.Fatal(err)
						} else if err != nil {
							return
						}
					}
				}
				update := func(edit func(*v1beta1.Alert)) {
					t.Helper()
					if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
						t.Fatal(err)
					}
					edit(alert)
					alert.Generation++
					if err := c.Update(t.Context(), alert); err != nil {
						t.Fatal(err)
					}
				}
				lead(first == "not recorded")
				sent := keys
				update(edit)
				lead(true)
				if len(keys) != 1 {
					t.Fatalf("%d requests after the edit", len(keys))
				}
				sent = append(sent, keys...)
				update(func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.State = "A", v1beta1.AlertFiring })
				lead(false)
				if len(keys) != 1 || slices.Contains(sent, keys[0]) {
					t.Errorf("the first content is sent again with the keys %q, after %q", keys, sent)
				}
			})
		}
	}
}

// F-B3: what is written ahead of a request is shown as being sent, and at a healthy receiver no edit makes a Warning event.
func TestEditsAtAHealthyReceiverMakeNoWarning(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	alert.Generation, alert.Status.ObservedGeneration, alert.CreationTimestamp = 1, -1, metav1.Now()
	var written []string
	c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		err := c.SubResource(sub).Patch(ctx, o, p, opts...)
		for _, condition := range o.(*v1beta1.Alert).Status.Conditions {
			written = append(written, condition.Message)
		}
		return err
	}}, alert, receiver)
	r := newReconciler(t, c)
	recorder := events.NewFakeRecorder(100)
	r.recorder = recorder
	for _, edit := range []func(*v1beta1.Alert){
		func(*v1beta1.Alert) {},
		func(a *v1beta1.Alert) { a.Spec.Content = "B" },
		func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical },
		func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved },
		func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring },
	} {
		if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
			t.Fatal(err)
		}
		edit(alert)
		alert.Generation++
		if err := c.Update(t.Context(), alert); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(recorder.Events)
	seen := 0
	for e := range recorder.Events {
		if seen++; !strings.HasPrefix(e, "Normal ") {
			t.Error(e)
		}
	}
	if all := strings.Join(written, "\n"); seen != 5 || !strings.Contains(all, "being sent") || strings.Contains(all, "not on record") {
		t.Errorf("%d events; the conditions said\n%s", seen, all)
	}
}

// TestADefaultIsForNamespacesAsTheyAre: a new leader's cache may have the labels of before.
func TestADefaultIsForNamespacesAsTheyAre(t *testing.T) {
	listed := false
	c := controllertest.NewCluster(t, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		listed = listed || list.GetObjectKind().GroupVersionKind().Kind == "NamespaceList"
		return c.List(ctx, list, opts...)
	}})
	if err := newCacheBarrier(c, c).WaitForSync(t.Context()); err != nil || !listed {
		t.Errorf("namespaces are waited for: %t, %v", listed, err)
	}
}

// TestAnAlertComesAgainAfterAConflict: there may be no event about it any more.
func TestAnAlertComesAgainAfterAConflict(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "disk", errors.New("it was changed"))
	for _, unprotected := range []bool{true, false} {
		alert := controllertest.NewAlert()
		if unprotected {
			alert.Finalizers = nil
		}
		r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{
			Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				return conflict
			},
			SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
				return conflict
			},
		}, alert))
		if result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil || result.IsZero() {
			t.Errorf("unprotected %v: again %v, %v", unprotected, !result.IsZero(), err)
		}
	}
}

// TestManyReceiversAtOnce is for the race detector.
func TestManyReceiversAtOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	alert := controllertest.NewAlert(func(a *v1beta1.Alert) { a.CreationTimestamp.Time = time.Now() })
	objects := []client.Object{alert}
	for i := range 16 {
		receiver := &v1beta1.Receiver{}
		receiver.Namespace, receiver.Name, receiver.Spec.Webhook = "ns", fmt.Sprint("hook", i), &v1beta1.WebhookProvider{URL: server.URL}
		objects = append(objects, receiver)
		alert.Spec.ReceiverRefs = append(alert.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: receiver.Name})
	}
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, objects...))
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
		t.Fatal(err)
	}
	if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil || alert.Status.Receivers != "16/16" {
		t.Errorf("%s, %v", alert.Status.Receivers, err)
	}
}

type panicking struct{}

func (panicking) Send(context.Context, notify.Message, notify.Key) (result.Receipt, error) {
	panic("broken")
}
func (panicking) Close() {}

func TestAPanicTakesDownItsMessageOnly(t *testing.T) {
	receiver := &v1beta1.Receiver{}
	receiver.Namespace, receiver.Name, receiver.Spec.Webhook = "ns", controllertest.Team.Name, &v1beta1.WebhookProvider{URL: "http://127.0.0.1:1"}
	alert := controllertest.NewAlert(func(a *v1beta1.Alert) { a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{controllertest.Team} })
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver))
	p, err := r.resolver.Target(t.Context(), "ns", controllertest.Team)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.endpoints.Senders.Of(endpoints.KeyOf("ns", controllertest.Team), p.Revision, func(*endpoints.PreparedSender) (*endpoints.PreparedSender, error) {
		return &endpoints.PreparedSender{Sender: panicking{}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
		t.Fatal(err)
	}
	if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil {
		t.Fatal(err)
	}
	if row := alert.Status.Deliveries[0]; row.State != v1beta1.DeliveryPending || row.NextAttemptTime == nil || !row.OutcomeUnknown {
		t.Errorf("the delivery is %+v", row)
	}
}

// TestTheFinalizerIsNoRecord: what is not in a status yet is still to be
// recorded after the finalizer was put back.
func TestTheFinalizerIsNoRecord(t *testing.T) {
	alert := controllertest.NewAlert(func(a *v1beta1.Alert) { a.Finalizers = nil })
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert))
	r.pending.begin(alert, controllertest.Team, alertrules.InFlightRequest{})
	r.pending.end(alert, alertrules.Outcome{Request: alertrules.Request{Hash: alertrules.ContentHash(&alert.Spec), Sequence: 1, Attempt: 1}, Ref: controllertest.Team, At: time.Now()})
	for range 2 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil || len(alert.Status.Deliveries) != 1 || len(alert.Finalizers) != 1 {
		t.Errorf("recorded %v, %v", alert.Status.Deliveries, err)
	}
}

// byDefault returns a default receiver.
func byDefault(name, url string, created time.Time) *v1beta1.Receiver {
	r := &v1beta1.Receiver{}
	r.Namespace, r.Name, r.CreationTimestamp.Time = "ns", name, created
	r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
	r.Spec.Webhook = &v1beta1.WebhookProvider{URL: url}
	return r
}

// F-P48: each time that an Alert fires, it is sent to the default of that time.
func TestTheDefaultOfEachOccurrence(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Type string }
		_ = json.NewDecoder(r.Body).Decode(&message)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, strings.TrimPrefix(r.URL.Path, "/")+" "+message.Type)
	}))
	defer server.Close()
	alert := controllertest.NewAlert(func(a *v1beta1.Alert) { a.CreationTimestamp.Time = time.Now() })
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, byDefault("old", server.URL+"/old", controllertest.T0)))
	step := func(edit func(*v1beta1.Alert), want ...string) {
		t.Helper()
		if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil {
			t.Fatal(err)
		}
		edit(alert)
		alert.Generation++
		if err := r.client.Update(t.Context(), alert); err != nil {
			t.Fatal(err)
		}
		got = nil
		for range 4 {
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
	step(func(*v1beta1.Alert) {}, "old alert.fired")
	if err := r.client.Create(t.Context(), byDefault("new", server.URL+"/new", controllertest.T0.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	step(func(a *v1beta1.Alert) { a.Spec.Content = "B" }, "old alert.updated")
	step(func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }, "old alert.resolved")
	step(func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring }, "new alert.fired")
	step(func(a *v1beta1.Alert) { a.Spec.Content = "C" }, "new alert.updated")
	step(func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }, "new alert.resolved")
}

// TestADefaultIsFoundOnce: also where another becomes the default while the first
// request is under way, and nothing of it is on record.
func TestADefaultIsFoundOnce(t *testing.T) {
	answer := make(chan struct{})
	var newer atomic.Int32
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answer }))
	defer slow.Close()
	fast := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { newer.Add(1) }))
	defer fast.Close()
	alert := controllertest.NewAlert(func(a *v1beta1.Alert) { a.CreationTimestamp.Time = time.Now() })
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, byDefault("old", slow.URL, controllertest.T0)))
	r.answerTimeout = time.Millisecond
	reconcile := func() {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	if err := r.client.Create(t.Context(), byDefault("new", fast.URL, controllertest.T0.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	reconcile()
	close(answer)
	r.pending.close()
	reconcile()
	if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil || !alert.Status.Sent || newer.Load() != 0 {
		t.Errorf("sent: %t to %s, and %d to the new default; %v", alert.Status.Sent, alert.Status.Receivers, newer.Load(), err)
	}
}

// TestALostAnswerIsNews: the intent that was written before says the same state.
func TestALostAnswerIsNews(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGatewayTimeout) }))
	defer server.Close()
	receiver := &v1beta1.Receiver{}
	receiver.Namespace, receiver.Name, receiver.Spec.Webhook = "ns", controllertest.Team.Name, &v1beta1.WebhookProvider{URL: server.URL}
	receiver.Spec.DeliveryPolicy = v1beta1.AtMostOnce
	alert := controllertest.NewAlert(func(a *v1beta1.Alert) { a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{controllertest.Team} })
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver))
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
		t.Fatal(err)
	}
	select {
	case event := <-r.recorder.(*events.FakeRecorder).Events:
		if !strings.Contains(event, "Warning OutcomeUnknown") {
			t.Errorf("the event is %q", event)
		}
	default:
		t.Error("there is no event")
	}
}

// TestWhatIsNotSentIsNotLost: where the answer to the record of a request is lost, nothing is
// sent, and so nothing is lost.
func TestWhatIsNotSentIsNotLost(t *testing.T) {
	for why, written := range map[string]bool{"written": true, "not written": false} {
		var requests atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
		defer server.Close()
		receiver := &v1beta1.Receiver{}
		receiver.Namespace, receiver.Name, receiver.Spec.Webhook = "ns", controllertest.Team.Name, &v1beta1.WebhookProvider{URL: server.URL}
		receiver.Spec.DeliveryPolicy = v1beta1.AtMostOnce
		alert := controllertest.NewAlert(func(a *v1beta1.Alert) { a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{controllertest.Team} })
		lost := 1
		r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			if lost--; lost < 0 || written {
				if err := c.SubResource(sub).Patch(ctx, o, p, opts...); err != nil {
					return err
				}
			}
			if lost >= 0 {
				return apierrors.NewTimeoutError("no answer", 0)
			}
			return nil
		}}, alert, receiver))
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err == nil || requests.Load() > 0 {
			t.Fatalf("%s: %d requests before it is known that they are on record, %v", why, requests.Load(), err)
		}
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
			t.Fatal(why, err)
		}
		if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil || !alert.Status.Sent || requests.Load() != 1 {
			t.Errorf("%s: %d requests, status %+v, %v", why, requests.Load(), alert.Status, err)
		}
	}
}

// TestReceiversAreToldOnceThatItIsOver: the cache may still show an Alert that was released.
func TestReceiversAreToldOnceThatItIsOver(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	var shown *v1beta1.Alert
	c := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if a, ok := o.(*v1beta1.Alert); ok && shown != nil {
			shown.DeepCopyInto(a)
			return nil
		}
		return c.Get(ctx, key, o, opts...)
	}, List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		defer list.SetResourceVersion("1") // the fake gives none
		return c.List(ctx, list, opts...)
	}}, alert, receiver)
	r := newReconciler(t, c)
	reconcile := func() {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	if err := c.Delete(t.Context(), alert); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
		t.Fatal(err)
	}
	reconcile()
	shown = alert
	reconcile()
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for a page and its end", n)
	}
	if shown = nil; len(r.pending.entries) != 1 {
		t.Errorf("kept %v", r.pending.entries)
	}
	if reconcile(); len(r.pending.entries) != 0 {
		t.Errorf("kept %v for what has gone", r.pending.entries)
	}
}

// TestATimeToLiveIsNotForgotten: where the answer to what says that an Alert is finished was
// lost, there is nothing to write again, and so no event that would bring it back.
func TestATimeToLiveIsNotForgotten(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	receiver := &v1beta1.Receiver{}
	receiver.Namespace, receiver.Name, receiver.Spec.Webhook = "ns", controllertest.Team.Name, &v1beta1.WebhookProvider{URL: server.URL}
	alert := controllertest.NewAlert(func(a *v1beta1.Alert) {
		a.Spec.ReceiverRefs, a.Spec.TTLSecondsAfterFinished = []v1beta1.ReceiverRef{controllertest.Team}, new(int32(60))
		a.Status.ObservedGeneration = -1
	})
	lost := false
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		if err := c.SubResource(sub).Patch(ctx, o, p, opts...); err != nil || lost {
			return err
		}
		lost = true
		return errors.New("no answer")
	}}, alert, receiver))
	r.clock = clocktesting.NewFakePassiveClock(controllertest.T0)
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err == nil {
		t.Fatal("a status that was perhaps not written is no error")
	}
	if result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil || result.RequeueAfter != time.Minute {
		t.Errorf("looked at again after %s, %v", result.RequeueAfter, err)
	}
}

// TestADeliveryProvesTheVersionThatItWasSentTo: the receiver's Secret may be unreadable when the Alert is looked at, and be read
// for the request.
func TestADeliveryProvesTheVersionThatItWasSentTo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	alert, target := controllertest.NewAlertAndReceiver(server.URL)
	target.UID, target.Spec.SecretRef = "receiver", &v1beta1.SecretReference{Name: "login"}
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name, secret.Data = target.Namespace, "login", map[string][]byte{"signingSecret": []byte("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")}
	unreadable := true
	c := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if _, isRead := o.(*corev1.Secret); isRead && unreadable {
			unreadable = false
			return apierrors.NewServiceUnavailable("restarting")
		}
		return c.Get(ctx, key, o, opts...)
	}}, alert, target, secret)
	r := newReconciler(t, c)
	statuses := receiver.NewReconciler(c, v1beta1.KindReceiver, r.resolver, secrets.Watched{}, r.endpoints, r.health, r.clock)
	key := endpoints.KeyOf(target.Namespace, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: target.Name})
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil || r.health.Of(key).Delivered.IsZero() {
		t.Fatalf("the Alert was not sent: %+v, %v", r.health.Of(key), err)
	}
	if _, err := statuses.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(target)}); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(target), target); err != nil {
		t.Fatal(err)
	}
	if ready := meta.FindStatusCondition(target.Status.Conditions, v1beta1.ConditionReady); ready == nil || ready.Reason != v1beta1.ReasonReachable {
		t.Errorf("after a delivery it says %+v", ready)
	}
}

func newReconciler(t *testing.T, c client.Client) *Reconciler {
	t.Helper()
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil)
	barrier := newCacheBarrier(c, c)
	r := &Reconciler{
		client: c, live: c, barrier: barrier, fresh: barrier.Of(v1beta1.GroupVersion.WithKind("Alert"), &v1beta1.Alert{}),
		resolver: receivers.Resolver{Cache: c}, endpoints: endpoints.NewCache(c, providers.Factory{Guard: guard}),
		recorder: events.NewFakeRecorder(100), metrics: uncounted{}, clock: clock.RealClock{},
		pending: newPending(), health: &endpoints.Health{}, answerTimeout: time.Minute,
	}
	r.serverTime = func() times.Server { return times.Server{Known: r.clock.Now(), Steady: r.clock.Now()} }
	r.reposts = r.newReposts()
	return r
}

// A process that was stopped for longer than its lease continues before the election notices: another one may have led in between. It may also renew the
// lease, where it is the only one.
func TestNothingIsSentAfterTheLeaseHasEnded(t *testing.T) {
	for name, test := range map[string]struct {
		edit            func(*v1beta1.Alert)
		before, written bool // whether the lease has ended before the reconcile, and once the request is on record
	}{
		"before the reconcile":                   {edit: func(a *v1beta1.Alert) { a.Spec.Content = "B" }, before: true},
		"while the edit is recorded":             {edit: func(a *v1beta1.Alert) { a.Spec.Content = "B" }, written: true},
		"while the end of the Alert is recorded": {edit: func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }, written: true},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
			defer server.Close()
			alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
			alert.Generation, alert.Status.ObservedGeneration = 1, -1
			now := clocktesting.NewFakePassiveClock(time.Now())
			lease, endsOnWrite := &leadership.Lease{Clock: now}, false
			end := func() { now.SetTime(now.Now().Add(time.Minute)) }
			c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				if endsOnWrite {
					end()
				}
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			}}, alert, receiver)
			r := newReconciler(t, c)
			r.leadership = lease
			lease.Renew(now.Now(), time.Minute)
			reconcile := func() (errs error) {
				for range 3 {
					_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)})
					errs = errors.Join(errs, err)
				}
				return errs
			}
			if err := reconcile(); err != nil || requests != 1 {
				t.Fatalf("%d requests: %v", requests, err)
			}
			if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
				t.Fatal(err)
			}
			test.edit(alert)
			alert.Generation++
			if err := c.Update(t.Context(), alert); err != nil {
				t.Fatal(err)
			}
			if test.before {
				end()
			}
			endsOnWrite = test.written
			if err := reconcile(); requests != 1 || !errors.Is(err, leadership.ErrEnded) {
				t.Errorf("%d requests after the lease has ended: %v", requests-1, err)
			}
			endsOnWrite = false
			lease.Renew(now.Now(), time.Minute)
			if err := reconcile(); err != nil || requests != 2 {
				t.Errorf("%d requests once the lease is renewed: %v", requests-1, err)
			}
		})
	}
}

// uncounted are Metrics that count nothing.
type uncounted struct{}

func (uncounted) CountAttempt(*v1beta1.Alert, *v1beta1.CommonReceiverSpec, alertrules.Outcome) {}
func (uncounted) CountDelivery(*v1beta1.CommonReceiverSpec, v1beta1.DeliveryState)             {}
func (uncounted) CountReposts(*v1beta1.CommonReceiverSpec, int, *result.Error)                 {}
func (uncounted) CountAbandoned()                                                              {}

// F-P73: a first message whose answer takes long is in the status after some seconds, and one that is answered soon is written once.
func TestAFirstAttemptThatHangsIsShown(t *testing.T) {
	answer := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answer }))
	defer server.Close()
	defer close(answer)
	receiver := &v1beta1.Receiver{}
	receiver.Namespace, receiver.Name, receiver.Spec.Webhook = "ns", controllertest.Team.Name, &v1beta1.WebhookProvider{URL: server.URL}
	alert := controllertest.NewAlert(func(a *v1beta1.Alert) {
		a.Spec.ReceiverRefs, a.Status.ObservedGeneration = []v1beta1.ReceiverRef{controllertest.Team}, -1
	})
	now := clocktesting.NewFakePassiveClock(controllertest.T0)
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver))
	r.clock, r.answerTimeout = now, time.Millisecond
	for _, c := range []struct {
		after   time.Duration
		shown   bool
		requeue time.Duration
	}{
		{0, false, alertrules.FirstConditionDelay},
		{alertrules.FirstConditionDelay - time.Second, false, time.Second},
		{alertrules.FirstConditionDelay, true, 0},
	} {
		now.SetTime(controllertest.T0.Add(c.after))
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil {
			t.Fatal(err)
		}
		reconciling := meta.FindStatusCondition(alert.Status.Conditions, v1beta1.ConditionReconciling)
		isShown := reconciling != nil && reconciling.Status == metav1.ConditionTrue && strings.Contains(reconciling.Message, "being sent") &&
			len(alert.Status.Deliveries) == 1 && alert.Status.Deliveries[0].Reason == v1beta1.ReasonSending
		if isShown != c.shown || !c.shown && (alert.Status.ObservedGeneration != -1 || result.RequeueAfter != c.requeue) {
			t.Errorf("after %s: status %+v, again after %s", c.after, alert.Status, result.RequeueAfter)
		}
	}
}
