// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/version"
)

func TestParseURL(t *testing.T) {
	for _, value := range []string{"", "example.com/canary", "ftp://canary", "https://", "https://canary:canary", "https:canary", "http://:80/canary", "https://a\x00canary"} {
		if u, err := ParseURL("url", value); u != nil || result.ClassOf(err) != result.Configuration || err.Error() != "url: "+urlProblem {
			t.Errorf("%q: got %v, %v", value, u, err)
		}
	}
	if u, err := ParseURL("url", " https://example.com/x?y#z\n"); err != nil || u.String() != "https://example.com/x?y#z" {
		t.Errorf("got %v, %v", u, err)
	}
}

func TestParseBaseURL(t *testing.T) {
	for _, value := range []string{"https://canary@example.com", "https://:canary@example.com", "https://example.com?canary", "https://example.com?", "https://example.com#canary"} {
		if u, err := ParseBaseURL("urls[1]", value); u != nil || result.ClassOf(err) != result.Configuration ||
			err.Error() != "urls[1]: must have neither user, query nor fragment: credentials belong into the Secret" {
			t.Errorf("%q: got %v, %v", value, u, err)
		}
	}
	if _, err := ParseBaseURL("url", "canary"); err == nil || err.Error() != "url: "+urlProblem {
		t.Errorf("got %v", err)
	}
	if u, err := ParseBaseURL("url", "https://example.com/x\n"); err != nil || u.String() != "https://example.com/x" {
		t.Errorf("got %v, %v", u, err)
	}
}

func TestRequest(t *testing.T) {
	target := &url.URL{Scheme: "https", Host: "example.com", Path: "/x"}
	req, err := NewRequest(t.Context(), http.MethodPost, target, []byte(`{"a":"<b>"}`))
	if err != nil || req.ContentLength != int64(len(`{"a":"<b>"}`)) || req.Header.Get("Content-Type") != "application/json" || req.Header.Get("User-Agent") != version.UserAgent() {
		t.Errorf("got %+v, %v", req, err)
	}
	req, err = NewRequest(t.Context(), http.MethodGet, target, nil)
	if err != nil || req.ContentLength != 0 || req.Header.Get("Content-Type") != "" || req.Header.Get("User-Agent") != version.UserAgent() {
		t.Errorf("without a body: got %+v, %v", req, err)
	}
	if _, err = NewRequest(t.Context(), http.MethodPost, &url.URL{Host: "canary canary"}, nil); result.ClassOf(err) != result.Configuration || strings.Contains(err.Error(), "canary") {
		t.Errorf("a bad URL: got %v", err)
	}
}

func TestEncode(t *testing.T) {
	if got, err := Encode(map[string]string{"a": "<b>"}); err != nil || string(got) != `{"a":"<b>"}` {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := Encode(func() {}); result.ClassOf(err) != result.Configuration || !strings.HasPrefix(err.Error(), "content: ") {
		t.Errorf("a value that JSON cannot represent: got %v", err)
	}
}
