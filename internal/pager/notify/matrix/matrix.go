// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package matrix sends to a room of Matrix (https://spec.matrix.org): one message for each alert, which Updated and Resolved
// edit in place. Where the message was removed, an update is a new message, and a resolve is not sent. Clients do not notify
// of edits.
//
// The delivery key is the transaction id, so a repeat after a lost response is the same message as long as the homeserver
// remembers the id (Synapse: a day).
//
// The text is plain: clients read no markup in it. An empty m.mentions tells servers and clients from Matrix 1.7 on (2023)
// that it mentions nobody. Older ones search the text for names and for @room, which notifies only if the account has the
// power level for it. Messages are not encrypted, also in encrypted rooms.
package matrix

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Matrix to the registry.
var Provider = notify.Provider[v1beta1.MatrixProvider]{
	Addresses: func(s *v1beta1.MatrixProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.MatrixProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		added, err := headers.Of(s.Headers, secret)
		if err != nil {
			return nil, err
		}
		return New(Config{URL: s.URL, RoomID: s.RoomID, Token: secret.Get("token"), Headers: added}, client)
	},
	Check: func(s *v1beta1.MatrixProvider) notify.Problems {
		return headers.Check(check(s.URL, s.RoomID), s.Headers)
	},
	SecretKeys: func(s *v1beta1.MatrixProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		Repeat:     notify.Once + ", as long as the homeserver remembers, in Synapse a day",
		Key:        "transaction id",
		Update:     notify.InPlace,
		Resolve:    notify.InPlace,
		Links:      notify.Lines,
		Sent:       "the homeserver has the message",
		Probe:      "the account of the token, and whether it has joined the room",
		ProbeGap:   "whether it may send there",
	}},
}

// Config is the configuration of a Sender.
type Config struct {
	URL    string // of the homeserver, such as https://matrix.example.com
	RoomID string // such as !abc:example.com; an alias, such as #ops:example.com, is not valid
	Token  string // access token of the sending account
	// Headers are sent with each request, beside those that the sender sets.
	Headers http.Header
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	room   *url.URL
	whoami *url.URL
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
	_ notify.Editor = (*Sender)(nil)
)

// The patterns of ids. Ids are opaque; ids of newer rooms do not end in a server's name. All become parts of paths.
var (
	roomID  = regexp.MustCompile(`^![!-~]{1,254}$`)
	userID  = regexp.MustCompile(`^@[!-~]{1,254}$`)
	eventID = regexp.MustCompile(`^\$[A-Za-z0-9+/_=.:-]{1,255}$`)
)

// check returns the problems of the settings in a spec.
func check(address, room string) (problems notify.Problems) {
	if u := problems.BaseURL("url", address); u != nil && strings.Contains(u.Path, "/_matrix") {
		problems.AddURL("url", address, "must be that of the homeserver, without /_matrix")
	}
	switch room = strings.TrimSpace(room); {
	case strings.HasPrefix(room, "#"):
		problems.Add("roomID", room, "must be the id of a room, such as !abc:example.com, which is in the room's advanced settings: this is an alias")
	case !roomID.MatchString(room):
		problems.Add("roomID", room, "must be the id of a room, such as !abc:example.com: it begins with !")
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	config.RoomID = strings.TrimSpace(config.RoomID)
	if err := check(config.URL, config.RoomID).Err(); err != nil {
		return nil, err
	}
	token, err := notify.Token("token", "an access token", config.Token)
	if err != nil {
		return nil, err
	}
	api := base.JoinPath("_matrix", "client", "v3")
	s := &Sender{
		HTTP:   headers.NewHTTP(client, config.Headers, token),
		room:   api.JoinPath("rooms", url.PathEscape(config.RoomID)),
		whoami: api.JoinPath("account", "whoami"),
	}
	s.Header.Set("Authorization", "Bearer "+token)
	s.Refine = s.refine
	return s, nil
}

// Send makes one attempt. It makes two requests where there may be a message to edit: the first looks it up.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	body, note := render(m)
	if m.Event != result.Fired && s.IsID(eventID, k.ExternalID) {
		state, err := s.lookUpState(ctx, k.ExternalID)
		switch {
		case err != nil:
			return result.Receipt{}, notify.NotSent(err)
		case state == present:
			status, _, err := s.sendEvent(ctx, k.Delivery, edit(k.ExternalID, body))
			if err != nil {
				return result.Receipt{}, err
			}
			return result.Receipt{ExternalID: k.ExternalID, Note: status + "; edited" + note}, nil
		case state == removed && m.Event == result.Resolved:
			return result.Receipt{Note: "the message is gone already"}, nil
		}
	}
	if m.Quiet {
		return notify.KeptBack(), nil
	}
	if m.Event == result.Resolved { // which earlier message it resolves is not known
		body, note = m.TitleWithStatus(), ""
	}
	status, made, err := s.sendEvent(ctx, k.Delivery, text(body))
	if err != nil {
		return result.Receipt{}, err
	}
	receipt := result.Receipt{ExternalID: made, Note: status + note}
	return notify.Continue(ctx, s, m, k, receipt, func(ctx context.Context, former notify.Message) error {
		body, _ := render(former)
		_, _, err := s.sendEvent(ctx, k.Delivery+"-continued", edit(k.ExternalID, body)) // a server does not show it of a removed message
		return err
	}), nil
}

