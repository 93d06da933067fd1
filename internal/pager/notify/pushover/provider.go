// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pushover

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes Pushover to the registry.
var Provider = notify.Provider[v1beta1.PushoverProvider]{
	Addresses: func(s *v1beta1.PushoverProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.PushoverProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.Token, config.User = secret.Get("token"), secret.Get("user")
		return New(config, client)
	},
	Check: func(s *v1beta1.PushoverProvider) notify.Problems { return check(configOf(s)) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token", "user"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      "one as `url`, then " + notify.Lines,
		Sent:       "Pushover has queued the message",
		Probe:      "whether token, user and device are valid",
		ProbeGap:   "whether a phone is on",
	}},
}

func configOf(s *v1beta1.PushoverProvider) Config {
	return Config{URL: s.URL, Device: s.Device, Sound: s.Sound, Retry: int(s.RetrySeconds), Expire: int(s.ExpireSeconds), TTL: int(s.TTLSeconds)}
}
