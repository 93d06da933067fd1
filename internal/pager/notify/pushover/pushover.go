// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pushover sends to Pushover (https://pushover.net/api): one message for each event, because Pushover cannot edit
// messages. A Critical message is an emergency, which Pushover repeats every minute, for an hour or until a user acknowledges
// it. Resolved cancels it before it sends its own message, and Updated after that.
//
// Pushover has no idempotency key: after a lost response people may see a message twice. The incident key is the tag of an
// emergency, by which it is canceled, also where the response with its receipt was lost.
//
// The text is plain: markup and mentions have no effect.
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

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Pushover to the registry.
var Provider = notify.Provider[v1beta1.PushoverProvider]{
	Addresses: func(s *v1beta1.PushoverProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.PushoverProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.Token, config.User = secret.Get("token"), secret.Get("user")
		return New(config, client)
	},
	Check: func(s *v1beta1.PushoverProvider) notify.Problems { return check(configOf(s)) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token", "user"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      "one as `url`, then " + notify.Lines,
		Sent:       "Pushover has queued the message",
		Probe:      "whether token, user and device are valid",
		ProbeGap:   "whether a phone is on",
	}},
}

// DefaultURL is the address of Pushover's API.
const DefaultURL = "https://api.pushover.net"

// minRetryAfter is the wait that Pushover asks for after a server error.
const minRetryAfter = 5 * time.Second

// Config is the configuration of a Sender.
type Config struct {
	URL    string // DefaultURL if empty
	Token  string // of the application
	User   string // key of a user or of a group
	Device string // name of a device; all of the user's if empty

	Sound  string // of a message but a resolve; the user's if empty
	Retry  int    // interval of the repeats of an emergency, in seconds; retrySeconds if 0
	Expire int    // how long an emergency is repeated, in seconds; expireSeconds if 0
	TTL    int    // how long a message that is no emergency stays, in seconds; for ever if 0
}

