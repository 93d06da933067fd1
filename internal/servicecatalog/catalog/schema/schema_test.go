// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/schema"
)

const (
	draft4    = `"$schema":"http://json-schema.org/draft-04/schema#",`
	draft6    = `"$schema":"http://json-schema.org/draft-06/schema#",`
	draft7    = `"$schema":"http://json-schema.org/draft-07/schema#",`
	draft2019 = `"$schema":"https://json-schema.org/draft/2019-09/schema",`
	draft2020 = `"$schema":"https://json-schema.org/draft/2020-12/schema",`
)

func validate(t testing.TB, text, parameters string, o schema.Options) (field.ErrorList, string) {
	return validateIn(t.Context(), text, parameters, o)
}

func validateIn(ctx context.Context, text, parameters string, o schema.Options) (field.ErrorList, string) {
	o.Path = field.NewPath("spec", "parameters")
	return schema.Validate(ctx, &runtime.RawExtension{Raw: []byte(text)}, []byte(parameters), o)
}

func lines(errs field.ErrorList) string {
	var all []string
	for _, e := range errs {
		all = append(all, e.Error())
	}
	return strings.Join(all, "\n")
}

// conformance: C11 C12
func TestValidate(t *testing.T) {
	for _, c := range []struct{ why, schema, parameters, want string }{
		{"the path in the form of fields", `{` + draft4 + `"properties":{"firewallRules":{"items":{"properties":{"name":{"type":"string"}}}}}}`,
			`{"firewallRules":[{"name":5}]}`, `spec.parameters.firewallRules[0].name: Invalid value: 5: must be a string`},
		{"a field of another form", `{` + draft4 + `"properties":{"a.b/c":{"properties":{"x y":{"type":"integer"}}}}}`,
			`{"a.b/c":{"x y":true}}`, `spec.parameters[a.b/c][x y]: Invalid value: true: must be an integer`},
		{"what is missing", `{` + draft4 + `"required":["location","name"]}`, `{"name":1}`, `spec.parameters.location: Required value: must be given`},
		{"no parameters at all", `{` + draft4 + `"required":["location"]}`, ``, `spec.parameters.location: Required value: must be given`},
		{"what nobody knows", `{` + draft4 + `"properties":{"location":{},"name":{}},"additionalProperties":false}`, `{"locatoin":"x"}`,
			`spec.parameters.locatoin: Forbidden: must not be given: the schema does not define it: use location or name`},
		{"several, in order", `{` + draft4 + `"properties":{"a":{"minimum":3},"b":{"maxLength":2}},"required":["c"]}`, `{"b":"long","a":1}`,
			"spec.parameters.a: Invalid value: 1: must be at least 3\nspec.parameters.b: Invalid value: \"long\": must have at most 2 characters\nspec.parameters.c: Required value: must be given"},
		{"one of some", `{` + draft4 + `"properties":{"a":{"enum":["x","y",1,null]}}}`, `{"a":"z"}`, `spec.parameters.a: Invalid value: "z": must be "x", "y", 1 or null`},
		{"1.0 is 1", `{` + draft4 + `"properties":{"a":{"enum":[{"n":[1]}]}}}`, `{"a":{"n":[1.0]}}`, ``},
		{"true is not 1", `{` + draft4 + `"properties":{"a":{"enum":[1]}}}`, `{"a":true}`, `spec.parameters.a: Invalid value: true: must be 1`},
		{"a number of many digits", `{` + draft4 + `"properties":{"a":{"maximum":9007199254740992}}}`, `{"a":9007199254740993}`, `spec.parameters.a: Invalid value: 9007199254740993: must be at most 9007199254740992`},
		{"a pattern", `{` + draft4 + `"properties":{"a":{"pattern":"^[a-z]+$"}}}`, `{"a":"A"}`, `spec.parameters.a: Invalid value: "A": must match the regular expression ^[a-z]+$`},
		{"a format", `{` + draft4 + `"properties":{"a":{"format":"ipv4"}}}`, `{"a":"A"}`, `spec.parameters.a: Invalid value: "A": must have the format ipv4`},
		{"a format that nobody knows", `{` + draft4 + `"properties":{"a":{"format":"colour"}}}`, `{"a":"A"}`, ``},
		{"a regular expression is JavaScript's, so Go does not judge it", `{` + draft4 + `"properties":{"a":{"format":"regex"}}}`, `{"a":"(?!x)"}`, ``},
		{"the same item twice", `{` + draft4 + `"properties":{"a":{"uniqueItems":true}}}`, `{"a":[1,2,1]}`, `spec.parameters.a: Invalid value: must not have the same item twice, as at 0 and 2`},
		{"what depends on another", `{` + draft4 + `"dependencies":{"a":["b"]}}`, `{"a":1}`, `spec.parameters.b: Required value: must be given together with "a"`},
		{"what is ruled out", `{` + draft4 + `"properties":{"a":{"not":{"type":"string"}}}}`, `{"a":"x"}`, `spec.parameters.a: Invalid value: "x": must not have the form that the schema rules out`},
		{"a multiple", `{` + draft4 + `"properties":{"a":{"multipleOf":0.1}}}`, `{"a":0.25}`, `spec.parameters.a: Invalid value: 0.25: must be a multiple of 0.1`},

		{"draft-04: exclusiveMinimum is true or false", `{` + draft4 + `"properties":{"a":{"minimum":5,"exclusiveMinimum":true}}}`, `{"a":5}`, `spec.parameters.a: Invalid value: 5: must be more than 5`},
		{"draft-04: id, and a reference to it", `{` + draft4 + `"id":"http://example.com/s.json","definitions":{"p":{"id":"#port","maximum":9}},"properties":{"a":{"$ref":"http://example.com/s.json#/definitions/p"},"b":{"$ref":"#port"}}}`,
			`{"a":10,"b":11}`, "spec.parameters.a: Invalid value: 10: must be at most 9\nspec.parameters.b: Invalid value: 11: must be at most 9"},
		{"draft-04: const is no keyword", `{` + draft4 + `"properties":{"a":{"const":1}}}`, `{"a":2}`, ``},
		{"draft-04: a field may be called id, or $ref", `{` + draft4 + `"properties":{"id":{"type":"string"},"$ref":{"type":"string"}}}`, `{"id":1,"$ref":"x"}`, `spec.parameters.id: Invalid value: 1: must be a string`},
		{"draft-04: 1.0 is an integer", `{` + draft4 + `"properties":{"a":{"type":"integer"}}}`, `{"a":1.0}`, ``},
		{"without a draft it is draft-04", `{"properties":{"a":{"minimum":5,"exclusiveMinimum":true},"b":{"const":1}}}`, `{"a":5,"b":2}`, `spec.parameters.a: Invalid value: 5: must be more than 5`},
		{"draft-06: const, and exclusiveMinimum is a number", `{` + draft6 + `"properties":{"a":{"exclusiveMinimum":5},"b":{"const":"x"}}}`, `{"a":5,"b":"y"}`,
			"spec.parameters.a: Invalid value: 5: must be more than 5\nspec.parameters.b: Invalid value: \"y\": must be \"x\""},
		{"draft-06: names, at the right path", `{` + draft6 + `"properties":{"a":{"properties":{"m":{"propertyNames":{"maxLength":3}},"n":{}}}}}`, `{"a":{"m":{"long name":1},"n":{"p":{}}}}`,
			`spec.parameters.a.m: Invalid value: must not have the name "long name", which the schema does not allow`},
		{"draft-06: nothing may be there", `{` + draft6 + `"properties":{"a":false}}`, `{"a":1}`, `spec.parameters.a: Forbidden: must not be given`},
		{"draft-06: an item", `{` + draft6 + `"properties":{"a":{"contains":{"const":1}}}}`, `{"a":[2]}`, `spec.parameters.a: Invalid value: must have an item of the form that the schema requires`},
		{"draft-07: if, then", `{` + draft7 + `"if":{"properties":{"tier":{"const":"ha"}}},"then":{"required":["zones"]}}`, `{"tier":"ha"}`, `spec.parameters.zones: Required value: must be given`},
		{"draft-07: else", `{` + draft7 + `"if":{"required":["tier"]},"then":{},"else":{"required":["zones"]}}`, `{}`, `spec.parameters.zones: Required value: must be given`},
		{"2019-09: dependentRequired, unevaluatedProperties", `{` + draft2019 + `"allOf":[{"properties":{"a":{}}}],"dependentRequired":{"a":["b"]},"unevaluatedProperties":false}`, `{"a":1,"c":2}`,
			"spec.parameters.b: Required value: must be given together with \"a\"\nspec.parameters.c: Forbidden: must not be given"},
		{"2020-12: prefixItems", `{` + draft2020 + `"properties":{"a":{"prefixItems":[{"type":"string"}],"items":false}}}`, `{"a":[1,2]}`,
			"spec.parameters.a[0]: Invalid value: 1: must be a string\nspec.parameters.a[1]: Forbidden: must not be given"},
		{"2020-12: formats are for people", `{` + draft2020 + `"properties":{"a":{"format":"ipv4"}}}`, `{"a":"A"}`, ``},
		{"2020-12: $defs and anchors", `{` + draft2020 + `"$defs":{"p":{"$anchor":"port","maximum":9}},"properties":{"a":{"$ref":"#port"}}}`, `{"a":10}`, `spec.parameters.a: Invalid value: 10: must be at most 9`},

		{"of several forms the one that is meant", `{` + draft4 + `"properties":{"a":{"anyOf":[{"type":"null"},{"type":"string","minLength":3}]}}}`, `{"a":"x"}`, `spec.parameters.a: Invalid value: "x": must have at least 3 characters`},
		{"told by a field", `{` + draft4 + `"oneOf":[{"properties":{"kind":{"enum":["a"]}},"required":["x"]},{"properties":{"kind":{"enum":["b"]}},"required":["y"]}]}`, `{"kind":"b"}`, `spec.parameters.y: Required value: must be given`},
		{"none is meant", `{` + draft4 + `"oneOf":[{"properties":{"kind":{"enum":["a"]}}},{"properties":{"kind":{"enum":["b"]}}}]}`, `{"kind":"c"}`,
			`spec.parameters: Invalid value: must have one of the forms that the schema allows: kind must be "a" or kind must be "b"`},
		{"several may be", `{` + draft4 + `"anyOf":[{"required":["x"]},{"required":["y"]}]}`, `{}`,
			`spec.parameters: Invalid value: must have one of the forms that the schema allows: x must be given or y must be given`},
		{"two match", `{` + draft4 + `"properties":{"a":{"oneOf":[{"type":"null"},{"minimum":1},{"maximum":3}]}}}`, `{"a":2}`,
			`spec.parameters.a: Invalid value: 2: must match only one of the forms that are allowed, and matches the second and the third`},
		{"a schema that refers to itself further down", `{` + draft4 + `"definitions":{"tree":{"properties":{"children":{"items":{"$ref":"#/definitions/tree"}},"n":{"type":"integer"}}}},"properties":{"t":{"$ref":"#/definitions/tree"}}}`,
			`{"t":{"n":1,"children":[{"children":[{"n":"x"}]}]}}`, `spec.parameters.t.children[0].children[0].n: Invalid value: "x": must be an integer`},
		{"the metaschema is there without being fetched", `{` + draft4 + `"properties":{"a":{"$ref":"http://json-schema.org/draft-04/schema#"}}}`, `{"a":{"type":"strin"}}`,
			`spec.parameters.a.type: Invalid value: "strin": must have one of the forms that the schema allows: must be "array", "boolean", "integer", "null", "number", "object" or "string" or must be an array`},
		{"an empty schema", `{}`, `{"a":1}`, ``},
		{"no schema", `null`, `{"a":1}`, ``},
		{"a long text is cut, and is one line", `{` + draft4 + `"properties":{"a":{"pattern":"^x$"}}}`, `{"a":"` + strings.Repeat(`a\n`, 150) + `"}`,
			`spec.parameters.a: Invalid value: "` + strings.TrimSuffix(strings.Repeat("a ", 100), " ") + `…": must match the regular expression ^x$`},
	} {
		errs, warning := validate(t, c.schema, c.parameters, schema.Options{ShowValues: true})
		if got := lines(errs); got != c.want || warning != "" {
			t.Errorf("%s:\n%s\nwant\n%s\nwarning: %s", c.why, got, c.want, warning)
		}
		again, _ := validate(t, c.schema, c.parameters, schema.Options{ShowValues: true})
		if lines(again) != lines(errs) {
			t.Errorf("%s: the next time it is\n%s", c.why, lines(again))
		}
	}
}

