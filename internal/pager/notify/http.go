// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// HTTP is the common part of all senders with an HTTP API. A provider embeds it in its Sender, and sets the fields that differ from the result of
// NewHTTP before the first request.
type HTTP struct {
	// Header is added to every request and replaces values that Request sets. It has the credentials.
	Header http.Header
	// MayQuote permits Quote to add text of a response to an error, which ends in the status of an Alert. It is true where
	// the host is the provider's own. A server at any other address may answer with text that the author of the Receiver must
	// not see.
	MayQuote bool
	// WantBody selects by status and header the responses whose body is read; nil: all.
	WantBody func(status int, header http.Header) bool
	// Refine changes the error of a status by the body, which is in the provider's error format; nil: no error is changed.
	Refine func(e *result.Error, resp *outbound.Response)
	// Now returns the current time. Tests replace it.
	Now func() time.Time

	client   *outbound.Client
	redactor *redact.Redactor
}

// NewHTTP returns the HTTP of a sender that makes its requests with the client. The secrets are removed from quoted text.
func NewHTTP(client *outbound.Client, secrets ...string) HTTP {
	return HTTP{Header: http.Header{}, Now: time.Now, client: client, redactor: redact.NewRedactor(secrets...)}
}

// Close closes idle connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Get makes one request without a body. See Do.
func (h *HTTP) Get(ctx context.Context, target *url.URL) (*outbound.Response, error) {
	return h.Request(ctx, http.MethodGet, target, nil)
}

// RequestJSON makes one request with the value as its body, in JSON. See Do.
func (h *HTTP) RequestJSON(ctx context.Context, method string, target *url.URL, value any) (*outbound.Response, error) {
	body, err := Encode(value)
	if err != nil {
		return nil, err
	}
	return h.Request(ctx, method, target, body)
}

// Request makes one request with a body that is JSON already; nil: without a body. See Do.
func (h *HTTP) Request(ctx context.Context, method string, target *url.URL, body []byte) (*outbound.Response, error) {
	req, err := NewRequest(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	return h.Do(req)
}

// Do makes one request. An error is a *result.Error. The response is returned also with the error of its status, and is nil without an answer.
func (h *HTTP) Do(req *http.Request) (*outbound.Response, error) {
	maps.Copy(req.Header, h.Header)
	wantBody := h.WantBody
	if wantBody == nil {
		wantBody = func(int, http.Header) bool { return true }
	}
	resp, err := h.client.DoSelect(req.Context(), req, wantBody)
	if err != nil {
		return nil, FromRequest(err)
	}
	if e := h.refined(FromStatus(resp, h.Now()), resp); e != nil {
		return resp, e
	}
	return resp, nil
}

// NewCall returns a Call for one request of a provider's library.
func (h *HTTP) NewCall() *Call { return &Call{Client: h.client} }

// CallError returns the error of a Call's last request; nil: its status is a success.
func (h *HTTP) CallError(call *Call) *result.Error {
	return h.refined(call.Failure(h.Now()), call.Response)
}

func (h *HTTP) refined(e *result.Error, resp *outbound.Response) *result.Error {
	if e != nil && resp != nil && h.Refine != nil {
		h.Refine(e, resp)
	}
	return e
}

// maxQuote bounds the text of a response that Quote adds to an error, in bytes.
const maxQuote = 256

// Quote adds text of a response to an error, without credentials; see MayQuote.
func (h *HTTP) Quote(e *result.Error, text string) {
	if h.MayQuote && text != "" {
		e.Message += ": " + h.redactor.Clean(text, maxQuote)
	}
}

// IsID reports whether text of a response or of a status is an id: it matches the pattern and has no credential in it. An id
// may be recorded, shown, and put into a path if the pattern permits no character with a meaning there.
func (h *HTTP) IsID(pattern *regexp.Regexp, text string) bool {
	return pattern.MatchString(text) && h.redactor.Clean(text, len(text)) == text
}
