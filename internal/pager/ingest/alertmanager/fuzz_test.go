// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// addSeeds adds the bodies of real senders, and bodies of hostile ones.
func addSeeds(f *testing.F) {
	bodies, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range bodies {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	for _, seed := range []string{
		"", "null", "[]", "{}", "[7]", "[null]", "[{}]", "\ufeff[]", `[{"labels":{"a":"\ud800"}}]`, "[{\"labels\":{\"a\":\"\xff\"}}]", `[{"labels":{"a":"b"},"endsAt":"9999-12-31T23:59:59Z"}]`,
		strings.Repeat("[", 100), strings.Repeat(`{"alerts":`, 100), `{"version":"4","receiver":"r","status":"resolved","alerts":[{"status":"firing","labels":{"a":"b"}}],"truncatedAlerts":4294967295}`,
		`[{"labels":{"alertname":"\u0001"},"annotations":{"summary":"\u0002","description":" "}}]`,
		`[{"labels":{"alertname":"\u001b[2J\u202e"},"annotations":{"runbook_url":"https://x/\u0000"}}]`,
	} {
		f.Add([]byte(seed))
	}
}

func FuzzDecodeAlerts(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if post, err := DecodeAlerts(body); err == nil {
			checkPost(t, post)
		}
	})
}

func FuzzDecodeWebhook(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		post, err := DecodeWebhook(body)
		if err != nil {
			checkShown(t, err.Error(), 400)
			return
		}
		checkPost(t, post)
		g := post.Group
		checkShown(t, GroupTitle(g.Labels, post.Alerts, g.Receiver), MaxTitle)
		if g.State != Firing && g.State != Resolved || g.Unlisted < len(post.Wrong) || g.IsWhole() && len(post.Wrong) > 0 {
			t.Errorf("got %+v", g)
		}
	})
}

func checkPost(t *testing.T, post Post) {
	t.Helper()
	if len(post.Alerts) > MaxAlerts || len(post.Wrong) > maxWrong+1 {
		t.Errorf("%d alerts, %d wrong", len(post.Alerts), len(post.Wrong))
	}
	for i, p := range post.Wrong {
		checkShown(t, p.Message, 400)
		if i > 0 && p.Index <= post.Wrong[i-1].Index {
			t.Errorf("got %+v", post.Wrong)
		}
	}
	for _, a := range post.Alerts {
		checkAlert(t, a, post.Group != nil)
	}
}

func checkAlert(t *testing.T, a Alert, isWebhook bool) {
	t.Helper()
	checkShown(t, a.Title(), MaxTitle)
	checkShown(t, a.Text(), MaxText)
	if len(a.Labels) == 0 || len(a.Labels) > maxPairs || len(a.Annotations) > maxPairs || isWebhook == (a.State == "") || !a.EndsAt.IsZero() && a.EndsAt.Before(a.StartsAt) {
		t.Errorf("got %+v", a)
	}
	for name, value := range a.Labels {
		if name == "" || value == "" || len(name) > maxName || len(value) > maxValue || !utf8.ValidString(name+value) {
			t.Errorf("label %q=%q", name, value)
		}
	}
	if len(a.Links()) > maxLinks || len(ObjectLabels(a.Labels)) > maxObjectLabels {
		t.Errorf("got %+v", a)
	}
	for _, link := range a.Links() {
		if !strings.HasPrefix(strings.ToLower(link.Href), "http") || len(link.Href) > maxURL {
			t.Errorf("link %q", link.Href)
		}
		checkShown(t, link.Href, maxURL)
	}
}

// checkShown checks what people and logs see.
func checkShown(t *testing.T, text string, limit int) {
	t.Helper()
	if text == "" || len(text) > limit || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		t.Errorf("got %q", text)
	}
}