func TestManyErrorsAreCut(t *testing.T) {
	errs, _ := validate(t, `{`+draft4+`"additionalProperties":false}`, `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1}`, schema.Options{})
	if len(errs) != 10 || !strings.HasSuffix(errs[9].Detail, "(and more errors)") {
		t.Errorf("there are %d errors, the last %v", len(errs), errs[len(errs)-1])
	}
}

// What a Secret sets is not known at admission: it may be anything, and set right
// whatever is not right yet.
func TestPartial(t *testing.T) {
	for _, c := range []struct{ why, schema, parameters, want string }{
		{"required", draft4 + `"required":["a"]`, `{}`, ``},
		{"not within a field, which is known", draft4 + `"properties":{"a":{"required":["b"]}}`, `{"a":{}}`, `spec.parameters.a.b: Required value: must be given`},
		{"minProperties", draft4 + `"minProperties":2`, `{"a":1}`, ``},
		{"maxProperties only gets worse", draft4 + `"maxProperties":1`, `{"a":1,"b":2}`, `spec.parameters: Invalid value: must have at most 1 fields`},
		{"a dependency", draft4 + `"dependencies":{"a":["b"],"c":{"required":["d"],"properties":{"c":{"type":"string"}}}}`, `{"a":1,"c":2}`, `spec.parameters.c: Invalid value: must be a string`},
		{"dependentRequired, dependentSchemas", draft2020 + `"dependentRequired":{"a":["b"]},"dependentSchemas":{"a":{"minProperties":3,"properties":{"a":{"type":"string"}}}}`, `{"a":1}`, `spec.parameters.a: Invalid value: must be a string`},
		{"the whole object", draft6 + `"const":{"a":1,"b":2},"enum":[{"a":1,"b":2}]`, `{"a":1}`, ``},
		{"what is there has to be right", draft4 + `"properties":{"a":{"type":"string"}},"patternProperties":{"^n":{"minimum":1}},"additionalProperties":false`, `{"a":1,"n":0,"x":1}`,
			"spec.parameters.a: Invalid value: must be a string\nspec.parameters.n: Invalid value: must be at least 1\nspec.parameters.x: Forbidden: must not be given: the schema does not define it: use a"},
		{"by reference, of which only the top is relaxed", draft4 + `"definitions":{"r":{"required":["x"],"properties":{"x":{},"y":{"$ref":"#/definitions/r"}}}},"allOf":[{"$ref":"#/definitions/r"}]`, `{"y":{}}`, `spec.parameters.y.x: Required value: must be given`},
		{"anyOf: a form may still come", draft4 + `"anyOf":[{"required":["a"]},{"required":["b"]}]`, `{}`, ``},
		{"or no more", draft4 + `"anyOf":[{"required":["a"],"properties":{"k":{"enum":[1]}}},{"required":["b"],"properties":{"k":{"enum":[2]}}}]`, `{"k":3}`,
			`spec.parameters: Invalid value: must have one of the forms that the schema allows: k must be 1 or k must be 2`},
		{"oneOf: both match as long as the rest is not there", draft4 + `"oneOf":[{"required":["a"]},{"required":["b"]}]`, `{}`, ``},
		{"or none ever will", draft4 + `"anyOf":[{}],"oneOf":[{"required":["a"],"properties":{"k":{"enum":[1]}}},{"properties":{"k":{"enum":[2]}}}]`, `{"k":3}`,
			`spec.parameters: Invalid value: must have one of the forms that the schema allows: k must be 1 or k must be 2`},
		{"not: the rest may make it false", draft4 + `"not":{"required":["a"]}`, `{"a":1}`, ``},
		{"if: nobody knows", draft7 + `"if":{"properties":{"k":{"const":1}}},"then":{"required":["a"]}`, `{"k":1}`, ``},
		{"if: the one or the other", draft7 + `"if":{"required":["k"]},"then":{"properties":{"a":{"const":1}}},"else":{"properties":{"a":{"const":2}}}`, `{"a":2}`, ``},
		{"if: neither", draft7 + `"if":{"required":["k"]},"then":{"properties":{"a":{"const":1}}},"else":{"properties":{"a":{"const":2}}}`, `{"a":3}`,
			`spec.parameters: Invalid value: must have one of the forms that the schema allows: a must be 1 or a must be 2`},
		{"unevaluatedProperties", draft2020 + `"if":{"required":["k"],"properties":{"a":{}}},"unevaluatedProperties":false`, `{"a":1}`, ``},
		{"names", draft6 + `"propertyNames":{"maxLength":2}`, `{"abc":1}`, `spec.parameters: Invalid value: must not have the name "abc", which the schema does not allow`},
		{"a schema that allows nothing", draft6 + `"allOf":[false]`, `{}`, `spec.parameters: Forbidden: must not be given`},
	} {
		errs, warning := validate(t, `{`+c.schema+`}`, c.parameters, schema.Options{Partial: true})
		if got := lines(errs); got != c.want || warning != "" {
			t.Errorf("%s:\n%s\nwant\n%s\nwarning: %s", c.why, got, c.want, warning)
		}
	}
}

