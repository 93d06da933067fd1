// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/internal/costtest"
)

// Labelled objects are of kinds whose status others write: it is read in linear time.
func TestCostOfLabelledObjects(t *testing.T) {
	list := func(element string) func(n int) string {
		return func(n int) string {
			return `"conditions":[` + strings.Repeat(element+",", n/(len(element)+1)) + `{}]`
		}
	}
	for why, status := range map[string]func(n int) string{
		"many conditions":  list(`{"type":"x"}`),
		"empty conditions": list(`{}`),
		"no conditions":    list(`0`),
		"a long message":   func(n int) string { return list(`{"message":"` + strings.Repeat("x", n) + `"}`)(n + 20) },
		"many fields":      func(n int) string { return `"health":{` + strings.Repeat(`"":0,`, n/5) + `"a":0}` },
		"deep": func(n int) string {
			return `"health":` + strings.Repeat("[", min(n/2, 9000)) + strings.Repeat("]", min(n/2, 9000))
		},
	} {
		t.Run(why, func(t *testing.T) {
			costtest.Linear(t, 768<<10, func(n int) *Trimmed {
				o := &unstructured.Unstructured{}
				if err := o.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"X","metadata":{"name":"x"},"status":{` + status(n) + `}}`)); err != nil {
					t.Fatal(err)
				}
				trimmed, err := Trim(o)
				if err != nil {
					t.Fatal(err)
				}
				return trimmed
			}, func(trimmed *Trimmed) {
				o, err := trimmed.Object()
				if err != nil {
					t.Error(err)
				}
				Compute(o, Evidence{})
			})
		})
	}
}

func TestTrimBoundsTheValues(t *testing.T) {
	var conditions []any
	for range 2 * maxKept {
		conditions = append(conditions, map[string]any{"type": "Ready", "status": "False"})
	}
	trimmed, err := Trim(&unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": conditions}}})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(trimmed.rest, `"Ready"`); n == 0 || n > maxKept {
		t.Errorf("%d conditions are kept", n)
	}
}
