// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
)

// Provider describes Matrix to the registry.
var Provider = notify.Provider[v1beta1.MatrixProvider]{
	Addresses: func(s *v1beta1.MatrixProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.MatrixProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		added, err := headers.Of(s.Headers, secret)
		if err != nil {
			return nil, err
		}
		return New(Config{URL: s.URL, RoomID: s.RoomID, Token: secret.Get("token"), Headers: added}, client)
	},
	Check: func(s *v1beta1.MatrixProvider) notify.Problems {
		return headers.Check(check(s.URL, s.RoomID), s.Headers)
	},
	SecretKeys: func(s *v1beta1.MatrixProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		Repeat:     notify.Once + ", as long as the homeserver remembers, in Synapse a day",
		Key:        "transaction id",
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      notify.Lines,
		Sent:       "the homeserver has the message",
		Probe:      "the account of the token, and whether it has joined the room",
		ProbeGap:   "whether it may send there",
	}},
}