// Whatever else there is, what is right in the whole is not refused for a part of it.
func FuzzPartial(f *testing.F) {
	f.Add(`{`+draft2020+`"oneOf":[{"required":["a"]},{"required":["b"]}],"not":{"required":["c"]},"unevaluatedProperties":true}`, `{"a":1}`, `{"x":2}`)
	f.Add(`{`+draft7+`"if":{"required":["a"]},"then":{"minProperties":2},"else":{"const":{}},"dependencies":{"a":["x"]}}`, `{"a":1}`, `{"x":2}`)
	f.Add(`{`+draft4+`"anyOf":[{"enum":[{"a":1,"x":2}]},{"maxProperties":1}],"additionalProperties":{"type":"integer"}}`, `{"a":1}`, `{"x":2}`)
	f.Fuzz(func(t *testing.T, text, known, rest string) {
		if len(known) < 2 || len(rest) < 2 || known[0] != '{' || rest[0] != '{' {
			return
		}
		whole := known[:len(known)-1] + "," + rest[1:]
		if errs, warning := validate(t, text, whole, schema.Options{}); len(errs) > 0 || warning != "" {
			return
		}
		if errs, _ := validate(t, text, known, schema.Options{Partial: true}); len(errs) > 0 && !sharesNames(known, rest) {
			t.Errorf("%s is right, and %s is refused: %v", whole, known, errs)
		}
	})
}

