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

// Package discord delivers to a channel of Discord through its webhook: a message for each alert, which Updated and Resolved
// edit in place. Where it cannot be edited, for its thread was archived, a new message says what is new; where it was deleted,
// that the alert is over need not be said. Nobody is notified of an edit; that is how Discord is.
//
// A webhook takes no key by which it would know a repeat: a message whose answer was lost is posted again, and the first of the
// two is never edited.
//
// The headline is the message's own text, since that is what a phone's notification shows; the alert's content is in an embed
// below it, which takes twice as much and has a colour. Nothing in an alert mentions anybody, and its text is shown as typed,
// with one exception: what looks like a link is a link.
//
// It knows Discord's API, and no Kubernetes.
package discord

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// Discord's own numbers for what went wrong.
const (
	minCode        = 10000 // a smaller one is a proxy's status, or 0, which says nothing about the content
	unknownMessage = 10008
	threadArchived = 50083  // a new message would open it again, unless it is locked
	needsThread    = 220001 // the channel is a forum
)

// Config is the configuration of a Sender.
type Config struct {
	URL      string // of the channel's webhook; a credential
	ThreadID string // of the thread of that channel to post in; "" for the channel itself
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	hook  *url.URL
	posts *url.URL // hook, and Discord answers only when it has kept the message
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
)

var (
	hookPath  = regexp.MustCompile(`/webhooks/[0-9]+/([A-Za-z0-9._-]+)$`)
	snowflake = regexp.MustCompile(`^[0-9]{1,20}$`)
	hosts     = []string{"discord.com", "ptb.discord.com", "canary.discord.com", "discordapp.com", "ptb.discordapp.com", "canary.discordapp.com"}
)

// New returns a sender, or a *result.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
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
	case config.ThreadID != "" && !snowflake.MatchString(config.ThreadID):
		return nil, notify.Invalid("threadID", "must be the id of a thread, which is a number")
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
	s := &Sender{HTTP: notify.NewHTTP(client, secrets...), hook: hook, posts: &posts}
	s.MayQuote = slices.Contains(hosts, hook.Hostname())
	s.Refine = s.refine
	return s, nil
}

// Send makes one attempt. It is two requests where the message that is to be edited cannot be.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	if m.Event == result.Fired || !s.IsID(snowflake, k.ExternalID) {
		return s.post(ctx, m)
	}
	body, cuts := render(m)
	resp, err := s.RequestJSON(ctx, http.MethodPatch, s.hook.JoinPath("messages", k.ExternalID), body)
	switch {
	case err == nil:
		return result.Receipt{ExternalID: k.ExternalID, Note: notify.StatusLine(resp.StatusCode) + ": the message was edited" + cuts}, nil
	// Whether somebody deleted it, or it is of the webhook or in the thread that the receiver had before, nobody can tell.
	case hasError(resp, http.StatusNotFound, unknownMessage), hasError(resp, http.StatusBadRequest, threadArchived):
		return s.post(ctx, m)
	}
	return result.Receipt{}, err
}

// post makes a new message.
func (s *Sender) post(ctx context.Context, m notify.Message) (result.Receipt, error) {
	if m.Event == result.Resolved { // the content is in an earlier message, or was never sent
		m.RawContent = ""
	}
	body, cuts := render(m)
	resp, err := s.RequestJSON(ctx, http.MethodPost, s.posts, body)
	if err != nil {
		return result.Receipt{}, err
	}
	var made struct {
		ID string `json:"id"`
	}
	if !notify.Decode(resp, &made) || !s.IsID(snowflake, made.ID) {
		return result.Receipt{}, notify.BadAnswer(resp)
	}
	return result.Receipt{ExternalID: made.ID, Note: notify.StatusLine(resp.StatusCode) + cuts}, nil
}

// Probe asks for the webhook's name and channel.
func (s *Sender) Probe(ctx context.Context) error {
	_, err := s.Get(ctx, s.hook)
	return err
}

// errorBody is the documented form of an error.
type errorBody struct {
	Message    string  `json:"message"`
	Code       int     `json:"code"`
	RetryAfter float64 `json:"retry_after"` // seconds
}

// says tells whether an answer, if there is one, has this status and code.
func hasError(resp *outbound.Response, status, code int) bool {
	return resp != nil && resp.StatusCode == status && notify.ErrorBody[errorBody](resp).Code == code
}

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	answer := notify.ErrorBody[errorBody](resp)
	s.Quote(e, answer.Message)
	notify.ClassifyRefusal(e, resp, answer.Code >= minCode && answer.Message != "")
	if hasError(resp, http.StatusBadRequest, needsThread) || hasError(resp, http.StatusBadRequest, threadArchived) { // no other message would fare better
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
