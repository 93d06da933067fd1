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

// Package telegram delivers to Telegram through its Bot API (https://core.telegram.org/bots/api): a message from a bot for what
// fired, which an update and the resolve edit. Telegram notifies nobody of an edit. Where the message cannot be edited, another
// one says what is new; that it is over is said once more only if the old message still stands there.
//
// The API has no key for repeats and cannot be asked what it holds: a repeat whose first answer was lost is a second message, and
// only that one is edited later.
//
// Text is plain: no markup is read, and links have no preview. A mention would notify the one who is named, so @name gets a word
// joiner (U+2060, which has no width) after its @; e-mail addresses stay as they are. What cannot be prevented is that apps show
// URLs, e-mail addresses, #hashtags and /commands as links; none of them notifies anybody.
//
// The package knows Telegram's API and nothing of who calls it.
package telegram

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// DefaultURL is where Telegram's Bot API is. There are also servers of one's own.
const DefaultURL = "https://api.telegram.org"

const (
	maxText     = 4096 // UTF-16 code units
	maxHeadline = 1024 // of them; no title is that long
	maxReason   = 256  // bytes that we quote of Telegram's words
)

// Config says which bot posts where.
type Config struct {
	URL             string // without /bot and the token; DefaultURL if empty
	Token           string // of the bot
	ChatID          string // a number, which is negative for groups and channels, or @ and the name of a public group or channel
	MessageThreadID int    // the topic of a forum; 0 for none, and for the topic General
}

// Sender is a notify.Prober.
type Sender struct {
	config Config
	client *outbound.Client
	redact *outbound.Redactor
	now    func() time.Time
	// quotes says that the other side is Telegram itself: what a server at
	// another address answers may not be for the eyes of who chose the address.
	quotes bool
}

var _ notify.Prober = (*Sender)(nil)

var (
	token = regexp.MustCompile(`^[1-9][0-9]{0,19}:[A-Za-z0-9_-]{1,128}$`) // it becomes part of a path
	chat  = regexp.MustCompile(`^(-?[1-9][0-9]{0,18}|@[A-Za-z0-9_]{4,32})$`)
)

// New returns a sender, or a *notify.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	base, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	if base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "" {
		return nil, notify.Invalid("url", "must have neither user, query nor fragment; the credential is the token")
	}
	config.URL = strings.TrimRight(base.String(), "/")
	config.Token = strings.TrimSpace(config.Token)
	if !token.MatchString(config.Token) {
		return nil, notify.Invalid("token", "must be a bot's token: digits, a colon, and letters, digits, _ and -")
	}
	if !chat.MatchString(config.ChatID) {
		return nil, notify.Invalid("chatID", "must be a number, or @ and the name of a public group or channel")
	}
	if config.MessageThreadID < 0 {
		return nil, notify.Invalid("messageThreadID", "must not be negative")
	}
	_, secret, _ := strings.Cut(config.Token, ":") // before the colon is the bot's number, which is no secret
	return &Sender{
		config: config,
		client: client,
		redact: outbound.NewRedactor(config.Token, secret),
		now:    time.Now,
		quotes: base.Hostname() == "api.telegram.org",
	}, nil
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (notify.Receipt, error) {
	text, cut := render(m)
	if id := s.messageID(k.ExternalID); id > 0 && m.Event != notify.Fired {
		what, failure := s.edit(ctx, id, text)
		switch {
		case failure != nil:
			return notify.Receipt{}, failure
		case what == edited:
			return notify.Receipt{ExternalID: k.ExternalID, Note: "edited, of which Telegram notifies nobody" + remark(cut)}, nil
		case what == unchanged:
			return notify.Receipt{ExternalID: k.ExternalID, Note: "the message says so already" + remark(cut)}, nil
		case what == gone && m.Event == notify.Resolved:
			return notify.Receipt{Note: "the message is gone already"}, nil
		}
	}
	if m.Event == notify.Resolved { // a message of its own need not say again what is over
		text, cut = headline(m)
	}
	return s.post(ctx, text, cut)
}

// render returns the whole text of a message, and whether it had to be cut.
func render(m notify.Message) (text string, cut bool) {
	head, cutHead := headline(m)
	head += "\n\n"
	content, cut := notify.Cut(quiet(notify.Emoji(m.Content)), maxText-len(utf16.Encode([]rune(head))), notify.UTF16)
	return head + content, cut || cutHead
}

func headline(m notify.Message) (short string, cut bool) {
	return notify.Cut(quiet(m.Headline()), maxHeadline, notify.UTF16)
}

func remark(cut bool) string {
	if cut {
		return "; the message was cut to 4096 characters"
	}
	return ""
}

// mention matches what Telegram may take for a mention: more than it does, but not the middle of a word, which is an e-mail
// address or the like.
var mention = regexp.MustCompile(`(^|[^A-Za-z0-9_])@([A-Za-z0-9_])`)

// quiet returns the text with every mention broken up. Matches cannot overlap: what follows one directly is in a word.
func quiet(text string) string { return mention.ReplaceAllString(text, "$1@\u2060$2") }

// post sends a new message.
func (s *Sender) post(ctx context.Context, text string, cut bool) (notify.Receipt, error) {
	resp, answer, failure := s.call(func(b *bot.Bot) error {
		_, err := b.SendMessage(ctx, &bot.SendMessageParams{
			ChatID:             s.config.ChatID,
			MessageThreadID:    s.config.MessageThreadID,
			Text:               text,
			LinkPreviewOptions: noPreview(),
		})
		return err
	})
	if failure != nil {
		return notify.Receipt{}, failure
	}
	var made struct {
		MessageID int64 `json:"message_id"`
	}
	if json.Unmarshal(answer.Result, &made) != nil || made.MessageID <= 0 {
		return notify.Receipt{}, notify.BadAnswer(resp)
	}
	return notify.Receipt{ExternalID: s.externalID(made.MessageID), Note: notify.StatusLine(resp.StatusCode) + remark(cut)}, nil
}

// What became of an edit.
type outcome int

const (
	edited    outcome = iota
	unchanged         // it had that text already
	gone              // somebody deleted it
	fixed             // it is there, but not for us to edit
)

// edits are Telegram's words for them: nothing else in the answer tells. All come with status 400.
var edits = []struct {
	words string // in lower case
	what  outcome
}{
	{"message is not modified", unchanged},
	{"message_not_modified", unchanged},
	{"message to edit not found", gone},
	{"message_id_invalid", gone},
	{"message can't be edited", fixed},
	{"message_author_required", fixed},
	{"message_edit_time_expired", fixed},
}

func (s *Sender) edit(ctx context.Context, id int, text string) (outcome, *notify.Error) {
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
		for _, e := range edits {
			if strings.Contains(strings.ToLower(answer.Description), e.words) {
				return e.what, nil
			}
		}
	}
	return edited, failure
}

func noPreview() *models.LinkPreviewOptions {
	return &models.LinkPreviewOptions{IsDisabled: bot.True()}
}

// Probe asks whether the bot sees the chat. Whether it may post there, only a message would tell.
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

// An external id is the chat as the receiver has it, a slash and the message's number. Numbers are per chat: in another chat,
// the same one may be a message about another alert.
func (s *Sender) externalID(message int64) string {
	return s.config.ChatID + "/" + strconv.FormatInt(message, 10)
}

var number = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)

// messageID returns the message's number, 0 if the id is not one of this chat.
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

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
