// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package discord

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes Discord to the registry.
var Provider = notify.Provider[v1beta1.DiscordProvider]{
	New: func(s *v1beta1.DiscordProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.URL = secret.Get("url")
		return New(config, client)
	},
	Check: func(s *v1beta1.DiscordProvider) notify.Problems { return check(configOf(s)) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"url"},
		Repeat:     notify.Twice,
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      "named links below the content",
		Sent:       "Discord has the message",
		Probe:      "the webhook's name and channel",
		ProbeGap:   "whether the thread exists",
	}},
}

func configOf(s *v1beta1.DiscordProvider) Config {
	return Config{ThreadID: s.ThreadID, Username: s.Username, AvatarURL: s.AvatarURL, Mentions: s.Mentions}
}
