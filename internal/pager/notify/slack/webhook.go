// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package slack

import (
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/chat"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func newWebhook(config Config, client *outbound.Client) (*chat.Webhook, error) {
	w, err := chat.NewWebhook(config.WebhookURL, nil, client)
	switch {
	case err != nil:
		return nil, err
	case config.Channel != "":
		return nil, notify.Invalid("channel", "is for a bot, which needs a token; an incoming webhook has a channel of its own")
	case config.URL != "":
		return nil, notify.Invalid("url", "of the Web API is for a bot, which needs a token; an incoming webhook's is in the Secret")
	}
	w.Body = config.webhookBody
	w.MayQuote = slices.Contains(hosts, w.URL.Hostname())
	w.Refine = func(e *result.Error, resp *outbound.Response) { refine(&w.HTTP, e, resp) }
	return w, nil
}

// webhookBody is used instead of the library's function, which follows redirects and has the URL in its errors.
func (c Config) webhookBody(m notify.Message) (body any, cuts string) {
	message, cuts := c.render(m)
	return slack.WebhookMessage{
		Text:        c.mentions(m),
		Username:    c.Username,
		IconEmoji:   c.IconEmoji,
		IconURL:     c.IconURL,
		Attachments: []slack.Attachment{message},
		Parse:       "none",
		UnfurlLinks: new(false),
		UnfurlMedia: new(false),
	}, cuts
}

// refusals are the codes that refuse the content of a message.
var refusals = []string{"invalid_payload", "no_text", "too_many_attachments"}

// refine reads a code in plain text. Server errors of Slack have a web page as their body.
func refine(h *notify.HTTP, e *result.Error, resp *outbound.Response) {
	answer := strings.TrimSpace(string(resp.Body))
	notify.ClassifyRefusal(e, resp, slices.Contains(refusals, answer))
	if answer == "user_not_found" { // despite HTTP 400: the user that the webhook posts to
		e.Class, e.Reason = result.Configuration, result.ReasonNotFound
	}
	if !strings.HasPrefix(answer, "<") {
		quoteCode(h, e, answer)
	}
}
