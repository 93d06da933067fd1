// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package mattermost posts to a channel of Mattermost, as a bot or through an incoming webhook.
//
// A bot creates one post for each alert, which Updated and Resolved edit in place. Where Mattermost refuses the edit, a new
// post is created; where the post was deleted, a resolve is not sent. Mattermost does not notify of edits. An incoming
// webhook can only post: each message is a post of its own.
//
// A bot's post has an idempotency key, which Mattermost remembers for 30 seconds. A later repeat, and every repeat through a
// webhook, is a second post, and the first of the two is never edited.
//
// The text is the post's own message, which Mattermost searches and phones show. Markup is escaped as HTML entities, which
// Mattermost's apps decode also where they show no markup, such as on a phone's lock screen. A zero-width space after @
// breaks mentions. Links stay links, except those next to markup. Not prevented: users' own keywords in the text notify them;
// emoticons such as ;) and formulas between dollar signs may be drawn; consecutive blanks and empty lines become one.
package mattermost

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Mattermost to the registry.
var Provider = notify.Provider[v1beta1.MattermostProvider]{
	Addresses: func(s *v1beta1.MattermostProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.MattermostProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		var err error
		if config.Headers, err = headers.Of(s.Headers, secret); err != nil {
			return nil, err
		}
		config.WebhookURL, config.Token = secret.Get("url"), secret.Get("token")
		return New(config, client)
	},
	Check: func(s *v1beta1.MattermostProvider) notify.Problems {
		return headers.Check(check(configOf(s)), s.Headers)
	},
	SecretKeys: func(s *v1beta1.MattermostProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		Name:       "bot",
		SecretKeys: []string{"token"},
		Repeat:     notify.Once + ", within 30 seconds, then twice",
		Key:        "`pending_post_id`",
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      notify.Lines,
		Sent:       "Mattermost has the post",
		Probe:      "the account of the token",
		ProbeGap:   "whether the bot may post in the channel",
	}, {
		Name:       "incoming webhook",
		SecretKeys: []string{"url"},
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      notify.Lines,
		Sent:       "Mattermost has the post",
	}},
}

// Config has the destination: an incoming webhook with WebhookURL, or a bot with URL, ChannelID and Token.
type Config struct {
	WebhookURL string // of the incoming webhook; a credential
	URL        string // of the server, for a bot
	ChannelID  string // of the channel that the bot posts to
	Token      string // of the bot

	Username string // of the author of a webhook's posts; the webhook's if empty
	IconURL  string // of the author of a webhook's posts; the webhook's if empty
	// Headers are sent with each request, beside those that the sender sets.
	Headers http.Header
}

func configOf(s *v1beta1.MattermostProvider) Config {
	return Config{URL: s.URL, ChannelID: s.ChannelID, Username: s.Username, IconURL: s.IconURL}
}

var (
	serverID = regexp.MustCompile(`^[a-z0-9]{26}$`)                                                     // of every object of Mattermost
	errorID  = regexp.MustCompile(`^(?:api|app|web|model|store|ent|plugin)(?:\.[a-z0-9_]{1,48}){2,6}$`) // no other text of a body is quoted: the server is not Mattermost's own
)

// check returns the problems of the settings in a spec.
func check(config Config) (problems notify.Problems) {
	address, channel := config.URL, config.ChannelID
	u := problems.BaseURL("url", address)
	if u != nil && strings.Contains(u.Path, "/hooks/") {
		problems.AddURL("url", address, "is that of an incoming webhook, and a credential: put it into the Secret, as url, and leave it out here")
	} else if u != nil && strings.Contains(u.Path+"/", "/api/v4/") {
		problems.AddURL("url", address, "must be that of the server, without /api/v4")
	}
	if channel != "" && !serverID.MatchString(channel) {
		problems.Add("channelID", channel, "must be the id of a channel: 26 lower-case letters and digits, which are in the channel's info")
	}
	problems.Line("username", config.Username)
	problems.Link("iconURL", config.IconURL)
	if config.ChannelID != "" && config.Username+config.IconURL != "" {
		problems.Add("username, iconURL", config.Username, "are for an incoming webhook: the posts of a bot have its own name and picture")
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

// errorIDOf returns Mattermost's id of an error; "" where the body is not in Mattermost's format.
func errorIDOf(h *notify.HTTP, resp *outbound.Response) string {
	var answer struct {
		ID     string `json:"id"`
		Status int    `json:"status_code"`
	}
	if json.Unmarshal(resp.Body, &answer) != nil || answer.Status != resp.StatusCode || !h.IsID(errorID, answer.ID) {
		return ""
	}
	return answer.ID
}

func refine(h *notify.HTTP, e *result.Error, resp *outbound.Response) {
	id := errorIDOf(h, resp)
	notify.ClassifyRefusal(e, resp, id != "")
	switch {
	case id == "web.incoming_webhook.invalid.app_error": // despite HTTP 400: the webhook does not exist
		e.Class, e.Reason = result.Configuration, result.ReasonNotFound
	case id == "api.post.create_post.can_not_post_to_deleted.error": // despite HTTP 400: the channel is archived
		e.Class, e.Reason = result.Configuration, result.ReasonGone
	case resp.StatusCode == http.StatusNotImplemented && id != "": // a feature that is turned off, such as webhooks
		e.Class, e.Reason, e.RetryAfter = result.Configuration, result.ReasonRejected, 0
	}
	if id != "" {
		e.Message += ": " + id
	}
}
