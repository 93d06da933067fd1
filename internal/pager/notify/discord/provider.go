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
