// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	for _, c := range []struct{ raw, want Link }{
		{Link{"Runbook", "https://example.com/r/a_b.html?q=up+%3D%3D+0&t=1#x"}, Link{"Runbook", "https://example.com/r/a_b.html?q=up+%3D%3D+0&t=1#x"}},
		{Link{":fire:\n <b>\x1b", "http://[::1]:9090/[x](y)"}, Link{"🔥 <b>\uFFFD", "http://[::1]:9090/%5Bx%5D%28y%29"}},
		{Link{" \n", "https://user@example.com"}, Link{"Link", "https://user@example.com"}},
		{Link{"t", `https://example.com<b>"/a b/ü?@here,'*|100%&50%2`}, Link{"t", "https://example.com%3Cb%3E%22/a%20b/%C3%BC?%40here%2C%27%2A%7C100%25&50%252"}},
	} {
		if got := (Message{RawLinks: []Link{c.raw}}).Links(); len(got) != 1 || got[0] != c.want {
			t.Errorf("%q: got %q, want %q", c.raw, got, c.want)
		}
	}
	if got := (Message{}).Links(); got != nil {
		t.Errorf("without links: got %q", got)
	}
}

func TestCutWithLinks(t *testing.T) {
	a, b := Link{"A", "https://a"}, Link{"B", "https://b"}
	long := Link{"Long", "https://" + strings.Repeat("x", 100)}
	for name, c := range map[string]struct {
		content string
		links   []Link
		limit   int
		text    string
		cut     bool
		note    string
	}{
		"no links":        {content: "content", limit: 7, text: "content"},
		"no content":      {links: []Link{a, b}, limit: 100, text: "A: https://a\nB: https://b"},
		"both":            {content: "content", links: []Link{a, b}, limit: 100, text: "content\n\nA: https://a\nB: https://b"},
		"content is cut":  {content: strings.Repeat("x", 40), links: []Link{a}, limit: 40, text: strings.Repeat("x", 19) + cutMark + "\n\nA: https://a", cut: true},
		"a long link":     {content: "content", links: []Link{long, a}, limit: 100, text: "content\n\nA: https://a", note: "; 1 of 2 links were left out"},
		"half of it":      {content: "content", links: []Link{a, b}, limit: 53, text: "content\n\nA: https://a", note: "; 1 of 2 links were left out"},
		"room for none":   {content: "content", links: []Link{a}, limit: 20, text: "content", note: "; 1 of 1 links were left out"},
		"just enough now": {content: "content", links: []Link{a, b}, limit: 54, text: "content\n\nA: https://a\nB: https://b"},
	} {
		text, cut, note := CutWithLinks(c.content, c.links, c.limit, Characters, Link.Line)
		if text != c.text || cut != c.cut || note != c.note {
			t.Errorf("%s: got %q, %t, %q; want %q, %t, %q", name, text, cut, note, c.text, c.cut, c.note)
		}
		if n := Size(text, Characters); n > c.limit {
			t.Errorf("%s: got %d characters of %d", name, n, c.limit)
		}
	}
}
