// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package slack posts to a channel of Slack, as a bot or through an incoming webhook.
//
// A bot posts one message for each alert, which Updated and Resolved edit in place. Where Slack refuses the edit, a new
// message is posted; where the message was deleted, a resolve is not sent. Slack does not notify of edits. An incoming
// webhook can only post: each message is one of its own.
//
// Slack has no idempotency key: a message whose response was lost is posted again, and the first of the two is never edited.
// The metadata of a bot's message has the delivery key of its last change.
//
// All text is in one attachment, in which Slack parses no markup. In a message's own text Slack parses markup, which can be turned off for new
// messages but not for edits. Mentions have no effect. Slack may show the code of one of the workspace's emoji as the emoji.
package slack

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Slack to the registry.
var Provider = notify.Provider[v1beta1.SlackProvider]{
	Addresses: func(s *v1beta1.SlackProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.SlackProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.WebhookURL, config.Token = secret.Get("url"), secret.Get("token")
		return New(config, client)
	},
	Check: func(s *v1beta1.SlackProvider) notify.Problems { return check(configOf(s)) },
	Modes: []notify.Mode{{
		Name:       "bot",
		SecretKeys: []string{"token"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Twice,
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      notify.Buttons,
		Sent:       "Slack has the message",
		Probe:      "the account of the token",
		ProbeGap:   "whether the bot may post in the channel",
	}, {
		Name:       "incoming webhook",
		SecretKeys: []string{"url"},
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      notify.Buttons,
		Sent:       "Slack has the message",
	}},
}

// DefaultURL is the address of Slack's Web API. GovSlack's is another.
const DefaultURL = slack.APIURL

// Config has the destination: an incoming webhook with WebhookURL, or a bot with Token and Channel.
type Config struct {
	WebhookURL string // of the incoming webhook; a credential
	Token      string // of the bot
	Channel    string // id of the channel that the bot posts to
	URL        string // of the Web API, for a bot; DefaultURL if empty

	Username  string // of the author; the app's if empty
	IconEmoji string // of the author, such as :fire:
	IconURL   string // of the author
	Footer    string
	Mentions  []string // ids of persons and groups, channel, or here
}

func configOf(s *v1beta1.SlackProvider) Config {
	return Config{Channel: s.Channel, URL: s.URL, Username: s.Username, IconEmoji: s.IconEmoji, IconURL: s.IconURL, Footer: s.Footer, Mentions: s.Mentions}
}

var (
	hosts     = []string{"slack.com", "hooks.slack.com", "slack-gov.com", "hooks.slack-gov.com"}
	channelID = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,63}$`)
	emoji     = regexp.MustCompile(`^:[a-z0-9_+'-]{1,62}:$`)
	person    = regexp.MustCompile(`^[UW][A-Z0-9]{1,31}$`)
	group     = regexp.MustCompile(`^S[A-Z0-9]{1,31}$`)
	code      = regexp.MustCompile(`^[a-z_]{1,64}$`)
)

// check returns the problems of the settings in a spec.
func check(config Config) (problems notify.Problems) {
	address, channel := config.URL, config.Channel
	if u := problems.BaseURL("url", address); u != nil && strings.Contains(u.Path, "/services/") {
		problems.AddURL("url", address, "is that of an incoming webhook, and a credential: put it into the Secret, as url, and leave it out here")
	}
	if channel != "" && !channelID.MatchString(channel) {
		problems.Add("channel", channel, "must be the id of a channel, such as C0123456789, which is in the channel's details: names do not work")
	}
	problems.Line("username", config.Username)
	if config.IconEmoji != "" && !emoji.MatchString(config.IconEmoji) {
		problems.Add("iconEmoji", config.IconEmoji, "must be the code of an emoji, such as :fire:")
	}
	problems.Link("iconURL", config.IconURL)
	problems.Line("footer", config.Footer)
	for i, mention := range config.Mentions {
		if mentionOf(mention) == "" {
			problems.Add(fmt.Sprintf("mentions[%d]", i), mention, "must be the id of a person (U0123456789) or of a group (S0123456789), channel, or here: names do not work")
		}
	}
	return problems
}

// New returns a *Bot or a *chat.Webhook. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (notify.Sender, error) {
	if err := check(config).Err(); err != nil {
		return nil, err
	}
	isBot, err := notify.HasBotToken(config.WebhookURL, config.Token)
	switch {
	case err != nil:
		return nil, err
	case isBot:
		return newBot(config, client)
	}
	return newWebhook(config, client)
}

// quoteCode quotes the text of a response. A code is quoted of any server: it contains no other text.
func quoteCode(h *notify.HTTP, e *result.Error, answer string) {
	if h.IsID(code, answer) {
		e.Message += ": " + answer
		return
	}
	h.Quote(e, answer)
}
