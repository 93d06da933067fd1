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

// Package pushover delivers to Pushover (https://pushover.net/api): a message for each event. What is critical is an emergency:
// Pushover repeats it every minute, for an hour or until somebody acknowledges it. Updated and Resolved end that first, and
// then send a message of their own, since Pushover cannot change one.
//
// Pushover knows no key by which it would recognise a repeat: after a lost answer people may see a message twice. Emergencies
// carry the key of the incident as a tag, and are ended by it, so they end also if the answer with the receipt was lost. The
// text is plain, no markup in it is read, and nobody can be mentioned.
//
// It knows Pushover's API and nothing of who calls it.
package pushover

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// DefaultURL is where Pushover's API is.
const DefaultURL = "https://api.pushover.net"

const (
	maxTitle   = 250 // characters
	maxMessage = 1024
	// maxReason bounds what we quote of Pushover's words.
	maxReason = 256

	retrySeconds  = 60
	expireSeconds = 3600
	// patience is how soon Pushover wants to be asked again after an error of its own.
	patience = 5 * time.Second

	over  = "The alert is over."
	blank = "(no content)" // Pushover refuses an empty message
)

// Config says where messages go.
type Config struct {
	URL    string // DefaultURL if empty
	Token  string // of the application
	User   string // key of a user or of a group
	Device string // name of a device; all of the user's if empty
}

// Sender is a notify.Sender.
type Sender struct {
	config   Config
	messages *url.URL
	receipts *url.URL
	validate *url.URL
	client   *outbound.Client
	redact   *outbound.Redactor
	now      func() time.Time
	// quotes says that the other side is Pushover itself: what a server at
	// another address answers may not be for the eyes of who chose the address.
	quotes bool
}

var _ notify.Prober = (*Sender)(nil)

var keyPattern = regexp.MustCompile(`^[A-Za-z0-9]{1,128}$`)

// New returns a sender, or a *notify.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	base, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	if base.User != nil || base.RawQuery != "" {
		return nil, notify.Invalid("url", "must have neither user nor query; the credentials are token and user")
	}
	config.Token, config.User = strings.TrimSpace(config.Token), strings.TrimSpace(config.User)
	if !keyPattern.MatchString(config.Token) {
		return nil, notify.Invalid("token", "must be the token of an application: letters and digits")
	}
	if !keyPattern.MatchString(config.User) {
		return nil, notify.Invalid("user", "must be the key of a user or a group: letters and digits")
	}
	return &Sender{
		config:   config,
		messages: base.JoinPath("1", "messages.json"),
		receipts: base.JoinPath("1", "receipts"),
		validate: base.JoinPath("1", "users", "validate.json"),
		client:   client,
		redact:   outbound.NewRedactor(config.Token, config.User),
		now:      time.Now,
		quotes:   base.Hostname() == "api.pushover.net",
	}, nil
}

// request is what the API takes, as far as we use it.
type request struct {
	Token    string `json:"token"`
	User     string `json:"user,omitempty"`
	Device   string `json:"device,omitempty"`
	Title    string `json:"title,omitempty"`
	Message  string `json:"message,omitempty"`
	Priority int    `json:"priority,omitempty"`
	Retry    int    `json:"retry,omitempty"`
	Expire   int    `json:"expire,omitempty"`
	Tags     string `json:"tags,omitempty"`
}

const (
	quiet     = -1 // shown, without sound
	normal    = 0
	high      = 1 // rings also in the user's quiet hours
	emergency = 2 // and again until it is acknowledged
)

func priority(m notify.Message) int {
	switch {
	case m.Event == notify.Resolved:
		return quiet
	case m.Severity == notify.Critical:
		return emergency
	case m.Severity == notify.Warning:
		return high
	}
	return normal
}

// render returns a message as it is sent, and for people what was cut.
func (s *Sender) render(m notify.Message, incident string) (r request, note string) {
	r = request{Token: s.config.Token, User: s.config.User, Device: s.config.Device, Priority: priority(m)}
	content := notify.Emoji(m.Content)
	switch {
	case m.Event == notify.Resolved:
		content = over
	case strings.TrimSpace(content) == "":
		content = blank
	}
	var cut bool
	if r.Title, cut = notify.Cut(m.Headline(), maxTitle, notify.Characters); cut {
		note = "; the title was cut to 250 characters"
	}
	if r.Message, cut = notify.Cut(content, maxMessage, notify.Characters); cut {
		note += "; the content was cut to 1024 characters"
	}
	if r.Priority == emergency {
		r.Retry, r.Expire, r.Tags = retrySeconds, expireSeconds, incident
	}
	return r, note
}

