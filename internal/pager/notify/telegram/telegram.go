// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package telegram sends to Telegram through its Bot API (https://core.telegram.org/bots/api): one message for each alert,
// which Updated and Resolved edit in place. Where the message cannot be edited, another one is sent; where it was deleted, a
// resolve is not sent. Telegram does not notify of edits.
//
// The API has no idempotency key, and a bot cannot look up its messages: a message whose response was lost is sent again, and
// the first of the two is never edited.
//
// The text is plain: no markup is parsed, and links have no preview. A word joiner (U+2060, which has no width) after @
// breaks mentions; e-mail addresses are not changed. Not prevented: apps show URLs, e-mail addresses, #hashtags and /commands
// as links, which notify nobody.
package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/chat"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Telegram to the registry.
var Provider = notify.Provider[v1beta1.TelegramProvider]{
	Addresses: func(s *v1beta1.TelegramProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.TelegramProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		return New(Config{URL: s.URL, Token: secret.Get("token"), ChatID: s.ChatID, MessageThreadID: int(s.MessageThreadID),
			DisableNotification: s.DisableNotification}, client)
	},
	Check: func(s *v1beta1.TelegramProvider) notify.Problems { return check(s.URL, s.ChatID) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Twice,
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      notify.Lines,
		Sent:       "the message is in the chat",
		Probe:      "the chat",
		ProbeGap:   "whether the bot may post there",
	}},
}

// DefaultURL is the address of Telegram's Bot API. A self-hosted Bot API server has another one.
const DefaultURL = "https://api.telegram.org"

// Config has the bot and its destination.
type Config struct {
	URL             string // without /bot and the token; DefaultURL if empty
	Token           string // of the bot
	ChatID          string // a number, which is negative for groups and channels, or @ and the name of a public group or channel
	MessageThreadID int    // the topic of a forum; 0: none, or the topic General

	DisableNotification bool // messages have no sound
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	config Config
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
	_ notify.Editor = (*Sender)(nil)
)

var (
	token       = regexp.MustCompile(`^[1-9][0-9]{0,19}:[A-Za-z0-9_-]{1,128}$`) // part of a path
	chatPattern = regexp.MustCompile(`^(-?[1-9][0-9]{0,18}|@[A-Za-z0-9_]{4,32})$`)
	botPath     = regexp.MustCompile(`(?i)/bot[^/]*(:|%3a|$)`)
	number      = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
)

