// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
)

// F-P13: the compatible policy warns of risky destinations; the strict one refuses them for Receivers, where they are new.
func TestReceiverPolicy(t *testing.T) {
	webhook := func(url string, skip bool) v1beta1.CommonReceiverSpec {
		return v1beta1.CommonReceiverSpec{Provider: v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: url, InsecureSkipTLSVerify: skip}}}
	}
	for _, c := range []struct {
		why   string
		spec  v1beta1.CommonReceiverSpec
		risks []string
	}{
		{"a public address", webhook("https://hooks.example.com", false), nil},
		{"plain http", webhook("http://hooks.example.com", false), []string{"spec.webhook.url", "not encrypted"}},
		{"a Service", webhook("https://api.shop.svc/hook", false), []string{"spec.webhook.url", "in the cluster"}},
		{"F-S63: a Service in full-width letters", webhook("https://api.shop.ｓｖｃ/hook", false), []string{"spec.webhook.url", "in the cluster"}},
		{"a Service in the same namespace", webhook("https://api", false), []string{"spec.webhook.url", "in the cluster"}},
		{"a certificate that is not verified", webhook("https://hooks.example.com", true), []string{"spec.webhook.insecureSkipTLSVerify", "any server"}},
	} {
		for _, policy := range []receivers.Policy{receivers.PolicyCompatible, receivers.PolicyStrict} {
			v := receiverValidator[*v1beta1.Receiver]{guard: &outbound.Guard{}, policy: policy}
			r := &v1beta1.Receiver{Spec: v1beta1.ReceiverSpec{CommonReceiverSpec: c.spec}}
			warnings, err := v.ValidateCreate(t.Context(), r)
			said := strings.Join(warnings, "\n")
			if refuses := policy == receivers.PolicyStrict && len(c.risks) > 0; refuses != (err != nil) {
				t.Errorf("%s, %s: %v", c.why, policy, err)
			} else if refuses {
				said = err.Error()
			}
			for _, risk := range c.risks {
				if !strings.Contains(said, risk) {
					t.Errorf("%s, %s: %q lacks %q", c.why, policy, said, risk)
				}
			}
			if _, err := v.ValidateUpdate(t.Context(), r, r); err != nil {
				t.Errorf("%s, %s: what is there is refused: %v", c.why, policy, err)
			}
		}
	}
}