// Send makes one attempt. If it must end an emergency it makes two requests, of which the first can be repeated without harm.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (notify.Receipt, error) {
	if m.Event != notify.Fired {
		if err := s.cancel(ctx, k.Incident); err != nil {
			return notify.Receipt{}, err
		}
	}
	message, note := s.render(m, k.Incident)
	resp, err := s.post(ctx, s.messages, message)
	if err != nil {
		return notify.Receipt{}, err
	}
	made, ok := accepted(resp)
	if !ok {
		return notify.Receipt{}, notify.BadAnswer(resp)
	}
	receipt := notify.Receipt{Note: notify.StatusLine(resp.StatusCode) + note}
	if s.isReceipt(made.Receipt) { // it is for people: emergencies are ended by their tag
		receipt.ExternalID = made.Receipt
	}
	return receipt, nil
}

// cancel ends all emergencies of an incident. Whether there are any is not known: an alert may have been critical before it
// changed, and the answer to that may have been lost.
func (s *Sender) cancel(ctx context.Context, incident string) error {
	resp, err := s.post(ctx, s.receipts.JoinPath("cancel_by_tag", url.PathEscape(incident)+".json"), request{Token: s.config.Token})
	if resp != nil && resp.StatusCode == http.StatusNotFound {
		return nil
	}
	return err
}

// Probe asks whether token, user and device are right.
func (s *Sender) Probe(ctx context.Context) error {
	resp, err := s.post(ctx, s.validate, request{Token: s.config.Token, User: s.config.User, Device: s.config.Device})
	if err != nil {
		return err
	}
	if _, ok := accepted(resp); !ok {
		return notify.BadAnswer(resp)
	}
	return nil
}

type answer struct {
	Status  int    `json:"status"` // 1 for a success
	Receipt string `json:"receipt"`
}

func accepted(resp *outbound.Response) (a answer, ok bool) {
	ok = resp.BodyErr == nil && json.Unmarshal(resp.Body, &a) == nil && a.Status == 1
	return a, ok
}

// post returns both, response and error, for an answer that is not a success.
func (s *Sender) post(ctx context.Context, target *url.URL, r request) (*outbound.Response, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, notify.Invalid("content", "cannot be written as JSON")
	}
	req, err := notify.JSONRequest(ctx, http.MethodPost, target, body)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(ctx, req)
	if err != nil {
		return nil, notify.FromRequest(err)
	}
	if failure := s.failure(resp); failure != nil {
		return resp, failure
	}
	return resp, nil
}

// failure reads an answer that is not a success.
func (s *Sender) failure(resp *outbound.Response) *notify.Error {
	e := notify.FromStatus(resp, s.now())
	if e == nil {
		return nil
	}
	var problem struct {
		Errors []string `json:"errors"`
		Token  string   `json:"token"` // "invalid" if that is what is wrong
		User   string   `json:"user"`
		Device string   `json:"device"`
	}
	if json.Unmarshal(resp.Body, &problem) == nil && len(problem.Errors) > 0 && s.quotes {
		e.Message += ": " + s.redact.Clean(strings.Join(problem.Errors, "; "), maxReason)
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests: // not a rate: the month's messages are used up
		e.Class, e.Reason, e.RetryAfter = notify.Configuration, notify.ReasonQuotaExhausted, 0
	case resp.StatusCode == http.StatusBadRequest && slices.Contains([]string{problem.Token, problem.User, problem.Device}, "invalid"):
		e.Class, e.Reason = notify.Configuration, notify.ReasonUnauthorized
	case resp.StatusCode >= 500:
		e.RetryAfter = max(e.RetryAfter, patience)
	}
	return e
}

var receiptPattern = regexp.MustCompile(`^[A-Za-z0-9]{30}$`)

// isReceipt tells whether the text is an id that we can keep in a status, whoever we have it from.
func (s *Sender) isReceipt(text string) bool {
	return receiptPattern.MatchString(text) && s.redact.Clean(text, len(text)) == text
}

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
