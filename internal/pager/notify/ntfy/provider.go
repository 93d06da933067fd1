// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ntfy

import (
	"cmp"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
)

// Provider describes ntfy to the registry.
var Provider = notify.Provider[v1beta1.NtfyProvider]{
	Addresses: func(s *v1beta1.NtfyProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.NtfyProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		added, err := headers.Of(s.Headers, secret)
		if err != nil {
			return nil, err
		}
		return New(Config{URL: s.URL, Headers: added, Topic: cmp.Or(s.Topic, secret.Get("topic")),
			Token: secret.Get("token"), Username: secret.Get("username"), Password: secret.Get("password")}, client)
	},
	Check:      func(s *v1beta1.NtfyProvider) notify.Problems { return headers.Check(check(s.URL, s.Topic), s.Headers) },
	SecretKeys: func(s *v1beta1.NtfyProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"topic", "token", "username", "password"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Once + ", from ntfy 2.16 on, though it may ring again",
		Key:        "sequence id",
		Update:     notify.InPlace + ", " + notify.MayRing,
		Resolve:    notify.InPlace,
		Links:      notify.Buttons + ", 3 at most, then " + notify.Lines,
		Sent:       "the server has the notification",
		Probe:      "the server's health, with the credentials",
		ProbeGap:   "whether they permit publishing to the topic",
	}},
}