// CanEdit reports whether an external id is of a message.
func (s *Sender) CanEdit(externalID string) bool { return s.IsID(eventID, externalID) }

// sendEvent sends an event, and returns the text of the status and the event's id.
func (s *Sender) sendEvent(ctx context.Context, transaction string, c content) (status, made string, err error) {
	resp, err := s.RequestJSON(ctx, http.MethodPut, s.room.JoinPath("send", "m.room.message", url.PathEscape(transaction)), c)
	if err != nil {
		return "", "", err
	}
	var sent struct {
		EventID string `json:"event_id"`
	}
	if !notify.Decode(resp, &sent) || !s.IsID(eventID, sent.EventID) {
		return "", "", s.BadAnswer(resp)
	}
	return notify.StatusLine(resp.StatusCode), sent.EventID, nil
}

// A state is the state of a message that was sent earlier.
type state int

const (
	present state = iota
	removed       // by a moderator or another user
	unknown       // in another room, or forgotten by the homeserver
)

// lookUpState returns whether a message can be edited. The lookup is necessary: a homeserver accepts the edit of a message
// that was removed or is in another room, and does not show it.
func (s *Sender) lookUpState(ctx context.Context, message string) (state, error) {
	resp, err := s.Get(ctx, s.room.JoinPath("event", url.PathEscape(message)))
	switch {
	case resp != nil && resp.StatusCode == http.StatusNotFound && s.errorCodeOf(resp) == "M_NOT_FOUND":
		return unknown, nil
	case err != nil:
		return unknown, err
	}
	var event struct {
		Content map[string]any `json:"content"`
	}
	// The content of a removed message has no members. A body that cannot be decoded may be too long: the message is taken
	// for present.
	if json.Unmarshal(resp.Body, &event) == nil && event.Content != nil && len(event.Content) == 0 {
		return removed, nil
	}
	return present, nil
}

// Probe checks the token, and whether its account is in the room. Whether the account may send there is not checked.
func (s *Sender) Probe(ctx context.Context) error {
	resp, err := s.Get(ctx, s.whoami)
	if err != nil {
		return err
	}
	var me struct {
		UserID string `json:"user_id"`
	}
	if !notify.Decode(resp, &me) || !userID.MatchString(me.UserID) {
		return s.BadAnswer(resp)
	}
	resp, err = s.Get(ctx, s.room.JoinPath("state", "m.room.member", url.PathEscape(me.UserID)))
	if err != nil {
		return err
	}
	var member struct {
		Membership string `json:"membership"`
	}
	if !notify.Decode(resp, &member) || member.Membership == "" {
		return s.BadAnswer(resp)
	}
	if member.Membership != "join" {
		return &result.Error{
			Class: result.Configuration, Reason: result.ReasonForbidden,
			Message: "the account is not in the room: invite it, and let it join",
		}
	}
	return nil
}

// refine does not map Matrix's codes to classes: they come with statuses that notify.FromStatus classifies.
func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	if c := s.errorCodeOf(resp); c != "" {
		notify.ClassifyRefusal(e, resp, true)
		e.Message += " (" + c + ")"
	}
	var answer struct {
		Milliseconds float64 `json:"retry_after_ms"` // sent by servers before Matrix 1.10 instead of Retry-After
	}
	if e.Class == result.Temporary && e.RetryAfter == 0 && json.Unmarshal(resp.Body, &answer) == nil {
		e.RetryAfter = notify.Seconds(answer.Milliseconds / 1000)
	}
}

var errorCode = regexp.MustCompile(`^M_[A-Z_]{1,60}$`)

// errorCodeOf returns Matrix's error code; "": the response has none. Other text of the body is not quoted: at a user-supplied address it may be text
// that the author of the Receiver must not see.
func (s *Sender) errorCodeOf(resp *outbound.Response) string {
	var answer struct {
		Code string `json:"errcode"`
	}
	if json.Unmarshal(resp.Body, &answer) != nil || !s.IsID(errorCode, answer.Code) {
		return ""
	}
	return answer.Code
}