// ShowValues is for what a person just typed. All else may have come from a Secret.
func TestValuesAreNotShown(t *testing.T) {
	const canary = "hunter22"
	for _, text := range []string{
		`"type":"integer"`, `"enum":["a",1]`, `"pattern":"^x$"`, `"format":"ipv4"`, `"format":"date-time"`, `"format":"uri"`, `"maxLength":1`, `"minLength":99`,
		`"not":{}`, `"anyOf":[{"enum":["a"]},{"pattern":"^x$"}]`, `"oneOf":[{"maxLength":1},{"format":"email"}]`, `"oneOf":[{},{}]`, `"allOf":[{"type":"null"}]`,
	} {
		for what, parameters := range map[string]string{
			"a text": `{"a":"` + canary + `"}`, "in a list": `{"a":["` + canary + `","` + canary + `"]}`, "in an object": `{"a":{"x":"` + canary + `"}}`,
		} {
			full := `{` + draft4 + `"properties":{"a":{` + text + `,"items":{` + text + `},"additionalProperties":{` + text + `},"uniqueItems":true}}}`
			errs, warning := validate(t, full, parameters, schema.Options{})
			if len(errs) == 0 {
				t.Errorf("%s, %s: no error, but %q", text, what, warning)
			}
			if strings.Contains(lines(errs)+warning, canary) {
				t.Errorf("%s, %s: the error tells the value:\n%s", text, what, lines(errs))
			}
		}
	}
	for _, parameters := range []string{`{"a":1e` + strings.Repeat("9", 50) + `}`, `{"` + canary + `"`, `["` + canary + `"`} {
		if _, warning := validate(t, `{`+draft4+`"type":"object"}`, parameters, schema.Options{}); warning == "" || strings.Contains(warning, canary) {
			t.Errorf("%s: the warning is %q", parameters, warning)
		}
	}
}

