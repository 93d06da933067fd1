// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPathsAreThoseOfKubectl(t *testing.T) {
	values, err := decode(json.RawMessage(`{"s":"x","n":1000000,"f":1.25,"big":12345678901234567890,"huge":123456789012345678901234567890,"t":true,"null":null,
		"hosts":[{"name":"a","port":1},{"name":"b","port":2}],"deep":{"a":{"b":{"c":"d"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		"{.s}":                              "x",
		"plain":                             "plain",
		"":                                  "",
		"{.n} {.f} {.t} {.null}":            "1000000 1.25 true null",
		"{.big}/{.huge}":                    "12345678901234567890/123456789012345678901234567890",
		"{.hosts[*].name}":                  "a b",
		"{.hosts[0].name}:{.hosts[1].port}": "a:2",
		"{.hosts[-1:].name}":                "b",
		"{.hosts[?(@.port==2)].name}":       "b",
		"{.hosts[?(@.port>1)].name}":        "b",
		`{.hosts[?(@.name=="a")].port}`:     "1",
		"{range .hosts[*]}{.name},{end}.":   "a,b,.",
		"{['s','t']}":                       "x true",
		"{..c}":                             "d",
		"{.hosts}":                          `[{"name":"a","port":1},{"name":"b","port":2}]`,
	} {
		got, err := newPaths(values).evaluate(expression)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", expression, got, err, want)
		}
	}
}

func TestAPathCannotTakeLong(t *testing.T) {
	nested := strings.Repeat(`{"a":`, 200) + `"x"` + strings.Repeat("}", 200)
	wide := `{"a":[` + strings.Repeat(`{"a":"`+strings.Repeat("x", 100)+`"},`, 999) + `{}]}`
	for name, c := range map[string]struct{ credentials, expression string }{
		"descent of descents": {nested, "{..a..a..a..a}"},
		"unions of unions":    {`{"a":{"a":{"a":"x"}}}`, "{" + strings.Repeat("['a','a']", 40) + "}"},
		"ranges in ranges":    {wide, strings.Repeat("{range ..a}", 10)},
		"filters in filters":  {wide, "{.a" + strings.Repeat("[?(@.a)]", 40) + "}"},
		"too long":            {`{}`, strings.Repeat(" ", maxExpression+1)},
		"a long result":       {`{"l":["` + strings.Repeat("x", 90000) + `","","","","","","","","","","","",""],"m":"` + strings.Repeat("y", 90000) + `"}`, "{.m}{.m}{.m}{.m}{.m}{.m}{.m}{.m}{.m}{.m}{.m}{.m}"},
	} {
		values, err := decode(json.RawMessage(c.credentials))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := newPaths(values).evaluate(c.expression); err == nil {
			t.Errorf("%s: %d bytes and no error", name, len(got))
		}
	}
}

func FuzzPaths(f *testing.F) {
	for _, expression := range []string{"{.uri}", "{..}", "{range .list[*]}{@}{end}", "{.obj.*}", "{end}{range}", "{.list[0:1:1]}", "{['uri','port']}", `{.list[?(@=="a")]}`, "{range .a}{range .b}{end}", "{.list[?(@.a", "{'}"} {
		f.Add(expression)
	}
	values, err := decode(json.RawMessage(golden))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		if _, err := newPaths(values).evaluate(expression); err != nil && strings.Contains(err.Error(), "mysql://") && !strings.Contains(expression, "mysql://") {
			t.Errorf("%q tells what is secret: %v", expression, err)
		}
	})
}
