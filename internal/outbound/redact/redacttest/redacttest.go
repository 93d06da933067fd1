// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package redacttest knows in how many ways a server can echo a secret, independently of the redactor that must know them too.
package redacttest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Encodings returns the text in the encodings in which servers write texts that they got. None of them is empty.
func Encodings(text string) map[string]string {
	lower, upper := hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))
	encodings := map[string]string{
		"plain":                 text,
		"hex":                   lower,
		"HEX":                   upper,
		"query":                 url.QueryEscape(text),
		"path":                  url.PathEscape(text),
		"query, lower case":     lowerEscapes(url.QueryEscape(text)),
		"path, lower case":      lowerEscapes(url.PathEscape(text)),
		"every byte, percent":   eachByte("%", upper),
		"every byte, %lower":    eachByte("%", lower),
		"base64":                base64.StdEncoding.EncodeToString([]byte(text)),
		"base64, raw":           base64.RawStdEncoding.EncodeToString([]byte(text)),
		"base64, URL":           base64.URLEncoding.EncodeToString([]byte(text)),
		"base64, URL, raw":      base64.RawURLEncoding.EncodeToString([]byte(text)),
		"base64, embedded at 0": embedded(base64.StdEncoding, text, 0),
		"base64, embedded at 1": embedded(base64.StdEncoding, text, 1),
		"base64, embedded at 2": embedded(base64.StdEncoding, text, 2),
		"URL, embedded at 0":    embedded(base64.URLEncoding, text, 0),
		"URL, embedded at 1":    embedded(base64.URLEncoding, text, 1),
		"URL, embedded at 2":    embedded(base64.URLEncoding, text, 2),
	}
	if utf8.ValidString(text) { // JSON has no way to say anything else
		encodings["JSON"] = jsonString(text, true)
		encodings["JSON, HTML left alone"] = jsonString(text, false)
		encodings["JSON in JSON"] = jsonString(jsonString(text, true), true)
		encodings["JSON in JSON, HTML left alone"] = jsonString(jsonString(text, false), false)
		encodings["JSON, slashes escaped"] = strings.ReplaceAll(jsonString(text, false), "/", `\/`)
		encodings["every character, JSON"] = codeUnits(text, "%04x")
		encodings["every character, JSON upper"] = codeUnits(text, "%04X")
	}
	return encodings
}

func lowerEscapes(escaped string) string {
	out := []byte(escaped)
	for i := range out {
		if out[i] == '%' {
			copy(out[i:], strings.ToLower(string(out[i:i+3])))
		}
	}
	return string(out)
}

func eachByte(prefix, digits string) string {
	var out strings.Builder
	for ; digits != ""; digits = digits[2:] {
		out.WriteString(prefix + digits[:2])
	}
	return out.String()
}

func codeUnits(text, format string) string {
	var out strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		fmt.Fprintf(&out, `\u`+format, unit)
	}
	return out.String()
}

func jsonString(text string, escapeHTML bool) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(escapeHTML)
	if err := encoder.Encode(text); err != nil {
		panic(err) // a string always encodes
	}
	return strings.TrimSuffix(strings.TrimPrefix(out.String(), `"`), "\"\n")
}

// embedded returns the characters that are the same for any bytes before and after the text.
func embedded(encoding *base64.Encoding, text string, shift int) string {
	zeros := encoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + text + "\x00\x00\x00"))
	ones := encoding.EncodeToString([]byte(strings.Repeat("\xff", shift) + text + "\xff\xff\xff"))
	var out strings.Builder
	for i := range zeros {
		if zeros[i] == ones[i] && zeros[i] != '=' {
			out.WriteByte(zeros[i])
		}
	}
	return out.String()
}
