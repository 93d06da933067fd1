// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes Telegram to the registry.
var Provider = notify.Provider[v1beta1.TelegramProvider]{
	Addresses: func(s *v1beta1.TelegramProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.TelegramProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		return New(Config{URL: s.URL, Token: secret.Get("token"), ChatID: s.ChatID, MessageThreadID: int(s.MessageThreadID),
			DisableNotification: s.DisableNotification}, client)
	},
	Check: func(s *v1beta1.TelegramProvider) notify.Problems { return check(s.URL, s.ChatID) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Twice,
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      notify.Lines,
		Sent:       "the message is in the chat",
		Probe:      "the chat",
		ProbeGap:   "whether the bot may post there",
	}},
}