// A schema that cannot be used is the broker's fault, and never stops a user.
// conformance: C12 C13
func TestBrokenSchemas(t *testing.T) {
	manyRefs := `"definitions":{"a":{}},"properties":{` + repeat(257, `"p%d":{"$ref":"#/definitions/a"}`) + `}`
	schema.SetTimeout(t, time.Minute) // on a busy machine the time may end before another limit is reached
	for _, c := range []struct{ why, schema, parameters, want string }{
		{"not JSON", `{`, `{}`, "it is not JSON"},
		{"no schema", `[]`, `{}`, "it must be an object"},
		{"a keyword of another type", `{` + draft4 + `"required":5}`, `{}`, "at /required it must be an array"},
		{"draft-04: exclusiveMinimum of draft-06", `{` + draft4 + `"properties":{"a":{"exclusiveMinimum":5}}}`, `{}`, "it must match the schema"},
		{"another draft", `{"$schema":"http://json-schema.org/draft-03/schema#"}`, `{}`, "it is none of the drafts 04, 06, 07, 2019-09 and 2020-12"},
		{"a draft of somebody's own", `{"$schema":"http://example.com/schema#"}`, `{}`, "nothing is fetched"},
		{"a reference to elsewhere", `{` + draft4 + `"properties":{"a":{"$ref":"http://127.0.0.1:1/x.json"}}}`, `{}`, "nothing is fetched"},
		{"to a file", `{` + draft4 + `"properties":{"a":{"$ref":"file:///etc/passwd"}}}`, `{}`, "nothing is fetched"},
		{"to a neighbour", `{` + draft4 + `"properties":{"a":{"$ref":"other.json"}}}`, `{}`, "nothing is fetched"},
		{"to nothing", `{` + draft4 + `"properties":{"a":{"$ref":"#/definitions/a"}}}`, `{}`, "cannot be used"},
		{"to itself, at once", `{` + draft4 + `"$ref":"#"}`, `{}`, "refers to itself without end"},
		{"to itself, by way of others", `{` + draft4 + `"definitions":{"a":{"allOf":[{"$ref":"#/definitions/b"}]},"b":{"not":{"$ref":"#/definitions/a"}}},"properties":{"a":{"$ref":"#/definitions/a"}}}`, `{}`, "refers to itself without end"},
		{"too many references", `{` + draft4 + manyRefs + `}`, `{}`, "it has 257 references, where 256 are allowed"},
		{"too deep", `{` + draft4 + `"not":` + strings.Repeat(`{"not":`, 70) + `{}` + strings.Repeat(`}`, 71), `{}`, "more than 64 levels deep"},
		{"too long", `{` + draft4 + `"title":"` + strings.Repeat("a", 64<<10) + `"}`, `{}`, "bytes, where 65536 are allowed"},
		{"too many schemas", `{` + draft2020 + `"allOf":[` + strings.Repeat("true,", 5000) + `true]}`, `{}`, "schemas in it, where 4096 are allowed"},
		{"a long chain", `{` + draft4 + `"definitions":{` + repeat(200, `"d%d":{"$ref":"#/definitions/d%d"}`) + `,"d200":{}},"$ref":"#/definitions/d0"}`, `{}`, "more than 128 schemas to the same value"},
		{"a pattern of JavaScript's", `{` + draft4 + `"properties":{"a":{"pattern":"^(?!x)"}}}`, `{}`, "at /properties/a/pattern it must have the format regex: error parsing regexp"},
		{"a name of JavaScript's", `{` + draft4 + `"patternProperties":{"^(?!x)":{}}}`, `{}`, "error parsing regexp"},
		{"a pattern that takes too much", `{` + draft4 + `"properties":{` + repeat(60, `"p%d":{"pattern":"^((a{1,30}){1,30}%d)$"}`) + `}}`, `{}`, "patterns of the schema together are too complex"},
		{"a pattern that is too long", `{` + draft4 + `"properties":{"a":{"pattern":"` + strings.Repeat("a", 2000) + `"}}}`, `{}`, "longer than 1024 bytes"},
		{"a number without end", `{` + draft4 + `"properties":{"a":{"maximum":1e999999999}}}`, `{}`, "numbers that have more than 64 digits"},
		{"what depends on who asks", `{` + draft2020 + `"$dynamicAnchor":"n","properties":{"a":{"$dynamicRef":"#n"}}}`, `{}`, "which are not followed"},
		{"the same, of 2019-09", `{` + draft2019 + `"$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"}}}`, `{}`, "which are not followed"},
		{"parameters that are not JSON", `{` + draft4 + `"type":"object"}`, `{"a":`, "they are not JSON"},
		{"or too deep", `{` + draft4 + `"type":"object"}`, strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70), "they are more than 64 levels deep"},
		{"or too long", `{` + draft4 + `"type":"object"}`, `{"a":"` + strings.Repeat("a", 256<<10) + `"}`, "of which 262144 are checked at most"},
		{"or of numbers without end", `{` + draft4 + `"type":"object"}`, `{"a":1e999999999}`, "numbers that have more than 64 digits"},
	} {
		errs, warning := validate(t, c.schema, c.parameters, schema.Options{ShowValues: true})
		if len(errs) > 0 || !strings.Contains(warning, c.want) || strings.ContainsAny(warning, "\n\r") || len(warning) > 400 {
			t.Errorf("%s: warning %q, want %q; errors %v", c.why, warning, c.want, errs)
		}
	}
}

