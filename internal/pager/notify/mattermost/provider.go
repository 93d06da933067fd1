// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package mattermost

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
)

// Provider describes Mattermost to the registry.
var Provider = notify.Provider[v1beta1.MattermostProvider]{
	Addresses: func(s *v1beta1.MattermostProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.MattermostProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		var err error
		if config.Headers, err = headers.Of(s.Headers, secret); err != nil {
			return nil, err
		}
		config.WebhookURL, config.Token = secret.Get("url"), secret.Get("token")
		return New(config, client)
	},
	Check: func(s *v1beta1.MattermostProvider) notify.Problems {
		return headers.Check(check(configOf(s)), s.Headers)
	},
	SecretKeys: func(s *v1beta1.MattermostProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		Name:       "bot",
		SecretKeys: []string{"token"},
		Repeat:     notify.Once + ", within 30 seconds, then twice",
		Key:        "`pending_post_id`",
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      notify.Lines,
		Sent:       "Mattermost has the post",
		Probe:      "the account of the token",
		ProbeGap:   "whether the bot may post in the channel",
	}, {
		Name:       "incoming webhook",
		SecretKeys: []string{"url"},
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      notify.Lines,
		Sent:       "Mattermost has the post",
	}},
}

func configOf(s *v1beta1.MattermostProvider) Config {
	return Config{URL: s.URL, ChannelID: s.ChannelID, Username: s.Username, IconURL: s.IconURL}
}
