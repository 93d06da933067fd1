// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
)

// secretReader reads one Secret.
type secretReader struct {
	client.Reader
	reads atomic.Int32
	read  func(context.Context, *corev1.Secret) error
}

func (r *secretReader) Get(ctx context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	r.reads.Add(1)
	return r.read(ctx, o.(*corev1.Secret))
}

func newTarget(revision string) alertrules.Target {
	return alertrules.Target{UID: "receiver", Revision: revision, SecretNamespace: "ns", Spec: &v1beta1.CommonReceiverSpec{
		SecretRef: &v1beta1.SecretReference{Name: "token"}, Provider: v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: "https://example.com"}}}}
}

func newTestCache(reader client.Reader) *Cache {
	return NewCache(reader, providers.Factory{Guard: &outbound.Guard{}})
}

// F-U37: a wrong value of a Secret names the Secret once, and one of the spec does not.
func TestInvalidReceiverNamesTheSecret(t *testing.T) {
	spec := newTarget("1").Spec
	for _, c := range []struct {
		field, note, want string
	}{
		{"signingSecret", "", `signingSecret: is wrong; it is a key of Secret "token"`},
		{"username, password", "", `username, password: is wrong; they are keys of Secret "token"`},
		{"url", "", "url: is wrong"},
		{"headers[0]", "", "headers[0]: is wrong"},
		{"token", `Secret "token" has no keys`, `token: is wrong; Secret "token" has no keys`},
	} {
		if err := invalidReceiver(notify.Invalid(c.field, "is wrong"), spec, c.note); FailureOf(err).Message != c.want {
			t.Errorf("%s: got %q, want %q", c.field, FailureOf(err).Message, c.want)
		}
	}
}

// F-P39: a Secret whose read hangs holds one worker, and a failed read is not repeated at once.
func TestF_P39_AReadThatHangsHoldsOneWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &secretReader{read: func(ctx context.Context, _ *corev1.Secret) error { <-ctx.Done(); return ctx.Err() }}
		cache := newTestCache(reader)
		ask := func() error {
			target := newTarget("1")
			_, err := cache.SetVersion(t.Context(), "ns", controllertest.Team, &target)
			return err
		}
		go func() { _ = ask() }()
		synctest.Wait()
		began := time.Now()
		for range 100 {
			if err := ask(); !errors.Is(err, ErrBusy) {
				t.Fatalf("got %v beside a read", err)
			}
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("100 others waited for %s", waited)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for range 100 {
			if err := ask(); err != nil {
				t.Fatal(err)
			}
		}
		if n := reader.reads.Load(); n != 1 {
			t.Errorf("%d reads, want 1", n)
		}
		time.Sleep(time.Second)
		_ = ask()
		if n := reader.reads.Load(); n != 2 {
			t.Errorf("%d reads a second after a failure, want 2", n)
		}
	})
}

// F-P30: another version of the Secret's metadata replaces no sender, which may remember what it has delivered; another content does.
func TestF_P30_AnAnnotatedSecretReplacesNoSender(t *testing.T) {
	token := "abcdefgh"
	reader := &secretReader{read: func(_ context.Context, s *corev1.Secret) error {
		s.UID, s.Data = "secret", map[string][]byte{"token": []byte(token)}
		return nil
	}}
	cache := newTestCache(reader)
	senderOf := func(revision string) any {
		t.Helper()
		sender, _, err := cache.Sender(t.Context(), "ns", controllertest.Team, newTarget(revision))
		if err != nil {
			t.Fatal(err)
		}
		return sender
	}
	first := senderOf("1")
	if senderOf("2") != first {
		t.Error("the sender was replaced with the same content")
	}
	token = "ijklmnop"
	if senderOf("3") == first {
		t.Error("the sender was not replaced with another content")
	}
}

// F-S63: with the strict policy the search list makes no Service of a Receiver's host.
func TestStrictSendersUseAbsoluteNames(t *testing.T) {
	for _, policy := range []receivers.Policy{receivers.PolicyCompatible, receivers.PolicyStrict} {
		for _, kind := range []v1beta1.ReceiverKind{v1beta1.KindReceiver, v1beta1.KindClusterReceiver} {
			cache := NewCache(nil, providers.Factory{})
			cache.Policy = policy
			if want := policy == receivers.PolicyStrict && kind == v1beta1.KindReceiver; cache.factoryOf(kind).AbsoluteNames != want {
				t.Errorf("%s, %s: absolute names: %t, want %t", policy, kind, !want, want)
			}
		}
	}
}
