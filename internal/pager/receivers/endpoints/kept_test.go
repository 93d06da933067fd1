// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

// leavingReader has a Secret for each receiver, and a namespace that may be terminating.
type leavingReader struct {
	client.Reader
	terminating bool
	err         error // of a read of the namespace
	namespaces  int   // reads of it
}

func (r *leavingReader) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	switch o := o.(type) {
	case *corev1.Secret:
		o.UID, o.Data = "secret", map[string][]byte{"token": []byte("s3cret")}
	case *metav1.PartialObjectMetadata:
		r.namespaces++
		if r.terminating {
			o.DeletionTimestamp = new(metav1.Now())
		}
		return r.err
	}
	return nil
}

// leavingCache is a Cache whose receivers go.
type leavingCache struct {
	*Cache
	t      *testing.T
	reader *leavingReader
	clock  *clocktesting.FakePassiveClock
}

func newLeavingCache(t *testing.T) leavingCache {
	reader, clock := &leavingReader{}, clocktesting.NewFakePassiveClock(time.Now())
	cache := newTestCache(reader)
	cache.Senders.Clock = clock
	return leavingCache{cache, t, reader, clock}
}

func named(name string) v1beta1.ReceiverRef {
	return v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name}
}

// use prepares the sender of a receiver.
func (c leavingCache) use(name string) {
	c.t.Helper()
	target := newTarget("1")
	target.UID = types.UID(name)
	if ok, err := c.SetVersion(c.t.Context(), "ns", named(name), &target); !ok || err != nil {
		c.t.Fatal(ok, err)
	}
}

// gone is the target of a receiver that does not exist.
func gone() alertrules.Target {
	return alertrules.Target{Problem: &alertrules.Problem{Reason: v1beta1.ReasonReceiverNotFound, Message: "away"}}
}

// withoutSecret is the target of a receiver whose Secret does not exist.
func withoutSecret() alertrules.Target {
	target := newTarget("2")
	target.Problem = &alertrules.Problem{Reason: v1beta1.ReasonSecretNotFound, Message: "away"}
	return target
}

// observe sets the version of a target, and returns whether it sends resolves, and whether it has a sender for them.
func (c leavingCache) observe(name string, target alertrules.Target) (resolves bool) {
	c.t.Helper()
	if ok, err := c.SetVersion(c.t.Context(), "ns", named(name), &target); ok || err != nil {
		c.t.Fatal(ok, err)
	}
	if !target.ResolvesOnly {
		return false
	}
	if target.Problem == nil {
		c.t.Error("nothing keeps a page back")
	}
	sender, version, err := c.Sender(c.t.Context(), "ns", named(name), target)
	if err != nil || sender == nil || version != target.Version || version == "" {
		c.t.Errorf("the sender is %v of version %q, want %q; %v", sender, version, target.Version, err)
	}
	return true
}

// F-P67: a sender is kept for resolves alone, for the receiver's resolve timeout.
func TestF_P67_SendersAreKept(t *testing.T) {
	suspended := func(c leavingCache) {
		target := newTarget("1")
		target.Spec.Suspend = true
		if _, err := c.SetVersion(c.t.Context(), "ns", named("a"), &target); err != nil {
			c.t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		before func(leavingCache)
		target alertrules.Target
		want   bool
	}{
		"the receiver is gone": {func(c leavingCache) { c.use("a") }, gone(), true},
		"it is gone with the namespace, which the cache does not show": {func(c leavingCache) { c.use("a"); c.reader.terminating = true }, withoutSecret(), true},
		"the Secret is removed alone":                                  {func(c leavingCache) { c.use("a") }, withoutSecret(), false},
		"the Secret was removed alone, and then the receiver":          {func(c leavingCache) { c.use("a"); c.observe("a", withoutSecret()) }, gone(), false},
		"nothing was sent":           {func(leavingCache) {}, gone(), false},
		"the receiver was suspended": {suspended, gone(), false},
		"the time has passed": {func(c leavingCache) {
			c.use("a")
			c.observe("a", gone())
			c.clock.SetTime(c.clock.Now().Add(10 * time.Minute))
		}, gone(), false},
		"nothing is left to tell": {func(c leavingCache) { c.use("a"); c.observe("a", gone()); c.DropKept(KeyOf("ns", named("a"))) }, gone(), false},
		"the receiver was created again, and its Secret is removed alone": {func(c leavingCache) { c.use("a"); c.observe("a", gone()); c.use("a") }, withoutSecret(), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newLeavingCache(t)
			test.before(c)
			if got := c.observe("a", test.target); got != test.want {
				t.Errorf("resolves can be sent: %t, want %t", got, test.want)
			}
			if isKept := !c.KeptUntil(KeyOf("ns", named("a"))).IsZero(); isKept != test.want || c.Senders.Has(KeyOf("ns", named("a"))) {
				t.Errorf("a sender is kept: %t, want %t; for pages: %t", isKept, test.want, c.Senders.Has(KeyOf("ns", named("a"))))
			}
		})
	}
}

// F-P67: credentials that are kept are bounded in each namespace, and do not take the place of those of another.
func TestF_P67_KeptSendersAreBounded(t *testing.T) {
	c := newLeavingCache(t)
	kept := 0
	for i := range maxKept + 10 {
		name := fmt.Sprint("r", i)
		c.use(name)
		if c.observe(name, gone()) {
			kept++
		}
	}
	if kept != maxKept {
		t.Errorf("%d senders of a namespace are kept, want %d", kept, maxKept)
	}
	other := newTarget("1")
	if _, err := c.SetVersion(t.Context(), "other", named("a"), &other); err != nil {
		t.Fatal(err)
	}
	other = gone()
	if _, err := c.SetVersion(t.Context(), "other", named("a"), &other); err != nil || !other.ResolvesOnly {
		t.Errorf("the sender of another namespace is not kept, %v", err)
	}
}

// F-P67: while the API server does not say whether the namespace is being deleted, nothing is decided; then it is asked no more.
func TestF_P67_ANamespaceIsReadOnce(t *testing.T) {
	c := newLeavingCache(t)
	c.use("a")
	c.reader.err, c.reader.terminating = errors.New("away"), true
	target := withoutSecret()
	if _, err := c.SetVersion(t.Context(), "ns", named("a"), &target); err == nil {
		t.Error("a sender whose namespace could not be read is retired")
	}
	c.reader.err = nil
	for range 3 {
		if !c.observe("a", withoutSecret()) {
			t.Error("the sender is not kept")
		}
	}
	if c.reader.namespaces != 2 {
		t.Errorf("the namespace was read %d times, want 2", c.reader.namespaces)
	}
}
