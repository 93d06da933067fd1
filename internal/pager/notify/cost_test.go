// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package notify

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// Answers of a receiver are read in linear time.
func TestCostOfAnswers(t *testing.T) {
	type form struct {
		Error  string            `json:"error"`
		Errors []map[string]any  `json:"errors"`
		Data   map[string]string `json:"data"`
	}
	for why, shape := range map[string]func(n int) string{
		"small objects": func(n int) string { return `{"errors":[` + strings.Repeat(`{"":0},`, n/7) + `{}]}` },
		"names":         func(n int) string { return `{"data":{` + strings.Repeat(`"":"",`, n/6) + `"a":"b"}}` },
		"a long text":   func(n int) string { return `{"error":"` + strings.Repeat("a", n) + `"}` },
		"deep":          func(n int) string { return strings.Repeat("[", n/2) + strings.Repeat("]", n/2) },
		"no JSON":       func(n int) string { return strings.Repeat("\xff", n) },
		"blanks":        func(n int) string { return strings.Repeat(" ", n) + "ok" },
	} {
		for what, read := range map[string]func(*outbound.Response){
			"ConfirmationOf": func(r *outbound.Response) { ConfirmationOf(r) },
			"ErrorBody":      func(r *outbound.Response) { ErrorBody[form](r) },
			"Decode":         func(r *outbound.Response) { Decode(r, &form{}) },
			"IsPage":         func(r *outbound.Response) { IsPage(r) },
			"IsHTML":         func(r *outbound.Response) { IsHTML(http.Header{"Content-Type": {string(r.Body)}}) },
		} {
			t.Run(what+"/"+why, func(t *testing.T) {
				costtest.Linear(t, outbound.DefaultMaxBody/2, func(n int) *outbound.Response {
					return &outbound.Response{StatusCode: http.StatusOK, Body: []byte(shape(n))}
				}, read)
			})
		}
	}
}

// Texts of an Alert, which are at most 16 KiB long, are written in linear time.
func TestCostOfTexts(t *testing.T) {
	for why, unit := range map[string]string{
		"letters": "x", "shortcodes": ":wave: ", "no shortcodes": ":a", "code spans": "`a` ", "open code spans": "``a ```b ", "addresses": "http://:a:/ ",
		"colons": ":", "emoji": "👋", "invalid": "\xff", "directions": "\u202e", "lines": "\n", "backslashes": "\\",
	} {
		t.Run(why, func(t *testing.T) {
			costtest.Linear(t, 8<<10, func(n int) string { return strings.Repeat(unit, n/len(unit)) }, func(text string) {
				m := Message{RawTitle: text, RawContent: text}
				for _, size := range []func(rune) int{Bytes, Characters, UTF16, JSON, PlainJSON} {
					Cut(m.Title()+m.Content(), 4096, size)
				}
			})
		})
	}
}

// An address is read in linear time.
func TestCostOfAddresses(t *testing.T) {
	for why, shape := range map[string]func(n int) string{
		"segments":   func(n int) string { return "https://example.com/" + strings.Repeat("aaaaaaaaaaaaaaaa/", n/17) },
		"parameters": func(n int) string { return "https://example.com/?" + strings.Repeat("a=b&", n/4) },
		"escapes":    func(n int) string { return "https://example.com/" + strings.Repeat("%41", n/3) },
		"a host":     func(n int) string { return "https://" + strings.Repeat("a.", n/2) },
		"dots":       func(n int) string { return "https://example.com/" + strings.Repeat("../", n/3) },
	} {
		t.Run(why, func(t *testing.T) {
			costtest.Linear(t, 512<<10, shape, func(address string) {
				u, err := url.Parse(address)
				if err != nil {
					t.Fatal(err)
				}
				URLSecrets(address, u)
				PathSecrets(u)
				URLAddress("url", address)
			})
		})
	}
}
