// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/event"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/providers"
)

// wrongValues are values of a Secret's key that some provider refuses, or its service.
func wrongValues(right string) map[string]string {
	return map[string]string{
		"empty":                    "",
		"in quotes":                strconv.Quote(right),
		"with a space":             "a b",
		"with a control character": "a\x01b",
		"with a colon":             "a:b",
		"of another account":       "fedcba9876543210FEDCBA9876543210",
		"no URL":                   "://example.com",
		"too long":                 strings.Repeat("a", 5000),
	}
}

// receiverUnderTest is a receiver whose Secret changes.
type receiverUnderTest struct {
	t        *testing.T
	cache    *Cache
	settings v1beta1.Provider
	data     map[string]string
	revision int
}

func newReceiverUnderTest(t *testing.T, settings v1beta1.Provider) *receiverUnderTest {
	r := &receiverUnderTest{t: t, settings: settings}
	reader := &secretReader{read: func(_ context.Context, s *corev1.Secret) error {
		s.UID, s.Data = "secret", map[string][]byte{}
		for key, value := range r.data {
			s.Data[key] = []byte(value)
		}
		return nil
	}}
	r.cache = NewCache(reader, providers.Factory{Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil), Events: discarded{}})
	return r
}

// discarded creates no Events.
type discarded struct{}

func (discarded) Create(context.Context, event.Event) (bool, error) { return false, nil }

// use changes the Secret and does with the receiver what a reconcile does. It returns the error of the configuration.
func (r *receiverUnderTest) use(data map[string]string) (notify.Sender, error) {
	r.t.Helper()
	r.data = data
	r.revision++
	target := newTarget(strconv.Itoa(r.revision))
	target.Spec.Provider = r.settings
	if ok, err := r.cache.SetVersion(r.t.Context(), "ns", controllertest.Team, &target); !ok || err != nil {
		r.t.Fatalf("the version of the Secret is not set: %t, %v", ok, err)
	}
	sender, _, err := r.cache.Sender(r.t.Context(), "ns", controllertest.Team, target)
	if failure := new(result.Error); err != nil && !errors.As(err, &failure) {
		r.t.Fatalf("%T is no *result.Error: %v", err, err)
	}
	if (sender == nil) != (err != nil) {
		r.t.Fatalf("the sender is %#v, and the error %v", sender, err)
	}
	return sender, err
}

// changed returns the data of a Secret with another value of one key, or without the key.
func changed(data map[string]string, key string, value *string) map[string]string {
	all := maps.Clone(data)
	if all == nil {
		all = map[string]string{}
	}
	if delete(all, key); value != nil {
		all[key] = *value
	}
	return all
}

// F-P66: a value of a receiver's Secret that is corrected is used at once, whatever the value was before, for each provider and each key of
// its Secret: no sender is kept where it could not be made.
func TestCorrectedSecretIsUsed(t *testing.T) {
	modes := map[string]notify.Mode{}
	for _, reference := range providers.References() {
		for _, mode := range reference.Modes {
			modes[notifytest.Fixture{Provider: reference.Name, Mode: mode.Name}.Name()] = mode
		}
	}
	test := func(name string, settings v1beta1.Provider, data map[string]string) {
		mode, ok := modes[name]
		if !ok {
			t.Fatalf("%s is no mode of a provider", name)
		}
		delete(modes, name)
		for _, key := range append([]string{"ca.crt", "tls.crt", "tls.key"}, mode.SecretKeys...) {
			t.Run(name+"/"+key, func(t *testing.T) { testCorrected(t, settings, data, key) })
		}
	}
	for _, f := range notifytest.Fixtures() {
		server := notifytest.Serve(f.NewService(notifytest.FixtureSecret))
		t.Cleanup(server.Close)
		settings, data := f.Receiver(notifytest.FixtureSecret, server.URL)
		test(f.Name(), settings, data)
	}
	mail, err := notifytest.NewSMTP(notifytest.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mail.Close)
	test("email", v1beta1.Provider{Email: &v1beta1.EmailProvider{
		Host: mail.Addr(), TLS: v1beta1.EmailTLSNone, From: "a@example.com", To: []string{"b@example.com"}}}, nil)
	test("event", v1beta1.Provider{Event: &v1beta1.EventProvider{}}, nil)
	if len(modes) > 0 {
		t.Errorf("without a test: %v", modes)
	}
}

func testCorrected(t *testing.T, settings v1beta1.Provider, right map[string]string, key string) {
	mustSend := func(r *receiverUnderTest, after string) {
		t.Helper()
		sender, err := r.use(right)
		if err == nil {
			_, err = sender.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key(strings.Repeat("a", 32), ""))
		}
		if err != nil {
			t.Errorf("after %s: %v", after, err)
		}
	}
	for name, wrong := range wrongValues(right[key]) {
		r := newReceiverUnderTest(t, settings)
		_, _ = r.use(changed(right, key, &wrong))
		mustSend(r, "a value "+name)
		_, _ = r.use(changed(right, key, &wrong))
		_, _ = r.use(changed(right, key, nil))
		mustSend(r, "a value "+name+" and a missing one")
		_, _ = r.use(changed(right, key, nil))
		_, _ = r.use(changed(right, key, &wrong))
		mustSend(r, "a missing value and one "+name)
		r.cache.Senders.Forget(KeyOf("ns", controllertest.Team))
		mustSend(r, "the receiver was created again")
	}
}
