// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/schema"
)

// shape is a schema and parameters of which one has n parts.
type shape func(n int) (text, parameters string)

const follow = `"additionalProperties":{"$ref":"#"},`

// deep is a value at the end of 58 names of 64 bytes.
func deep(value string) string {
	name := strings.Repeat("a", 64)
	for range 58 {
		value = `{"` + name + `":` + value + `}`
	}
	return value
}

// violating are shapes in which much is wrong.
var violating = map[string]struct {
	n     int
	shape shape
}{
	"many unknown fields of many items": {1500, func(n int) (string, string) {
		return `{` + draft7 + `"properties":{"x":{"items":{"additionalProperties":false,"properties":{` + repeat(4000, `"p%d":true`) + `}}}}}`,
			`{"x":[` + repeat(n, `{"z%d":0}`) + `]}`
	}},
	"many missing fields, deep": {20, func(n int) (string, string) {
		return `{` + draft7 + `"items":{"required":[` + repeat(7500, `"%x"`) + `]},` + follow + `"title":""}`, deep(`[` + repeat(n, `{"a%d":1}`) + `]`)
	}},
	"items of another type, deep": {20000, func(n int) (string, string) {
		return `{` + draft7 + follow + `"allOf":[` + repeat(17, `{"items":{"type":"string","title":"%d"}}`) + `]}`, deep(`[` + repeat(n, `%d`) + `]`)
	}},
	"items that no form allows, deep": {20000, func(n int) (string, string) {
		return `{` + draft7 + follow + `"anyOf":[` + repeat(17, `{"items":{"type":"string","title":"%d"}}`) + `]}`, deep(`[` + repeat(n, `%d`) + `]`)
	}},
	"items that are not allowed, deep": {20000, func(n int) (string, string) {
		return `{` + draft7 + follow + `"allOf":[` + repeat(17, `{"items":false,"title":"%d"}`) + `]}`, deep(`[` + repeat(n, `%d`) + `]`)
	}},
	"dependencies, deep": {1500, func(n int) (string, string) {
		return `{` + draft7 + follow + `"dependencies":{` + repeat(n, `"p%d":["z"]`) + `}}`, deep(`{` + repeat(n, `"p%d":1`) + `}`)
	}},
	"different failures of one value": {1000, func(n int) (string, string) {
		return `{` + draft7 + `"properties":{"x":{"allOf":[` + repeat(n, `{"minimum":1%d}`) + `]}}}`, `{"x":5}`
	}},
	"long values that would be allowed": {100, func(n int) (string, string) {
		return `{` + draft7 + `"properties":{"x":{"allOf":[` + repeat(n, `{"enum":["%d`+strings.Repeat("a", 200)+`"]}`) + `]}}}`, `{"x":5}`
	}},
	"forms within forms": {1000, func(n int) (string, string) {
		return `{` + draft7 + `"anyOf":[` + repeat(n, `{"properties":{"a":{"maximum":%d}}}`) + `]}`, `{"a":5000000}`
	}},
	"a long text and many enums": {500, func(n int) (string, string) {
		return `{` + draft7 + `"properties":{"x":{"allOf":[` + repeat(n, `{"not":{"enum":[%d]}}`) + `]}}}`, `{"x":"` + strings.Repeat("a", 200<<10) + `"}`
	}},
	"unevaluated fields": {5500, func(n int) (string, string) {
		return `{` + draft2020 + strings.Repeat(`"unevaluatedProperties":false,"allOf":[{`, 10) + `"title":""` + strings.Repeat(`}]`, 10) + `}`, `{` + repeat(n, `"p%d":1`) + `}`
	}},
}

// F-S58: what a check says of parameters that violate a schema is within the work and the memory of the check.
func TestCostOfViolations(t *testing.T) {
	schema.SetTimeout(t, time.Minute)
	for why, c := range violating {
		t.Run(why, func(t *testing.T) {
			type input struct{ text, parameters string }
			read := func(in input) { validate(t, in.text, in.parameters, schema.Options{ShowValues: true}) }
			costtest.Linear(t, c.n, func(n int) input {
				text, parameters := c.shape(n)
				validate(t, text, "{}", schema.Options{}) // compiles it
				return input{text, parameters}
			}, read)
			text, parameters := c.shape(2 * c.n)
			if cost := costtest.Of(func() { read(input{text, parameters}) }); cost.Bytes > 40<<20 {
				t.Errorf("a schema of %d bytes and parameters of %d allocate %d MiB", len(text), len(parameters), cost.Bytes>>20)
			}
		})
	}
}

