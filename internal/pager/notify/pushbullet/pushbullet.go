// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pushbullet sends to Pushbullet (https://docs.pushbullet.com): one note for Fired and one for each Updated, because
// Pushbullet cannot change the text of a push. Resolved dismisses the last push; where its id is not known, nothing is sent.
//
// The delivery key is the push's guid, by which Pushbullet recognizes a repeat after a lost response, by its documentation in
// most cases. The text is plain, and mentions have no effect. The title has the severity.
package pushbullet

import (
	"context"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Pushbullet to the registry.
var Provider = notify.Provider[v1beta1.PushbulletProvider]{
	Addresses: func(s *v1beta1.PushbulletProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.PushbulletProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		return New(Config{URL: s.URL, Token: secret.Get("token"), DeviceIden: s.DeviceIden, Email: s.Email, ChannelTag: s.ChannelTag}, client)
	},
	Check: func(s *v1beta1.PushbulletProvider) notify.Problems { return check(s.URL, s.Email) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Once,
		Key:        "`guid`",
		Update:     notify.OwnMessage,
		Resolve:    notify.InPlace + ", the last note is dismissed",
		Links:      notify.Lines,
		Sent:       "Pushbullet has the push",
		Probe:      "the account of the token",
		ProbeGap:   "whether device, person or channel exist",
	}},
}

// DefaultURL is the address of Pushbullet's API.
const DefaultURL = "https://api.pushbullet.com"

// Config has the destination of pushes. At most one of DeviceIden, Email and ChannelTag is set; without any, all devices of
// the account receive them.
type Config struct {
	URL        string // DefaultURL if empty
	Token      string
	DeviceIden string
	Email      string
	ChannelTag string
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	config Config
	pushes *url.URL
	me     *url.URL
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
)

var iden = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// check returns the problems of the settings in a spec.
func check(address, person string) (problems notify.Problems) {
	if u := problems.BaseURL("url", address); u != nil && strings.Contains(u.Path+"/", "/v2/") {
		problems.AddURL("url", address, "must be that of the API, without /v2")
	}
	if _, err := mail.ParseAddress(person); person != "" && (err != nil || strings.ContainsAny(person, "<>")) {
		problems.Add("email", person, "must be one mail address without a name, such as someone@example.com")
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	if err := check(config.URL, config.Email).Err(); err != nil {
		return nil, err
	}
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	if config.Token, err = notify.Token("token", "an access token", config.Token); err != nil {
		return nil, err
	}
	targets := 0
	for _, target := range []string{config.DeviceIden, config.Email, config.ChannelTag} {
		if target != "" {
			targets++
		}
	}
	if targets > 1 {
		return nil, notify.Invalid("deviceIden, email, channelTag", "at most one of them can be set")
	}
	s := &Sender{
		HTTP:   notify.NewHTTP(client, config.Token),
		config: config,
		pushes: base.JoinPath("v2", "pushes"),
		me:     base.JoinPath("v2", "users", "me"),
	}
	s.Header.Set("Access-Token", config.Token)
	s.MayQuote = base.Hostname() == "api.pushbullet.com"
	s.Refine = s.refine
	return s, nil
}

// push is the part of the API's format that this package uses.
type push struct {
	Type       string `json:"type,omitempty"`
	Title      string `json:"title,omitempty"`
	Body       string `json:"body,omitempty"`
	GUID       string `json:"guid,omitempty"`
	DeviceIden string `json:"device_iden,omitempty"`
	Email      string `json:"email,omitempty"`
	ChannelTag string `json:"channel_tag,omitempty"`
	Dismissed  bool   `json:"dismissed,omitempty"`
	Iden       string `json:"iden,omitempty"`
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	if m.Event == result.Resolved {
		return s.dismiss(ctx, k.ExternalID)
	}
	content, cut, omitted := notify.CutWithLinks(m.Content(), m.Links(), notify.MaxEcho, notify.JSON, notify.Link.Line)
	resp, err := s.RequestJSON(ctx, http.MethodPost, s.pushes, push{
		Type:       "note",
		Title:      m.TitleWithStatus(),
		Body:       content,
		GUID:       k.Delivery,
		DeviceIden: s.config.DeviceIden,
		Email:      s.config.Email,
		ChannelTag: s.config.ChannelTag,
	})
	if err != nil {
		return result.Receipt{}, err
	}
	made := s.idenOf(resp)
	if made == "" {
		return result.Receipt{}, s.BadAnswer(resp)
	}
	note := notify.StatusLine(resp.StatusCode)
	if cut {
		note += notify.CutNote("content", len(content), "bytes")
	}
	return result.Receipt{ExternalID: made, Note: note + omitted}, nil
}

// dismiss dismisses a push on all devices.
func (s *Sender) dismiss(ctx context.Context, pushed string) (result.Receipt, error) {
	if !s.IsID(iden, pushed) {
		return result.Receipt{Note: "no push to dismiss"}, nil
	}
	resp, err := s.RequestJSON(ctx, http.MethodPost, s.pushes.JoinPath(pushed), push{Dismissed: true})
	switch {
	case resp != nil && resp.StatusCode == http.StatusNotFound && notify.ErrorBody[errorBody](resp).Error.isRefusal(): // otherwise it may be a proxy's 404
		return result.Receipt{Note: "no such push to dismiss: it was deleted, or is another account's"}, nil
	case err != nil:
		return result.Receipt{}, err
	case s.idenOf(resp) != pushed:
		return result.Receipt{}, s.BadAnswer(resp)
	}
	return result.Receipt{ExternalID: pushed, Note: "dismissed"}, nil
}

// Probe requests the account of the token.
func (s *Sender) Probe(ctx context.Context) error {
	resp, err := s.Get(ctx, s.me)
	if err == nil && s.idenOf(resp) == "" {
		return s.BadAnswer(resp)
	}
	return err
}

// idenOf returns the id in the body of a success; "": it has no id.
func (s *Sender) idenOf(resp *outbound.Response) string {
	var object struct {
		Iden string `json:"iden"`
	}
	if !notify.Decode(resp, &object) || !s.IsID(iden, object.Iden) {
		return ""
	}
	return object.Iden
}

// errorBody is the documented form of an error.
type errorBody struct {
	Error problem `json:"error"`
}

type problem struct {
	Code    string `json:"code"`
	Type    string `json:"type"`
	Cat     string `json:"cat"`
	Message string `json:"message"`
}

// isRefusal reports whether a body is in the documented form, and blames the request.
func (p problem) isRefusal() bool { return p.Type == "invalid_request" && p.Message != "" }

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	answer := notify.ErrorBody[errorBody](resp).Error
	s.Quote(e, answer.Message)
	notify.ClassifyRefusal(e, resp, answer.isRefusal())
	const quota = "pushbullet_pro_required" // the free pushes of the month are used up
	if slices.Contains([]string{answer.Code, answer.Type, answer.Cat}, quota) {
		e.Class, e.Reason, e.RetryAfter = result.Configuration, result.ReasonQuotaExhausted, 0
	}
	if e.Class == result.Temporary && e.RetryAfter == 0 {
		e.RetryAfter = untilReset(resp.Header, s.Now())
	}
}

// untilReset returns the wait until Pushbullet's rate limit is reset, by a header in Unix seconds.
func untilReset(header http.Header, now time.Time) time.Duration {
	reset, err := strconv.ParseUint(header.Get("X-Ratelimit-Reset"), 10, 63)
	if err != nil {
		return 0
	}
	return notify.Seconds(float64(int64(reset) - now.Unix()))
}
