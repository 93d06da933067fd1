// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package canary finds credentials in texts that users can read, in every encoding in which software may have written them.
package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Value is a credential with characters that each encoding changes.
const Value = `cAnaRy/+&"<>%é-credential`

// Encodings returns a credential as each encoding writes it.
func Encodings(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
		fmt.Sprintf("%q", secret), strings.Trim(fmt.Sprintf("%+q", secret), `"`)}
	for _, html := range []bool{true, false} {
		once := EncodeJSON(secret, html)
		forms = append(forms, strings.Trim(once, `"`), strings.Trim(EncodeJSON(once, html), `\"`))
	}
	// Within a longer text base64 can begin at one of three offsets, and its first and last characters depend on the text around it.
	for shift := range 3 {
		whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		inner := whole[4 : len(whole)-4]
		forms = append(forms, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner), url.QueryEscape(inner))
	}
	return forms
}

// EncodeJSON returns a string as a JSON literal, with or without escapes for HTML.
func EncodeJSON(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(s); err != nil {
		panic(err) // a string can always be encoded
	}
	return strings.TrimSpace(b.String())
}

var hexDumpLine = regexp.MustCompile(`[0-9a-f]{8}  ((?:[0-9a-f]{2} {1,2}){1,16}) *\|`)

// DecodeHexDumps returns the bytes of the hex dumps in a text: client-go logs binary bodies that way.
func DecodeHexDumps(text string) string {
	var decoded []byte
	for _, line := range hexDumpLine.FindAllStringSubmatch(text, -1) {
		part, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		if err != nil {
			panic(err) // the expression matches hex digits only
		}
		decoded = append(decoded, part...)
	}
	return string(decoded)
}

// Find describes the first place that has a credential in one of its encodings. It returns "" if no place has.
func Find(places map[string]string, secret string) string {
	for place, text := range places {
		for _, form := range Encodings(secret) {
			if i := strings.Index(text, form); i >= 0 {
				return fmt.Sprintf("%s has the credential as %q: …%s…", place, form, text[max(0, i-200):min(len(text), i+200)])
			}
		}
	}
	return ""
}
