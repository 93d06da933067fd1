/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package notify

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Headline is the heading with what a receiver shows in no other way: how bad it is, and what happened since. Emoji shortcodes
// are replaced; markup is not escaped.
func (m Message) Headline() string {
	headline := Emoji(m.Heading())
	if m.Severity == Warning || m.Severity == Critical {
		headline = "[" + string(m.Severity) + "] " + headline
	}
	if m.Event == Updated || m.Event == Resolved {
		headline = string(m.Event) + ": " + headline
	}
	return headline
}

// cutMark ends what was cut.
const cutMark = "… [cut]"

// Cut returns the text if it fits into limit, and else as much of it as does together with a mark that says that it was cut.
// It cuts between characters. size says what a character counts: see Bytes, Characters and UTF16; where an escape takes the
// character's place, its size is the escape's.
func Cut(text string, limit int, size func(rune) int) (short string, cut bool) {
	room := limit - sizeOf(cutMark, size)
	total, end := 0, 0
	for i, r := range text {
		if total <= room {
			end = i
		}
		if total += size(r); total > limit {
			return strings.ToValidUTF8(text[:end], "\uFFFD") + cutMark, true
		}
	}
	return text, false
}

func sizeOf(text string, size func(rune) int) int {
	total := 0
	for _, r := range text {
		total += size(r)
	}
	return total
}

// Bytes counts a character as UTF-8 has it.
func Bytes(r rune) int { return utf8.RuneLen(r) }

// Characters counts a character as one.
func Characters(rune) int { return 1 }

// UTF16 counts a character as the code units of UTF-16, which is what JavaScript and Java call its length.
func UTF16(r rune) int { return utf16.RuneLen(r) }
