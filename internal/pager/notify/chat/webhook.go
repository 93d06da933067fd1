// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Webhook is a notify.Sender that posts through an incoming webhook. There is no Probe: a webhook can only post.
type Webhook struct {
	notify.HTTP
	URL *url.URL
	// Body returns the body of the request with a message, and a note that says which parts were truncated; "": none.
	Body func(m notify.Message) (body any, cuts string)
}

var _ notify.Sender = (*Webhook)(nil)

// NewWebhook returns a sender without a Body. The address is a credential. The requests have the headers.
func NewWebhook(address string, added http.Header, client *outbound.Client) (*Webhook, error) {
	hook, err := notify.ParseURL("url", address)
	if err != nil {
		return nil, err
	}
	secrets := append(notify.URLSecrets(address, hook), notify.PathSecrets(hook)...)
	return &Webhook{HTTP: headers.NewHTTP(client, added, secrets...), URL: hook}, nil
}

// Send makes one attempt.
func (w *Webhook) Send(ctx context.Context, m notify.Message, _ notify.Key) (result.Receipt, error) {
	body, cuts := w.Body(ownMessage(m))
	resp, err := w.RequestJSON(ctx, http.MethodPost, w.URL, body)
	if err != nil {
		return result.Receipt{}, err
	}
	if notify.ConfirmationOf(resp) != notify.Accepted { // such as a login page
		return result.Receipt{}, w.BadAnswer(resp)
	}
	return result.Receipt{Note: notify.StatusLine(resp.StatusCode) + cuts}, nil
}
