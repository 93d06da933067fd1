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

// Package pushover delivers to Pushover (https://pushover.net/api): a message for each event, fired, updated and resolved
// alike, since Pushover cannot change one. What is critical is an emergency: Pushover repeats it every minute, for an hour or
// until somebody acknowledges it. Updated and Resolved end that first.
//
// Pushover knows no key by which it would recognise a repeat: after a lost answer people may see a message twice. Emergencies
// carry the key of the incident as a tag, and are ended by it, so they end also if the answer with the receipt was lost.
//
// The text is plain, no markup in it is read, and mentions have no effect.
//
// It knows Pushover's API, and no Kubernetes.
package pushover

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// DefaultURL is where Pushover's API is.
const DefaultURL = "https://api.pushover.net"

// patience is how soon Pushover wants to be asked again after an error of its own.
const minRetryAfter = 5 * time.Second

// Config is the configuration of a Sender.
type Config struct {
	URL    string // DefaultURL if empty
	Token  string // of the application
	User   string // key of a user or of a group
	Device string // name of a device; all of the user's if empty
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	config   Config
	messages *url.URL
	receipts *url.URL
	validate *url.URL
	// inFlight bounds the requests: Pushover permits a client two at a time.
	inFlight chan struct{}
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
)

var (
	credential = regexp.MustCompile(`^[A-Za-z0-9]{1,128}$`)
	receiptID  = regexp.MustCompile(`^[A-Za-z0-9]{30}$`)
)

// New returns a sender, or a *result.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	config.Token, config.User = strings.TrimSpace(config.Token), strings.TrimSpace(config.User)
	if !credential.MatchString(config.Token) {
		return nil, notify.Invalid("token", "must be the token of an application: letters and digits")
	}
	if !credential.MatchString(config.User) {
		return nil, notify.Invalid("user", "must be the key of a user or a group: letters and digits")
	}
	s := &Sender{
		HTTP:     notify.NewHTTP(client, config.Token, config.User),
		config:   config,
		messages: base.JoinPath("1", "messages.json"),
		receipts: base.JoinPath("1", "receipts"),
		validate: base.JoinPath("1", "users", "validate.json"),
		inFlight: make(chan struct{}, 2),
	}
	s.MayQuote = base.Hostname() == "api.pushover.net"
	s.Refine = s.refine
	return s, nil
}

// Send makes one attempt. If it must end an emergency it makes two requests, of which the first can be repeated without harm.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	problem := ""
	if m.Event != result.Fired {
		var err error
		if problem, err = s.cancel(ctx, k.Incident); err != nil {
			return result.Receipt{}, notify.NotSent(err)
		}
	}
	message, cuts := s.render(m, k.Incident)
	resp, err := s.post(ctx, s.messages, message)
	if err != nil {
		return result.Receipt{}, err
	}
	made, ok := accepted(resp)
	if !ok {
		return result.Receipt{}, notify.BadAnswer(resp)
	}
	receipt := result.Receipt{Note: notify.StatusLine(resp.StatusCode) + cuts + problem}
	if s.IsID(receiptID, made.Receipt) { // it is for people: emergencies are ended by their tag
		receipt.ExternalID = made.Receipt
	}
	return receipt, nil
}

// cancel ends all emergencies of an incident. Whether there are any is not known: an alert may have been critical before it
// changed, and the answer to that may have been lost. What Pushover finds wrong with this request says nothing of the message:
// it is a problem to be noted, and no error.
func (s *Sender) cancel(ctx context.Context, incident string) (problem string, err error) {
	resp, err := s.post(ctx, s.receipts.JoinPath("cancel_by_tag", url.PathEscape(incident)+".json"), request{Token: s.config.Token})
	switch {
	case resp != nil && resp.StatusCode == http.StatusNotFound && notify.ErrorBody[errorBody](resp).isRefusal(): // else it may be a proxy's
		return "", nil
	case result.ClassOf(err) == result.Permanent:
		return "; no emergency was ended: " + err.Error(), nil
	}
	return "", err
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
	ok = notify.Decode(resp, &a) && a.Status == 1
	return a, ok
}

// post makes one request as soon as less than two are in flight. See notify.HTTP.Do.
func (s *Sender) post(ctx context.Context, target *url.URL, r request) (*outbound.Response, error) {
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	case <-ctx.Done():
		return nil, waitError(ctx)
	}
	return s.RequestJSON(ctx, http.MethodPost, target, r)
}

func waitError(ctx context.Context) *result.Error {
	e := &result.Error{Class: result.Temporary, Reason: result.ReasonTimeout, Message: "Pushover takes two requests at a time, and both were still under way"}
	if errors.Is(ctx.Err(), context.Canceled) {
		e.Reason = result.ReasonCanceled
	}
	return e
}

// errorBody is the documented form of an error.
type errorBody struct {
	Status *int     `json:"status"`
	Errors []string `json:"errors"`
	Token  string   `json:"token"` // "invalid" if that is what is wrong
	User   string   `json:"user"`
	Device string   `json:"device"`
}

// isRefusal reports whether a body is in that form.
func (b errorBody) isRefusal() bool { return b.Status != nil && *b.Status == 0 && len(b.Errors) > 0 }

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	p := notify.ErrorBody[errorBody](resp)
	s.Quote(e, strings.Join(p.Errors, "; "))
	notify.ClassifyRefusal(e, resp, p.isRefusal())
	switch {
	case resp.StatusCode == http.StatusTooManyRequests: // not a rate: the month's messages are used up
		e.Class, e.Reason, e.RetryAfter = result.Configuration, result.ReasonQuotaExhausted, 0
	case resp.StatusCode == http.StatusBadRequest && slices.Contains([]string{p.Token, p.User, p.Device}, "invalid"):
		e.Class, e.Reason = result.Configuration, result.ReasonUnauthorized
	case resp.StatusCode >= 500:
		e.RetryAfter = max(e.RetryAfter, minRetryAfter)
	}
}
