// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package teams posts to Microsoft Teams through a workflow ("when a Teams webhook request is received"): one card for each
// event, because a workflow returns no id by which a card could be edited.
//
// A workflow has no idempotency key: a message whose response was lost is posted again. A success says that the workflow was
// started. Whether Teams shows the card is not known. There is no Probe: every request starts the workflow.
//
// The text is in blocks without Markdown, because the apps for phones show the backslashes of escaped Markdown. Text is shown
// as typed, except the date functions of Adaptive Cards, such as {{DATE(…)}}. Mentions have no effect: the card has no
// entities. Links in the content are text; links of the Alert are buttons.
package teams

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Microsoft Teams to the registry.
var Provider = notify.Provider[v1beta1.TeamsProvider]{
	New: func(_ *v1beta1.TeamsProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		return New(Config{URL: secret.Get("url")}, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"url"},
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      notify.Buttons,
		Sent:       "the workflow was started, not that Teams shows the card",
	}},
}

// Config is the configuration of a Sender.
type Config struct {
	URL string // of the workflow; a credential
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	target *url.URL
}

var _ notify.Sender = (*Sender)(nil)

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	target, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	if target.User != nil {
		return nil, notify.Invalid("url", "must have no user; the credential of a workflow is in the query")
	}
	host := "." + target.Hostname()
	s := &Sender{HTTP: notify.NewHTTP(client, notify.URLSecrets(config.URL, target)...), target: target}
	s.Header.Set("Content-Type", "application/json; charset=utf-8") // required for cards with emoji
	s.MayQuote = strings.HasSuffix(host, ".environment.api.powerplatform.com") || strings.HasSuffix(host, ".logic.azure.com")
	s.WantBody = func(status int, header http.Header) bool {
		if status == http.StatusAccepted { // it is a success, unless with a page or an error
			return notify.IsHTML(header) || isJSON(header)
		}
		return status/100 == 2 || status >= 400 && s.MayQuote
	}
	s.Refine = s.refine
	return s, nil
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, _ notify.Key) (result.Receipt, error) {
	body, cuts, err := render(m)
	if err != nil {
		return result.Receipt{}, err
	}
	resp, err := s.Request(ctx, http.MethodPost, s.target, body)
	if err != nil {
		return result.Receipt{}, err
	}
	if err := s.checkSuccess(resp); err != nil {
		return result.Receipt{}, err
	}
	return result.Receipt{Note: notify.StatusLine(resp.StatusCode) + ": the workflow was started; whether Teams shows the message is not known" + cuts}, nil
}

// checkSuccess returns nil for the answer of a workflow, HTTP 202 with any body but a page and an error, and for the answer of a connector, the text
// 1. A connector, and a service that imitates one, reports a failure of Teams in the text of a success.
func (s *Sender) checkSuccess(resp *outbound.Response) error {
	text := strings.TrimSpace(string(resp.Body))
	switch {
	case strings.Contains(text, "message delivery failed"):
		e := s.BadAnswer(resp)
		e.Class, e.Reason = result.Configuration, result.ReasonRejected
		return e
	case resp.StatusCode == http.StatusAccepted && !notify.IsPage(resp) && notify.ConfirmationOf(resp) != notify.Failed, resp.StatusCode == http.StatusOK && text == "1":
		return nil
	}
	return s.BadAnswer(resp)
}

func isJSON(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	answer := notify.ErrorBody[errorBody](resp).Error
	s.Quote(e, answer.Message)
	if answer.Code == "WorkflowTriggerIsNotEnabled" { // turned off; it refuses every message
		e.Class, e.Reason, e.RetryAfter = result.Configuration, result.ReasonRejected, 0
	}
}
