// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package providers

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// TestEveryProviderIsRegistered: a member of the union without an entry would be accepted, and could not be sent to.
func TestEveryProviderIsRegistered(t *testing.T) {
	union, all := reflect.TypeFor[v1beta1.Provider](), registry
	if union.NumField() != len(all) {
		t.Errorf("the union has %d members, and the registry %d entries", union.NumField(), len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b registered) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) }) {
		t.Errorf("the registry is not in the order of the names: %+v", all)
	}
	for i := range union.NumField() {
		spec := &v1beta1.CommonReceiverSpec{}
		reflect.ValueOf(&spec.Provider).Elem().Field(i).Set(reflect.New(union.Field(i).Type.Elem()))
		p, ok := Of(spec)
		if name, _, _ := strings.Cut(union.Field(i).Tag.Get("json"), ","); !ok || p.Name != name || NameOf(spec) != p.Name {
			t.Errorf("%s: %+v", union.Field(i).Name, p)
		}
	}
	if name := NameOf(&v1beta1.CommonReceiverSpec{}); name != "none" {
		t.Errorf("a spec without a provider has %q", name)
	}
}

func TestAddresses(t *testing.T) {
	for want, provider := range map[string]v1beta1.Provider{
		"webhook.url example.com plain":                  {Webhook: &v1beta1.WebhookProvider{URL: "http://example.com:8080/hook"}},
		"pagerDuty.url events.eu.pagerduty.com":          {PagerDuty: &v1beta1.PagerDutyProvider{URL: "https://events.eu.pagerduty.com"}},
		"email.host mail.example.com plain":              {Email: &v1beta1.EmailProvider{Host: "mail.example.com:25", TLS: v1beta1.EmailTLSNone}},
		"grpc.address notifier.example.com plain":        {GRPC: &v1beta1.GRPCProvider{Address: "http://notifier.example.com:80"}},
		"grpc.address ::1":                               {GRPC: &v1beta1.GRPCProvider{Address: "[::1]:8443"}},
		"email.host ::1":                                 {Email: &v1beta1.EmailProvider{Host: "[::1]"}},
		"alertmanager.urls[0] a, alertmanager.urls[1] b": {Alertmanager: &v1beta1.AlertmanagerProvider{URLs: []string{"https://a", "https://b"}}},
		"": {Discord: &v1beta1.DiscordProvider{}},
	} {
		p, _ := Of(&v1beta1.CommonReceiverSpec{Provider: provider})
		var got []string
		for _, a := range p.Addresses() {
			text := a.Field + " " + a.Host
			if a.Plain {
				text += " plain"
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestRepostEvery: a provider knows its own external ids, and takes no other's for one.
func TestRepostEvery(t *testing.T) {
	const posted = "critical@2026-03-01T12:00:00Z"
	alertmanager := v1beta1.Provider{Alertmanager: &v1beta1.AlertmanagerProvider{}}
	slack := v1beta1.Provider{Slack: &v1beta1.SlackProvider{}}
	for _, c := range []struct {
		spec *v1beta1.CommonReceiverSpec
		id   string
		want time.Duration
	}{
		{&v1beta1.CommonReceiverSpec{Provider: alertmanager}, posted, 2 * time.Minute},
		{&v1beta1.CommonReceiverSpec{Provider: alertmanager}, "C0123456789/1700000000.000100", 0}, // of Slack, which the receiver was before
		{&v1beta1.CommonReceiverSpec{Provider: alertmanager}, "", 0},
		{&v1beta1.CommonReceiverSpec{Provider: slack}, posted, 0},
		{&v1beta1.CommonReceiverSpec{}, posted, 0},
		{nil, posted, 0},
	} {
		if got := RepostEvery(c.spec, c.id); got != c.want {
			t.Errorf("%s, %q: %s, want %s", NameOf(c.spec), c.id, got, c.want)
		}
	}
	for _, r := range receivers(t) {
		receipt, err := r.sender.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key(strings.Repeat("a", 32), ""))
		if want := r.spec.Alertmanager != nil; err != nil || RepostInterval(receipt.ExternalID) > 0 != want {
			t.Errorf("%s: the id %q, %v; is forgotten: %t", r.name, receipt.ExternalID, err, !want)
		}
	}
}
