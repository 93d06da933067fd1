// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package teams

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes Microsoft Teams to the registry.
var Provider = notify.Provider[v1beta1.TeamsProvider]{
	New: func(_ *v1beta1.TeamsProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		return New(Config{URL: secret.Get("url")}, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"url"},
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      notify.Buttons,
		Sent:       "the workflow was started, not that Teams shows the card",
	}},
}
