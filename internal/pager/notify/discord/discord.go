// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package discord posts to a channel of Discord through a webhook: one message for each alert, which Updated and Resolved
// edit in place. A new message is posted where the edit is refused because the thread is archived, or because the message
// does not exist any more. Discord does not notify of edits.
//
// A webhook has no idempotency key: a message whose response was lost is posted again, and the first of the two is never
// edited.
//
// The title is the message's own text, because a phone's notification shows that. The content is in an embed, whose limit is
// twice as high and which has a color. Text is escaped: mentions and markup have no effect, and only URLs are shown as links.
package discord

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/chat"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Discord to the registry.
var Provider = notify.Provider[v1beta1.DiscordProvider]{
	New: func(s *v1beta1.DiscordProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.URL = secret.Get("url")
		return New(config, client)
	},
	Check: func(s *v1beta1.DiscordProvider) notify.Problems { return check(configOf(s)) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"url"},
		Repeat:     notify.Twice,
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      "named links below the content",
		Sent:       "Discord has the message",
		Probe:      "the webhook's name and channel",
		ProbeGap:   "whether the thread exists",
	}},
}

// Discord's error codes.
const (
	minCode        = 10000 // smaller codes are a proxy's status, or 0, which is not about the content
	unknownMessage = 10008
	threadArchived = 50083  // a new message opens the thread again, unless the thread is locked
	needsThread    = 220001 // the channel is a forum
)

// Config is the configuration of a Sender.
type Config struct {
	URL      string // of the channel's webhook; a credential
	ThreadID string // of a thread of that channel; "": the channel itself

	Username  string   // of the author; the webhook's if empty
	AvatarURL string   // of the author; the webhook's if empty
	Mentions  []string // ids of persons, & and ids of roles, everyone, or here
}

func configOf(s *v1beta1.DiscordProvider) Config {
	return Config{ThreadID: s.ThreadID, Username: s.Username, AvatarURL: s.AvatarURL, Mentions: s.Mentions}
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	config Config
	hook   *url.URL
	posts  *url.URL // hook with the query by which Discord answers after it has stored the message
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
	_ notify.Editor = (*Sender)(nil)
)

var (
	hookPath  = regexp.MustCompile(`/webhooks/[0-9]+/([A-Za-z0-9._-]+)$`)
	snowflake = regexp.MustCompile(`^[0-9]{1,20}$`)
	hosts     = []string{"discord.com", "ptb.discord.com", "canary.discord.com", "discordapp.com", "ptb.discordapp.com", "canary.discordapp.com"}
)

// check returns the problems of the settings in a spec.
func check(config Config) (problems notify.Problems) {
	thread := config.ThreadID
	if thread != "" && !snowflake.MatchString(thread) {
		problems.Add("threadID", thread, "must be the id of a thread, a number such as 1234567890123456789, which Discord copies in its developer mode")
	}
	problems.Line("username", config.Username)
	if name := strings.ToLower(config.Username); strings.Contains(name, "discord") || strings.Contains(name, "clyde") {
		problems.Add("username", config.Username, "must not have discord or clyde in it, which Discord refuses")
	}
	problems.Link("avatarURL", config.AvatarURL)
	for i, mention := range config.Mentions {
		if mentionOf(mention) == "" {
			problems.Add(fmt.Sprintf("mentions[%d]", i), mention, "must be the number of a person, & and the number of a role, everyone, or here: names do not work")
		}
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if err := check(config).Err(); err != nil {
		return nil, err
	}
	hook, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(hook.RawQuery)
	path := hookPath.FindStringSubmatch(hook.EscapedPath())
	switch {
	case strings.HasSuffix(hook.Path, "/slack") || strings.HasSuffix(hook.Path, "/github"):
		return nil, notify.Invalid("url", "must be the webhook's own address, without /slack or /github at its end")
	case path == nil || hook.User != nil || err != nil:
		return nil, notify.Invalid("url", "must be the address of a channel's webhook, such as https://discord.com/api/webhooks/ID/TOKEN")
	case config.ThreadID != "" && query.Has("thread_id"):
		return nil, notify.Invalid("threadID", "cannot be set where the URL has a thread_id")
	}
	secrets := append(notify.URLSecrets(config.URL, hook), path[1])
	if config.ThreadID != "" {
		query.Set("thread_id", config.ThreadID)
		hook.RawQuery = query.Encode()
	}
	posts := *hook
	query.Set("wait", "true")
	posts.RawQuery = query.Encode()
	s := &Sender{HTTP: notify.NewHTTP(client, secrets...), config: config, hook: hook, posts: &posts}
	s.MayQuote = slices.Contains(hosts, hook.Hostname())
	s.Refine = s.refine
	return s, nil
}

// Send makes one attempt. It makes two requests where the message cannot be edited, and where it continues an earlier one.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	return chat.EditOrPost(ctx, s, m, k, s.edit, s.post)
}