func configOf(s *v1beta1.PushoverProvider) Config {
	return Config{URL: s.URL, Device: s.Device, Sound: s.Sound, Retry: int(s.RetrySeconds), Expire: int(s.ExpireSeconds), TTL: int(s.TTLSeconds)}
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
	soundName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	deviceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,25}$`)
	receiptID  = regexp.MustCompile(`^[A-Za-z0-9]{30}$`)
)

// check returns the problems of the settings in a spec.
func check(config Config) (problems notify.Problems) {
	address, device := config.URL, config.Device
	if u := problems.BaseURL("url", address); u != nil && strings.Contains(u.Path+"/", "/1/") {
		problems.AddURL("url", address, "must be that of the API, without /1/messages.json")
	}
	if device != "" && !deviceName.MatchString(device) {
		problems.Add("device", device, "must be the name of a device: letters, digits, - and _, at most 25")
	}
	if config.Sound != "" && !soundName.MatchString(config.Sound) {
		problems.Add("sound", config.Sound, "must be the name of a sound, such as siren: letters, digits, - and _")
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	if err := check(config).Err(); err != nil {
		return nil, err
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

// Send makes one attempt, of several requests where an emergency may be active. A resolve ends the emergency before it posts. An update
// posts before it ends the earlier emergency, which goes on ringing where Pushover takes no message, as after the last one of the month.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	problem := ""
	if m.Event == result.Resolved {
		var err error
		if problem, err = s.cancel(ctx, s.tagged(k.Incident), s.tagged(k.Incident+updateSuffix)); err != nil {
			return result.Receipt{}, notify.NotSent(err)
		}
	}
	made, isPosted := strings.CutPrefix(k.Partial, posted)
	receipt := result.Receipt{ExternalID: made, Note: "sent by an earlier attempt"}
	if !isPosted {
		var err error
		if receipt, err = s.postMessage(ctx, m, k.Incident); err != nil {
			return result.Receipt{}, err
		}
	}
	if m.Event == result.Updated {
		var err error
		if problem, err = s.cancelEarlier(ctx, k); err != nil {
			return result.Receipt{}, onlyPosted(err, receipt.ExternalID)
		}
	}
	receipt.Note += problem
	return receipt, nil
}

// posted begins the value of result.Error.Partial of an update that was posted, before its receipt.
const posted = "posted "

// onlyPosted returns the error of an update that was posted, where the earlier emergency could not be ended: the next attempt does only
// that.
func onlyPosted(err error, receipt string) error {
	e, ok := errors.AsType[*result.Error](notify.NotSent(err))
	if !ok {
		return err
	}
	own := *e
	own.Partial, own.Message = posted+receipt, "the message was sent, and the earlier emergency not ended: "+e.Message
	return &own
}

func (s *Sender) postMessage(ctx context.Context, m notify.Message, incident string) (result.Receipt, error) {
	message, cuts := s.render(m, incident)
	resp, err := s.post(ctx, s.messages, message)
	if err != nil {
		return result.Receipt{}, err
	}
	made, ok := accepted(resp)
	if !ok {
		return result.Receipt{}, s.BadAnswer(resp)
	}
	receipt := result.Receipt{Note: notify.StatusLine(resp.StatusCode) + cuts}
	if s.IsID(receiptID, made.Receipt) {
		receipt.ExternalID = made.Receipt
	}
	return receipt, nil
}

// cancelEarlier cancels the emergencies before an update, whose own has another tag: the first message's by their tag, also where the receipt was
// lost, and the last update's by its receipt.
func (s *Sender) cancelEarlier(ctx context.Context, k notify.Key) (problem string, err error) {
	targets := []*url.URL{s.tagged(k.Incident)}
	if s.IsID(receiptID, k.ExternalID) {
		targets = append(targets, s.receipts.JoinPath(k.ExternalID, "cancel.json"))
	}
	return s.cancel(ctx, targets...)
}

func (s *Sender) tagged(tag string) *url.URL {
	return s.receipts.JoinPath("cancel_by_tag", url.PathEscape(tag)+".json")
}

// cancel cancels emergencies. Whether one is active is not known: the alert may have been critical before an update, and the response
// to that may have been lost. A refusal of this request is not about the message, so it becomes a note instead of an error.
func (s *Sender) cancel(ctx context.Context, targets ...*url.URL) (problem string, err error) {
	for _, target := range targets {
		resp, err := s.post(ctx, target, request{Token: s.config.Token})
		isUnknown := resp != nil && resp.StatusCode == http.StatusNotFound && notify.ErrorBody[errorBody](resp).isRefusal() // otherwise it may be a proxy's 404
		if isUnknown {
			continue
		}
		switch {
		case result.ClassOf(err) == result.Permanent:
			problem = "; no emergency was ended: " + err.Error()
		case err != nil:
			return "", err
		default:
			if _, ok := accepted(resp); !ok {
				return "", s.BadAnswer(resp)
			}
		}
	}
	return problem, nil
}

// Probe checks token, user and device.
func (s *Sender) Probe(ctx context.Context) error {
	resp, err := s.post(ctx, s.validate, request{Token: s.config.Token, User: s.config.User, Device: s.config.Device})
	if err != nil {
		return err
	}
	if _, ok := accepted(resp); !ok {
		return s.BadAnswer(resp)
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
	e := &result.Error{Class: result.Temporary, Reason: result.ReasonTimeout, Message: "Pushover takes two requests at a time, and both were still in progress"}
	if errors.Is(ctx.Err(), context.Canceled) {
		e.Reason = result.ReasonCanceled
	}
	return e
}

// errorBody is the documented form of an error.
type errorBody struct {
	Status *int     `json:"status"`
	Errors []string `json:"errors"`
	Token  string   `json:"token"` // "invalid" where this field is the cause
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
	case resp.StatusCode == http.StatusTooManyRequests: // the messages of the month are used up; there is no rate limit
		e.Class, e.Reason, e.RetryAfter = result.Configuration, result.ReasonQuotaExhausted, 0
	case resp.StatusCode == http.StatusBadRequest && slices.Contains([]string{p.Token, p.User, p.Device}, "invalid"):
		e.Class, e.Reason = result.Configuration, result.ReasonUnauthorized
	case resp.StatusCode >= 500:
		e.RetryAfter = max(e.RetryAfter, minRetryAfter)
	}
}
