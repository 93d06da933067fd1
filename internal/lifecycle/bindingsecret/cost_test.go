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

package bindingsecret

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// hostile is credentials of n bytes, and transforms of them, in a shape that costs much.
type hostile struct {
	credentials func(n int) string
	transforms  []v1beta1.SecretTransform
}

// largest returns the largest credentials of the shape that are decoded.
func (h hostile) largest() (credentials json.RawMessage) {
	for n := 1 << 20; ; n -= n / 16 {
		if credentials = json.RawMessage(h.credentials(n)); countValues(credentials) <= maxValues {
			return credentials
		}
	}
}

func listOf(element string) func(n int) string {
	return func(n int) string {
		return `{"a":[` + strings.TrimSuffix(strings.Repeat(element+",", n/(len(element)+1)-1), ",") + `]}`
	}
}

func keysOf(format, value string) func(n int) string {
	return func(n int) string {
		var b strings.Builder
		b.WriteString(`{"a":"x"`)
		for i := 0; b.Len() < n-len(format)-len(value)-16; i++ {
			fmt.Fprintf(&b, `,"`+format+`":%s`, i, value)
		}
		return b.String() + "}"
	}
}

// many are as many transforms as a binding can have, with an expression each.
func many(expression string) (all []v1beta1.SecretTransform) {
	for i := range 64 {
		all = append(all, path(fmt.Sprintf("k%d", i%2), expression))
	}
	return all
}

var shapes = map[string]hostile{
	"no transforms":        {listOf(`{"x":1}`), nil},
	"filters":              {listOf(`{"x":1}`), many(`{.a[?(@.x==99)]}`)},
	"filters that fit":     {listOf(`{"x":1}`), many(`{.a[?(@.x<99)].x}`)},
	"filters in filters":   {listOf(`{"a":[{"x":1}]}`), many(`{.a[?(@.a[?(@.x==1)])].x}`)},
	"elements":             {listOf(`1`), many(`{.a[*]}`)},
	"one element":          {listOf(`1`), many(`{.a[0]}`)},
	"everything":           {listOf(`{"x":1}`), many(`{..x}`)},
	"descent of descents":  {listOf(`{"x":{"x":1}}`), many(`{..x..x}`)},
	"texts":                {listOf(`"` + strings.Repeat("x", 4000) + `"`), many(`{..x}`)},
	"the whole list":       {listOf(`{"x":1}`), many(`{.a}`)},
	"ranges":               {listOf(`{"x":1}`), many(`{range .a[*]}{.x}{end}`)},
	"unions":               {listOf(`{"x":1}`), many(`{.a[*]['x','x','x']}`)},
	"many keys":            {keysOf("k%d", "1"), many(`{.a}`)},
	"many wildcards":       {keysOf("k%d", "1"), many(`{.*}`)},
	"keys of no Secret":    {keysOf("k %d", "1"), nil},
	"names of one meaning": {func(n int) string { return keysOf("u_r_i"+strings.Repeat("_", 8)+"%.0d", `"x"`)(n) }, nil},
	"URIs":                 {func(n int) string { return `{"uri":"https://x/` + strings.Repeat("a", n-40) + ` "}` }, nil},
	"numbers":              {listOf(`1.50000`), nil},
	"deep":                 {func(n int) string { return `{"a":` + strings.Repeat("[", n/120) + strings.Repeat("]", n/120) + "}" }, many(`{..x}`)},
}

// F-S43: one Secret took 15 s, since each of 64 expressions had a bound of its own, and had all values copied for it.
func TestCostOfASecretGrowsInAStraightLine(t *testing.T) {
	for name, shape := range shapes {
		b := bindingWith(shape.transforms...)
		cost := func(n int) float64 {
			credentials := json.RawMessage(shape.credentials(n))
			return testing.AllocsPerRun(1, func() { _, _ = Render(credentials, b, Service{}, nil) })
		}
		if one, two := cost(32<<10), cost(64<<10); two > 2.5*one {
			t.Errorf("%s: twice the credentials take %.0f allocations, and not %.0f", name, two, one)
		}
	}
}

// F-S43.
func TestTheExpressionsOfABindingHaveOneBudget(t *testing.T) {
	credentials := json.RawMessage(listOf(`{"x":1}`)(128 << 10))
	if _, err := Render(credentials, bindingWith(many(`{.a[?(@.x==99)]}`)[:1]...), Service{}, nil); err != nil {
		t.Errorf("one expression: %v", err)
	}
	_, err := Render(credentials, bindingWith(many(`{.a[?(@.x==99)]}`)...), Service{}, nil)
	const want = "the expressions up to this one would evaluate too many values: use fewer of .., *, filters and unions"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("64 expressions: %v, want %q", err, want)
	}
	if _, err := Render(credentials, bindingWith(many(`{.a[0].x}`)...), Service{}, nil); err != nil {
		t.Errorf("single elements: %v", err)
	}
	_, err = Render(json.RawMessage(`{"a":"`+strings.Repeat("x", 100<<10)+`"}`), bindingWith(many(`{.a}`)...), Service{}, nil)
	if err == nil || !strings.Contains(err.Error(), "the results are longer than the 1048576 bytes that a Secret can have") {
		t.Errorf("the texts of 64 expressions: %v", err)
	}
}

// F-S43: decoded, 1 MiB of small values took 130 MiB.
func TestManyValuesAreNotDecoded(t *testing.T) {
	fits, exceeds := json.RawMessage(`{"a":[`+strings.Repeat("1,", maxValues-4)+`1]}`), json.RawMessage(`{"a":[`+strings.Repeat("1,", maxValues)+`1]}`)
	if _, err := Render(fits, bindingWith(), Service{}, nil); err != nil {
		t.Errorf("%v", err)
	}
	const want = "the broker's credentials have 32771 values; they can have 32768"
	if _, err := Render(exceeds, bindingWith(), Service{}, nil); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if n := countValues([]byte(`{"a,[{":"\\\",[","b":[1,{}]}`)); n > 6 {
		t.Errorf("%d values", n)
	}
}

// Transforms see what those before them have done.
func TestExpressionsSeeEarlierTransforms(t *testing.T) {
	text := "text"
	got, err := Render(json.RawMessage(`{"a":{"n":1.50},"b":"b"}`), bindingWith(path("first", "{.a.n}"), rename("a", "c"), remove("b"), copyOf("", "more"),
		add("s", v1beta1.AddKeyTransform{StringValue: &text}), path("second", "{.c.n} {.first} {.s} {.b}")), Service{}, map[string]map[string][]byte{"more": {"b": []byte("x")}})
	if err != nil || string(got.Data["second"]) != `1.5 1.5 text "eA=="` {
		t.Errorf("%q, %v", got.Data["second"], err)
	}
	if _, err := Render(json.RawMessage(`{"a":"x"}`), bindingWith(path("first", "{.a}"), remove("a"), path("second", "{.a}")), Service{}, nil); err == nil {
		t.Error("a removed key was found")
	}
}

func BenchmarkHostileCredentials(b *testing.B) {
	for name, shape := range shapes {
		binding, credentials := bindingWith(shape.transforms...), shape.largest()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Render(credentials, binding, Service{}, nil)
			}
		})
	}
}
