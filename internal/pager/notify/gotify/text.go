// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package gotify

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// resolvedText is the text of a message whose title says that the alert is resolved.
const resolvedText = "The alert is over."

const (
	plain    = "text/plain"
	markdown = "text/markdown"
)

// render returns the text of a message, its content type, and a note that says which parts were truncated; "": none.
func render(m notify.Message) (text, contentType, note string) {
	if m.Event == result.Resolved {
		return resolvedText, plain, ""
	}
	contentType = plain
	size, write := notify.JSON, func(content string) string { return content }
	if len(m.RawLinks) > 0 {
		contentType, size, write = markdown, markdownSize, escape
	}
	lines, omitted := notify.LinkLines(m.Content(), m.Links(), notify.MaxEcho, markdownSize, namedLink)
	content, cut := notify.Cut(m.Content(), notify.MaxEcho-notify.Size(lines, markdownSize), size)
	if cut {
		note = notify.CutNote("content", len(content), "bytes")
	}
	return write(content) + breakLines(lines), contentType, note + omitted
}

// namedLink returns the markup of a link, whose address has no parenthesis.
func namedLink(l notify.Link) string { return "[" + escape(l.Text) + "](" + l.Href + ")" }

var (
	// link matches an address that can be in angle brackets as it is: the app for Android makes no links of others in Markdown.
	link = regexp.MustCompile(`https?://[A-Za-z0-9._~:/?#&=%+-]*[A-Za-z0-9/]`)
	// markup is escaped everywhere: emphasis, code, links, tables, HTML and entities.
	markup = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, "`", "\\`", `~`, `\~`, `|`, `\|`, `<`, `\<`, `>`, `\>`, `[`, `\[`, `]`, `\]`, `&`, `\&`)
	// lineStart matches the start of headings, lists and the lines below headings.
	lineStart = regexp.MustCompile(`(?m)^([0-9]*)([-+=#.)])`)
	// indent matches blanks that begin a line, where four would make code, or that a page would show as one.
	indent = regexp.MustCompile(`(?m)^[ \t]+|[ \t]{2,}`)
)

// escape writes a text so that Gotify's clients show it as typed, in one paragraph (CommonMark 0.31.2, 2.4 and 6.7).
func escape(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	text = indent.ReplaceAllStringFunc(text, func(blanks string) string {
		return strings.NewReplacer(" ", noBreakSpace, "\t", strings.Repeat(noBreakSpace, 4)).Replace(blanks)
	})
	var out strings.Builder
	done := 0
	for _, at := range link.FindAllStringIndex(text, -1) {
		out.WriteString(markup.Replace(text[done:at[0]]) + "<" + text[at[0]:at[1]] + ">")
		done = at[1]
	}
	out.WriteString(markup.Replace(text[done:]))
	return breakLines(lineStart.ReplaceAllString(out.String(), `${1}\${2}`))
}

const noBreakSpace = "\u00a0"

// breakLines writes each line break as a hard one.
func breakLines(text string) string { return strings.ReplaceAll(text, "\n", "\\\n") }

// markdownSize returns the most bytes that a character takes as JSON when it is escaped.
func markdownSize(r rune) int {
	size := notify.JSON(r)
	switch {
	case r == '\t':
		return 4 * len(noBreakSpace)
	case r == ' ':
		return len(noBreakSpace)
	case r == ':': // of a link, which gets angle brackets
		return size + notify.JSON('<') + notify.JSON('>')
	case r == '\n', r == '\r', r < utf8.RuneSelf && strings.ContainsRune("\\*_`~|<>[]&-+=#.)", r):
		return size + notify.JSON('\\')
	}
	return size
}
