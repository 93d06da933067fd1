// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/outbound/redact/redacttest"
)

const plenty = 1 << 20

func TestRedactorClean(t *testing.T) {
	for _, c := range []struct {
		why, text, want string
		secrets         []string
		max             int
	}{
		{why: "nothing to do", text: "no such channel", want: "no such channel"},
		{why: "every occurrence", secrets: []string{"hunter22"}, text: "hunter22 is not hunter22!", want: "[redacted] is not [redacted]!"},
		{why: "white space around a secret is not part of it", secrets: []string{"hunter22\n"}, text: "<hunter22>", want: "<[redacted]>"},
		{why: "too short to be looked for", secrets: []string{"abc", ""}, text: "abc", want: "abc"},
		{why: "of two that overlap nothing stays", secrets: []string{"abcdef", "defghijk"}, text: "-abcdefghijk-", want: "-[redacted]-"},
		{why: "the longer of two", secrets: []string{"abcdef", "abcdefgh"}, text: "abcdefgh", want: "[redacted]"},
		{why: "a Basic header", secrets: []string{"pass word&1"}, text: "Basic dXNlcjpwYXNzIHdvcmQmMQ==", want: "Basic dXNlcjp[redacted]Q=="},
		{why: "partly escaped", secrets: []string{"a/b c&d"}, text: `%61/b%20c&d a\/b c\u0026d a%2fb+c%26d`, want: "[redacted] [redacted] [redacted]"},
		{why: "beyond the basic plane", secrets: []string{"key👋key"}, text: `"key\ud83d\udc4bkey"`, want: `"[redacted]"`},
		{why: "control characters", text: "a\nb\tc\x1b[31m\u202ed", want: "a b c [31m d"},
		{why: "invalid UTF-8", text: "a\xffb", want: "a\ufffdb"},
		{why: "a line break where the secret has a blank", secrets: []string{"hunter 22"}, text: "hunter\n22", want: "[redacted]"},
		{why: "a line break within the secret", secrets: []string{"hunter\n22"}, text: "hunter\n22", want: "[redacted]"},
		{why: "just fits", text: "12345678", max: 8, want: "12345678"},
		{why: "cut", text: "123456789", max: 8, want: "12345…"},
		{why: "cut between characters", text: "1234éabc", max: 8, want: "1234…"},
		{why: "cut after redacting, so that no half of a secret is left", secrets: []string{"hunter22"}, text: "12 hunter22 45678901234", max: 10, want: "12 [red…"},
		{why: "no room", text: "1234", max: 2, want: ""},
		{why: "half an escape at the end", secrets: []string{"hunter22"}, text: `\u00 %2 \x1 \`, want: `\u00 %2 \x1 \`},
	} {
		t.Run(c.why, func(t *testing.T) {
			if c.max == 0 {
				c.max = plenty
			}
			if got := redact.NewRedactor(c.secrets...).Clean(c.text, c.max); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRedactorKnowsEverySpelling(t *testing.T) {
	for _, secret := range []string{"s3cr3t", `p&ss/w+rd "1" <é\>`, "ключ 👋", "\xff\xfe\xfd\xfc", "abcd"} {
		for name, encoding := range redacttest.Encodings(secret) {
			got := redact.NewRedactor(secret).Clean("<<"+encoding+">>", plenty)
			if leak := leaked(got, secret); leak != "" {
				t.Errorf("%q as %s: %q still has it as %s", secret, name, got, leak)
			}
			if !strings.HasPrefix(got, "<<[redacted]") || !strings.HasSuffix(got, ">>") {
				t.Errorf("%q as %s: got %q", secret, name, got)
			}
		}
	}
}

// leaked names the encoding in which the secret is in the text.
func leaked(text, secret string) string {
	for name, encoding := range redacttest.Encodings(secret) {
		if strings.Contains(text, encoding) && !strings.Contains("[redacted]", encoding) {
			return name
		}
	}
	return ""
}

// BenchmarkHostileText is a text made to be slow: how long it is must not matter.
func BenchmarkHostileText(b *testing.B) {
	r := redact.NewRedactor(strings.Repeat("a", 4095) + "b")
	for _, size := range []int{8 << 10, 64 << 10} {
		text := strings.Repeat("a", size)
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			for b.Loop() {
				r.Clean(text, 256)
			}
		})
	}
}

func TestASecretAtTheCutDoesNotShow(t *testing.T) {
	const secret = "s3cr3t-s3cr3t-s3cr3t"
	r := redact.NewRedactor(secret)
	for length := range 60 {
		text := strings.Repeat("x", length) + secret + strings.Repeat("y", 60)
		if got := r.Clean(text, 40); strings.Contains(got, "s3cr3t") || len(got) > 40 {
			t.Errorf("after %d bytes: %q", length, got)
		}
	}
}

// F-S40: the first escape of a long secret was looked for near the cut only, and its beginning stayed.
func TestNoPartOfASecretShows(t *testing.T) {
	const limit, minSecret = 64, 4
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[random.IntN(36)])
		}
		return b.String()
	}
	for _, n := range []int{8, 40, 400, 3000, 6000} {
		for _, secret := range []string{word(n), word(n-2) + `/"`, "&<" + word(n-2), word(n/2) + ` é\+` + word(n/2)} {
			r := redact.NewRedactor(secret)
			for name, encoding := range redacttest.Encodings(secret) {
				for _, before := range []int{0, 1, limit / 2, limit - 12, limit - 8, limit - 5, limit - 4, limit - 3, limit - 1, limit, limit + 1} {
					got := r.Clean(strings.Repeat(".", before)+encoding+strings.Repeat(".", 3000), limit)
					shown := strings.ReplaceAll(strings.Trim(got, ".…"), "[redacted]", "")
					for i := range max(len(shown)-minSecret+1, 0) {
						if part := shown[i : i+minSecret]; strings.Contains(encoding, part) {
							t.Fatalf("%d bytes as %s after %d: %q of it is in %q", n, name, before, part, got)
						}
					}
				}
			}
		}
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add("hunter22", "Bearer ", " is wrong", 100)
	f.Add(`p&ss/w+rd "1"`, `\`, `%`, 30)
	f.Add("ключ 👋", "%", "=", 7)
	f.Add("61/zz", "%", "", 1000)
	f.Fuzz(func(t *testing.T, secret, before, after string, maxBytes int) {
		secret = strings.TrimSpace(secret)
		// A secret made of the marker's or the ellipsis' own characters would be found in what we wrote.
		if len(secret) < 4 || len(secret) > 1000 || strings.ContainsAny(secret, "[]…\ufffd") || strings.Contains("[redacted]", secret) {
			return
		}
		maxBytes = max(0, min(maxBytes, plenty))
		r := redact.NewRedactor(secret)
		for name, encoding := range redacttest.Encodings(secret) {
			got := r.Clean(before+encoding+after, maxBytes)
			if leak := leaked(got, secret); leak != "" {
				t.Fatalf("written as %s: %q still has it as %s", name, got, leak)
			}
			if len(got) > maxBytes || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
				t.Fatalf("written as %s: got %q, want clean text of at most %d bytes", name, got, maxBytes)
			}
		}
	})
}

// A text that is not UTF-8, as of a Pod's log, is cut as well.
func TestShorten(t *testing.T) {
	for text, want := range map[string]string{
		"short":                       "short",
		"longer than ten":             "longer …",
		"grüße, all":                  "grüße…",
		strings.Repeat("\x80", 20):    "…",
		"ab" + strings.Repeat("ö", 9): "aböö…",
	} {
		if got := redact.Shorten(text, 10); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestCapitalize(t *testing.T) {
	for message, want := range map[string]string{
		"":                          "",
		"the plan does not exist":   "The plan does not exist",
		"a":                         "A",
		"broker's answer":           "Broker's answer",
		"The plan does not exist":   "The plan does not exist",
		"spec.url: is not valid":    "spec.url: is not valid",
		"url, token: one of them":   "url, token: one of them",
		"token: must not be empty":  "token: must not be empty",
		"token_type must be bearer": "token_type must be bearer",
		"deviceIden is not known":   "deviceIden is not known",
		"2 plans are missing":       "2 plans are missing",
		"\"a\" is not known":        "\"a\" is not known",
		"über allem":                "über allem",
	} {
		if got := redact.Capitalize(message); got != want {
			t.Errorf("%q: %q instead of %q", message, got, want)
		}
	}
}
