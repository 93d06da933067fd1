// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// newTestEnvironment returns an environment whose streams are kept.
func newTestEnvironment() (e *Environment, out, errOut *bytes.Buffer) {
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	return New(streams), out, errOut
}

// F-U39: Alerts and brokers are written by others than the user at the terminal.
func TestNoControlCharacterReachesATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"disk full\x1b]52;c;Y3VybA\x07 \x1b[2J\x1b[8m": "disk full^[]52;c;Y3VybA^G ^[[2J^[[8m",
		"ok\rfail":                     `ok\rfail`,
		"8-bit \u009b2J, bytes \x9b2J": `8-bit \u009b2J, bytes \x9b2J`,
		"back\b\x7f":                   "back^H^?",
		"user\u202eexe.txt\u2066":      `user\u202eexe.txt\u2066`,
		"two\nlines\tand a tab, größer, 日本, 👋🏽, \u200fعربي": "two\nlines\tand a tab, größer, 日本, 👋🏽, \u200fعربي",
		"\xf0\x9f\x91": `\xf0\x9f\x91`,
		"":             "",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		for size := 1; size < 5; size++ { // writers cut characters in two
			e, out, _ := newTestEnvironment()
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				part := rest[:min(size, len(rest))]
				if n, err := io.WriteString(e.Out, part); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if got := out.String(); got != want && !strings.HasSuffix(text, "\x91") { // the last character never came
				t.Errorf("%q in parts of %d: %q, want %q", text, size, got, want)
			}
		}
	}
	for r := range rune(0x100) {
		if got := Printable(string(r)); strings.ContainsFunc(got, unicode.IsControl) != (r == '\n' || r == '\t') {
			t.Errorf("%q: %q", r, got)
		}
	}
}

func TestStreamsOfAnEnvironment(t *testing.T) {
	e, out, errOut := newTestEnvironment()
	fmt.Fprint(e.Out, "\x1b")
	fmt.Fprint(e.ErrOut, "\x1b")
	fmt.Fprint(e.Data(), "\x1b") // a pipe
	fmt.Fprint(e.Raw.Out, "\x1b")
	if err := WriteColored(e.Out, "\x1b[31m", "no terminal"); err != nil {
		t.Fatal(err)
	}
	if out.String() != "^[\x1b\x1bno terminal" || errOut.String() != "^[" {
		t.Errorf("%q, %q", out, errOut)
	}
}

func TestTablesShowControlCharacters(t *testing.T) {
	e, out, _ := newTestEnvironment()
	table := &Table{Columns: []string{"Name", "Title"}, Rows: [][]any{{"a", "x\x1b[8m\u009by"}}}
	if err := NewListOutput().Print(e, nil, table, ""); err != nil || !strings.Contains(out.String(), `x^[[8m\u009by`) {
		t.Errorf("%q, %v", out, err)
	}
}