// check returns the problems of the settings in a spec.
func check(address, chatID string) (problems notify.Problems) {
	if u := problems.BaseURL("url", address); u != nil && botPath.MatchString(u.Path) {
		problems.AddURL("url", address, "must be without /bot and the token, which is a credential: put it into the Secret, as token")
	}
	if !chatPattern.MatchString(chatID) {
		problems.Add("chatID", chatID, "must be the number of a chat, such as -1001234567890, or @ and the name of a public group or channel, such as @example")
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	if err := check(config.URL, config.ChatID).Err(); err != nil {
		return nil, err
	}
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	config.URL = strings.TrimRight(base.String(), "/")
	config.Token = strings.TrimSpace(config.Token)
	if !token.MatchString(config.Token) {
		return nil, notify.Invalid("token", "must be a bot's token: digits, a colon, and letters, digits, _ and -")
	}
	if config.MessageThreadID < 0 {
		return nil, notify.Invalid("messageThreadID", "must not be negative")
	}
	_, secret, _ := strings.Cut(config.Token, ":") // the part before the colon is the bot's id, which is public
	s := &Sender{HTTP: notify.NewHTTP(client, config.Token, secret), config: config}
	s.MayQuote = base.Hostname() == "api.telegram.org"
	s.Refine = s.refine
	return s, nil
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	return chat.EditOrPost(ctx, s, m, k, s.edit, s.post)
}

// edit is a chat.Edit.
func (s *Sender) edit(ctx context.Context, m notify.Message, k notify.Key) (receipt result.Receipt, mayPost bool, err error) {
	text, cuts := render(m)
	outcome, failure := s.setText(ctx, s.messageID(k.ExternalID), text)
	switch {
	case failure != nil:
		return result.Receipt{}, false, failure
	case outcome == edited:
		return result.Receipt{ExternalID: k.ExternalID, Note: "edited; Telegram sends no notification for an edit" + cuts}, false, nil
	case outcome == unchanged:
		return result.Receipt{ExternalID: k.ExternalID, Note: "the message says so already" + cuts}, false, nil
	case outcome == notEditable:
		return result.Receipt{}, true, errors.New("it can no longer be edited")
	case m.Event == result.Resolved:
		return result.Receipt{Note: "the message is gone already"}, false, nil
	}
	return result.Receipt{}, true, nil // deleted: there is nothing to change
}

// CanEdit reports whether an external id is of a message in the chat.
func (s *Sender) CanEdit(externalID string) bool { return s.messageID(externalID) > 0 }

// post is a chat.Post.
func (s *Sender) post(ctx context.Context, m notify.Message, _ notify.Key) (result.Receipt, error) {
	text, cuts := render(m)
	if m.Event == result.Resolved { // which has no content
		text, cuts = titleOf(m)
	}
	resp, answer, failure := s.call(func(b *bot.Bot) error {
		_, err := b.SendMessage(ctx, &bot.SendMessageParams{
			ChatID:              s.config.ChatID,
			MessageThreadID:     s.config.MessageThreadID,
			Text:                text,
			DisableNotification: s.config.DisableNotification,
			LinkPreviewOptions:  noPreview(),
		})
		return err
	})
	if failure != nil {
		return result.Receipt{}, failure
	}
	var sent struct {
		MessageID int64 `json:"message_id"`
	}
	if json.Unmarshal(answer.Result, &sent) != nil || sent.MessageID <= 0 {
		return result.Receipt{}, s.BadAnswer(resp)
	}
	return result.Receipt{ExternalID: s.externalID(sent.MessageID), Note: notify.StatusLine(resp.StatusCode) + cuts}, nil
}

// setText replaces the text of a message. The outcome is meaningful only without an error.
func (s *Sender) setText(ctx context.Context, id int, text string) (editOutcome, *result.Error) {
	resp, answer, failure := s.call(func(b *bot.Bot) error {
		_, err := b.EditMessageText(ctx, &bot.EditMessageTextParams{
			ChatID:             s.config.ChatID,
			MessageID:          id,
			Text:               text,
			LinkPreviewOptions: noPreview(),
		})
		return err
	})
	if failure != nil && resp != nil && resp.StatusCode == http.StatusBadRequest {
		if outcome, isKnown := answer.classifyEditError(); isKnown {
			return outcome, nil
		}
	}
	return edited, failure
}

func noPreview() *models.LinkPreviewOptions {
	return &models.LinkPreviewOptions{IsDisabled: bot.True()}
}

// Probe checks whether the bot has access to the chat. Whether the bot may send there is not checked.
func (s *Sender) Probe(ctx context.Context) error {
	_, _, failure := s.call(func(b *bot.Bot) error {
		_, err := b.GetChat(ctx, &bot.GetChatParams{ChatID: s.config.ChatID})
		return err
	})
	if failure != nil {
		return failure
	}
	return nil
}

// externalID returns the chat as the receiver has it, a slash and the message's number. Numbers are per chat: in another
// chat, the same number may be a message about another alert.
func (s *Sender) externalID(message int64) string {
	return s.config.ChatID + "/" + strconv.FormatInt(message, 10)
}

// messageID returns the number of the message that an id of externalID names; 0 where it is in another chat.
func (s *Sender) messageID(externalID string) int {
	text, ok := strings.CutPrefix(externalID, s.config.ChatID+"/")
	if !ok || !number.MatchString(text) {
		return 0
	}
	id, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return id
}
