// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package jsonparts takes valid JSON apart without copies: for any shape of the text, the parts are never larger than the text itself.
package jsonparts

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Of returns the elements of a valid array, or the names and values of a valid object in turns. They are parts of the text.
func Of(text []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		for i := bytes.IndexAny(text, "[{") + 1; ; {
			for i < len(text) && isBetween(text[i]) {
				i++
			}
			if i == len(text) || text[i] == ']' || text[i] == '}' {
				return
			}
			end := endOf(text, i)
			if !yield(text[i:end:end]) {
				return
			}
			i = end
		}
	}
}

// isBetween reports whether a character separates values.
func isBetween(c byte) bool {
	return c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n'
}

// endOf is where a value ends in a valid text.
func endOf(text []byte, i int) int {
	within, inString := 0, false
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			if inString = !inString; !inString && within == 0 {
				return i + 1
			}
		case inString:
		case c == '{' || c == '[':
			within++
		case c == '}' || c == ']':
			if within--; within <= 0 {
				return i + 1 + within // a number or a word ends before it
			}
		case within == 0 && isBetween(c):
			return i
		}
	}
	return len(text)
}
