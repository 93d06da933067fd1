// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

func TestTitleWithStatus(t *testing.T) {
	for want, m := range map[string]Message{
		"Hi 👋":                    {Event: result.Fired, RawTitle: "Hi :wave:", Severity: Info},
		"[Critical] Hi":           {Event: result.Fired, RawTitle: "Hi", Severity: Critical},
		"Updated: [Warning] Hi":   {Event: result.Updated, RawTitle: "Hi", Severity: Warning},
		"Resolved: [Critical] Hi": {Event: result.Resolved, RawTitle: "Hi", Severity: Critical},
		"Resolved: Kubernetes alert for shop/till": {Event: result.Resolved, Namespace: "shop", Name: "till"},
	} {
		if got := m.TitleWithStatus(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestContent(t *testing.T) {
	for content, want := range map[string]string{
		"Hello :wave:": "Hello 👋",
		"":             "",
		"a\x00:wave:":  "a\uFFFD:wave:", // U+FFFD is not white space, so the shortcode is not separate
		"a\xffb":       "a\uFFFDb",
		"<b> *x* @all": "<b> *x* @all",
		// F-JP8: neither terminals nor people are shown another text than there is.
		"\x1b[2J\u009b31m ok":         "\uFFFD[2J\uFFFD31m ok",
		"a\u202etxt.exe\u2066b":       "a\uFFFDtxt.exe\uFFFDb",
		"שלום\u200f, a\tb\r\nc 👨‍👩‍👧": "שלום\u200f, a\tb\r\nc 👨‍👩‍👧",
	} {
		if got := (Message{RawContent: content}).Content(); got != want {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	}
	if got := (Message{RawTitle: "a\x00 :wave:"}).Title(); got != "a\uFFFD 👋" {
		t.Errorf("got %q", got)
	}
}

func TestSizesInJSON(t *testing.T) {
	for r := range rune(0x11000) {
		if !utf8.ValidRune(r) {
			continue
		}
		inHTML, err := json.Marshal(string(r))
		if got, want := JSON(r), len(inHTML)-len(`""`); err != nil || got != want && (r != utf8.RuneError || got < want) {
			t.Errorf("%q: got %d, want %d", r, got, want)
		}
		var plain bytes.Buffer
		encoder := json.NewEncoder(&plain)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(string(r))
		if got, want := PlainJSON(r), plain.Len()-len("\"\"\n"); err != nil || got != want && (r != utf8.RuneError || got < want) {
			t.Errorf("%q, plain: got %d, want %d", r, got, want)
		}
	}
	if invalid, err := json.Marshal("\xff"); err != nil || Size("\xff", JSON) != len(invalid)-len(`""`) {
		t.Errorf("invalid UTF-8: got %d, %s, %v", Size("\xff", JSON), invalid, err)
	}
}

func TestCutNote(t *testing.T) {
	if got := CutNote("content", 4096, "bytes"); got != "; the content was cut to 4096 bytes" {
		t.Errorf("got %q", got)
	}
}

func TestCut(t *testing.T) {
	escaped := func(r rune) int { return len(map[rune]string{'&': "&amp;"}[r]) | 1 }
	for _, c := range []struct {
		why, in string
		limit   int
		size    func(rune) int
		want    string
	}{
		{"fits", "0123456789", 10, Bytes, "0123456789"},
		{"one character longer", "0123456789x", 10, Characters, "012… [cut]"},
		{"bytes, of which the mark has nine", "0123456789x", 10, Bytes, "0… [cut]"},
		{"not within a character", "1👋👋👋", 12, Bytes, "1… [cut]"},
		{"a pair of UTF-16", "👋👋👋👋👋", 9, UTF16, "👋… [cut]"},
		{"characters", "👋👋👋👋👋👋👋👋👋", 8, Characters, "👋… [cut]"},
		{"escapes count", "&&&&", 12, escaped, "&… [cut]"},
		{"nothing fits", "0123456789", 3, Bytes, "… [cut]"},
	} {
		got, cut := Cut(c.in, c.limit, c.size)
		if got != c.want || cut != (got != c.in) {
			t.Errorf("%s: got %q, %t; want %q", c.why, got, cut, c.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("Hello 👋 world", 11)
	f.Add("\xff\xfe", 9)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		if limit < 16 || !utf8.ValidString(in) {
			return
		}
		for _, size := range []func(rune) int{Bytes, Characters, UTF16} {
			got, cut := Cut(in, limit, size)
			if Size(got, size) > limit || !utf8.ValidString(got) || cut != (Size(in, size) > limit) || cut != strings.HasSuffix(got, cutMark) && got != in {
				t.Errorf("%q at %d became %q", in, limit, got)
			}
		}
	})
}
