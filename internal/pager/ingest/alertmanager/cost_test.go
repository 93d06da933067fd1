// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package alertmanager_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

// repeat is n bytes of a text that is repeated.
func repeat(n int, text string) string { return strings.Repeat(text, n/len(text)) }

// A post is decoded in linear time, and what is held of it is at most eight times its size and 4 MiB.
func TestCostOfPosts(t *testing.T) {
	pairs := func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, `"a%d":"b",`, i)
		}
		return b.String()
	}
	for why, shape := range map[string]func(n int) string{
		"many alerts":       func(n int) string { return repeat(n, `{"labels":{"a":"b"}},`) + `{}` },
		"empty alerts":      func(n int) string { return repeat(n, `{},`) + `{}` },
		"numbers":           func(n int) string { return repeat(n, `0,`) + `0` },
		"many labels":       func(n int) string { return `{"labels":{` + pairs(n) + `"a":"b"}}` },
		"many small labels": func(n int) string { return repeat(n, `{"labels":{"":""}},`) + `{}` },
		"labels, 64 each":   func(n int) string { return repeat(n, `{"labels":{`+strings.TrimSuffix(pairs(600), ",")+`}},`) + `{}` },
		"a long value":      func(n int) string { return `{"labels":{"a":"` + repeat(n, "b") + `"}}` },
		"long annotations": func(n int) string {
			return repeat(n, `{"labels":{"a":"b"},"annotations":{"c":"`+strings.Repeat("d", 5000)+`"}},`) + `{}`
		},
		"labels of a type": func(n int) string { return repeat(n, `{"labels":{"a":1}},`) + `{}` },
		"unknown fields":   func(n int) string { return `{"labels":{"a":"b"},` + repeat(n, `"x":0,`) + `"y":0}` },
		"deep":             func(int) string { return `{"labels":{"a":"b"},"x":` + repeat(9000, "[") + repeat(9000, "]") + `}` },
		"cut off":          func(n int) string { return repeat(n, `{"labels":{"a":"b"}},`) + `{` },
		"invalid encoding": func(n int) string { return `{"labels":{"a":"` + repeat(n, "\xff") + `"}}` },
		"escapes":          func(n int) string { return `{"labels":{"a":"b"},"annotations":{"c":"` + repeat(n, `\u00e4`) + `"}}` },
	} {
		for what, read := range map[string]func(string) any{
			"alerts": func(alerts string) any { post, _ := alertmanager.DecodeAlerts([]byte("[" + alerts + "]")); return post },
			"webhook": func(alerts string) any {
				post, _ := alertmanager.DecodeWebhook([]byte(`{"version":"4","receiver":"r","status":"firing","groupLabels":{},"alerts":[` + alerts + `]}`))
				return post
			},
		} {
			t.Run(what+"/"+why, func(t *testing.T) {
				costtest.Linear(t, 2<<20-1000, shape, func(alerts string) { read(alerts) })
				alerts := shape(4<<20 - 1000)
				if held := costtest.Held(func() any { return read(alerts) }); held > costtest.Decoded(len(alerts)) {
					t.Errorf("of %d bytes %d are held", len(alerts), held)
				}
			})
		}
	}
}
