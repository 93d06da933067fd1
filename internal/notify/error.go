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

package notify

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
)

// Class says what to do after a failure. The set is closed.
type Class string

const (
	// Temporary: not accepted; try again later.
	Temporary Class = "Temporary"
	// Unknown: it may have been accepted; a repeat must carry the same key.
	Unknown Class = "Unknown"
	// Configuration: not accepted, and the answer looks like a misconfiguration of the receiver, of its Secret, or of what stands
	// before it, such as a proxy; it is tried again, seldom.
	Configuration Class = "Configuration"
	// Permanent: the service itself refused the content of this message; it is never sent again unchanged. See Refuse.
	Permanent Class = "Permanent"
)

// Reasons are for conditions and metrics: a closed set, in CamelCase.
const (
	ReasonRateLimited      = "RateLimited"
	ReasonQuotaExhausted   = "QuotaExhausted"
	ReasonUnauthorized     = "Unauthorized"
	ReasonNotFound         = "NotFound"
	ReasonConflict         = "Conflict"
	ReasonGone             = "Gone"
	ReasonRejected         = "Rejected"
	ReasonRedirected       = "Redirected"
	ReasonServerError      = "ServerError"
	ReasonBadAnswer        = "BadAnswer"
	ReasonTimeout          = "Timeout"
	ReasonCanceled         = "Canceled"
	ReasonConnectionFailed = "ConnectionFailed"
	ReasonAddressRefused   = "AddressRefused"
	ReasonTLSFailed        = "TLSFailed"
	ReasonInvalidReceiver  = "InvalidReceiver"
)

// Error is a message that was not confirmed. Its text may be shown to whoever can see the alert: it has no credentials.
type Error struct {
	Class      Class
	Reason     string        // one of the Reason constants
	RetryAfter time.Duration // what the receiver asked for, 0 if it did not
	Message    string
}

func (e *Error) Error() string { return e.Message }

// ClassOf returns the class of an error, "" for none. What is not an *Error is Unknown: the class that loses nothing.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own.Class
	}
	return Unknown
}

// Invalid says which field of a receiver is not right, and why. The value stays out of it: it may be a secret.
func Invalid(field, problem string) *Error {
	return &Error{Class: Configuration, Reason: ReasonInvalidReceiver, Message: field + ": " + problem}
}

// FromRequest classifies a request that got no answer.
func FromRequest(err error) *Error {
	failure, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return &Error{Class: Unknown, Reason: ReasonConnectionFailed, Message: "the request failed"}
	}
	e := &Error{Message: failure.Message}
	switch failure.Kind {
	case outbound.Refused:
		e.Class, e.Reason = Configuration, ReasonAddressRefused
	case outbound.TLS:
		e.Class, e.Reason = Configuration, ReasonTLSFailed
	case outbound.Unresolved:
		e.Class, e.Reason = Configuration, ReasonConnectionFailed
	case outbound.Unreachable:
		e.Class, e.Reason = Temporary, ReasonConnectionFailed
	case outbound.Timeout:
		e.Class, e.Reason = Unknown, ReasonTimeout
	case outbound.Canceled:
		e.Class, e.Reason = Unknown, ReasonCanceled
	case outbound.Broken:
		e.Class, e.Reason = Unknown, ReasonConnectionFailed
	default:
		e.Class, e.Reason = Unknown, ReasonConnectionFailed
	}
	if e.Class == Unknown && !failure.Sent {
		e.Class = Temporary
	}
	return e
}

// FromStatus classifies an answer by its status; nil means that the message was accepted. It is the one table for all
// receivers: who knows better about a status changes what comes out of it. It is never Permanent, since a status alone may be
// that of a proxy.
func FromStatus(resp *outbound.Response, now time.Time) *Error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	e := &Error{Message: StatusLine(resp.StatusCode)}
	e.Class, e.Reason = meaning(resp.StatusCode)
	if e.Class == Temporary || e.Class == Unknown {
		e.RetryAfter = outbound.RetryAfter(resp.Header, now)
	}
	return e
}

// Refuse makes the error Permanent if the answer is certainly the service's own refusal of the content (R12): HTTP 400, 413 or
// 422, with a body that came whole. The caller says whether that body has the error format that the service documents.
func (e *Error) Refuse(resp *outbound.Response, documented bool) {
	if !documented || resp.BodyErr != nil || resp.Truncated {
		return
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		e.Class, e.Reason = Permanent, ReasonRejected
	}
}

func meaning(status int) (Class, string) {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Configuration, ReasonUnauthorized
	case http.StatusNotFound:
		return Configuration, ReasonNotFound
	case http.StatusGone:
		return Configuration, ReasonGone
	case http.StatusConflict: // of an idempotency key: an earlier attempt, whose answer was lost, may be delivered
		return Unknown, ReasonConflict
	case http.StatusLocked:
		return Temporary, ReasonServerError
	case http.StatusTooManyRequests:
		return Temporary, ReasonRateLimited
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return Unknown, ReasonTimeout
	case http.StatusTooEarly:
		return Unknown, ReasonServerError
	}
	switch status / 100 {
	case 3: // not followed: the URL is a secret, and a redirect would hand it on
		return Configuration, ReasonRedirected
	case 4: // a wrong address or credential, or a proxy's rule: only Refuse tells a refusal of the content
		return Configuration, ReasonRejected
	}
	return Unknown, ReasonServerError
}

// Before is the error of a request that goes before the message, and without which the message is not sent: whatever became
// of that request, the message was not accepted.
func Before(err error) error {
	own, ok := errors.AsType[*Error](err)
	if !ok || own.Class != Unknown {
		return err
	}
	e := *own
	e.Class = Temporary
	return &e
}

// BadAnswer is for a receiver that accepted the message but whose answer cannot be read.
func BadAnswer(resp *outbound.Response) *Error {
	why := "the answer is not what this receiver's API promises"
	if resp.BodyErr != nil {
		why = resp.BodyErr.Error() // an *outbound.Error, which is safe to show
	}
	return &Error{Class: Unknown, Reason: ReasonBadAnswer, Message: StatusLine(resp.StatusCode) + ", but " + why}
}

// StatusLine returns a status as people know it, such as "HTTP 404 Not Found".
func StatusLine(status int) string {
	line := "HTTP " + strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		line += " " + text
	}
	return line
}
