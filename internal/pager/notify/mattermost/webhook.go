// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package mattermost

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Webhook is a notify.Sender that posts through an incoming webhook. There is no Probe: a webhook can only post.
type Webhook struct {
	*connection
	hook     *url.URL
	username string
	iconURL  string
}

// hookPost is the part of an incoming webhook's format that this package uses.
type hookPost struct {
	Text     string `json:"text"`
	Username string `json:"username,omitempty"`
	IconURL  string `json:"icon_url,omitempty"`
}

var _ notify.Sender = (*Webhook)(nil)

func newWebhook(config Config, client *outbound.Client) (*Webhook, error) {
	hook, err := notify.ParseURL("url", config.WebhookURL)
	switch {
	case err != nil:
		return nil, err
	case config.URL != "":
		return nil, notify.Invalid("url", "of the server is for a bot, which needs a token; an incoming webhook's is in the Secret")
	case config.ChannelID != "":
		return nil, notify.Invalid("channelID", "is for a bot, which needs a token; an incoming webhook has a channel of its own")
	}
	secrets := append(notify.URLSecrets(config.WebhookURL, hook), notify.PathSecrets(hook)...)
	return &Webhook{connection: newConnection(config, client, secrets...), hook: hook, username: config.Username, iconURL: config.IconURL}, nil
}

// Send makes one attempt.
func (w *Webhook) Send(ctx context.Context, m notify.Message, _ notify.Key) (result.Receipt, error) {
	if m.Event == result.Resolved { // the content is in an earlier post
		m.RawContent, m.RawLinks = "", nil
	}
	text, cuts := render(m)
	resp, err := w.RequestJSON(ctx, http.MethodPost, w.hook, hookPost{Text: text, Username: w.username, IconURL: w.iconURL})
	if err != nil {
		return result.Receipt{}, err
	}
	if notify.ConfirmationOf(resp) != notify.Accepted { // such as a login page
		return result.Receipt{}, w.BadAnswer(resp)
	}
	return result.Receipt{Note: notify.StatusLine(resp.StatusCode) + cuts}, nil
}
