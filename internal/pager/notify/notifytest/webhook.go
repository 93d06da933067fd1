// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
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
		Version   string         `json:"version"`
		Type      string         `json:"type"`
		Timestamp time.Time      `json:"timestamp"`
		Data      map[string]any `json:"data"`
	}
	id := r.Header.Get("Webhook-Id")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+wh.token:
		http.Error(w, "unauthorized", http.StatusUnauthorized)
	case id == "" || !isJSON(r) || readJSON(r.Body, &body) != nil || body.Version != "1":
		http.Error(w, "a request that Bellhop does not send", http.StatusBadRequest)
	default:
		var links []notify.Link
		array, _ := body.Data["links"].([]any)
		for _, item := range array {
			link, _ := item.(map[string]any)
			links = append(links, notify.Link{Text: fmt.Sprint(link["text"]), Href: fmt.Sprint(link["href"])})
		}
		text := fmt.Sprintf("%v\n%v", body.Data["title"], body.Data["content"])
		wh.Put(Seen{ID: id, Text: text, Resolved: body.Type == "alert.resolved", Links: linkLines(links)})
		w.WriteHeader(http.StatusNoContent)
	}
}
