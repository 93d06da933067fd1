// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"math/bits"
	"slices"
	"sort"
	"strings"
)

const (
	// headBytes is how many bytes of a text are looked up at once.
	headBytes = 32
	// maxCompared bounds the characters of one text that are compared with long forms. Only a text that repeats the beginnings of long
	// secrets over and over takes more: it is left out as a whole.
	maxCompared = 256 << 10
)

// index finds the forms with which a text begins, in a time that their number hardly changes.
type index struct {
	// short are the forms of at most headBytes, sorted. Each form with which a text begins is the last one that is not after the text, or one of the
	// prefixes of that one. prefixes has the position of the longest prefix of each form; -1: no prefix.
	short    []string
	prefixes []int
	// long are the other forms, by their first headBytes, sorted.
	long map[string][]string
}

// newIndex returns the index of forms, which it takes over.
func newIndex(forms []string) (x index) {
	slices.Sort(forms)
	forms = slices.Compact(forms)
	x.short, x.long = forms[:0], map[string][]string{}
	var open []int // each begins the next
	for _, form := range forms {
		if len(form) > headBytes {
			head := form[:headBytes]
			x.long[head] = append(x.long[head], form)
			continue
		}
		for len(open) > 0 && !strings.HasPrefix(form, x.short[open[len(open)-1]]) {
			open = open[:len(open)-1]
		}
		prefix := -1
		if len(open) > 0 {
			prefix = open[len(open)-1]
		}
		open = append(open, len(x.short))
		x.short, x.prefixes = append(x.short, form), append(x.prefixes, prefix)
	}
	return x
}

// longestShort returns the length of the longest short form with which the head of a text begins, or 0.
func (x *index) longestShort(head []byte) int {
	i := sort.Search(len(x.short), func(i int) bool { return x.short[i] > string(head) }) - 1
	for i >= 0 && !strings.HasPrefix(string(head), x.short[i]) {
		i = x.prefixes[i]
	}
	if i < 0 {
		return 0
	}
	return len(x.short[i])
}

// search looks for the forms of an index in a text.
type search struct {
	*index

	text     string
	readings []reading
	// compared counts the characters that were compared with long forms.
	compared int
}

// reading is a text as a reader takes it: the meaning of the character at each position, and its width in bytes.
type reading struct {
	read  reader
	units []unit
}

type unit struct {
	meaning string
	width   int
}

// newSearch prepares a search at the positions before limit.
func newSearch(x *index, text string, limit int) *search {
	s := &search{index: x, text: text}
	if len(x.short)+len(x.long) == 0 {
		return s
	}
	for _, read := range readersOf(text) {
		r := reading{read, make([]unit, min(len(text), limit+headBytes*longestEscape))}
		for i := range r.units {
			meaning, width := read(text[i:])
			r.units[i] = unit{meaning, width}
		}
		s.readings = append(s.readings, r)
	}
	return s
}

// exhausted reports whether the text took too many comparisons.
func (s *search) exhausted() bool { return s.compared > maxCompared }

// longest returns the length of the longest encoding of a secret at position i of the text, or 0.
func (s *search) longest(i int) int {
	var head [headBytes]byte
	var ends [headBytes]int // of each byte, in the text
	n := copy(head[:], s.text[i:])
	longest := max(s.longestShort(head[:n]), s.longestLong(i, head[:n], plain))
	for _, r := range s.readings {
		n, escapes := 0, false
		for at := i; at < len(r.units) && n < headBytes; {
			u := &r.units[at]
			escapes = escapes || u.width > 1 || u.meaning[0] != s.text[at]
			at += u.width
			for j := 0; j < len(u.meaning) && n < headBytes; j++ {
				head[n], ends[n] = u.meaning[j], at
				n++
			}
		}
		if escapes {
			if short := s.longestShort(head[:n]); short > 0 {
				longest = max(longest, ends[short-1]-i)
			}
		}
		longest = max(longest, s.longestLong(i, head[:n], r.read))
	}
	return longest
}

// longestLong returns the length of the longest long form at position i of the text, which begins with head as the reader takes it, or 0.
func (s *search) longestLong(i int, head []byte, read reader) (longest int) {
	forms := s.long[string(head)]
	for at, depth := i, 0; at < len(s.text) && len(forms) > 0 && !s.exhausted(); {
		meaning, width := read(s.text[at:])
		forms = s.continuedBy(forms, depth, meaning)
		at, depth = at+width, depth+len(meaning)
		if len(forms) > 0 && len(forms[0]) == depth {
			longest, forms = at-i, forms[1:]
		}
	}
	return longest
}

// continuedBy returns the forms in which meaning follows the first depth bytes. The forms are sorted, and these bytes are the same in all.
func (s *search) continuedBy(forms []string, depth int, meaning string) []string {
	s.compared++
	has := func(i int) bool { return strings.HasPrefix(forms[i][depth:], meaning) }
	if has(0) && has(len(forms)-1) {
		return forms
	}
	s.compared += bits.Len(uint(len(forms)))
	from := sort.Search(len(forms), func(i int) bool { return forms[i][depth:] >= meaning })
	n := sort.Search(len(forms)-from, func(i int) bool { return !has(from + i) })
	return forms[from : from+n]
}
