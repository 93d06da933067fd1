// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/controllers/pager/receiver"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// service is a receiver of type webhook, with a clock and a reconciler that nothing but the test moves.
type service struct {
	*testing.T
	*Reconciler
	now *clocktesting.FakePassiveClock

	mu       sync.Mutex
	status   int                  // of its answers
	statusOf map[string]int       // of those to the named Alerts
	header   http.Header          // of its answers
	requests []string             // the names of the Alerts
	due      map[string]time.Time // when the named Alert is reconciled next
	receiver *v1beta1.Receiver
}

func newService(t *testing.T, objects ...client.Object) *service {
	t.Helper()
	s := &service{T: t, status: http.StatusOK, statusOf: map[string]int{}, header: http.Header{}, due: map[string]time.Time{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	_, s.receiver = controllertest.NewAlertAndReceiver(server.URL)
	s.receiver.UID = "receiver"
	s.now = clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))
	s.Reconciler = newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, append(objects, s.receiver)...))
	s.clock = s.now
	s.endpoints.Limiters.OnRecovery = func(key endpoints.Key) {
		s.endpoints.Recoveries.Set(key, s.now.Now())
		for name := range s.due {
			s.due[name] = s.now.Now()
		}
	}
	return s
}

// ServeHTTP answers each request about an Alert.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Data struct{ Name string } }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		s.Error(err)
	}
	name := body.Data.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, name)
	maps.Copy(w.Header(), s.header)
	status := s.status
	if own, ok := s.statusOf[name]; ok {
		status = own
	}
	w.WriteHeader(status)
}

// page makes an Alert of now.
func (s *service) page(name string) {
	s.Helper()
	a, _ := controllertest.NewAlertAndReceiver("")
	a.Name, a.UID = name, types.UID("uid of "+name)
	a.CreationTimestamp.Time, a.Status.ObservedGeneration = s.now.Now(), -1
	if err := s.client.Create(s.Context(), a); err != nil {
		s.Fatal(err)
	}
	s.due[name] = s.now.Now()
}

// poll is how often an Alert is reconciled at least: it may wait for a slot, and the limiter's timers do not follow the fake clock.
const poll = 10 * time.Second

// pass lets time pass, in which what is due is done.
func (s *service) pass(d time.Duration) {
	s.Helper()
	for end := s.now.Now().Add(d); ; {
		s.reconcileDue()
		next := end
		for _, at := range s.due {
			if at.Before(next) {
				next = at
			}
		}
		if !s.now.Now().Before(end) {
			return
		}
		s.now.SetTime(next)
	}
}

func (s *service) reconcileDue() {
	s.Helper()
	for range 5 { // what one Alert's request shows may make others due
		names := make([]string, 0, len(s.due))
		for name, at := range s.due {
			if !at.After(s.now.Now()) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			result, err := s.Reconcile(s.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "ns", Name: name}})
			if err != nil {
				s.Fatal(err)
			}
			s.due[name] = s.now.Now().Add(poll)
			if after := result.RequeueAfter; after > 0 && after < poll {
				s.due[name] = s.now.Now().Add(after)
			}
		}
	}
}

func (s *service) receiverVersion() string {
	s.Helper()
	p, err := s.target(s.Context(), s.resolver, s.receiver.Namespace, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: s.receiver.Name})
	if err != nil {
		s.Fatal(err)
	}
	return p.Version
}

func (s *service) alert(name string) *v1beta1.Alert {
	s.Helper()
	a := &v1beta1.Alert{}
	if err := s.client.Get(s.Context(), client.ObjectKey{Namespace: "ns", Name: name}, a); err != nil {
		s.Fatal(err)
	}
	return a
}

