/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
