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

// Package matrix delivers to a room of Matrix (https://spec.matrix.org): a message for each alert. Updated and Resolved edit
// that message; where it is gone, an update is a new one. An edit rings nobody's phone: that is how Matrix has it.
//
// The delivery key is the transaction id, so a repeat is the same message, for as long as the homeserver remembers (Synapse: a
// day). The text is plain: no client reads markup in it. It mentions nobody, which servers and clients from Matrix 1.7 on
// (2023) are told by an empty m.mentions; older ones look for names and @room in the text, and @room notifies only if the
// account has the power level for it. Messages are never encrypted, also in a room that is.
//
// It knows Matrix's client-server API and nothing of who calls it.
package matrix

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// maxText is what a text may take as JSON. An edit has it twice, and an event has at most 64 KiB, with what servers add.
const maxText = 28 << 10

// Config says where messages go.
type Config struct {
	URL    string // of the homeserver, such as https://matrix.example.com
	RoomID string // such as !abc:example.com; an alias, such as #ops:example.com, is none
	Token  string // access token of the account that speaks
}

// Sender is a notify.Sender.
type Sender struct {
	token  string
	room   *url.URL
	whoami *url.URL
	client *outbound.Client
	redact *outbound.Redactor
	now    func() time.Time
}

var _ notify.Prober = (*Sender)(nil)

// A room's id is opaque; in newer rooms it has no server's name.
var roomPattern = regexp.MustCompile(`^![!-~]{1,254}$`)

// New returns a sender, or a *notify.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	base, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	if base.User != nil || base.RawQuery != "" {
		return nil, notify.Invalid("url", "must have neither user nor query; the credential is the token")
	}
	config.RoomID = strings.TrimSpace(config.RoomID)
	if !roomPattern.MatchString(config.RoomID) {
		return nil, notify.Invalid("roomID", "must be the id of a room, such as !abc:example.com; an alias, with #, is none")
	}
	config.Token = strings.TrimSpace(config.Token)
	if !visible(config.Token) {
		return nil, notify.Invalid("token", "must be an access token: not empty, and without blanks or control characters")
	}
	api := base.JoinPath("_matrix", "client", "v3")
	return &Sender{
		token:  config.Token,
		room:   api.JoinPath("rooms", url.PathEscape(config.RoomID)),
		whoami: api.JoinPath("account", "whoami"),
		client: client,
		redact: outbound.NewRedactor(config.Token),
		now:    time.Now,
	}, nil
}

func visible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// content is that of an event of type m.room.message.
type content struct {
	MsgType    string    `json:"msgtype"`
	Body       string    `json:"body"`
	Mentions   struct{}  `json:"m.mentions"` // there and empty: the text mentions nobody
	NewContent *content  `json:"m.new_content,omitempty"`
	RelatesTo  *relation `json:"m.relates_to,omitempty"`
}

type relation struct {
	RelType string `json:"rel_type"`
	EventID string `json:"event_id"`
}

func text(body string) content { return content{MsgType: "m.text", Body: body} }

// edit returns what replaces a message: the new content, and a text for clients that know no edits.
func edit(eventID, body string) content {
	edited, fallback := text(body), text("* "+body)
	fallback.NewContent = &edited
	fallback.RelatesTo = &relation{RelType: "m.replace", EventID: eventID}
	return fallback
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (notify.Receipt, error) {
	body, cut := notify.Cut(m.Headline()+"\n"+notify.Emoji(m.Content), maxText, asJSON)
	note := ""
	if cut {
		note = "; the content was cut"
	}
	known := m.Event != notify.Fired && s.isEvent(k.ExternalID)
	if known {
		there, err := s.exists(ctx, k.ExternalID)
		switch {
		case err != nil:
			return notify.Receipt{}, err
		case there:
			status, _, err := s.put(ctx, k.Delivery, edit(k.ExternalID, body))
			if err != nil {
				return notify.Receipt{}, err
			}
			return notify.Receipt{ExternalID: k.ExternalID, Note: status + "; edited" + note}, nil
		case m.Event == notify.Resolved:
			return notify.Receipt{Note: "the message is gone already"}, nil
		}
	}
	if m.Event == notify.Resolved { // nobody knows which message it was
		body, note = m.Headline(), ""
	}
	status, eventID, err := s.put(ctx, k.Delivery, text(body))
	if err != nil {
		return notify.Receipt{}, err
	}
	return notify.Receipt{ExternalID: eventID, Note: status + note}, nil
}

// asJSON counts a character as the homeserver has it in an event.
func asJSON(r rune) int {
	switch {
	case strings.ContainsRune("\"\\\b\f\n\r\t", r):
		return 2
	case r < ' ':
		return 6
	}
	return utf8.RuneLen(r)
}

// put sends an event, and returns the status in words and the event's id.
func (s *Sender) put(ctx context.Context, transaction string, c content) (status, eventID string, err error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", "", notify.Invalid("content", "cannot be written as JSON")
	}
	target := s.room.JoinPath("send", "m.room.message", url.PathEscape(transaction))
	req, err := notify.JSONRequest(ctx, http.MethodPut, target, body)
	if err != nil {
		return "", "", err
	}
	resp, err := s.do(ctx, req)
	if err != nil {
		return "", "", err
	}
	var sent struct {
		EventID string `json:"event_id"`
	}
	if resp.BodyErr != nil || json.Unmarshal(resp.Body, &sent) != nil || !s.isEvent(sent.EventID) {
		return "", "", notify.BadAnswer(resp)
	}
	return notify.StatusLine(resp.StatusCode), sent.EventID, nil
}

