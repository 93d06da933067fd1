// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// F-S59: however long a name is, and however often it is in force, its bytes are looked up once.
func TestTheCostOfNames(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := pagerv1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := weightsOf(scheme)
	for shape, text := range map[string]func(name string, n int) string{
		"values without names": func(name string, n int) string { return `{"` + name + `":` + strings.Repeat("{}", n) + "}" },
		"colons":               func(name string, n int) string { return `{"` + name + `"` + strings.Repeat(":", n) + "1}" },
		"entries of a map": func(name string, n int) string {
			return `{"\n` + name + `":{` + strings.Repeat(`"":{},`, n) + `"":{}}}`
		},
		"elements": func(name string, n int) string { return `{"` + name + `":[` + strings.Repeat("{},", n) + "{}]}" },
		"a field without a schema": func(name string, n int) string {
			return `{"request":{"object":{"` + name + `":{"parameters":` + strings.Repeat("{}", n) + `}}}}`
		},
		"a namespace": func(name string, n int) string {
			return `{"request":{"` + name + `":{"namespace":` + strings.Repeat(`"",`, n) + `""}}}`
		},
	} {
		s := newScan(w, []byte(text(strings.Repeat("x", 100_000), 1000)))
		if s.run(); s.visited > 4*maxKnownName {
			t.Errorf("%s: %d bytes of names are looked up", shape, s.visited)
		}
	}
}

// F-S59: however deep a request is, its levels are not visited again at each string or name.
func TestTheCostOfDepth(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := servicecatalogv1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := weightsOf(scheme)
	for shape, open := range map[string]string{
		"objects without names": strings.Repeat("{", maxDepth-1),
		"objects, empty names":  strings.Repeat(`{"":`, maxDepth-2) + "{",
		"arrays in parameters":  `{"request":{"object":{"spec":{"parameters":` + strings.Repeat("[", maxDepth-10) + "{",
		"objects in an object":  `{"request":{"object":` + strings.Repeat(`{"a":`, 100) + "{",
	} {
		for of, repeated := range map[string]string{"namespaces": `"namespace":` + strings.Repeat(`""`, 1000), "parameters": strings.Repeat(`"parameters":1,`, 1000)} {
			s := newScan(w, []byte(open+repeated))
			if s.run(); s.visited > 4*maxDepth {
				t.Errorf("%s, %s: %d levels and bytes are visited", shape, of, s.visited)
			}
		}
	}
	s := newScan(w, []byte(`{"request":{"object":{"spec":{"parameters":[1,{"namespace":["a"]}]}}}}`))
	if problem := s.run(); problem != "" {
		t.Errorf("an array in parameters: %s", problem)
	}
}

// The namespace of a request is that which the API server names, and not one of an object's content.
func TestNamespaceOfARequest(t *testing.T) {
	for text, want := range map[string]string{
		`{"request":{"namespace":"a","object":{"metadata":{"namespace":"b"}}}}`:                                            "a",
		`{"request":{"object":{"request":{"namespace":"b"},"spec":{"namespace":"c"}},"namespace":"a"}}`:                    "a",
		`{"request":{"name":"namespace","object":{"namespace":"b"}}}`:                                                      "",
		`{"request":{"objects":[{"spec":{"namespace":"b"},"metadata":{"namespace":"a"}},{"metadata":{"namespace":"c"}}]}}`: "a",
		`{"namespace":"a"}`: "",
	} {
		s := newScan(weights{}, []byte(text))
		if problem := s.run(); problem != "" || s.namespace != want {
			t.Errorf("%s: %q, want %q; %s", text, s.namespace, want, problem)
		}
	}
}
