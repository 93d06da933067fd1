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

// Package slack delivers to a channel of Slack, in one of two ways.
//
// A bot posts a message for each alert, which Updated and Resolved edit in place. Where Slack refuses the edit, a new message
// says what is new; where it was deleted, that the alert is over need not be said. Nobody is notified of an edit; that is how
// Slack is. An incoming webhook can only post: each message is one of its own, fired, updated and resolved alike.
//
// Neither takes a key by which Slack would know a repeat: a message whose answer was lost is posted again, and the first of the two
// is never edited. A bot's messages carry the key of their last change in their metadata, for those who look for one.
//
// All text is in one attachment, since Slack reads no markup there. In a message's own text it does, and that can be switched off
// for new messages only, not for edits. Nothing in an alert mentions anybody, and its text is shown as typed, with one exception:
// Slack may show what looks like an emoji code of the workspace as the emoji.
//
// It knows Slack's API, and no Kubernetes.
package slack

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// DefaultURL is where Slack's Web API is. GovSlack has one of its own.
const DefaultURL = slack.APIURL

// Config says where messages go: through an incoming webhook, or from a bot, which has Token and Channel.
type Config struct {
	WebhookURL string // of the incoming webhook; a credential
	Token      string // of the bot
	Channel    string // id of the channel that the bot posts to
	URL        string // of the Web API, for a bot; DefaultURL if empty
}

// connection is what both ways have in common.
type connection struct{ notify.HTTP }

var (
	hosts     = []string{"slack.com", "hooks.slack.com", "slack-gov.com", "hooks.slack-gov.com"}
	channelID = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,63}$`)
	code      = regexp.MustCompile(`^[a-z_]{1,64}$`)
)

// New returns a *Bot or a *Webhook, or a *result.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (notify.Sender, error) {
	isBot, err := notify.HasBotToken(config.WebhookURL, config.Token)
	switch {
	case err != nil:
		return nil, err
	case isBot:
		return newBot(config, client)
	}
	return newWebhook(config, client)
}

func newBot(config Config, client *outbound.Client) (*Bot, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	token, err := notify.Token("token", "the token of a bot", config.Token)
	if err != nil {
		return nil, err
	}
	if !channelID.MatchString(config.Channel) {
		return nil, notify.Invalid("channel", "must be the id of a channel, such as C0123456789; names do not work")
	}
	return &Bot{
		connection: newConnection(base, client, token),
		url:        strings.TrimSuffix(base.String(), "/") + "/", // the library appends the method's name
		token:      token,
		channel:    config.Channel,
	}, nil
}

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
	w := &Webhook{connection: newConnection(hook, client, secrets...), hook: hook}
	w.Refine = w.refine
	return w, nil
}

func newConnection(to *url.URL, client *outbound.Client, secrets ...string) connection {
	c := connection{notify.NewHTTP(client, secrets...)}
	c.MayQuote = slices.Contains(hosts, to.Hostname())
	return c
}

// explain quotes an answer. A code is quoted of any server: it has no other text in it.
func (c *connection) quoteCode(e *result.Error, answer string) {
	if c.IsID(code, answer) {
		e.Message += ": " + answer
		return
	}
	c.Quote(e, answer)
}
