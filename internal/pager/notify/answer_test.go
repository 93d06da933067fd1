// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
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

func TestErrorBody(t *testing.T) {
	type body struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	for text, want := range map[string]body{
		`{"code":5,"message":"x"}`:   {5, "x"},
		`{"message":"x","code":"5"}`: {}, // of another service
		"<html>":                     {},
		"":                           {},
	} {
		if got := ErrorBody[body](&outbound.Response{Body: []byte(text)}); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
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
