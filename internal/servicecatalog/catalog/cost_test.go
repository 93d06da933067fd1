// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gophernetes/bellhop/internal/costtest"
)

var parameterShapes = map[string]func(n int) string{
	"small objects": func(n int) string { return `{"a":[` + strings.Repeat(`{"":0},`, n/7) + `{}]}` },
	"numbers":       func(n int) string { return `{"a":[` + strings.Repeat(`1000,`, n/5) + `0]}` },
	"texts":         func(n int) string { return `{"a":[` + strings.Repeat(`"text",`, n/7) + `0]}` },
	"one name":      func(n int) string { return `{` + strings.Repeat(`"":0,`, n/5) + `"a":1}` },
	"deep": func(n int) string {
		return strings.Repeat(`{"a":`, min(n/6, 9000)) + `1` + strings.Repeat(`}`, min(n/6, 9000))
	},
	"a long text":   func(n int) string { return `{"a":"` + strings.Repeat("a", n) + `"}` },
	"a long name":   func(n int) string { return `{"` + strings.Repeat("a", n) + `":0}` },
	"cut off":       func(n int) string { return `{"a":[` + strings.Repeat(`{"":0},`, n/7) },
	"a long number": func(n int) string { return `{"a":` + strings.Repeat("1", n) + `}` },
}

// Parameters are read in linear time, whatever their shape.
func TestCostOfParameters(t *testing.T) {
	reads := map[string]func([]byte){
		"CountFields":  func(text []byte) { CountFields(text) },
		"Merge inline": func(text []byte) { _, _ = Merge(&runtime.RawExtension{Raw: text}, nil) },
		"Merge from a Secret": func(text []byte) {
			_, _ = Merge(nil, []SecretSource{{Secret: "s", Key: "k", Data: map[string][]byte{"k": text}}})
		},
		"Digest":   func(text []byte) { Digest([]byte("key"), text) },
		"SameJSON": func(text []byte) { SameJSON(&runtime.RawExtension{Raw: text}, &runtime.RawExtension{Raw: text}) },
	}
	for why, shape := range parameterShapes {
		for what, read := range reads {
			t.Run(what+"/"+why, func(t *testing.T) {
				costtest.Linear(t, MaxParameters/2, func(n int) []byte { return []byte(shape(n)) }, read)
			})
		}
	}
}

// Fields are counted before parameters are known to be small, and nothing is held for them.
func TestCountFieldsHoldsNothing(t *testing.T) {
	text := []byte(parameterShapes["small objects"](3 << 20))
	if cost := costtest.Of(func() { CountFields(text) }); cost.Bytes > 1<<20 {
		t.Errorf("to count the fields of %d bytes %d are allocated", len(text), cost.Bytes)
	}
}

func FuzzCountFields(f *testing.F) {
	f.Add(`{"a:":{"b":[{"c\":":1}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var value any
		decoder := json.NewDecoder(strings.NewReader(text))
		if !json.Valid([]byte(text)) || decoder.Decode(&value) != nil {
			if n := CountFields([]byte(text)); n != 0 && !json.Valid([]byte(text)) {
				t.Errorf("%q has %d fields", text, n)
			}
			return
		}
		var count func(any) int
		count = func(value any) (n int) {
			switch v := value.(type) {
			case map[string]any:
				n = len(v)
				for _, member := range v {
					n += count(member)
				}
			case []any:
				for _, element := range v {
					n += count(element)
				}
			}
			return n
		}
		if got, want := CountFields([]byte(text)), count(value); got < want { // more: a name that is given twice
			t.Errorf("%q has %d fields, not %d", text, want, got)
		}
	})
}

// Restrictions are read in linear time, and so are the errors about them.
func TestCostOfRestrictions(t *testing.T) {
	for why, shape := range map[string]func(n int) []string{
		"many values":     func(n int) []string { return []string{"name in (" + strings.Repeat("a,", n/2) + "a)"} },
		"many conditions": func(n int) []string { return []string{"name=a" + strings.Repeat(",name=a", n/7)} },
		"many selectors":  func(n int) []string { return strings.Split(strings.Repeat("name=a\n", min(n/7, 63))+"name=a", "\n") },
		"a long value":    func(n int) []string { return []string{"name=" + strings.Repeat("a", n)} },
		"long and wrong":  func(n int) []string { return []string{strings.Repeat("a", n)} },
		"not closed":      func(n int) []string { return []string{"name in (" + strings.Repeat("a,", n/2)} },
	} {
		t.Run(why, func(t *testing.T) {
			costtest.Linear(t, maxRestrictions/2-100, shape, func(selectors []string) {
				parseSelectors(selectors, field.NewPath("spec"), classProperties())
			})
		})
	}
}

func TestRestrictionsAreBounded(t *testing.T) {
	selectors := []string{"name in (" + strings.Repeat("a,", maxRestrictions/2) + "a)"}
	if selector, errs := parseSelectors(selectors, field.NewPath("spec"), classProperties()); len(errs) != 1 || selector.Matches(labels.Set{"name": "a"}) {
		t.Errorf("the errors are %v", errs)
	}
}
