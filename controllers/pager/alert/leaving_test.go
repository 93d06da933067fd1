// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
)

// leaving is a namespace with an Alert that its Receiver holds, whose objects are deleted one after the other.
type leaving struct {
	t       *testing.T
	cluster client.Client
	clock   *clocktesting.FakePassiveClock
	*Reconciler
	recorder *events.FakeRecorder
	alert    *v1beta1.Alert
	bodies   []string
	tokens   []string
}

func newLeaving(t *testing.T) *leaving {
	t.Helper()
	l := &leaving{t: t, clock: clocktesting.NewFakePassiveClock(time.Now())}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.bodies, l.tokens = append(l.bodies, string(body)), append(l.tokens, r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	namespace, secret := &corev1.Namespace{}, &corev1.Secret{Data: map[string][]byte{"token": []byte("s3cret")}}
	namespace.Name, namespace.Finalizers = "ns", []string{"test/content"}
	secret.Namespace, secret.Name, secret.UID = "ns", "token", "secret"
	var receiver *v1beta1.Receiver
	l.alert, receiver = controllertest.NewAlertAndReceiver(server.URL)
	l.alert.CreationTimestamp.Time = l.alert.CreationTimestamp.Add(-time.Hour)
	receiver.UID, receiver.Spec.SecretRef = "receiver", &v1beta1.SecretReference{Name: "token"}
	l.cluster = controllertest.NewCluster(t, interceptor.Funcs{}, namespace, secret, receiver, l.alert)
	l.restart()
	return l
}

// restart replaces the process.
func (l *leaving) restart() {
	l.Reconciler, l.recorder = newReconciler(l.t, l.cluster), events.NewFakeRecorder(100)
	l.Reconciler.recorder, l.Reconciler.clock, l.endpoints.Senders.Clock = l.recorder, l.clock, l.clock
	l.reconcile(l.alert)
}

func (l *leaving) reconcile(a *v1beta1.Alert) {
	l.t.Helper()
	for range 3 {
		if _, err := l.Reconcile(l.t.Context(), ctrl.Request{NamespacedName: nameOf(a)}); err != nil {
			l.t.Fatal(err)
		}
	}
}

// do makes one change, after which the Alert is reconciled.
func (l *leaving) do(step string) {
	l.t.Helper()
	var err error
	switch step {
	case "namespace":
		o := &corev1.Namespace{}
		o.Name = "ns"
		err = l.cluster.Delete(l.t.Context(), o)
	case "secret":
		o := &corev1.Secret{}
		o.Namespace, o.Name = "ns", "token"
		err = l.cluster.Delete(l.t.Context(), o)
	case "receiver":
		o := &v1beta1.Receiver{}
		o.Namespace, o.Name = "ns", "hook"
		err = l.cluster.Delete(l.t.Context(), o)
	case "alert":
		err = l.cluster.Delete(l.t.Context(), l.alert.DeepCopy())
	case "restart":
		l.restart()
	case "ten minutes":
		l.clock.SetTime(l.clock.Now().Add(10 * time.Minute))
	case "another alert":
		other := controllertest.NewAlert(func(a *v1beta1.Alert) {
			a.Name, a.UID, a.Spec.ReceiverRefs = "other", "other", l.alert.Spec.ReceiverRefs
		})
		if err = l.cluster.Create(l.t.Context(), other); err == nil {
			l.reconcile(other)
		}
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.reconcile(l.alert)
}

// F-P67: each receiver that holds a page is sent its end, in whatever order the objects of a namespace go; else an event names those that are not.
func TestF_P67_ReceiversOfANamespaceThatIsDeletedAreTold(t *testing.T) {
	for steps, want := range map[string]struct {
		told     bool
		event    string
		released bool
	}{
		"namespace, secret, alert":                {told: true, released: true},
		"namespace, secret, receiver, alert":      {told: true, released: true},
		"namespace, receiver, secret, alert":      {told: true, released: true},
		"namespace, receiver, alert":              {told: true, released: true},
		"namespace, alert":                        {told: true, released: true},
		"receiver, secret, alert":                 {told: true, released: true},
		"namespace, secret, another alert, alert": {told: true, released: true},
		// A Secret that is removed alone may have been revoked.
		"secret, alert":            {},
		"secret, namespace, alert": {event: "Alert a was released, but Receiver/hook did not receive the resolve", released: true},
		"secret, receiver, alert":  {event: "Released, but Receiver/hook did not receive the resolve", released: true},
		// No sender is left.
		"namespace, secret, restart, alert":     {event: "Alert a was released, but Receiver/hook did not receive the resolve", released: true},
		"namespace, receiver, restart, alert":   {event: "Alert a was released, but Receiver/hook did not receive the resolve", released: true},
		"namespace, secret, ten minutes, alert": {event: "Alert a was released, but Receiver/hook did not receive the resolve", released: true},
	} {
		t.Run(steps, func(t *testing.T) {
			l := newLeaving(t)
			if len(l.bodies) != 1 {
				t.Fatalf("%d pages were sent", len(l.bodies))
			}
			for step := range strings.SplitSeq(steps, ", ") {
				l.do(step)
			}
			told := len(l.bodies) == 2 && strings.Contains(l.bodies[1], "resolved") && l.tokens[1] == l.tokens[0] && l.tokens[0] != ""
			if told != want.told || !told && len(l.bodies) != 1 {
				t.Errorf("told %t, want %t; sent were %q", told, want.told, l.bodies)
			}
			err := l.cluster.Get(t.Context(), nameOf(l.alert), &v1beta1.Alert{})
			if released := client.IgnoreNotFound(err) == nil && err != nil; released != want.released {
				t.Errorf("released %t, want %t", released, want.released)
			}
			close(l.recorder.Events)
			var abandoned string
			for e := range l.recorder.Events {
				if text, is := strings.CutPrefix(e, "Warning Abandoned "); is {
					abandoned = text
				}
			}
			if abandoned != want.event {
				t.Errorf("the event is %q, want %q", abandoned, want.event)
			}
		})
	}
}