// Each would run for hours, or take all memory.
func TestCostlySchemas(t *testing.T) {
	exponential := func(keyword string) string {
		var definitions strings.Builder
		for i := range 60 {
			fmt.Fprintf(&definitions, `"d%d":{"%s":[{"$ref":"#/definitions/d%d"},{"$ref":"#/definitions/d%d"}]},`, i, keyword, i+1, i+1)
		}
		return `{` + draft4 + `"definitions":{` + definitions.String() + `"d60":{"required":["nope"]}},"$ref":"#/definitions/d0"}`
	}
	object := `{` + repeat(20000, `"p%d":1`) + `}`
	for why, c := range map[string][2]string{
		"exponential anyOf":                {exponential("anyOf"), `{}`},
		"exponential allOf":                {exponential("allOf"), `{}`},
		"exponential oneOf":                {exponential("oneOf"), `{}`},
		"a long enum for each of many":     {`{` + draft4 + `"additionalProperties":{"enum":[` + repeat(8000, `%d.5`) + `]}}`, object},
		"many patterns for many names":     {`{` + draft4 + `"patternProperties":{` + repeat(1000, `"^(a|b)*%d$":{}`) + `}}`, object},
		"unevaluated, again and again":     {`{` + draft2020 + `"allOf":[` + repeat(1400, `{"unevaluatedProperties":{"minimum":%d}}`) + `]}`, object},
		"required, again and again":        {`{` + draft4 + `"properties":{"a":{"items":{"required":[` + repeat(5000, `"p%d"`) + `]}}}}`, `{"a":[` + strings.TrimSuffix(strings.Repeat("{},", 20000), ",") + `]}`},
		"items that are compared":          {`{` + draft4 + `"allOf":[` + repeat(1000, `{"properties":{"a":{"uniqueItems":true}},"maxProperties":%d}`) + `]}`, `{"a":[` + repeat(20000, "%d") + `]}`},
		"a long text and a costly pattern": {`{` + draft4 + `"properties":{"a":{"allOf":[` + repeat(500, `{"pattern":"(x+x+)+y%d"}`) + `]}}}`, `{"a":"` + strings.Repeat("x", 200000) + `"}`},
		"a deep value and a schema that follows": {`{` + draft4 + `"definitions":{"d":{"anyOf":[{"properties":{"a":{"$ref":"#/definitions/d"}},"required":["no"]},{"properties":{"a":{"$ref":"#/definitions/d"}},"required":["nope"]}]}},"$ref":"#/definitions/d"}`,
			strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)},
	} {
		errs, warning := within(t, why, c[0], c[1])
		if warning == "" && len(errs) == 0 {
			t.Errorf("%s: it was all right", why)
		}
		t.Logf("%s: %d errors, %s", why, len(errs), warning)
	}
}

