// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package alert

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
	"github.com/gophernetes/bellhop/internal/panics"
)

// corrected is a receiver whose Secret changes, and a second one that works, for Alerts that name both.
type corrected struct {
	*testing.T
	*Reconciler
	now    *clocktesting.FakePassiveClock
	good   atomic.Int32 // requests to the second receiver
	alerts []*v1beta1.Alert
}

var changing, working = v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "changing"}, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "working"}

func newCorrected(t *testing.T, settings v1beta1.Provider) *corrected {
	c := &corrected{T: t, now: clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { c.good.Add(1) }))
	t.Cleanup(server.Close)
	_, second := controllertest.NewAlertAndReceiver(server.URL)
	second.Name, second.UID = working.Name, "working"
	first := second.DeepCopy()
	first.Name, first.UID, first.Spec.Provider, first.Spec.SecretRef = changing.Name, "changing", settings, &v1beta1.SecretReference{Name: "secret"}
	c.Reconciler = newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, first, second))
	c.clock = c.now
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil)
	c.endpoints = endpoints.NewCache(c.client, providers.Factory{Guard: guard})
	c.reposts = c.newReposts()
	return c
}

// step changes the Secret, or deletes it where data is nil, and sends a new Alert: the second receiver gets it with the first reconcile.
func (c *corrected) step(what string, data map[string]string) {
	c.Helper()
	c.now.SetTime(c.now.Now().Add(10 * time.Second)) // first attempts at an endpoint that fails are 5 s apart
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = "ns", "secret"
	if err := c.client.Delete(c.Context(), secret); client.IgnoreNotFound(err) != nil {
		c.Fatal(err)
	}
	if data != nil {
		secret.UID, secret.Data = types.UID(strconv.Itoa(len(c.alerts))), map[string][]byte{}
		for key, value := range data {
			secret.Data[key] = []byte(value)
		}
		if err := c.client.Create(c.Context(), secret); err != nil {
			c.Fatal(err)
		}
	}
	target, err := c.target(c.Context(), c.resolver, "ns", changing)
	if err != nil {
		c.Fatalf("%s: %v", what, err)
	}
	c.endpoints.Limiters.Of(endpoints.KeyOf("ns", changing), c.now.Now()).Reset(target.Version, c.now.Now()) // as the controller of receivers does
	a := controllertest.NewAlert()
	a.Name = fmt.Sprintf("a%d", len(c.alerts))
	a.UID = types.UID(a.Name)
	a.CreationTimestamp.Time, a.Status.ObservedGeneration = c.now.Now(), -1
	a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{changing, working}
	if err := c.client.Create(c.Context(), a); err != nil {
		c.Fatal(err)
	}
	c.alerts = append(c.alerts, a)
	c.reconcile(what, a)
	if n := int(c.good.Load()); n != len(c.alerts) {
		c.Errorf("%s: the second receiver got %d of %d Alerts with the first reconcile", what, n, len(c.alerts))
	}
}

func (c *corrected) reconcile(what string, a *v1beta1.Alert) {
	c.Helper()
	defer func() {
		if recovered := recover(); recovered != nil {
			c.Fatalf("%s: the reconcile panicked: %v", what, recovered)
		}
	}()
	if _, err := c.Reconcile(c.Context(), ctrl.Request{NamespacedName: nameOf(a)}); err != nil {
		c.Fatalf("%s: %v", what, err)
	}
	if err := c.client.Get(c.Context(), nameOf(a), a); err != nil {
		c.Fatal(err)
	}
}

// right corrects the Secret: every Alert is sent then.
func (c *corrected) right(after string, data map[string]string) {
	c.Helper()
	if data == nil {
		data = map[string]string{}
	}
	c.step("corrected after "+after, data)
	for _, a := range c.alerts {
		for range 3 {
			if !a.Status.Sent {
				c.now.SetTime(c.now.Now().Add(time.Second))
				c.reconcile("corrected after "+after, a)
			}
		}
		if !a.Status.Sent {
			c.Errorf("after %s: %s was not sent: %+v", after, a.Name, a.Status.Deliveries)
		}
	}
}

