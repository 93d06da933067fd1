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

package notifytest

import (
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func init() {
	register(Fixture{
		Provider:   "webhook",
		NewService: func(secret string) Service { return NewWebhook(secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{URL: urls[0]}}, map[string]string{"token": secret}
		},
	})
}

// Webhook is a fake of an endpoint of webhooks. A repeated webhook-id is the same message.
type Webhook struct {
	Display
	token string
}

var _ Service = (*Webhook)(nil)

// NewWebhook returns an endpoint that requires a bearer token.
func NewWebhook(token string) *Webhook { return &Webhook{token: token} }

// ServeHTTP answers with 2xx where the message is valid.
func (wh *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Version   string            `json:"version"`
		Type      string            `json:"type"`
		Timestamp time.Time         `json:"timestamp"`
		Data      map[string]string `json:"data"`
	}
	id := r.Header.Get("Webhook-Id")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+wh.token:
		http.Error(w, "unauthorized", http.StatusUnauthorized)
	case id == "" || !isJSON(r) || readJSON(r.Body, &body) != nil || body.Version != "1":
		http.Error(w, "a request that Bellhop does not send", http.StatusBadRequest)
	default:
		wh.Put(Seen{ID: id, Text: body.Data["title"] + "\n" + body.Data["content"], Resolved: body.Type == "alert.resolved"})
		w.WriteHeader(http.StatusNoContent)
	}
}
