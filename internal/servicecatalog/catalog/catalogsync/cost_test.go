// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogsync

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/gophernetes/bellhop/internal/costtest"
)

var shapes = map[string]func(n int) string{
	"small objects": func(n int) string { return `{"a":[` + strings.Repeat(`{"":0},`, n/7) + `{}]}` },
	"numbers":       func(n int) string { return `{"a":[` + strings.Repeat(`0,`, n/2) + `0]}` },
	"decimals":      func(n int) string { return `{"a":[` + strings.Repeat(`1.5,`, n/4) + `0]}` },
	"exponents":     func(n int) string { return `{"a":[` + strings.Repeat(`1e1,`, n/4) + `0]}` },
	"escapes":       func(n int) string { return `{"a":[` + strings.Repeat(`"\/",`, n/5) + `0]}` },
	"one name":      func(n int) string { return `{` + strings.Repeat(`"":0,`, n/5) + `"a":1}` },
	"deep": func(n int) string {
		return strings.Repeat(`{"a":`, 60) + `[` + strings.Repeat(`[],`, n/3) + `0]` + strings.Repeat(`}`, 60)
	},
	"a long text": func(n int) string { return `{"a":"` + strings.Repeat("a", n) + `"}` },
	"too deep":    func(n int) string { return strings.Repeat(`[`, min(n, 9000)) + strings.Repeat(`]`, min(n, 9000)) },
}

// F-S61: what a catalog has is not decoded as a whole, in which it may take fifty times as much.
func TestCostOfCanonical(t *testing.T) {
	for why, shape := range shapes {
		t.Run(why, func(t *testing.T) {
			costtest.Linear(t, 512<<10, func(n int) []byte { return []byte(shape(n)) }, func(text []byte) { canonical(text) })
			text := []byte(shape(1 << 20))
			if held := costtest.Held(func() any { return canonical(text) }); held > costtest.Decoded(len(text)) {
				t.Errorf("of %d bytes %d are held", len(text), held)
			}
		})
	}
}

// F-S61: a number, word or text without escapes was decoded with allocations of its own: a megabyte of decimals took 150 ms.
func TestScalarsAreNotAllocated(t *testing.T) {
	const n = 10_000
	for _, scalar := range []string{`0`, `-1`, `1.5`, `1e1`, `-2.5e-3`, `null`, `true`, `"<"`, `"ä"`, `""`} {
		text := []byte(`[` + strings.Repeat(scalar+`,`, n) + `0]`)
		if cost := costtest.Of(func() { canonical(text) }); cost.Objects > n/10 {
			t.Errorf("%d of %s allocate %d objects", n, scalar, cost.Objects)
		}
	}
}

// F-S61: both values were made canonical at each relist, although the API server returns one that is.
func TestAnUnchangedValueIsMadeCanonicalOnce(t *testing.T) {
	for why, shape := range shapes {
		text := []byte(shape(1 << 16))
		old := &runtime.RawExtension{Raw: canonical(text)}
		once := costtest.Of(func() { canonical(text) })
		if cost := costtest.Of(func() { freeForm(old, text) }); cost.Bytes > once.Bytes+once.Bytes/4+4<<10 {
			t.Errorf("%s: it allocates %d bytes, and a canonical form %d", why, cost.Bytes, once.Bytes)
		}
	}
}

// What the API server stores is what its own decoder makes of a text, and of what it was sent: a negative zero becomes a whole number.
func FuzzCanonical(f *testing.F) {
	for _, text := range []string{`{"b":1,"a":[1.0,1e3,12345678901234567890,null,true,"<\u00e4"],"b":{"":{}}}`, ` [ ] `, `"a"`, `-0`, `-0.0`, `[1e20,1e21,1e-6,9e-7,-1e-999]`, `1e999`, `"\u2028\ud800\/\x7f<>&"`, `{"a":[{"b":[[]]}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := text
		for range 2 {
			var value any
			if utiljson.Unmarshal(want, &value) == nil {
				want, _ = utiljson.Marshal(value)
			}
		}
		if got := canonical(text); !bytes.Equal(got, want) && bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) <= maxDepth {
			t.Errorf("%s is %s, not %s", text, got, want)
		}
	})
}
