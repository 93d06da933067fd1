// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package slack

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes Slack to the registry.
var Provider = notify.Provider[v1beta1.SlackProvider]{
	Addresses: func(s *v1beta1.SlackProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.SlackProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.WebhookURL, config.Token = secret.Get("url"), secret.Get("token")
		return New(config, client)
	},
	Check: func(s *v1beta1.SlackProvider) notify.Problems { return check(configOf(s)) },
	Modes: []notify.Mode{{
		Name:       "bot",
		SecretKeys: []string{"token"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Twice,
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      notify.Buttons,
		Sent:       "Slack has the message",
		Probe:      "the account of the token",
		ProbeGap:   "whether the bot may post in the channel",
	}, {
		Name:       "incoming webhook",
		SecretKeys: []string{"url"},
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      notify.Buttons,
		Sent:       "Slack has the message",
	}},
}

func configOf(s *v1beta1.SlackProvider) Config {
	return Config{Channel: s.Channel, URL: s.URL, Username: s.Username, IconEmoji: s.IconEmoji, IconURL: s.IconURL, Footer: s.Footer, Mentions: s.Mentions}
}
