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

// Package teams delivers to Microsoft Teams through a workflow ("when a Teams webhook request is received"): a card for each
// message, fired, updated and resolved alike, since a workflow gives no id by which a card could be changed.
//
// A workflow takes no key either: a message whose answer was lost is posted again. An accepted request says that the workflow
// was started. What becomes of the card in it, nobody tells. There is no Probe: whatever is sent starts the workflow.
//
// The texts are in blocks that know no Markdown, since the apps for phones show the backslashes of an escaped one. They are
// shown as typed, but for the date functions of Adaptive Cards, such as {{DATE(…)}}. A mention needs an entity in the card, and
// there is none: nobody is notified by name. Links are text.
//
// It knows the workflow's format, and no Kubernetes.
package teams

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

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

// New returns a sender, or a *result.Error that names the field that is not right.
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
	s.Header.Set("Content-Type", "application/json; charset=utf-8") // asked for where cards have emoji
	s.MayQuote = strings.HasSuffix(host, ".environment.api.powerplatform.com") || strings.HasSuffix(host, ".logic.azure.com")
	s.WantBody = func(status int, _ http.Header) bool { return status >= 400 && s.MayQuote }
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
	return result.Receipt{Note: notify.StatusLine(resp.StatusCode) + ": the workflow was started; whether Teams shows the message is not known" + cuts}, nil
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
	if answer.Code == "WorkflowTriggerIsNotEnabled" { // turned off: another message would not fare better
		e.Class, e.Reason, e.RetryAfter = result.Configuration, result.ReasonRejected, 0
	}
}