// wantState wants an Alert's delivery in a state, and which of Reconciling and Stalled is True, with a text in its message.
func (s *service) wantState(name string, state v1beta1.DeliveryState, open, text string) {
	s.Helper()
	a := s.alert(name)
	if len(a.Status.Deliveries) == 0 || a.Status.Deliveries[0].State != state {
		s.Fatalf("%s: deliveries %+v, want %s", name, a.Status.Deliveries, state)
	}
	for _, kind := range []string{v1beta1.ConditionReconciling, v1beta1.ConditionStalled} {
		if meta.IsStatusConditionTrue(a.Status.Conditions, kind) != (kind == open) {
			s.Fatalf("%s: conditions %+v, want %s", name, a.Status.Conditions, open)
		}
	}
	if open == "" {
		return
	}
	if c := meta.FindStatusCondition(a.Status.Conditions, open); !strings.Contains(c.Message, text) {
		s.Errorf("%s: %q has no %q", name, c.Message, text)
	}
}

// F-P1, F-JP1, F-P12, F-P18: what a proxy, an ingress or a clock may answer delays an Alert by seconds.
func TestF_P1_OneAnswerThatLooksLikeAMisconfigurationDelaysBySeconds(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 405, 409, 410, 413, 421, 422, 451, 501} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s := newService(t)
			s.status = status
			s.page("a")
			s.pass(0)
			s.wantState("a", v1beta1.DeliveryPending, v1beta1.ConditionReconciling, "next at")
			s.status = http.StatusOK
			s.pass(10 * time.Second)
			s.wantState("a", v1beta1.DeliverySent, "", "")
			if n := len(s.requests); n != 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// F-P1: an answer that keeps looking so is retried seldom, for ever, and its Alert says what to look at.
func TestF_P1_AMisconfiguredReceiverIsRetriedSeldom(t *testing.T) {
	s := newService(t)
	s.status = http.StatusNotFound
	s.page("a")
	s.pass(80 * time.Second)
	if n := len(s.requests); n != 4 {
		t.Fatalf("%d requests in 80 s, want the first and three quick retries", n)
	}
	s.pass(20 * time.Second)
	s.wantState("a", v1beta1.DeliveryPending, v1beta1.ConditionStalled, "HTTP 404 Not Found")
	s.wantState("a", v1beta1.DeliveryPending, v1beta1.ConditionStalled, "retried with Receiver/hook, see its status")
	if row := s.alert("a").Status.Deliveries[0]; row.NextAttemptTime != nil {
		t.Errorf("the next attempt is at %s, which only the receiver's status has", row.NextAttemptTime)
	}
	version := s.alert("a").ResourceVersion
	s.pass(2 * time.Hour) // after 5, 10, 20, 30, 30 minutes
	if n := len(s.requests); n != 9 {
		t.Errorf("%d requests in two hours, want 9", n)
	}
	if now := s.alert("a").ResourceVersion; now != version {
		t.Error("a probe that fails is said in the Alert")
	}
}

// F-P1: an Alert that is refused while others are sent waits for a time of its own, and delays no other Alert.
func TestF_P1_AnAlertsOwnFaultKeepsNobodyWaiting(t *testing.T) {
	s := newService(t)
	s.statusOf["poison"] = http.StatusForbidden
	s.page("poison")
	s.pass(time.Second)
	for i := range 20 {
		name := fmt.Sprint("healthy", i)
		s.page(name)
		s.pass(30 * time.Second)
		s.wantState(name, v1beta1.DeliverySent, "", "")
	}
	s.wantState("poison", v1beta1.DeliveryPending, v1beta1.ConditionStalled, "next at")
	poison := 0
	for _, name := range s.requests {
		if name == "poison" {
			poison++
		}
	}
	if poison != 5 { // in ten minutes: the first, three quick retries, and one after five minutes
		t.Errorf("the refused Alert made %d requests in ten minutes, want 5", poison)
	}
}

// F-JP2: what is mended at the service reaches the Alerts that wait, without a change of any object.
func TestF_JP2_AMendedServiceGetsWhatWaits(t *testing.T) {
	for why, status := range map[string]int{"misconfigured": http.StatusForbidden, "down": http.StatusServiceUnavailable} {
		t.Run(why, func(t *testing.T) {
			s := newService(t)
			s.status = status
			for i := range 6 {
				s.page(fmt.Sprint("a", i))
			}
			s.pass(20 * time.Minute)
			s.status = http.StatusOK
			began := s.now.Now()
			for s.alert("a0").Status.Sent == false && s.now.Now().Sub(began) < time.Hour {
				s.pass(poll)
			}
			first := s.now.Now()
			s.pass(15 * time.Second)
			for i := range 6 {
				s.wantState(fmt.Sprint("a", i), v1beta1.DeliverySent, "", "")
			}
			if limit := map[string]time.Duration{"misconfigured": 30 * time.Minute, "down": 12 * time.Minute}[why]; first.Sub(began) > limit {
				t.Errorf("the first one came after %s", first.Sub(began))
			}
		})
	}
}

