// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pushbullet

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes Pushbullet to the registry.
var Provider = notify.Provider[v1beta1.PushbulletProvider]{
	Addresses: func(s *v1beta1.PushbulletProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.PushbulletProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		return New(Config{URL: s.URL, Token: secret.Get("token"), DeviceIden: s.DeviceIden, Email: s.Email, ChannelTag: s.ChannelTag}, client)
	},
	Check: func(s *v1beta1.PushbulletProvider) notify.Problems { return check(s.URL, s.Email) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Once,
		Key:        "`guid`",
		Update:     notify.OwnMessage,
		Resolve:    notify.InPlace + ", the last note is dismissed",
		Links:      notify.Lines,
		Sent:       "Pushbullet has the push",
		Probe:      "the account of the token",
		ProbeGap:   "whether device, person or channel exist",
	}},
}