// Each is at a limit of what is compiled.
func TestLargeSchemas(t *testing.T) {
	for why, text := range map[string]string{
		"many schemas":                 `{` + draft2020 + `"allOf":[` + strings.Repeat("{},", 4090) + `true]}`,
		"many schemas, one in another": `{` + draft2020 + `"$defs":{` + repeat(60, `"d%d":`+strings.Repeat(`{"not":`, 60)+`{"minimum":%d}`+strings.Repeat(`}`, 60)) + `}}`,
		"many that have a name":        `{` + draft2020 + `"$defs":{` + repeat(1900, `"d%d":{"$id":"urn:a:%d"}`) + `}}`,
		"many anchors":                 `{` + draft2020 + `"$defs":{` + repeat(1900, `"d%d":{"$anchor":"a%d"}`) + `}}`,
		"many values":                  `{` + draft4 + `"enum":[` + repeat(9000, `%d.5`) + `]}`,
		"many names":                   `{` + draft4 + `"required":[` + repeat(7000, `"p%d"`) + `]}`,
		"references to odd places":     `{` + draft2020 + `"x":{` + repeat(1500, `"d%d":{"not":{}}`) + `},"allOf":[` + repeat(250, `{"$ref":"#/x/d%d"}`) + `]}`,
		"patterns":                     `{` + draft4 + `"patternProperties":{` + repeat(2000, `"^a(b|c)*%d$":{}`) + `}}`,
	} {
		_, warning := within(t, why, text, `{}`)
		t.Logf("%s, %d bytes: %s", why, len(text), warning)
	}
}

// within fails the test where a check takes far more than it may.
func within(t *testing.T, why, text, parameters string) (field.ErrorList, string) {
	type result struct {
		errs    field.ErrorList
		warning string
	}
	done := make(chan result, 1)
	start := time.Now()
	go func() {
		errs, warning := validate(t, text, parameters, schema.Options{})
		done <- result{errs, warning}
	}()
	select {
	case r := <-done:
		t.Logf("%s: %s", why, time.Since(start))
		return r.errs, r.warning
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: it does not end", why)
		return nil, ""
	}
}

// Many may check at once, also against the same schema.
func TestValidateConcurrently(t *testing.T) {
	done := make(chan string)
	for i := range 64 {
		go func() {
			text := fmt.Sprintf(`{`+draft4+`"properties":{"a":{"maximum":%d}}}`, i%4)
			errs, warning := validate(t, text, `{"a":9}`, schema.Options{Partial: i%2 == 0})
			if len(errs) == 1 {
				done <- errs[0].Detail
			} else {
				done <- warning
			}
		}()
	}
	for range 64 {
		if got := <-done; !strings.HasPrefix(got, "must be at most ") && !strings.Contains(got, "too many") {
			t.Errorf("a check says %q", got)
		}
	}
}

func repeat(n int, format string) string {
	parts := make([]string, n)
	for i := range n {
		args := []any{i, i + 1}
		parts[i] = fmt.Sprintf(format, args[:strings.Count(format, "%d")]...)
	}
	return strings.Join(parts, ",")
}

// sharesNames says whether the parts of an object have a name in common, so that the
// whole is not what it seems.
func sharesNames(a, b string) bool {
	var one, other map[string]json.RawMessage
	if json.Unmarshal([]byte(a), &one) != nil || json.Unmarshal([]byte(b), &other) != nil {
		return true
	}
	for name := range one {
		if _, both := other[name]; both {
			return true
		}
	}
	return false
}

