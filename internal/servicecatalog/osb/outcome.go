// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// Error codes of a 422 with a meaning. Descriptions have none.
const (
	codeAsync       = "AsyncRequired"
	codeConcurrency = "ConcurrencyError"
	codeApp         = "RequiresApp"
	codeMaintenance = "MaintenanceInfoConflict"
)

const (
	maxDescription = 1024
	maxCode        = 128
)

// judge returns the outcome of an answer.
func (e *exchange) judge(resp *outbound.Response, out osbresult.Outcome, words *cleaner) osbresult.Outcome {
	line := statusLine(resp.StatusCode)
	switch {
	case !e.isSuccess(resp.StatusCode):
		return e.failed(resp, out, words)
	case resp.BodyErr != nil: // as good as none
		out.Class = e.lost()
		out.Description = line + ", but " + resp.BodyErr.Error()
		return out
	case resp.StatusCode == http.StatusAccepted && !e.about.AcceptsIncomplete:
		out.Class = osbresult.Unknown
		if e.is(removes) { // it can be repeated, and only then polled
			out.Class = osbresult.NeedsAsync
		}
		out.Description = line + ", though the request did not say accepts_incomplete"
		return out
	}
	err := error(nil)
	switch {
	case resp.Truncated && e.tooLong != nil:
		err = e.tooLong(resp)
	case resp.Truncated:
		err = errors.New("it is too long")
	default:
		err = e.read(answer{resp.StatusCode, resp.Header, resp.Body, words})
	}
	out.Withheld, out.TooManySecrets = err == nil && words.withheld, err == nil && words.tooMany
	switch {
	case err != nil && resp.StatusCode == http.StatusOK:
		out.Class = osbresult.Malformed
		out.Description = line + ", but its body cannot be used: " + err.Error()
	case err != nil:
		out.Class = osbresult.Unknown
		out.Description = line + ", but its body cannot be used: " + err.Error()
	case resp.StatusCode == http.StatusAccepted:
		out.Class = osbresult.Accepted
	default:
		out.Class = osbresult.Done
	}
	return out
}

// isSuccess reports whether the operation defines the status as a success. Any other 2xx is no success.
func (e *exchange) isSuccess(status int) bool {
	switch status {
	case http.StatusOK:
		return true
	case http.StatusCreated:
		return e.is(creates)
	case http.StatusAccepted:
		return !e.reads()
	case http.StatusNotModified:
		return e.etag != ""
	}
	return false
}

func (e *exchange) is(k kind) bool { return operations[e.operation].kind == k }
func (e *exchange) reads() bool    { return operations[e.operation].method == http.MethodGet }

// lost returns the class where the broker may have received the request, and there is no answer. An Unknown change or removal can
// be sent again unchanged.
func (e *exchange) lost() osbresult.Class {
	if e.reads() {
		return osbresult.Retry
	}
	return osbresult.Unknown
}

// unanswered returns the outcome of a request without an answer.
func (e *exchange) unanswered(err error) osbresult.Outcome {
	failure, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return osbresult.Outcome{Class: e.lost(), Sent: true, Description: "the request failed"}
	}
	out := osbresult.Outcome{Class: e.lost(), Sent: failure.Sent, Description: failure.Message, Canceled: failure.Kind == outbound.Canceled}
	if !failure.Sent {
		out.Class = classOfUnsent(failure)
	}
	return out
}

// classOfUnsent distinguishes a network failure from a wrong address, name or certificate, which a person has to correct.
func classOfUnsent(failure *outbound.Error) osbresult.Class {
	switch failure.Kind {
	case outbound.Refused, outbound.Unresolved, outbound.TLS, outbound.Protocol:
		return osbresult.Misconfigured
	case outbound.Unreachable, outbound.Timeout, outbound.Broken, outbound.Canceled:
	}
	return osbresult.Retry
}

// failed returns the outcome of an answer that is no success.
func (e *exchange) failed(resp *outbound.Response, out osbresult.Outcome, words *cleaner) osbresult.Outcome {
	said, whole := errorBody{}, resp.BodyErr == nil && !resp.Truncated
	if resp.StatusCode >= http.StatusBadRequest && whole {
		said = readError(resp.Body)
	}
	out.Code = words.clean(said.Code, maxCode)
	out.Description = words.clean(said.Description, maxDescription)
	if out.Withheld, out.TooManySecrets = words.withheld, words.tooMany; out.Withheld && isCode(said.Code) {
		out.Code = said.Code
	}
	if strings.TrimSpace(out.Description) == "" {
		out.Description = statusLine(resp.StatusCode)
	}
	out.InstanceUnusable = said.Unusable && (e.is(updates) || e.operation == DeprovisionInstance)
	out.UpdateNotRepeatable = said.NotRepeatable && e.is(updates)
	switch out.Class = e.meaning(resp.StatusCode, said.Code); {
	case out.Class == osbresult.Rejected && resp.BodyErr != nil:
		out.Class = osbresult.Retry // the code of a 422, and the program that refuses, are lost with the body
	case out.Class == osbresult.Rejected && !said.Documented: // a proxy, a gateway or another program answers
		out.Class = osbresult.Misconfigured
	case resp.StatusCode == http.StatusPreconditionFailed:
		out.Description = "the broker refuses version " + e.version + " of the API: " + out.Description
	}
	return out
}

