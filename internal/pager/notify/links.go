// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"cmp"
	"fmt"
	"strings"
)

// Link is a link that people may follow.
type Link struct {
	Text string `json:"text"`
	Href string `json:"href"` // an http or https URL
}

// Line returns the link as a line of plain text.
func (l Link) Line() string { return l.Text + ": " + l.Href }

// Links returns the links for display: the text is one line, whose markup is not escaped, and the address has no character that is markup
// at any service.
func (m Message) Links() []Link {
	var links []Link
	for _, l := range m.RawLinks {
		text := strings.Join(strings.Fields(forDisplay(l.Text)), " ")
		links = append(links, Link{Text: cmp.Or(text, "Link"), Href: escapeHref(l.Href)})
	}
	return links
}

// escapeHref returns the address with percent-encoding where a character is no part of a URL, or may be markup. A host has none of these,
// but brackets around an address of IPv6.
func escapeHref(href string) string {
	var out strings.Builder
	end := strings.Index(href, "://") + len("://") // of scheme and host
	if path := strings.IndexAny(href[end:], "/?#"); path >= 0 {
		end += path
	} else {
		end = len(href)
	}
	for i := range len(href) {
		c := href[i]
		isHost := i < end && strings.IndexByte("@[]", c) >= 0
		isEscape := c == '%' && i+2 < len(href) && isHex(href[i+1]) && isHex(href[i+2])
		if isAlphanumeric(c) || strings.IndexByte("-._~:/?#&=+", c) >= 0 || isHost || isEscape {
			out.WriteByte(c)
			continue
		}
		fmt.Fprintf(&out, "%%%02X", c)
	}
	return out.String()
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isHex(c byte) bool { return isAlphanumeric(c) && c|0x20 <= 'f' }

// LinkLines returns a paragraph of links below a content, a line each, and the note of a receipt on those that are left out: a part of an
// address leads nowhere, so that a line is whole or absent, and all lines take at most half of the limit. Without links both are empty.
func LinkLines(content string, links []Link, limit int, size func(rune) int, line func(Link) string) (lines, note string) {
	separator, omitted := "\n\n", 0
	if content == "" {
		separator = ""
	}
	for _, l := range links {
		longer := lines + separator + line(l)
		if 2*Size(longer, size) > limit {
			omitted++
			continue
		}
		lines, separator = longer, "\n"
	}
	if omitted > 0 {
		note = fmt.Sprintf("; %d of %d links were left out", omitted, len(links))
	}
	return lines, note
}

// CutWithLinks returns the content, cut as Cut does so that the links below it fit, and those links; note is as in LinkLines.
func CutWithLinks(content string, links []Link, limit int, size func(rune) int, line func(Link) string) (text string, cut bool, note string) {
	lines, note := LinkLines(content, links, limit, size, line)
	text, cut = Cut(content, limit-Size(lines, size), size)
	return text + lines, cut, note
}
