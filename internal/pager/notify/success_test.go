// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// F-B1, F-B11: what servers that speak a chat service's format answer with the status 200.
func TestConfirmationOf(t *testing.T) {
	for body, want := range map[string]Confirmation{
		"ok": Accepted, "OK\n": Accepted, // Slack, Mattermost, Discord's /slack
		`{"success":true}`:                          Accepted, // Rocket.Chat
		`{"result":"success","msg":"","ok":true}`:   Accepted, // Zulip
		`{"ok":true}`:                               Accepted, // a workflow of Slack
		`{"status":"success"}`:                      Accepted,
		`{"success":false,"error":"invalid"}`:       Failed,
		`{"result":"error","msg":"Invalid stream"}`: Failed,
		`{"status":"failed"}`:                       Failed,
		`{"ok":true,"error":{"code":502}}`:          Failed,
		`{"errors":["no such channel"]}`:            Failed,
		`{"errcode":"M_FORBIDDEN"}`:                 Failed,
		`{"success":true,"error":null,"errors":[]}`: Accepted,
		"":             Undocumented,
		"<html>":       Undocumented,
		"okay":         Undocumented,
		"{}":           Undocumented,
		`{"queued":1}`: Undocumented,
		`["ok"]`:       Undocumented,
	} {
		if got := ConfirmationOf(&outbound.Response{StatusCode: 200, Body: []byte(body)}); got != want {
			t.Errorf("%s: got %d, want %d", body, got, want)
		}
	}
	if got := ConfirmationOf(&outbound.Response{Body: []byte("ok"), Truncated: true}); got != Undocumented {
		t.Errorf("cut off: got %d", got)
	}
}

// F-B1: a person sees what was answered, without credentials.
func TestBadAnswer(t *testing.T) {
	h := NewHTTP(nil, "canary-secret")
	const promised = "HTTP 200 OK, but the answer is not in the form that this receiver's API documents: "
	for _, c := range []struct {
		body  string
		class result.Class
		want  string
	}{
		{`{"queued":"canary-secret"}` + "\n", result.Unconfirmed, promised + `{"queued":"[redacted]"}`},
		{strings.Repeat("x", 300), result.Unconfirmed, promised + strings.Repeat("x", maxQuote-len("…")) + "…"},
		{"<!DOCTYPE html><title>Log in</title>", result.Unconfirmed, promised + "a web page"},
		{" ", result.Unconfirmed, promised + "it is empty"},
		{`{"ok":false}`, result.Configuration, `HTTP 200 OK, but the answer says that it failed: {"ok":false}`},
	} {
		if e := h.BadAnswer(&outbound.Response{StatusCode: 200, Header: http.Header{}, Body: []byte(c.body)}); e.Class != c.class || e.Message != c.want {
			t.Errorf("%.40s: got %+v", c.body, e)
		}
	}
}
