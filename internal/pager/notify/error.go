// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/panics"
)

// Invalid returns the error of a field of a receiver that is not valid. It does not have the value, which may be a secret.
func Invalid(field, problem string) *result.Error {
	return &result.Error{Class: result.Configuration, Reason: result.ReasonInvalidReceiver, Message: field + ": " + problem}
}

// FromRequest classifies a request without a response.
func FromRequest(err error) *result.Error {
	failure, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return &result.Error{Class: result.Unknown, Reason: result.ReasonConnectionFailed, Message: "the request failed"}
	}
	e := &result.Error{Message: failure.Message}
	switch failure.Kind {
	case outbound.Refused:
		e.Class, e.Reason = result.Configuration, result.ReasonAddressRefused
	case outbound.TLS:
		e.Class, e.Reason = result.Configuration, result.ReasonTLSFailed
	case outbound.Unresolved, outbound.Protocol:
		e.Class, e.Reason = result.Configuration, result.ReasonConnectionFailed
	case outbound.Unreachable:
		e.Class, e.Reason = result.Temporary, result.ReasonConnectionFailed
	case outbound.Timeout:
		e.Class, e.Reason = result.Unknown, result.ReasonTimeout
	case outbound.Canceled:
		e.Class, e.Reason = result.Unknown, result.ReasonCanceled
	case outbound.Broken:
		e.Class, e.Reason = result.Unknown, result.ReasonConnectionFailed
	default:
		e.Class, e.Reason = result.Unknown, result.ReasonConnectionFailed
	}
	if e.Class == result.Unknown && !failure.Sent {
		e.Class = result.Temporary
	}
	return e
}

// FromStatus classifies a response by its status; nil: the message was accepted. It is the table for all receivers. A
// provider whose statuses mean something else refines the result. It is never Permanent, since a proxy may have sent the
// status.
func FromStatus(resp *outbound.Response, now time.Time) *result.Error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	e := &result.Error{Message: StatusLine(resp.StatusCode)}
	e.Class, e.Reason = classOfStatus(resp.StatusCode)
	if e.Class == result.Temporary || e.Class == result.Unknown {
		e.RetryAfter = outbound.RetryAfter(resp.Header, now)
	}
	return e
}

// ClassifyRefusal makes an error Permanent where the response is the service's own refusal of the content (R12): HTTP 400,
// 413 or 422 with a complete body. documented reports whether that body has the error format that the service documents.
func ClassifyRefusal(e *result.Error, resp *outbound.Response, documented bool) {
	if !documented || resp.BodyErr != nil || resp.Truncated {
		return
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		e.Class, e.Reason = result.Permanent, result.ReasonRejected
	}
}

func classOfStatus(status int) (result.Class, string) {
	switch status {
	case http.StatusUnauthorized:
		return result.Configuration, result.ReasonUnauthorized
	case http.StatusForbidden:
		return result.Configuration, result.ReasonForbidden
	case http.StatusNotFound:
		return result.Configuration, result.ReasonNotFound
	case http.StatusGone:
		return result.Configuration, result.ReasonGone
	case http.StatusConflict: // of an idempotency key: the earlier attempt may be delivered although its response was lost
		return result.Unknown, result.ReasonConflict
	case http.StatusLocked:
		return result.Temporary, result.ReasonServerError
	case http.StatusTooManyRequests:
		return result.Temporary, result.ReasonRateLimited
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return result.Unknown, result.ReasonTimeout
	case http.StatusTooEarly:
		return result.Unknown, result.ReasonServerError
	}
	switch status / 100 {
	case 3: // redirects are not followed: the URL may be a credential, which the target must not receive
		return result.Configuration, result.ReasonRedirected
	case 4: // a wrong address or credential, or a rule of a proxy; ClassifyRefusal finds refusals of the content
		return result.Configuration, result.ReasonRejected
	}
	return result.Unknown, result.ReasonServerError
}

// NotSent returns the error of a request that has no effect, such as one that precedes the message. The message was not sent after it, for any
// outcome of that request, so Unknown becomes Temporary, and Unconfirmed, an answer that is not the service's, becomes Configuration.
func NotSent(err error) error {
	class := map[result.Class]result.Class{result.Unknown: result.Temporary, result.Unconfirmed: result.Configuration}[result.ClassOf(err)]
	own, ok := errors.AsType[*result.Error](err)
	if !ok || class == "" {
		return err
	}
	e := *own
	e.Class = class
	return &e
}

// StatusLine returns a status with its text, such as "HTTP 404 Not Found".
func StatusLine(status int) string {
	line := "HTTP " + strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		line += " " + text
	}
	return line
}

// FromPanic returns a panic of a provider as an error: the message may have been accepted. It is called by the deferred function that
// recovers.
func FromPanic(ctx context.Context, recovered any) *result.Error {
	failed := panics.Count(ctx, panics.Receiver, "sending a request to the receiver", recovered)
	return &result.Error{Class: result.Unknown, Reason: result.ReasonInternalError, Message: failed.Error()}
}
