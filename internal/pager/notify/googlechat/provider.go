// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package googlechat

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes Google Chat to the registry.
var Provider = notify.Provider[v1beta1.GoogleChatProvider]{
	New: func(_ *v1beta1.GoogleChatProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		return New(Config{URL: secret.Get("url")}, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"url"},
		Repeat:     notify.Once + ", for as long as Google remembers, which is not documented",
		Key:        "`requestId`",
		Update:     notify.OwnMessage + ", in the thread",
		Resolve:    notify.OwnMessage + ", in the thread",
		Links:      notify.Buttons,
		Sent:       "Google has the message",
	}},
}