// edit is a chat.Edit: it replaces the message.
func (s *Sender) edit(ctx context.Context, m notify.Message, k notify.Key) (receipt result.Receipt, mayPost bool, err error) {
	body, cuts := render(m, "")
	resp, err := s.RequestJSON(ctx, http.MethodPatch, s.hook.JoinPath("messages", k.ExternalID), body)
	if err == nil && resp.StatusCode != http.StatusNoContent && idOf(resp) != k.ExternalID {
		err = s.BadAnswer(resp)
	}
	if err == nil {
		return result.Receipt{ExternalID: k.ExternalID, Note: notify.StatusLine(resp.StatusCode) + ": the message was edited" + cuts}, false, nil
	}
	// A message that does not exist may have been deleted, or belong to another webhook or thread that the receiver had before.
	isUnknown := hasError(resp, http.StatusNotFound, unknownMessage)
	return result.Receipt{}, isUnknown || hasError(resp, http.StatusBadRequest, threadArchived), err
}

// CanEdit reports whether an external id is of a message.
func (s *Sender) CanEdit(externalID string) bool { return s.IsID(snowflake, externalID) }

// post is a chat.Post.
func (s *Sender) post(ctx context.Context, m notify.Message, _ notify.Key) (result.Receipt, error) {
	body, cuts := s.renderPost(m)
	resp, err := s.RequestJSON(ctx, http.MethodPost, s.posts, body)
	if err != nil {
		return result.Receipt{}, err
	}
	status, id := notify.StatusLine(resp.StatusCode), idOf(resp)
	if resp.StatusCode == http.StatusNoContent { // Discord's answer to a request without wait, which relays before it may drop
		return result.Receipt{ExternalID: id, Note: status + ": without the message's id, by which it could be edited" + cuts}, nil
	}
	if !s.IsID(snowflake, id) {
		return result.Receipt{}, s.BadAnswer(resp)
	}
	return result.Receipt{ExternalID: id, Note: status + cuts}, nil
}

// idOf returns the id in the body of a success; "": it has no id.
func idOf(resp *outbound.Response) string {
	var object struct {
		ID string `json:"id"`
	}
	if !notify.Decode(resp, &object) {
		return ""
	}
	return object.ID
}

// Probe requests the webhook's name and channel.
func (s *Sender) Probe(ctx context.Context) error {
	resp, err := s.Get(ctx, s.hook)
	if err == nil && !snowflake.MatchString(idOf(resp)) {
		return s.BadAnswer(resp)
	}
	return err
}

// errorBody is the documented form of an error.
type errorBody struct {
	Message    string  `json:"message"`
	Code       int     `json:"code"`
	RetryAfter float64 `json:"retry_after"` // seconds
}

// hasError reports whether a response, which may be nil, has this status and code.
func hasError(resp *outbound.Response, status, code int) bool {
	return resp != nil && resp.StatusCode == status && notify.ErrorBody[errorBody](resp).Code == code
}

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	answer := notify.ErrorBody[errorBody](resp)
	s.Quote(e, answer.Message)
	notify.ClassifyRefusal(e, resp, answer.Code >= minCode && answer.Message != "")
	if hasError(resp, http.StatusBadRequest, needsThread) || hasError(resp, http.StatusBadRequest, threadArchived) { // about the channel: every other message would be refused too
		e.Class, e.Reason = result.Configuration, result.ReasonRejected
	}
	if e.Class == result.Temporary && e.RetryAfter == 0 {
		e.RetryAfter = notify.Seconds(answer.RetryAfter)
	}
	if e.Class == result.Temporary && e.RetryAfter == 0 {
		seconds, _ := strconv.ParseFloat(resp.Header.Get("X-RateLimit-Reset-After"), 64)
		e.RetryAfter = notify.Seconds(seconds)
	}
}
