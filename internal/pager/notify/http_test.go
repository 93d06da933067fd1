// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func newHTTP(t *testing.T, secrets ...string) (h notify.HTTP, server *notifytest.Server, target *url.URL) {
	t.Helper()
	server = notifytest.NewServer(t)
	target, err := url.Parse(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	return notify.NewHTTP(outboundtest.Client(t), secrets...), server, target
}

func TestHTTPRequests(t *testing.T) {
	h, server, target := newHTTP(t)
	h.Header.Set("Authorization", "Bearer token")
	h.Header.Set("Content-Type", "application/json; charset=utf-8")
	if _, err := h.RequestJSON(t.Context(), http.MethodPut, target, map[string]string{"a": "<b>"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Get(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	requests := server.Requests()
	for i, want := range []string{`PUT /x {"a":"<b>"}`, "GET /x "} {
		r := requests[i]
		got := r.Method + " " + r.URI + " " + string(r.Body)
		if got != want || r.Header.Get("Authorization") != "Bearer token" || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("got %s with %v, want %s", got, r.Header, want)
		}
	}
	if _, err := h.RequestJSON(t.Context(), http.MethodPost, target, func() {}); result.ClassOf(err) != result.Configuration {
		t.Errorf("a value that JSON cannot represent: got %v", err)
	}
}

func TestHTTPErrors(t *testing.T) {
	h, server, target := newHTTP(t)
	h.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	h.Refine = func(e *result.Error, resp *outbound.Response) { e.Message += " " + string(resp.Body) }
	h.WantBody = func(status int, _ http.Header) bool { return status == http.StatusBadRequest }
	for _, c := range []struct {
		status int
		want   result.Error
	}{
		{http.StatusBadRequest, result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request body"}},
		{http.StatusTooManyRequests, result.Error{
			Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: time.Minute, Message: "HTTP 429 Too Many Requests ",
		}},
	} {
		server.Answer(notifytest.Status(c.status, "body", "Retry-After", "Sun, 01 Mar 2026 12:01:00 GMT"))
		resp, err := h.Get(t.Context(), target)
		notifytest.WantError(t, "a status", err, c.want)
		if resp == nil || resp.StatusCode != c.status {
			t.Errorf("got the response %+v, want one with the status %d", resp, c.status)
		}
	}
	server.Close()
	resp, err := h.Get(t.Context(), target)
	if result.ClassOf(err) != result.Temporary || resp != nil {
		t.Errorf("no connection: got %+v, %v", resp, err)
	}
}

func TestHTTPCallError(t *testing.T) {
	h, server, target := newHTTP(t)
	h.Refine = func(e *result.Error, resp *outbound.Response) { e.Message += ": " + string(resp.Body) }
	call := h.NewCall()
	if e := h.CallError(call); e == nil || e.Class != result.Configuration {
		t.Errorf("before any request: got %+v", e)
	}
	for status, want := range map[int]string{http.StatusTeapot: "HTTP 418 I'm a teapot: body", http.StatusOK: ""} {
		server.Answer(notifytest.Status(status, "body"))
		req, err := notify.NewRequest(t.Context(), http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := call.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		got := ""
		if e := h.CallError(call); e != nil {
			got = e.Message
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "HTTP 400",
		"too\nlong for canary":     "HTTP 400: too long for [redacted]",
		strings.Repeat("x", 10000): "HTTP 400: " + strings.Repeat("x", 253) + "…",
	} {
		for _, mayQuote := range []bool{true, false} {
			h, _, _ := newHTTP(t, "canary")
			h.MayQuote = mayQuote
			if !mayQuote {
				want = "HTTP 400"
			}
			e := &result.Error{Message: "HTTP 400"}
			if h.Quote(e, text); e.Message != want {
				t.Errorf("may quote: %t: got %q, want %q", mayQuote, e.Message, want)
			}
		}
	}
}

func TestIsID(t *testing.T) {
	h, _, _ := newHTTP(t, "canary")
	pattern := regexp.MustCompile(`^[a-z0-9]*$`)
	for text, want := range map[string]bool{
		"abc": true, "a/b": false, "xcanaryx": false, "63616e617279": false, strings.Repeat("a", 1000): true,
	} {
		if got := h.IsID(pattern, text); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}