func FuzzValidate(f *testing.F) {
	for _, draft := range []string{"", draft4, draft6, draft7, draft2019, draft2020} {
		f.Add(`{`+draft+`"properties":{"a":{"type":"string","pattern":"^x"},"b":{"$ref":"#/properties/a"}},"required":["a"],"oneOf":[{"minProperties":1},{"enum":[{}]}]}`, `{"a":"y","b":[1,{"c":null}]}`, true)
		f.Add(`{`+draft+`"$ref":"#/definitions/x","definitions":{"x":{"items":{"$ref":"#"},"uniqueItems":true,"not":{"format":"uri"}}}}`, `[[1.5e3,1500],"a"]`, false)
		f.Add(`{`+draft+`"if":{"const":1},"then":false,"else":{"contains":{"multipleOf":0.3}},"propertyNames":{"maxLength":1},"unevaluatedItems":false}`, `{"ab":1}`, true)
	}
	f.Fuzz(func(t *testing.T, text, parameters string, partial bool) {
		start := time.Now()
		errs, warning := validate(t, text, parameters, schema.Options{Partial: partial, ShowValues: partial})
		if len(errs) > 0 && warning != "" {
			t.Errorf("there are errors and a warning: %v, %s", errs, warning)
		}
		for _, e := range errs {
			if !strings.HasPrefix(e.Field, "spec.parameters") || e.Detail == "" || strings.ContainsAny(e.Error(), "\n\r") {
				t.Errorf("the error is %v", e)
			}
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// large is a schema of about 50 kB, as one with many settings has.
func large() string {
	return `{` + draft7 + `"type":"object","additionalProperties":false,"required":["s0","s1"],"definitions":{"size":{"type":"integer","minimum":1,"maximum":4096}},"properties":{` +
		repeat(200, `"s%d":{"type":"object","title":"Setting %d","description":"What this setting is about, for people who read it","properties":{"mode":{"type":"string","enum":["on","off","auto"]},"name":{"type":"string","pattern":"^[a-z]([-a-z0-9]*[a-z0-9])?$"}}}`) + `}}`
}

func BenchmarkValidate(b *testing.B) {
	text := large()
	parameters := `{` + repeat(20, `"s%d":{"mode":"auto","name":"a-name"}`) + `}`
	b.Logf("the schema has %d bytes, the parameters %d", len(text), len(parameters))
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if errs, warning := validate(b, text, parameters, schema.Options{}); len(errs) > 0 || warning != "" {
				b.Fatal(errs, warning)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n++
			if errs, warning := validate(b, strings.Replace(text, "Setting", fmt.Sprint("Setting ", n), 1), parameters, schema.Options{}); len(errs) > 0 || warning != "" {
				b.Fatal(errs, warning)
			}
		}
	})
}

// What is right in the whole is not refused for a part of it, whatever the schema: the
// fuzzer rarely comes by one that says anything.
func TestPartialRefusesNothingThatCanBecomeRight(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	name := func() string { return pick("a", "b", "c", "d") }
	var some func(depth int) string
	keyword := func(depth int) string {
		choices := []func() string{
			func() string { return fmt.Sprintf(`"required":[%q]`, name()) },
			func() string { return fmt.Sprintf(`"minProperties":%d`, r.IntN(4)) },
			func() string { return fmt.Sprintf(`"maxProperties":%d`, r.IntN(5)) },
			func() string { return fmt.Sprintf(`"properties":{%q:{"enum":[%d,%d]}}`, name(), r.IntN(3), r.IntN(3)) },
			func() string { return fmt.Sprintf(`"dependentRequired":{%q:[%q]}`, name(), name()) },
			func() string { return fmt.Sprintf(`"propertyNames":{"enum":[%q,%q,%q]}`, name(), name(), name()) },
			func() string { return fmt.Sprintf(`"const":{%q:%d}`, name(), r.IntN(3)) },
			func() string { return `"type":"object"` },
			func() string { return `"unevaluatedProperties":false` },
			func() string { return `"additionalProperties":{"maximum":1}` },
		}
		if depth > 0 {
			choices = append(choices,
				func() string {
					return fmt.Sprintf(`%q:[%s,%s]`, pick("allOf", "anyOf", "oneOf"), some(depth-1), some(depth-1))
				},
				func() string {
					return fmt.Sprintf(`%q:[%s,%s]`, pick("allOf", "anyOf", "oneOf"), some(depth-1), some(depth-1))
				},
				func() string { return fmt.Sprintf(`"not":%s`, some(depth-1)) },
				func() string {
					return fmt.Sprintf(`"if":%s,"then":%s,"else":%s`, some(depth-1), some(depth-1), some(depth-1))
				},
				func() string { return fmt.Sprintf(`"if":%s,"then":%s`, some(depth-1), some(depth-1)) },
				func() string { return fmt.Sprintf(`"dependentSchemas":{%q:%s}`, name(), some(depth-1)) },
			)
		}
		return choices[r.IntN(len(choices))]()
	}
	some = func(depth int) string {
		keywords := map[string]string{} // one of each
		for range 1 + r.IntN(2) {
			k := keyword(depth)
			keywords[strings.SplitN(k, ":", 2)[0]] = k
		}
		return "{" + strings.Join(slices.Sorted(maps.Values(keywords)), ",") + "}"
	}
	right, refused := 0, 0
	for range 4_000 {
		text := `{` + draft2020 + `"allOf":[` + some(3) + `]}`
		whole, known := map[string]int{}, map[string]int{}
		for range r.IntN(5) {
			n, v := name(), r.IntN(3)
			if whole[n] = v; r.IntN(2) == 0 {
				known[n] = v
			} else {
				delete(known, n)
			}
		}
		all, _ := json.Marshal(whole)
		part, _ := json.Marshal(known)
		wholeErrs, _ := validate(t, text, string(all), schema.Options{})
		partErrs, warning := validate(t, text, string(part), schema.Options{Partial: true})
		if warning != "" {
			t.Fatalf("%s: %s", text, warning)
		}
		if len(wholeErrs) == 0 {
			right++
			if len(partErrs) > 0 {
				t.Fatalf("%s allows %s, and %s is refused: %v", text, all, part, partErrs)
			}
		} else if len(partErrs) > 0 {
			refused++
		}
	}
	if right < 400 || refused < 100 {
		t.Errorf("only %d were right, and %d refused", right, refused)
	}
}
