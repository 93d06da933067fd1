// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/costtest"
)

// secretShapes are secrets of n bytes together in the shapes that cost most.
var secretShapes = map[string]func(n int) []string{
	"many small ones":       func(n int) []string { return numbered(n/6, "%06x") },
	"many that begin alike": func(n int) []string { return numbered(n/64, strings.Repeat("a", 56)+"%08x") },
	"each begins the next": func(n int) (all []string) {
		for length := minSecret; n > 0; length++ {
			all, n = append(all, strings.Repeat("a", length)), n-length
		}
		return all
	},
	"many long ones that begin alike": func(n int) []string { return numbered(n/1024, strings.Repeat("a", 1016)+"%08x") },
	"a long one":                      func(n int) []string { return []string{strings.Repeat("a", n-1) + "b"} },
	"many duplicates":                 func(n int) []string { return slices.Repeat([]string{"duplicate"}, n/9) },
	"what looks like escapes":         func(n int) []string { return numbered(n/12, `\\%%61%06x`) },
}

func numbered(n int, format string) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}

// textShapes are texts of n bytes in the shapes that cost most.
var textShapes = map[string]func(n int) string{
	"plain":       func(n int) string { return strings.Repeat("a", n) },
	"hex":         func(n int) string { return strings.Repeat("61", n/2) },
	"base64":      func(n int) string { return strings.Repeat("YWFh", n/4) },
	"percent":     func(n int) string { return strings.Repeat("%61", n/3) },
	"JSON":        func(n int) string { return strings.Repeat(`\u0061`, n/6) },
	"nested JSON": func(n int) string { return strings.Repeat(`\\u0061`, n/7) },
	"backslashes": func(n int) string { return strings.Repeat(`\`, n) },
	"mixed":       func(n int) string { return strings.Repeat(`%61+\\u0061\u0061a`, n/18) },
}

// maxGrowth bounds how much more twice the input may cost.
const maxGrowth = 2.5

// F-S40: a redactor of 20,000 values took 11 s, since each was compared with all others.
func TestCostGrowsInAStraightLine(t *testing.T) {
	for shape, secrets := range secretShapes {
		cost := func(n int) float64 {
			all := secrets(n)
			return testing.AllocsPerRun(1, func() { NewRedactor(all...) })
		}
		if one, two := cost(32<<10), cost(64<<10); two > maxGrowth*one {
			t.Errorf("%s: a redactor of twice the secrets makes %.0f allocations, and not %.0f", shape, two, one)
		}
		redactor := NewRedactor(secrets(MaxBytes / 16)...)
		for what, text := range textShapes {
			cost := func(n int) float64 {
				s := newSearch(&redactor.forms, text(n), n)
				return testing.AllocsPerRun(1, func() {
					for i := range s.text {
						s.longest(i)
					}
				}) + float64(min(s.compared, maxCompared))
			}
			if one, two := cost(4<<10), cost(8<<10); two > maxGrowth*max(one, 1) {
				t.Errorf("%s, %s: twice the text takes %.0f allocations and comparisons, and not %.0f", shape, what, two, one)
			}
		}
	}
}

func TestTooManySecretsWithholdTheText(t *testing.T) {
	for why, secrets := range map[string][]string{
		"number": numbered(MaxSecrets+1, "secret-%06d"),
		"bytes":  {"secret-000001", strings.Repeat("a", MaxBytes)},
	} {
		r := NewRedactor(secrets...)
		if !r.Withholds() {
			t.Fatalf("%s: not withheld", why)
		}
		if got := r.Clean("no disks, secret-000001", 1024); got != withheld {
			t.Errorf("%s: got %q, want %q", why, got, withheld)
		}
		if got := r.Clean("no disks", 10); len(got) > 10 {
			t.Errorf("%s: got %q, which is longer than 10 bytes", why, got)
		}
		if got := r.Clean("", 1024); got != "" {
			t.Errorf("%s: got %q of an empty text", why, got)
		}
		for how, spelling := range map[string]string{"base64": "c2VjcmV0LTAwMDAwM", "percent": "%73ecret%2d000001", "hex": "7365637265742d303030303031"} {
			if !r.Finds("id=" + spelling) {
				t.Errorf("%s: a secret in %s is not found", why, how)
			}
		}
		if !r.Finds("id=secret-000001") || r.Finds("id=secret") {
			t.Errorf("%s: finds a secret %t, and where there is none %t", why, r.Finds("id=secret-000001"), r.Finds("id=secret"))
		}
	}
	if NewRedactor(numbered(MaxSecrets, "secret-%06d")...).Withholds() || NewRedactor(slices.Repeat([]string{"duplicate", "abc"}, MaxSecrets)...).Withholds() {
		t.Error("withheld within the bounds")
	}
}

func TestLongSecrets(t *testing.T) {
	long := strings.Join(numbered(1000, "%08d"), "")
	secret, other := long+"/end", long+"/other"
	r := NewRedactor(secret, other)
	for _, form := range appendEncodings(nil, secret) {
		if got := r.Clean("<"+form+">", len(form)+2); got != "<[redacted]>" {
			t.Errorf("got %.100q", got)
		}
	}
	if text := "<" + secret[:len(secret)-1] + ">"; r.Clean(text, len(text)) != text {
		t.Error("the beginning of a long secret was left out")
	}
	endless := NewRedactor(strings.Repeat("a", MaxBytes-1) + "b")
	if got := endless.Clean(strings.Repeat("a", MaxBytes-1), 1024); !strings.HasPrefix(got, tooCostly) {
		t.Errorf("a text that takes too many comparisons: got %.100q", got)
	}
}

// Addresses of one server begin alike, and a text that names some of them is shown without them.
func TestManySecretsThatBeginAlike(t *testing.T) {
	secrets := numbered(MaxSecrets, "https://service.example.com/v1/instances/%06d")
	text := strings.Join(secrets[1000:1100], " ")
	if got, want := NewRedactor(secrets...).Clean(text, len(text)), strings.TrimSuffix(strings.Repeat(marker+" ", 100), " "); got != want {
		t.Errorf("got %.200q", got)
	}
}

// spelled returns how many bytes at the beginning of a text spell the form, or 0.
func spelled(text, form string, read reader) int {
	at := 0
	for form != "" {
		if at == len(text) {
			return 0
		}
		meaning, width := read(text[at:])
		rest, ok := strings.CutPrefix(form, meaning)
		if !ok {
			return 0
		}
		form, at = rest, at+width
	}
	return at
}

// TestIndexFindsTheLongest compares the index with a comparison of each form.
func TestIndexFindsTheLongest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	letters := []string{"a", "b", `\`, "%61", "+", `\u0061`, `\\u0062`, "6", "1", " "}
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	for range 2000 {
		var forms []string
		for range 1 + random.IntN(8) {
			forms = append(forms, strings.Repeat("a", random.IntN(2)*30)+"a"+word(random.IntN(12)))
		}
		text := strings.Repeat("a", random.IntN(3)*20) + word(random.IntN(60)) + forms[0]
		x := newIndex(slices.Clone(forms))
		s := newSearch(&x, text, len(text))
		for i := range text {
			want := 0
			for _, form := range forms {
				for _, read := range []reader{plain, percent, query, backslash, nested} {
					want = max(want, spelled(text[i:], form, read))
				}
			}
			if got := s.longest(i); got != want {
				t.Fatalf("%q at %s of %q: %d bytes, want %d", forms, strconv.Quote(text[i:]), text, got, want)
			}
		}
	}
}

func BenchmarkHostileSecrets(b *testing.B) {
	for shape, secrets := range secretShapes {
		all := secrets(MaxBytes)
		b.Run(shape, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewRedactor(all...)
			}
		})
		r := NewRedactor(all[:min(len(all), MaxSecrets)]...)
		for what, text := range textShapes {
			b.Run(shape+"/"+what, func(b *testing.B) {
				text := text(10_000)
				for b.Loop() {
					r.Finds(text)
				}
			})
		}
	}
}

// F-S40: among many secrets that are longer than the text, one that is too short to be looked for was found in any text.
func TestFindsAmongManySecrets(t *testing.T) {
	many := NewRedactor(append(numbered(MaxSecrets+1, "secret-number-%012d"), "ab", "abcdefgh")...)
	for text, want := range map[string]bool{"ok 1": false, "ab": false, "abcdefgh": true, "secret-number-000000004096": true} {
		if got := many.Finds(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	long := strings.Repeat("x", MaxBytes+1)
	if !NewRedactor(long).Finds(long) {
		t.Error("a secret that is too long to look for is not found")
	}
}

// Where there are too many secrets to look for at once, each further one takes as long as one of the first.
func TestCostOfManySecrets(t *testing.T) {
	for what, text := range textShapes {
		text := text(10_000)
		t.Run(what, func(t *testing.T) {
			costtest.Linear(t, 2*MaxSecrets, func(n int) []string { return numbered(n, "%012d") }, func(all []string) {
				NewRedactor(all...).Finds(text)
			})
		})
	}
}
