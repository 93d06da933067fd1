// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func TestToken(t *testing.T) {
	if got, err := Token("token", "an access token", " secret\n"); err != nil || got != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, value := range []string{"", " \n", "canary canary", "canary\ncanary", "canary\x7f", "canäry"} {
		if got, err := Token("token", "an access token", value); got != "" || result.ClassOf(err) != result.Configuration ||
			err.Error() != "token: must be an access token: not empty, and without spaces or control characters" {
			t.Errorf("%q: got %q, %v", value, got, err)
		}
	}
}

func TestAuthorization(t *testing.T) {
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, c := range []struct{ why, token, username, password, want, problem string }{
		{why: "neither"},
		{why: "a token", token: "secret\n", want: "Bearer secret"},
		{why: "a password", username: "me", password: " p:ä ", want: basic("me: p:ä ")},
		{why: "a Secret made with echo", username: "me\n", password: "pass \r\n", want: basic("me:pass ")},
		{why: "an empty Secret made with echo", token: "\n", username: "\n", password: "\n"},
		{why: "no password", username: "me", want: basic("me:")},
		{why: "both", token: "canary", username: "canary", problem: "token, username: only one"},
		{why: "a token in two lines", token: "canary\ncanary", problem: "token: must have no spaces"},
		{why: "a password without a username", password: "canary", problem: "username: must not be empty"},
		{why: "a colon in the name", username: "canary:canary", problem: "username: must not be empty or have a colon"},
	} {
		got, err := Authorization(c.token, c.username, c.password)
		if got != c.want || (err != nil) != (c.problem != "") || err != nil && (!strings.HasPrefix(err.Error(), c.problem) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: got %q, %v", c.why, got, err)
		}
	}
}

func TestURLSecrets(t *testing.T) {
	const given = " https://me:pass@example.com/hooks/a%2Fb0123456789abcdef/x?key=a%20b&c+d&e=%zz\n"
	u, err := url.Parse(strings.TrimSpace(given))
	if err != nil {
		t.Fatal(err)
	}
	got := URLSecrets(given, u)
	for _, want := range []string{given, "/hooks/a%2Fb0123456789abcdef/x?key=a%20b&c+d&e=%zz", "/hooks/a/b0123456789abcdef/x", "a b", "a%20b", "%zz", "pass"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	if got := PathSecrets(u); !slices.Equal(got, []string{"a/b0123456789abcdef"}) {
		t.Errorf("of the path: got %q", got)
	}
	if got := URLSecrets("https://example.com", &url.URL{Scheme: "https", Host: "example.com"}); slices.Contains(got, "pass") {
		t.Errorf("got %q", got)
	}
}
