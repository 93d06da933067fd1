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

// Package ntfy delivers to a topic of ntfy (https://docs.ntfy.sh), of ntfy.sh or of a server of one's own. The key of the
// incident is the notification's sequence id, so all that is sent about an alert is one notification: Updated and Resolved, and
// a repeat after a lost answer, replace it. A repeat may ring twice; it is seen once.
//
// Servers before 2.16 know no sequence id, which their answer shows and the receipt says; then each message is a notification
// of its own. So it is in apps that cannot replace, such as that for iOS. The text is plain, nothing in it is markup, and
// nobody can be mentioned. Severity is the priority, for which the apps have symbols and sounds.
//
// It knows ntfy's API and nothing of who calls it.
package ntfy

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// DefaultURL is the public server.
const DefaultURL = "https://ntfy.sh"

const (
	// maxMessage is one byte less than ntfy's limit: servers take a message of the very limit for a file.
	maxMessage = 4095
	maxTitle   = 1024 // bytes
	// maxBody is twice ntfy's limit for a message, which is how much JSON it reads.
	maxBody = 8192
	// maxReason bounds what we quote of ntfy's words.
	maxReason = 256
)

// Config says where notifications go and how they are authenticated.
type Config struct {
	URL   string // of the server, without a path; DefaultURL if empty
	Topic string // where everybody may read it, it is the credential

	// Token is sent as a bearer token; Username and Password as Basic authentication. At most one of the two is set.
	Token    string
	Username string
	Password string
}

// Sender is a notify.Sender.
type Sender struct {
	topic         string
	authorization string // "" for none
	publish       *url.URL
	health        *url.URL
	client        *outbound.Client
	redact        *outbound.Redactor
	now           func() time.Time
	// quotes says that the other side is ntfy.sh: what a server at another
	// address answers may not be for the eyes of who chose the address.
	quotes bool
}

var _ notify.Prober = (*Sender)(nil)

// topicPattern is ntfy's own. It has no part of a path in it.
var topicPattern = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

// New returns a sender, or a *notify.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	base, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	// At a path, JSON would not be read but shown: POST /topic publishes the body as it is.
	if base.User != nil || base.RawQuery != "" || strings.Trim(base.Path, "/") != "" {
		return nil, notify.Invalid("url", "must have no user, path or query: topic and credentials have fields of their own")
	}
	topic := strings.TrimSpace(config.Topic)
	if !topicPattern.MatchString(topic) {
		return nil, notify.Invalid("topic", "must have 1 to 64 letters, digits, - and _")
	}
	s := &Sender{
		topic:   topic,
		publish: base.JoinPath("/"),
		health:  base.JoinPath("v1", "health"),
		client:  client,
		now:     time.Now,
		quotes:  base.Hostname() == "ntfy.sh",
	}
	basic := base64.StdEncoding.EncodeToString([]byte(config.Username + ":" + config.Password))
	token := strings.TrimSpace(config.Token)
	switch {
	case token != "" && config.Username+config.Password != "":
		return nil, notify.Invalid("token, username", "only one of a token, and a username with its password, can be set")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, notify.Invalid("token", "must have no blanks or control characters")
	case token != "":
		s.authorization = "Bearer " + token
	case config.Username+config.Password == "":
	case config.Username == "" || strings.Contains(config.Username, ":"):
		return nil, notify.Invalid("username", "must not be empty or have a colon")
	default:
		s.authorization = "Basic " + basic
	}
	s.redact = outbound.NewRedactor(topic, token, config.Username, config.Password, basic)
	return s, nil
}

// notification is what the API takes and returns, as far as we use it.
type notification struct {
	Topic      string `json:"topic"`
	Title      string `json:"title,omitempty"`
	Message    string `json:"message"`
	Priority   int    `json:"priority,omitempty"`
	SequenceID string `json:"sequence_id,omitempty"`
	ID         string `json:"id,omitempty"`
}

// priority is how ntfy shows how bad it is.
func priority(m notify.Message) int {
	switch {
	case m.Event == notify.Resolved:
		return 2 // without sound
	case m.Severity == notify.Critical:
		return 5
	case m.Severity == notify.Warning:
		return 4
	}
	return 3
}

// render returns a notification as it is sent, and for people what was cut.
func (s *Sender) render(m notify.Message, incident string) (body []byte, note string, err error) {
	content := notify.Emoji(m.Content)
	rank := priority(m)
	m.Severity = notify.Info // the priority shows it
	n := notification{Topic: s.topic, Priority: rank, SequenceID: incident}
	var cut bool
	if n.Title, cut = notify.Cut(m.Headline(), maxTitle, notify.Bytes); cut {
		note = "; the title was cut to " + strconv.Itoa(len(n.Title)) + " bytes"
	}
	frame, err := encode(n)
	if err != nil {
		return nil, "", err
	}
	n.Message, cut = notify.Cut(content, maxMessage, notify.Bytes)
	if short, again := notify.Cut(n.Message, maxBody-len(frame), asJSON); again {
		n.Message, cut = short, true
	}
	if cut {
		note += "; the content was cut to " + strconv.Itoa(len(n.Message)) + " bytes"
	}
	body, err = encode(n)
	return body, note, err
}

