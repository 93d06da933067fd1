// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEmoji(t *testing.T) {
	for _, c := range []struct{ why, in, want string }{
		{"a message", "Hello KubeCon :wave:", "Hello KubeCon 👋"},
		{"only a shortcode", ":tada:", "🎉"},
		{"several, apart", ":wave: :tada:\n:rotating_light:", "👋 🎉\n🚨"},
		{"punctuation around", "(:wave:), “:tada:”! >:+1:<", "(👋), “🎉”! >👍<"},
		{"symbols in names", ":+1: :-1: :e-mail:", "👍 👎 📧"},
		{"emoji of several runes", ":us: :heart:", "🇺🇸 ❤️"},
		{"unknown", ":kubernetes: :wav:", ":kubernetes: :wav:"},
		{"known to GitHub as an image", ":octocat:", ":octocat:"},
		{"names are in lower case", ":WAVE:", ":WAVE:"},
		{"key and value", "path:key:value", "path:key:value"},
		{"letters around", "a:on:b x:x:x a:on: :on:b", "a:on:b x:x:x a:on: :on:b"},
		{"a time", "10:30:45 1:100:2", "10:30:45 1:100:2"},
		{"adjacent codes have colons for neighbors", ":wave::wave:", ":wave::wave:"},
		{"extra colons", "::wave: :wave:: :::", "::wave: :wave:: :::"},
		{"a colon shared by two shortcodes", ":wave:tada:", ":wave:tada:"},
		{"letters of any script", "é:wave: :wave:ж", "é:wave: :wave:ж"},
		{"an emoji is no punctuation", "👋:wave:", "👋:wave:"},
		{"a code span", "`:wave:` :wave:", "`:wave:` 👋"},
		{"a code span with backticks in it", "``a ` :wave: `` :wave:", "``a ` :wave: `` 👋"},
		{"a backtick without a closing one", "` :wave: ``", "` 👋 ``"},
		{"a block of code", "```\n:wave:\n```\n:wave:", "```\n:wave:\n```\n👋"},
		{"a URL", "https://example.com/:wave:/x?:tada: :wave:", "https://example.com/:wave:/x?:tada: 👋"},
		{"a URL in brackets", "(see <http://x/:wave:>:wave:)", "(see <http://x/:wave:>👋)"},
		{"a code that is a scheme", ":wave://x/:tada:/", ":wave://x/:tada:/"},
		{"invalid UTF-8 stays", "\xff:wave: \xff :wave:", "\xff:wave: \xff 👋"},
		{"empty", "", ""},
	} {
		if got := Emoji(c.in); got != c.want {
			t.Errorf("%s: %q became %q, want %q", c.why, c.in, got, c.want)
		}
	}
}

func FuzzEmoji(f *testing.F) {
	for _, seed := range []string{"Hello :wave:", "a:on:b", "`:wave:`", "http://x/:wave:", ":us::us: :us:", ":wave:://x/ :wave:", "\xff:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := Emoji(in)
		if !strings.Contains(in, ":") && out != in {
			t.Errorf("%q has no code, but became %q", in, out)
		}
		if again := Emoji(out); again != out {
			t.Errorf("%q became %q, and that %q", in, out, again)
		}
		if len(out) > 4*len(in) { // the longest emoji for its code: four bytes become eight, of a flag
			t.Errorf("%q grew to %q", in, out)
		}
		if utf8.ValidString(in) && !utf8.ValidString(out) {
			t.Errorf("%q became %q, which is not UTF-8", in, out)
		}
	})
}