// F-P66: for each provider and each documented key of its Secret: wrong, missing, then right; right, wrong, then right. Alerts that wait are
// sent once the Secret is right, and a second receiver of the same Alert gets it with the first reconcile.
func TestCorrectedSecretDelaysNoOtherReceiver(t *testing.T) {
	keysOf := map[string][]string{}
	for _, reference := range providers.References() {
		for _, mode := range reference.Modes {
			keysOf[notifytest.Fixture{Provider: reference.Name, Mode: mode.Name}.Name()] = mode.SecretKeys
		}
	}
	run := func(name string, settings v1beta1.Provider, right map[string]string) {
		for _, key := range append([]string{"ca.crt"}, keysOf[name]...) {
			t.Run(name+"/"+key, func(t *testing.T) {
				c := newCorrected(t, settings)
				with := func(value string) map[string]string {
					data := maps.Clone(right)
					if data == nil {
						data = map[string]string{}
					}
					data[key] = value
					return data
				}
				missing := with("")
				delete(missing, key)
				c.step("in quotes", with(strconv.Quote(right[key])))
				c.step("missing", missing)
				c.right("a value in quotes and a missing one", right)
				c.step("a control character", with("a\x01b"))
				c.step("no Secret", nil)
				c.right("a control character and no Secret", right)
				c.step("too long", with(strings.Repeat("a", 5000)))
				c.right("a value that is too long", right)
			})
		}
	}
	for _, f := range notifytest.Fixtures() {
		server := notifytest.Serve(f.NewService(notifytest.FixtureSecret))
		t.Cleanup(server.Close)
		settings, data := f.Receiver(notifytest.FixtureSecret, server.URL)
		run(f.Name(), settings, data)
	}
	mail, err := notifytest.NewSMTP(notifytest.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mail.Close)
	run("email", v1beta1.Provider{Email: &v1beta1.EmailProvider{
		Host: mail.Addr(), TLS: v1beta1.EmailTLSNone, From: "a@example.com", To: []string{"b@example.com"}}}, nil)
}

// F-P39: while the Secret of another receiver was being read, an Alert kept a slot of its receiver empty, each time it was notified.
func TestAlertThatWaitsForASecretKeepsNoSlot(t *testing.T) {
	c := newCorrected(t, v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: "https://example.com"}})
	a, now := controllertest.NewAlert(), c.now.Now()
	a.CreationTimestamp.Time, a.Status.ObservedGeneration = now, -1
	a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{working}
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = "ns", "secret"
	for _, o := range []client.Object{a, secret} {
		if err := c.client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	endpoint := c.endpoints.Limiters.Of(endpoints.KeyOf("ns", working), now)
	var release limiter.Release
	for i := range 4 {
		release, _ = endpoint.Enter(limiter.Request{ID: i}, now)
	}
	c.reconcile("all slots are taken", a)
	notified := 0
	endpoint.Enter(limiter.Request{ID: "another", Flow: "another", Notify: func() { notified++ }}, now)
	a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{changing, working}
	if err := c.client.Update(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	reads, failed := make(chan struct{}), make(chan error)
	go func() {
		_, err := c.endpoints.Senders.Of(endpoints.KeyOf("ns", changing), "1", func(*endpoints.PreparedSender) (*endpoints.PreparedSender, error) {
			reads <- struct{}{}
			<-reads
			return nil, errors.New("timeout")
		})
		failed <- err
	}()
	<-reads
	if release(now, limiter.Result{}); notified > 0 {
		t.Fatal("the slot is for the Alert, which has waited longer")
	}
	if c.reconcile("the Secret of the other receiver is being read", a); notified != 1 || c.good.Load() > 0 {
		t.Errorf("another Alert was notified %d times, %d requests", notified, c.good.Load())
	}
	close(reads)
	if err := <-failed; err == nil {
		t.Error("the Secret was read")
	}
	if c.reconcile("the Secret cannot be read", a); c.good.Load() != 1 {
		t.Errorf("the Alert has lost its place: %d requests", c.good.Load())
	}
}

// F-P66: a panic while requests are recorded before they are sent holds no slots of the receiver.
func TestPanicWhileRecordingHoldsNoSlot(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	receiver.Spec.DeliveryPolicy = v1beta1.AtMostOnce
	alert.Status.ObservedGeneration = -1
	panicsLeft := 10 // more than the receiver has slots
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		if panicsLeft--; panicsLeft >= 0 {
			panic("a mistake")
		}
		return c.SubResource(sub).Patch(ctx, o, p, opts...)
	}}, alert, receiver))
	for panicsLeft > 0 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); !isPanic(err) {
			t.Fatalf("%v, want the error of a panic", err)
		}
	}
	for range 3 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil || !alert.Status.Sent || requests.Load() != 1 {
		t.Errorf("%d requests, %v, %+v", requests.Load(), err, alert.Status.Deliveries)
	}
}

func isPanic(err error) bool {
	_, ok := errors.AsType[*panics.Error](err)
	return ok
}