// F-S58: parameters that violate a schema are refused also where there is no time to say why.
func TestViolationsThatCostTooMuchToList(t *testing.T) {
	schema.SetTimeout(t, time.Minute)
	text, parameters := violating["items of another type, deep"].shape(40000)
	errs, warning := validate(t, text, parameters, schema.Options{})
	if want := "spec.parameters: Invalid value: must match the schema; it takes too much time to find what does not"; lines(errs) != want || warning != "" {
		t.Errorf("the errors are %q, the warning is %q", lines(errs), warning)
	}
}

// F-S58: which violations are listed does not depend on the order in which they are found.
func TestFirstViolationsAreListed(t *testing.T) {
	text := `{` + draft7 + `"properties":{"x":{"items":{"minimum":100}}},"additionalProperties":false,"required":[` + repeat(30, `"r%d"`) + `]}`
	parameters := `{"x":[` + repeat(30, `%d`) + `],` + repeat(30, `"a%d":1`) + `}`
	var want strings.Builder
	for _, i := range []string{"0", "1", "10", "11", "12", "13", "14", "15", "16", "17"} {
		if want.Len() > 0 {
			want.WriteString("\n")
		}
		fmt.Fprintf(&want, "spec.parameters.a%s: Forbidden: must not be given: the schema does not define it: use x", i)
	}
	want.WriteString(" (and more errors)")
	for range 20 {
		if errs, _ := validate(t, text, parameters, schema.Options{}); lines(errs) != want.String() {
			t.Fatalf("the errors are\n%s", lines(errs))
		}
	}
}

// F-S58: a check ends with its context, also while it lists what is wrong.
func TestViolationsEndWithTheContext(t *testing.T) {
	schema.SetTimeout(t, time.Minute)
	text, parameters := violating["many unknown fields of many items"].shape(3000)
	validate(t, text, "{}", schema.Options{}) // compiles it
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if errs, warning := validateIn(ctx, text, parameters, schema.Options{}); len(errs) > 0 || warning == "" {
		t.Errorf("the errors are %v, the warning is %q", errs, warning)
	}
}

// F-U40 F-S58: a schema that is refused costs no more than one that is used.
func TestCostOfSchemas(t *testing.T) {
	schema.SetTimeout(t, time.Minute)
	for why, c := range map[string]struct {
		n     int
		shape func(n int) string
	}{
		"a repetition of a repetition": {500, func(n int) string {
			return `{"properties":{"x":{"pattern":"(?:` + strings.Repeat("abcdefghij", 99) + fmt.Sprintf(`){%d}"}}}`, n)
		}},
		"repetitions within each other": {15, func(n int) string {
			return `{"properties":{"x":{"pattern":"` + strings.Repeat("(?:a", n) + strings.Repeat("){2}", n) + `"}}}`
		}},
		"large classes": {30, func(n int) string {
			return `{"patternProperties":{` + repeat(n, `"(?i)%d`+strings.Repeat(`\\pL`, 250)+`":{}`) + `}}`
		}},
		"many patterns": {1000, func(n int) string { return `{"patternProperties":{` + repeat(n, `"^a(b|c)*%d$":{}`) + `}}` }},
		"numbers in place of schemas": {5000, func(n int) string {
			return `{` + draft7 + strings.Repeat(`"allOf":[{`, 28) + `"allOf":[` + repeat(n, `%d`) + `]` + strings.Repeat(`}]`, 28) + `}`
		}},
		"numbers in place of schemas, not deep": {5000, func(n int) string { return `{` + draft7 + `"allOf":[` + repeat(n, `%d`) + `]}` }},
		"keywords of another type":              {2000, func(n int) string { return `{` + draft7 + `"allOf":[` + repeat(n, `{"type":%d}`) + `]}` }},
		"names that are no texts":               {4000, func(n int) string { return `{` + draft7 + `"properties":{"a":{"required":[` + repeat(n, `%d`) + `]}}}` }},
		"definitions": {900, func(n int) string {
			return `{` + draft2020 + `"$defs":{` + repeat(n, `"d%d":{"$id":"urn:a:%d"}`) + `}}`
		}},
	} {
		t.Run(why, func(t *testing.T) {
			compiled := 0
			read := func(text string) {
				compiled++ // so that it is compiled
				validate(t, strings.Replace(text, "{", `{"$comment":"`+fmt.Sprint(compiled)+`",`, 1), "{}", schema.Options{})
			}
			costtest.Linear(t, c.n, c.shape, read)
			text := c.shape(2 * c.n)
			if cost := costtest.Of(func() { read(text) }); cost.Bytes > 64<<20 {
				t.Errorf("a schema of %d bytes allocates %d MiB", len(text), cost.Bytes>>20)
			}
		})
	}
}
