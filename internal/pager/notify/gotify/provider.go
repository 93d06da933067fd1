// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package gotify

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
)

// Provider describes Gotify to the registry.
var Provider = notify.Provider[v1beta1.GotifyProvider]{
	Addresses: func(s *v1beta1.GotifyProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.GotifyProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		added, err := headers.Of(s.Headers, secret)
		if err != nil {
			return nil, err
		}
		return New(Config{URL: s.URL, Token: secret.Get("token"), Headers: added}, client)
	},
	Check:      func(s *v1beta1.GotifyProvider) notify.Problems { return headers.Check(check(s.URL), s.Headers) },
	SecretKeys: func(s *v1beta1.GotifyProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      notify.Lines,
		Sent:       "the server has the message",
	}},
}