// meaning is the table of the statuses that are no success.
func (e *exchange) meaning(status int, code string) osbresult.Class {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return osbresult.Rejected
	case http.StatusUnprocessableEntity:
		return e.unprocessable(code)
	case http.StatusPreconditionFailed:
		if !e.is(lists) { // by which the version is settled
			return osbresult.NeedsCatalog
		}
	case http.StatusConflict:
		if e.is(creates) {
			return osbresult.Conflict
		}
	case http.StatusNotFound:
		switch {
		case e.is(fetches):
			return osbresult.Gone
		case e.is(polls): // replicas that lag behind answer so, too
			return osbresult.Malformed
		}
	case http.StatusGone:
		switch {
		case e.is(removes), e.is(polls) && e.ofRemoval:
			return osbresult.Gone
		case e.is(polls):
			return osbresult.Malformed
		}
	case http.StatusBadGateway, http.StatusGatewayTimeout: // not the broker's words: its answer was lost
		return e.lost()
	}
	switch {
	case isTemporary(status) && status < http.StatusInternalServerError:
		return osbresult.Retry
	case status/100 == 2 && e.reads():
		return osbresult.Malformed
	case status/100 == 2:
		return osbresult.Unknown
	case status/100 == 3, status/100 == 4: // a redirect is not followed
		return osbresult.Misconfigured
	}
	if e.is(updates) { // a failed update changes nothing
		return osbresult.Retry
	}
	return e.lost()
}

// isTemporary reports whether a status means that the same request may succeed later without a change by a person.
func isTemporary(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// unprocessable returns the class of an error code of a 422, where it has one. A code that requests a parameter which was sent is a plain refusal:
// otherwise the caller would repeat the request for ever.
func (e *exchange) unprocessable(code string) osbresult.Class {
	switch {
	case code == codeConcurrency && !e.is(lists):
		return osbresult.Concurrency
	case code == codeAsync && !e.reads() && !e.about.AcceptsIncomplete:
		return osbresult.NeedsAsync
	case code == codeApp && e.operation == Bind && !e.appSent:
		return osbresult.NeedsApp
	case code == codeMaintenance && (e.is(creates) || e.is(updates)):
		return osbresult.NeedsCatalog
	}
	return osbresult.Rejected
}

// statusLine returns a status with its text, such as "HTTP 404 Not Found".
func statusLine(status int) string {
	line := "HTTP " + strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		line += " " + text
	}
	return line
}

// isCode reports whether a code is one of the protocol, which cannot be a secret.
func isCode(code string) bool {
	switch code {
	case codeAsync, codeConcurrency, codeApp, codeMaintenance:
		return true
	}
	return false
}

// cleaner redacts texts of a broker.
type cleaner struct {
	names, credentials []string // the endpoint's own
	about              Secrets  // the secrets of the instance or binding; nil: it has none
	known              []string // the secrets that about returned
	redactor           *redact.Redactor
	// withheld: a text was left out, since not all secrets are known, or there are too many.
	withheld, tooMany bool
}

// clean returns a text without secrets, at most limit bytes; "" where not all secrets are known.
func (c *cleaner) clean(text string, limit int) string {
	if text == "" {
		return ""
	}
	c.load()
	if c.redactor.Withholds() {
		c.withheld, c.tooMany = true, true
	}
	if c.withheld {
		return ""
	}
	return strings.TrimSpace(c.redactor.Clean(text, limit))
}

// mayShow reports whether a text of at most limit bytes has no secret and nothing else that clean would change. It looks for any number of
// secrets, where all are known.
func (c *cleaner) mayShow(text string, limit int) bool {
	if strings.TrimSpace(redact.NewRedactor().Clean(text, limit)) != text {
		return false
	}
	c.load()
	return !c.withheld && !c.redactor.Finds(text)
}

// secrets returns the known secrets of the endpoint and of the instance or binding.
func (c *cleaner) secrets() []string {
	c.load()
	return slices.Concat(c.credentials, c.known)
}

// load reads the secrets of the instance or binding, once.
func (c *cleaner) load() {
	if c.redactor != nil {
		return
	}
	if c.about != nil {
		all := false
		c.known, all = c.about()
		c.withheld = !all
	}
	c.redactor = redact.NewRedactor(slices.Concat(c.names, c.credentials, c.known)...)
}
