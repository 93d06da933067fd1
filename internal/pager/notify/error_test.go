// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func TestFromRequest(t *testing.T) {
	for _, c := range []struct {
		kind   outbound.Kind
		sent   bool
		class  result.Class
		reason string
	}{
		{outbound.Refused, false, result.Configuration, result.ReasonAddressRefused},
		{outbound.TLS, false, result.Configuration, result.ReasonTLSFailed},
		{outbound.Unresolved, false, result.Configuration, result.ReasonConnectionFailed},
		{outbound.Protocol, true, result.Configuration, result.ReasonConnectionFailed},
		{outbound.Unreachable, false, result.Temporary, result.ReasonConnectionFailed},
		{outbound.Timeout, true, result.Unknown, result.ReasonTimeout},
		{outbound.Broken, true, result.Unknown, result.ReasonConnectionFailed},
		{outbound.Canceled, true, result.Unknown, result.ReasonCanceled},
		{outbound.Canceled, false, result.Temporary, result.ReasonCanceled},
	} {
		got := FromRequest(fmt.Errorf("sending: %w", &outbound.Error{Kind: c.kind, Sent: c.sent, Message: "why"}))
		if want := (result.Error{Class: c.class, Reason: c.reason, Message: "why"}); *got != want {
			t.Errorf("F-P1: %s, sent %t: got %+v, want %+v", c.kind, c.sent, *got, want)
		}
	}
	if got := FromRequest(errors.New("Post http://canary")); got.Class != result.Unknown || got.Message != "the request failed" {
		t.Errorf("an error that is not an *outbound.Error: got %+v", got)
	}
}

func TestFromStatus(t *testing.T) {
	header := http.Header{"Retry-After": {"7"}}
	for _, c := range []struct {
		why    string
		status int
		want   *result.Error
	}{
		{"accepted", 204, nil},
		{"with Retry-After", 429, &result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 7 * time.Second, Message: "HTTP 429 Too Many Requests"}},
		{"with Retry-After and an unknown outcome", 503, &result.Error{Class: result.Unknown, Reason: result.ReasonServerError, RetryAfter: 7 * time.Second, Message: "HTTP 503 Service Unavailable"}},
		{"Retry-After of a configuration error is ignored", 404, &result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found"}},
		{"another 4xx", 415, &result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 415 Unsupported Media Type"}},
		{"a status that no request asks for", 101, &result.Error{Class: result.Unknown, Reason: result.ReasonServerError, RetryAfter: 7 * time.Second, Message: "HTTP 101 Switching Protocols"}},
	} {
		got := FromStatus(&outbound.Response{StatusCode: c.status, Header: header}, time.Time{})
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: got %+v, want %+v", c.why, got, c.want)
		}
	}
}

func TestClassifyRefusal(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		why        string
		resp       outbound.Response
		documented bool
		want       result.Class
	}{
		{"F-P1 in the documented format", outbound.Response{StatusCode: 400}, true, result.Permanent},
		{"F-P1 in another format", outbound.Response{StatusCode: 400}, false, result.Configuration},
		{"F-P1 cut off", outbound.Response{StatusCode: 413, BodyErr: broken}, true, result.Configuration},
		{"F-P1 too long", outbound.Response{StatusCode: 422, Truncated: true}, true, result.Configuration},
		{"F-P1 not about the content", outbound.Response{StatusCode: 403}, true, result.Configuration},
		{"F-P18 not about the content either", outbound.Response{StatusCode: 409}, true, result.Unknown},
	} {
		t.Run(c.why, func(t *testing.T) {
			e := FromStatus(&c.resp, time.Time{})
			if ClassifyRefusal(e, &c.resp, c.documented); e.Class != c.want {
				t.Errorf("HTTP %d: got %s, want %s", c.resp.StatusCode, e.Class, c.want)
			}
		})
	}
}

func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want result.Class
	}{
		{nil, ""},
		{fmt.Errorf("sending: %w", Invalid("url", "bad")), result.Configuration},
		{errors.New("something else"), result.Unknown},
	} {
		if got := result.ClassOf(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

func TestNotSent(t *testing.T) {
	unknown := &result.Error{Class: result.Unknown, Reason: result.ReasonTimeout, RetryAfter: time.Second, Message: "why"}
	if got, ok := errors.AsType[*result.Error](NotSent(unknown)); !ok || *got != (result.Error{Class: result.Temporary, Reason: result.ReasonTimeout, RetryAfter: time.Second, Message: "why"}) || unknown.Class != result.Unknown {
		t.Errorf("got %+v, and left %+v", got, unknown)
	}
	if got := NotSent(&result.Error{Class: result.Unconfirmed}); result.ClassOf(got) != result.Configuration {
		t.Errorf("an answer of another service: got %v", got)
	}
	for _, err := range []error{nil, Invalid("url", "bad"), errors.New("something else")} {
		if got := NotSent(err); got != err { //nolint:errorlint // it must be the same value
			t.Errorf("got %v, want %v", got, err)
		}
	}
}

func TestTitleWithoutRawTitle(t *testing.T) {
	m := Message{Namespace: "shop", Name: "down"}
	if got := m.titleOrName(); got != "Kubernetes alert for shop/down" {
		t.Errorf("without a title: got %q", got)
	}
	if m.RawTitle = " \n"; m.titleOrName() != "Kubernetes alert for shop/down" { // several services refuse a blank title
		t.Errorf("with blanks for a title: got %q", m.titleOrName())
	}
	if m.RawTitle = "Down"; m.titleOrName() != "Down" {
		t.Errorf("with a title: got %q", m.titleOrName())
	}
}
