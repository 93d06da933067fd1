// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package mattermost

import (
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/chat"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func newWebhook(config Config, client *outbound.Client) (*chat.Webhook, error) {
	w, err := chat.NewWebhook(config.WebhookURL, config.Headers, client)
	switch {
	case err != nil:
		return nil, err
	case config.URL != "":
		return nil, notify.Invalid("url", "of the server is for a bot, which needs a token; an incoming webhook's is in the Secret")
	case config.ChannelID != "":
		return nil, notify.Invalid("channelID", "is for a bot, which needs a token; an incoming webhook has a channel of its own")
	}
	w.Body = config.webhookBody
	w.Refine = func(e *result.Error, resp *outbound.Response) { refine(&w.HTTP, e, resp) }
	return w, nil
}

// hookPost is the part of an incoming webhook's format that this package uses.
type hookPost struct {
	Text     string `json:"text"`
	Username string `json:"username,omitempty"`
	IconURL  string `json:"icon_url,omitempty"`
}

func (c Config) webhookBody(m notify.Message) (body any, cuts string) {
	text, cuts := render(m)
	return hookPost{Text: text, Username: c.Username, IconURL: c.IconURL}, cuts
}
