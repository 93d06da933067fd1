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
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/redact"
)

func TestDecode(t *testing.T) {
	var into struct {
		ID string `json:"id"`
	}
	for _, c := range []struct {
		why  string
		resp outbound.Response
		want bool
	}{
		{"JSON", outbound.Response{Body: []byte(`{"id":"x"}`)}, true},
		{"not JSON", outbound.Response{Body: []byte(`<html>`)}, false},
		{"nothing", outbound.Response{}, false},
		{"another type", outbound.Response{Body: []byte(`{"id":5}`)}, false},
		{"cut off", outbound.Response{Body: []byte(`{"id":"x"}`), BodyErr: errors.New("broken")}, false},
	} {
		if got := Decode(&c.resp, &into); got != c.want {
			t.Errorf("%s: got %t", c.why, got)
		}
	}
}

func TestIsID(t *testing.T) {
	redact := redact.NewRedactor("canary")
	pattern := regexp.MustCompile(`^[a-z0-9]*$`)
	for text, want := range map[string]bool{
		"abc": true, "a/b": false, "xcanaryx": false, "63616e617279": false, strings.Repeat("a", 1000): true,
	} {
		if got := IsID(pattern, text, redact); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}

func TestSeconds(t *testing.T) {
	for seconds, want := range map[float64]time.Duration{
		2.5: 2500 * time.Millisecond, 0.0001: time.Millisecond, 0: 0, -1: 0, math.Inf(-1): 0,
		1e300: outbound.MaxRetryAfter, math.Inf(1): outbound.MaxRetryAfter, math.NaN(): 0,
	} {
		if got := Seconds(seconds); got != want {
			t.Errorf("%g: got %s, want %s", seconds, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for words, want := range map[string]string{
		"":                         "HTTP 400",
		"too\nlong for canary":     "HTTP 400: too long for [redacted]",
		strings.Repeat("x", 10000): "HTTP 400: " + strings.Repeat("x", 253) + "…",
	} {
		e := &result.Error{Message: "HTTP 400"}
		if Quote(e, words, redact.NewRedactor("canary")); e.Message != want {
			t.Errorf("got %q, want %q", e.Message, want)
		}
	}
}