// F-P22: an Alert that is asked to wait for an hour goes on once the receiver takes others.
func TestF_P22_RetryAfterEndsWhenTheReceiverTakesOthers(t *testing.T) {
	s := newService(t)
	s.status, s.header = http.StatusServiceUnavailable, http.Header{"Retry-After": {"3600"}}
	s.page("early")
	s.pass(10 * time.Minute)
	if n := len(s.requests); n != 1 {
		t.Fatalf("%d requests, although it asked for an hour", n)
	}
	s.status, s.header = http.StatusTooManyRequests, http.Header{"Retry-After": {"3600"}}
	s.page("second")
	s.pass(10 * time.Minute)
	s.status, s.header = http.StatusOK, http.Header{}
	s.page("late")
	s.pass(15 * time.Second)
	for _, name := range []string{"early", "second", "late"} {
		s.wantState(name, v1beta1.DeliverySent, "", "")
	}
}

// F-JP4: an Alert that waits for a receiver that is down says why it failed, and no time that has passed.
func TestF_JP4_WhatWaitsForAReceiverThatIsDownSaysWhy(t *testing.T) {
	s := newService(t)
	s.status = http.StatusBadGateway
	for i := range 5 {
		s.page(fmt.Sprint("a", i))
	}
	s.pass(10 * time.Minute)
	for i := range 5 {
		name := fmt.Sprint("a", i)
		s.wantState(name, v1beta1.DeliveryPending, v1beta1.ConditionReconciling, "HTTP 502 Bad Gateway")
		next := s.alert(name).Status.Deliveries[0].NextAttemptTime
		if next != nil && next.Time.Before(s.now.Now().Add(-alertrules.ConditionDelay-2*poll)) {
			t.Errorf("%s: the next attempt was at %s, and it is %s", name, next, s.now.Now())
		}
	}
}

// F-P7: what a sync tool does to a Secret's metadata is no reason to send anything; its content is.
func TestF_P7_OnlyTheContentOfASecretIsAnotherVersion(t *testing.T) {
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name, secret.UID, secret.Data = "ns", "token", "secret", map[string][]byte{"token": []byte("abcdefgh")}
	s := newService(t, secret)
	s.receiver.Spec.SecretRef = &v1beta1.SecretReference{Name: secret.Name}
	if err := s.client.Update(s.Context(), s.receiver); err != nil {
		t.Fatal(err)
	}
	observeReceiver := func() {
		t.Helper()
		probed := make(chan struct{}, 1)
		health := &endpoints.Health{OnChange: func(endpoints.Key) { probed <- struct{}{} }}
		r := receiver.NewReconciler(s.client, v1beta1.KindReceiver, s.resolver, secrets.Watched{}, s.endpoints, health, s.now)
		if _, err := r.Reconcile(s.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(s.receiver)}); err != nil {
			t.Fatal(err)
		}
		if health.Of(endpoints.KeyOf(s.receiver.Namespace, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: s.receiver.Name})).Probing {
			<-probed // a probe reads the Secret
		}
	}
	observeReceiver()
	s.status = http.StatusForbidden
	s.page("a")
	s.pass(2 * time.Minute)
	before := len(s.requests)
	change := func(edit func(*corev1.Secret)) {
		t.Helper()
		if err := s.client.Get(s.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
			t.Fatal(err)
		}
		edit(secret)
		if err := s.client.Update(s.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		change(func(secret *corev1.Secret) { secret.Annotations = map[string]string{"synced": fmt.Sprint(i)} })
		observeReceiver()
		s.pass(5 * time.Second)
	}
	if n := len(s.requests); n != before {
		t.Fatalf("%d requests for annotations", n-before)
	}
	s.status = http.StatusOK
	change(func(secret *corev1.Secret) { secret.Data["token"] = []byte("ijklmnop") })
	observeReceiver()
	s.pass(poll)
	if n := len(s.requests); n != before+1 {
		t.Errorf("%d requests for another content, want 1", n-before)
	}
	s.wantState("a", v1beta1.DeliverySent, "", "")
	if version := s.receiverVersion(); strings.Contains(version, "secret") || len(version) > 64 {
		t.Errorf("the version is %q", version)
	}
}