// encode writes JSON without the escapes that only HTML needs: they count.
func encode(n notification) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(n); err != nil {
		return nil, notify.Invalid("content", "cannot be written as JSON")
	}
	return bytes.TrimSpace(body.Bytes()), nil
}

// asJSON counts a character as encode writes it.
func asJSON(r rune) int {
	switch {
	case strings.ContainsRune("\"\\\b\f\n\r\t", r):
		return 2
	case r < ' ', r == '\u2028', r == '\u2029', r == utf8.RuneError:
		return 6
	}
	return utf8.RuneLen(r)
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (notify.Receipt, error) {
	body, note, err := s.render(m, k.Incident)
	if err != nil {
		return notify.Receipt{}, err
	}
	req, err := notify.JSONRequest(ctx, http.MethodPost, s.publish, body)
	if err != nil {
		return notify.Receipt{}, err
	}
	resp, err := s.do(ctx, req)
	if err != nil {
		return notify.Receipt{}, err
	}
	var made notification
	if resp.BodyErr != nil || json.Unmarshal(resp.Body, &made) != nil || !s.isID(made.ID) {
		return notify.Receipt{}, notify.BadAnswer(resp)
	}
	if made.SequenceID != k.Incident {
		note += "; this server is older than ntfy 2.16: it shows each message as a notification of its own"
	}
	return notify.Receipt{ExternalID: made.ID, Note: notify.StatusLine(resp.StatusCode) + note}, nil
}

// Probe asks a server whether it is well. It checks the credentials on the way (before 2.0 it did not), but not what they
// allow: a credential that may only publish is right, and ntfy has no question for that.
func (s *Sender) Probe(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.health.String(), nil)
	if err != nil {
		return notify.Invalid("url", "must be an absolute http or https URL")
	}
	req.Header.Set("User-Agent", notify.UserAgent)
	resp, err := s.do(ctx, req)
	if err != nil {
		return err
	}
	var server struct {
		Healthy *bool `json:"healthy"`
	}
	if resp.BodyErr != nil || json.Unmarshal(resp.Body, &server) != nil || server.Healthy == nil {
		return notify.BadAnswer(resp)
	}
	if !*server.Healthy {
		return &notify.Error{Class: notify.Temporary, Reason: notify.ReasonServerError, Message: "the server says that it is not healthy"}
	}
	return nil
}

func (s *Sender) do(ctx context.Context, req *http.Request) (*outbound.Response, error) {
	if s.authorization != "" {
		req.Header.Set("Authorization", s.authorization)
	}
	resp, err := s.client.Do(ctx, req)
	if err != nil {
		return nil, notify.FromRequest(err)
	}
	if failure := s.failure(resp); failure != nil {
		return nil, failure
	}
	return resp, nil
}

// quotaUsedUp is ntfy's code for a day's messages.
const quotaUsedUp = 42908

// failure reads an answer that is not a success.
func (s *Sender) failure(resp *outbound.Response) *notify.Error {
	e := notify.FromStatus(resp, s.now())
	if e == nil {
		return nil
	}
	var answer struct {
		Code  int    `json:"code"`
		Error string `json:"error"`
	}
	if json.Unmarshal(resp.Body, &answer) != nil {
		return e
	}
	if answer.Code/100 == resp.StatusCode { // else it is not ntfy's
		e.Message += " (ntfy's error " + strconv.Itoa(answer.Code) + ")"
	}
	if s.quotes && answer.Error != "" {
		e.Message += ": " + s.redact.Clean(answer.Error, maxReason)
	}
	if answer.Code == quotaUsedUp && resp.StatusCode == http.StatusTooManyRequests {
		// It mends itself: ntfy counts anew each day, by default at midnight UTC. Nothing is gained by asking before.
		e.Reason = notify.ReasonQuotaExhausted
		e.RetryAfter = max(e.RetryAfter, untilMidnight(s.now()))
	}
	return e
}

func untilMidnight(now time.Time) time.Duration {
	const day = 24 * time.Hour
	now = now.UTC()
	return now.Truncate(day).Add(day).Sub(now)
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// isID tells whether the text is an id that we can keep in a status, whoever we have it from.
func (s *Sender) isID(text string) bool {
	return idPattern.MatchString(text) && s.redact.Clean(text, len(text)) == text
}

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
