// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/cli-runtime/pkg/printers"
)

// printable is a writer of texts for users. It shows control characters instead of sending them to the terminal, which would carry out escape
// sequences: much of the text that a command prints comes from Alerts, brokers and other users. cli-runtime does the same in tables, for the escape
// character and the carriage return alone.
type printable struct {
	raw io.Writer
	// rest is the beginning of a character whose other bytes have not come.
	rest []byte
}

func (p *printable) Write(text []byte) (int, error) {
	all := append(p.rest, text...)
	end := len(all)
	for i := end - 1; i >= max(0, end-utf8.UTFMax+1); i-- {
		if utf8.RuneStart(all[i]) {
			if !utf8.FullRune(all[i:]) {
				end = i
			}
			break
		}
	}
	p.rest = bytes.Clone(all[end:])
	if _, err := io.WriteString(p.raw, Printable(string(all[:end]))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Printable returns a text with visible control characters: ESC is ^[, as in kubectl's tables. Characters that reorder the text around them become
// visible too; line breaks and tabs stay.
func Printable(text string) string {
	if strings.IndexFunc(text, isUnprintable) < 0 {
		return text
	}
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case !isUnprintable(r):
			out.WriteRune(r)
		case r == '\r':
			out.WriteString(`\r`)
		case r < utf8.RuneSelf:
			out.WriteString("^" + string(r^'@'))
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return out.String()
}

// isUnprintable reports whether a character must not reach a terminal. Bytes that are no character are utf8.RuneError, and some terminals
// take them for control characters.
func isUnprintable(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069': // they reorder the text after them
		return true
	default:
		return unicode.IsControl(r) || r == utf8.RuneError
	}
}

// WriteColored writes a text to a stream of an Environment, in a color where the stream is a terminal that shows colors.
func WriteColored(w io.Writer, color, text string) error {
	if p, ok := w.(*printable); ok && color != "" && printers.AllowsColorOutput(p.raw) {
		_, err := io.WriteString(p.raw, color+Printable(text)+"\x1b[0m")
		return err
	}
	_, err := io.WriteString(w, text)
	return err
}