// Manifests are applied together, in any order.
func TestAReceiverMayComeLate(t *testing.T) {
	s := newService(t)
	if err := s.client.Delete(s.Context(), s.receiver); err != nil {
		t.Fatal(err)
	}
	s.page("a")
	s.pass(4 * time.Minute)
	s.wantState("a", v1beta1.DeliveryPending, v1beta1.ConditionReconciling, "does not exist")
	s.pass(time.Minute)
	s.wantState("a", v1beta1.DeliveryPending, v1beta1.ConditionStalled, "does not exist")
	s.receiver.ResourceVersion = ""
	if err := s.client.Create(s.Context(), s.receiver); err != nil {
		t.Fatal(err)
	}
	s.pass(poll)
	s.wantState("a", v1beta1.DeliverySent, "", "")
}

// Requests of a process that no longer leads would repeat, or contradict, those of the next one.
func TestF_S5_NothingIsSentByAProcessThatStops(t *testing.T) {
	s := newService(t)
	s.page("a")
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, _ = s.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "ns", Name: "a"}})
	if n := len(s.requests); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// F-P31, F-P32, F-P34: a message that the receiver refuses, and whatever waits, delay no new Alert by more than 10 s.
func TestF_P31_APoisonousAlertDelaysNoOther(t *testing.T) {
	for _, status := range []int{400, 403, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s := newService(t)
			s.statusOf["poison"] = status
			s.page("poison")
			for i, age := range []time.Duration{time.Second, 30 * time.Second, 10 * time.Minute} {
				s.pass(age)
				name := fmt.Sprint("healthy", i)
				s.page(name)
				s.pass(0)
				s.wantState(name, v1beta1.DeliverySent, "", "")
			}
		})
	}
}

// F-P44: without any other traffic, what a proxy or a firewall refuses says nothing of the credentials: a new Alert is sent at once.
func TestF_P44_AnAlertThatAFirewallRefusesDelaysNoOther(t *testing.T) {
	for _, quiet := range []time.Duration{2 * time.Minute, 20 * time.Minute, 2 * time.Hour} {
		t.Run(quiet.String(), func(t *testing.T) {
			s := newService(t)
			s.statusOf["poison"] = http.StatusForbidden
			s.page("poison")
			s.pass(quiet)
			s.page("healthy")
			s.pass(0)
			s.wantState("healthy", v1beta1.DeliverySent, "", "")
			s.wantState("poison", v1beta1.DeliveryPending, v1beta1.ConditionStalled, "HTTP 403 Forbidden")
		})
	}
}

// F-P31: the first attempt of an Alert at a receiver that looks misconfigured is on record, so that the next one is its probe.
func TestF_P31_AFirstAttemptIsMadeOnce(t *testing.T) {
	s := newService(t)
	s.status = http.StatusForbidden
	s.page("old")
	s.pass(5 * time.Minute)
	s.page("new")
	s.pass(2 * time.Minute)
	if about := slices.DeleteFunc(slices.Clone(s.requests), func(name string) bool { return name != "new" }); len(about) != 1 {
		t.Errorf("%d requests about the new Alert, want 1", len(about))
	}
	s.wantState("new", v1beta1.DeliveryPending, v1beta1.ConditionStalled, "HTTP 403 Forbidden")
	s.wantState("new", v1beta1.DeliveryPending, v1beta1.ConditionStalled, "retried with Receiver/hook, see its status")
}
