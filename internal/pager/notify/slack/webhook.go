// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package slack

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Webhook is a notify.Sender that posts through an incoming webhook. There is no Probe: a webhook can only post.
type Webhook struct {
	connection
	hook *url.URL
}

var _ notify.Sender = (*Webhook)(nil)

func newWebhook(config Config, client *outbound.Client) (*Webhook, error) {
	hook, err := notify.ParseURL("url", config.WebhookURL)
	switch {
	case err != nil:
		return nil, err
	case config.Channel != "":
		return nil, notify.Invalid("channel", "is for a bot, which needs a token; an incoming webhook has a channel of its own")
	case config.URL != "":
		return nil, notify.Invalid("url", "of the Web API is for a bot, which needs a token; an incoming webhook's is in the Secret")
	}
	secrets := append(notify.URLSecrets(config.WebhookURL, hook), notify.PathSecrets(hook)...)
	w := &Webhook{connection: newConnection(config, hook, client, secrets...), hook: hook}
	w.Refine = w.refine
	return w, nil
}

// Send makes one attempt. It does not use the library's function, which follows redirects and has the URL in its errors.
func (w *Webhook) Send(ctx context.Context, m notify.Message, _ notify.Key) (result.Receipt, error) {
	if m.Event == result.Resolved { // the content is in an earlier message
		m.RawContent, m.RawLinks = "", nil
	}
	message, cuts := w.render(m)
	resp, err := w.RequestJSON(ctx, http.MethodPost, w.hook, slack.WebhookMessage{
		Text:        w.mentions(m),
		Username:    w.config.Username,
		IconEmoji:   w.config.IconEmoji,
		IconURL:     w.config.IconURL,
		Attachments: []slack.Attachment{message},
		Parse:       "none",
		UnfurlLinks: new(false),
		UnfurlMedia: new(false),
	})
	if err != nil {
		return result.Receipt{}, err
	}
	if notify.ConfirmationOf(resp) != notify.Accepted { // such as a login page
		return result.Receipt{}, w.BadAnswer(resp)
	}
	return result.Receipt{Note: notify.StatusLine(resp.StatusCode) + cuts}, nil
}

// refusals are the codes that refuse the content of a message.
var refusals = []string{"invalid_payload", "no_text", "too_many_attachments"}

// refine reads a code in plain text. Server errors of Slack have a web page as their body.
func (w *Webhook) refine(e *result.Error, resp *outbound.Response) {
	answer := bodyText(resp)
	notify.ClassifyRefusal(e, resp, slices.Contains(refusals, answer))
	if answer == "user_not_found" { // despite HTTP 400: the user that the webhook posts to
		e.Class, e.Reason = result.Configuration, result.ReasonNotFound
	}
	if !strings.HasPrefix(answer, "<") {
		w.quoteCode(e, answer)
	}
}

func bodyText(resp *outbound.Response) string { return strings.TrimSpace(string(resp.Body)) }