// exists tells whether a message can be edited. It has to be asked: a homeserver takes the edit of a message that was removed,
// or that is in another room, and shows it to nobody.
func (s *Sender) exists(ctx context.Context, eventID string) (bool, error) {
	resp, err := s.get(ctx, s.room.JoinPath("event", url.PathEscape(eventID)))
	switch {
	case resp != nil && resp.StatusCode == http.StatusNotFound && code(resp) == "M_NOT_FOUND":
		return false, nil
	case err != nil:
		return false, err
	}
	var event struct {
		Content map[string]any `json:"content"`
	}
	// What is removed has a content without members. An answer that cannot be read, as it may be long, proves nothing.
	removed := json.Unmarshal(resp.Body, &event) == nil && event.Content != nil && len(event.Content) == 0
	return !removed, nil
}

// userPattern is what we put into a path, whoever we have it from.
var userPattern = regexp.MustCompile(`^@[!-~]{1,254}$`)

// Probe asks whose token it is, and whether that account is in the room. Whether it may speak there is known when it does.
func (s *Sender) Probe(ctx context.Context) error {
	resp, err := s.get(ctx, s.whoami)
	if err != nil {
		return err
	}
	var me struct {
		UserID string `json:"user_id"`
	}
	if resp.BodyErr != nil || json.Unmarshal(resp.Body, &me) != nil || !userPattern.MatchString(me.UserID) {
		return notify.BadAnswer(resp)
	}
	resp, err = s.get(ctx, s.room.JoinPath("state", "m.room.member", url.PathEscape(me.UserID)))
	if err != nil {
		return err
	}
	var member struct {
		Membership string `json:"membership"`
	}
	if resp.BodyErr != nil || json.Unmarshal(resp.Body, &member) != nil || member.Membership == "" {
		return notify.BadAnswer(resp)
	}
	if member.Membership != "join" {
		return &notify.Error{
			Class: notify.Configuration, Reason: notify.ReasonUnauthorized,
			Message: "the account is not in the room: invite it, and let it join",
		}
	}
	return nil
}

func (s *Sender) get(ctx context.Context, target *url.URL) (*outbound.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, notify.Invalid("url", "must be an absolute http or https URL")
	}
	req.Header.Set("User-Agent", notify.UserAgent)
	return s.do(ctx, req)
}

// do returns both, response and error, for an answer that is not a success.
func (s *Sender) do(ctx context.Context, req *http.Request) (*outbound.Response, error) {
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := s.client.Do(ctx, req)
	if err != nil {
		return nil, notify.FromRequest(err)
	}
	if failure := s.failure(resp); failure != nil {
		return resp, failure
	}
	return resp, nil
}

// failure reads an answer that is not a success. Matrix's codes come with the statuses that notify.FromStatus knows.
func (s *Sender) failure(resp *outbound.Response) *notify.Error {
	e := notify.FromStatus(resp, s.now())
	if e == nil {
		return nil
	}
	if c := code(resp); c != "" {
		e.Message += " (" + c + ")"
	}
	var answer struct {
		Milliseconds float64 `json:"retry_after_ms"` // how servers before Matrix 1.10 say it
	}
	if e.Class == notify.Temporary && e.RetryAfter == 0 && json.Unmarshal(resp.Body, &answer) == nil {
		wait := min(max(answer.Milliseconds, 0), float64(outbound.MaxRetryAfter.Milliseconds())) // as a Duration it may not fit
		e.RetryAfter = time.Duration(wait) * time.Millisecond
	}
	return e
}

var codePattern = regexp.MustCompile(`^M_[A-Z_]{1,60}$`)

// code returns Matrix's code of an error, "" if there is none. More is not quoted of a server that whoever chose its address
// may not be allowed to ask.
func code(resp *outbound.Response) string {
	var answer struct {
		Code string `json:"errcode"`
	}
	if json.Unmarshal(resp.Body, &answer) != nil || !codePattern.MatchString(answer.Code) {
		return ""
	}
	return answer.Code
}

var eventPattern = regexp.MustCompile(`^\$[A-Za-z0-9+/_=.:-]{1,255}$`)

// isEvent tells whether the text is an id that we can keep in a status and put into a path, whoever we have it from.
func (s *Sender) isEvent(text string) bool {
	return eventPattern.MatchString(text) && s.redact.Clean(text, len(text)) == text
}

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
