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
