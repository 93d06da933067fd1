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

// Package canary looks for credentials where others can read: in whatever form they may
// have got there.
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

// Value is a credential with all that encodings change.
const Value = `cAnaRy/+&"<>%é-credential`

// Spellings are the forms in which a credential may show.
func Spellings(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
		fmt.Sprintf("%q", secret), strings.Trim(fmt.Sprintf("%+q", secret), `"`)}
	for _, html := range []bool{true, false} {
		once := JSON(secret, html)
		forms = append(forms, strings.Trim(once, `"`), strings.Trim(JSON(once, html), `\"`))
	}
	// Within longer text base64 has one of three alignments, and foreign ends.
	for shift := range 3 {
		whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		inner := whole[4 : len(whole)-4]
		forms = append(forms, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner), url.QueryEscape(inner))
	}
	return forms
}

// JSON is a string as JSON writes it, with or without escapes for HTML.
func JSON(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return strings.TrimSpace(b.String())
}

var dumpLine = regexp.MustCompile(`[0-9a-f]{8}  ((?:[0-9a-f]{2} {1,2}){1,16}) *\|`)

// Undump is what hex dumps in a text stand for: client-go logs binary bodies so.
func Undump(text string) string {
	var bytes []byte
	for _, line := range dumpLine.FindAllStringSubmatch(text, -1) {
		part, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		if err != nil {
			panic(err) // the expression takes no others
		}
		bytes = append(bytes, part...)
	}
	return string(bytes)
}

// Find says where a credential is, by the names of the places; empty: nowhere.
func Find(places map[string]string, secret string) string {
	for place, text := range places {
		for _, form := range Spellings(secret) {
			if i := strings.Index(text, form); i >= 0 {
				return fmt.Sprintf("%s has the credential as %q: …%s…", place, form, text[max(0, i-200):min(len(text), i+200)])
			}
		}
	}
	return ""
}
