// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package redact removes secrets from text that others wrote, and shortens it.
package redact

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	marker = "[redacted]"
	// minSecret is the shortest secret that is looked for. A shorter one occurs in any text by chance: replacing it would
	// make the text unreadable, and the redacted places would reveal the secret.
	minSecret = 4

	// MaxSecrets and MaxBytes bound the secrets that are looked for. Where there are more, a text is withheld as a whole.
	MaxSecrets = 4096
	MaxBytes   = 256 << 10
	withheld   = "[withheld: there are too many secrets to look for]"
	// tooCostly replaces a text that takes more than maxCompared comparisons.
	tooCostly = "[withheld: the text repeats the beginnings of secrets too often]"
)

// Redactor removes known secrets from text that others wrote, in the encodings in which a server may echo them. It is no defence against a server
// that reveals a secret on purpose, in an encoding of its own.
type Redactor struct {
	forms index
	// all are the secrets where they exceed the bounds.
	all []string
}

// NewRedactor returns a redactor for the secrets. White space around them is not part of them; those shorter than four bytes
// are ignored.
func NewRedactor(secrets ...string) *Redactor {
	distinct, rest := take(secrets)
	if len(rest) > 0 {
		return &Redactor{all: secrets}
	}
	return newRedactor(distinct)
}

func newRedactor(distinct map[string]struct{}) *Redactor {
	forms := make([]string, 0, encodingsOf*len(distinct))
	for secret := range distinct {
		forms = appendEncodings(forms, secret)
	}
	return &Redactor{forms: newIndex(forms)}
}

// take returns as many distinct secrets as can be looked for at once, and the rest.
func take(secrets []string) (distinct map[string]struct{}, rest []string) {
	distinct = map[string]struct{}{}
	size := 0
	for i, secret := range secrets {
		if secret = strings.TrimSpace(secret); len(secret) < minSecret {
			continue
		}
		if _, known := distinct[secret]; known {
			continue
		}
		if size += len(secret); size > MaxBytes || len(distinct) == MaxSecrets {
			return distinct, secrets[i:]
		}
		distinct[secret] = struct{}{}
	}
	return distinct, nil
}

// Withholds reports whether there are too many secrets to look for, so that every text is withheld.
func (r *Redactor) Withholds() bool { return r.all != nil }

// encodingsOf is the number of the encodings of a secret.
const encodingsOf = 9

// appendEncodings adds the secret as it is, in hex, and in base64 at each offset in a longer encoded text. There the characters at its edges, which
// it shares with its neighbours, are left out.
func appendEncodings(forms []string, secret string) []string {
	digits := hex.EncodeToString([]byte(secret))
	forms = append(forms, secret, digits, strings.ToUpper(digits))
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		from, to := (8*shift+5)/6, 8*len(padded)/6
		forms = append(forms, base64.RawStdEncoding.EncodeToString(padded)[from:to], base64.RawURLEncoding.EncodeToString(padded)[from:to])
	}
	return forms
}

// Clean returns the text without secrets and control characters, as valid UTF-8 of at most maxBytes. It looks at no more of
// a long text than that takes: the sender does not decide how long that takes.
func (r *Redactor) Clean(text string, maxBytes int) string {
	whole := len(text)
	if r.Withholds() && text != "" {
		return Shorten(withheld, maxBytes)
	}
	text = r.redact(text, maxBytes)
	if whole > maxBytes {
		text += "…"
	}
	text = strings.Map(func(c rune) rune { // invalid bytes become U+FFFD on the way
		if !unicode.IsGraphic(c) {
			return ' '
		}
		return c
	}, text)
	return Shorten(r.redact(text, len(text)), maxBytes) // again, since a line break may have stood where a secret has a blank
}

// Finds says whether the text has a secret, however it is spelled. Where there are too many to look for at once, it looks for some after
// the others.
func (r *Redactor) Finds(text string) bool {
	if !r.Withholds() {
		return r.redact(text, len(text)) != text
	}
	rest := slices.DeleteFunc(slices.Clone(r.all), func(secret string) bool { return len(strings.TrimSpace(secret)) > len(text) })
	for len(rest) > 0 {
		some, more := take(rest)
		if isTooLong := len(some) == 0 && len(more) > 0; isTooLong || newRedactor(some).Finds(text) {
			return true
		}
		rest = more
	}
	return false
}

// redact returns the text up to limit, with each encoding of a secret replaced. It looks at every position, also within a secret that is already
// found: where two secrets overlap, the rest of the second must not stay.
func (r *Redactor) redact(text string, limit int) string {
	var out strings.Builder
	search := newSearch(&r.forms, text, limit)
	end := 0 // of the part that is being left out
	for i := range min(len(text), limit) {
		if search.exhausted() {
			return tooCostly
		}
		if n := search.longest(i); n > 0 && i+n > end {
			if i >= end {
				out.WriteString(marker)
			}
			end = i + n
		}
		if i >= end {
			out.WriteByte(text[i])
		}
	}
	if search.exhausted() {
		return tooCostly
	}
	return out.String()
}

// MaxNote is the API server's limit of an event's note, in bytes.
const MaxNote = 1024

// Shorten cuts the text to at most maxBytes at the boundary of a character, and shows that it did.
func Shorten(text string, maxBytes int) string {
	const ellipsis = "…"
	if len(text) <= maxBytes {
		return text
	}
	end := maxBytes - len(ellipsis)
	if end < 0 {
		return ""
	}
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// Capitalize returns a message as conditions and events have it, with a capital first letter: its text may be an error's, which other errors wrap, so
// that it begins with a small letter. A first word that has anything but small letters is an identifier, such as spec.url, and stays.
func Capitalize(message string) string {
	word, _, _ := strings.Cut(message, " ")
	if word == "" || strings.ContainsFunc(strings.TrimSuffix(word, "'s"), func(r rune) bool { return r < 'a' || r > 'z' }) {
		return message
	}
	return strings.ToUpper(message[:1]) + message[1:]
}
