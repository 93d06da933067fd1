// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/costtest"
)

// hostile is credentials of n bytes, and transforms of them, in a shape that costs much.
type hostile struct {
	credentials func(n int) string
	transforms  []v1beta1.SecretTransform
}

// largest returns the size of the largest credentials of the shape that are decoded.
func (h hostile) largest() int {
	for n := 1 << 20; ; n -= n / 16 {
		if countValues([]byte(h.credentials(n))) <= maxValues {
			return n
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
	"one text":             {func(n int) string { return oneText(n / 4) }, many(`{..x}`)},
	"texts, step by step":  {func(n int) string { return oneText(n / 48) }, many(`{.*.*` + strings.Repeat(".x", 8) + `}`)},
	"bytes of a text":      {func(n int) string { return oneText(n / 16) }, many(`{.*.*}`)},
	"texts at each depth":  {func(n int) string { return strings.Repeat(`{"x":`, 8) + oneText(n/48) + strings.Repeat("}", 8) }, many(`{..x..x}`)},
	"the whole list":       {listOf(`{"x":1}`), many(`{.a}`)},
	"ranges":               {listOf(`{"x":1}`), many(`{range .a[*]}{.x}{end}`)},
	"unions":               {listOf(`{"x":1}`), many(`{.a[*]['x','x','x']}`)},
	"many keys":            {keysOf("k%d", "1"), many(`{.a}`)},
	"many wildcards":       {keysOf("k%d", "1"), many(`{.*}`)},
	"keys of no Secret":    {keysOf("k %d", "1"), nil},
	"names of one meaning": {func(n int) string { return keysOf("u_r_i"+strings.Repeat("_", 8)+"%.0d", `"x"`)(n) }, nil},
	"URIs":                 {func(n int) string { return `{"uri":"https://x/` + strings.Repeat("a", n-40) + ` "}` }, nil},
	"numbers":              {listOf(`1.50000`), nil},
	"renames":              {listOf(`1`), append(slices.Repeat([]v1beta1.SecretTransform{rename("a", "b"), rename("b", "a")}, 31), path("k", `{.a[0]}`))},
	"deep":                 {func(n int) string { return `{"a":` + strings.Repeat("[", n/120) + strings.Repeat("]", n/120) + "}" }, many(`{..x}`)},
}

func oneText(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }

// F-S43: one Secret took 15 s, since each of 64 expressions had a bound of its own, and had all values copied for it.
func TestCostOfCredentials(t *testing.T) {
	for name, shape := range shapes {
		b := bindingWith(shape.transforms...)
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, shape.largest()/2, func(n int) json.RawMessage { return json.RawMessage(shape.credentials(n)) }, func(credentials json.RawMessage) {
				_, _ = Render(credentials, b, Service{}, nil)
			})
		})
	}
}

// Keys of other Secrets are copied in linear time.
func TestCostOfSources(t *testing.T) {
	for name, transforms := range map[string][]v1beta1.SecretTransform{
		"once":                {copyOf("", "many")},
		"again and again":     {copyOf("", "many"), copyOf("", "many"), copyOf("", "many"), copyOf("", "many")},
		"with an expression":  {path("k", "{.a}"), copyOf("", "many"), copyOf("", "many"), copyOf("", "many"), copyOf("", "many")},
		"then an expression":  {copyOf("", "many"), path("k", "{.a}")},
		"more than is copied": append(many("{.a}")[:59], slices.Repeat([]v1beta1.SecretTransform{copyOf("", "many")}, 5)...),
	} {
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, maxCopied/8, func(n int) Sources { return Sources{"many": keysWith(n, "")} }, func(others Sources) {
				_, _ = Render(json.RawMessage(`{"a":"x"}`), bindingWith(transforms...), Service{}, others)
			})
		})
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

// F-S43: credentials with a large text, such as a certificate, and the expressions that they usually have, could be written before all
// expressions had one bound together, and can be.
func TestExpressionsBesideALargeText(t *testing.T) {
	const usual = `{"cluster":{"nodes":[{"host":"a.example","port":9092},{"host":"b.example","port":9092}],"auth":{"username":"u","password":"p"}},"ca_cert":"%s"}`
	expressions := []string{`{..username}`, `{..password}`, `{..host}`, `{.cluster.*.username}`, `{.cluster.nodes[*].host}`, `{.cluster.nodes[?(@.port==9092)].host}`}
	for _, n := range []int{1 << 10, 16 << 10, 64 << 10, 120 << 10} {
		text := strings.Repeat("x", n)
		b := bindingWith()
		for i := range 18 {
			b.Spec.SecretTransforms = append(b.Spec.SecretTransforms, path(fmt.Sprint("k", i), expressions[i%len(expressions)]))
		}
		if _, err := Render(json.RawMessage(fmt.Sprintf(usual, text)), b, Service{}, nil); err != nil {
			t.Errorf("a certificate of %d bytes: %v", n, err)
		}
		for _, expression := range expressions[:4] {
			copied := bindingWith(append([]v1beta1.SecretTransform{copyOf("", "more")}, many(expression)[:16]...)...)
			if _, err := Render(json.RawMessage(fmt.Sprintf(usual, "x")), copied, Service{}, Sources{"more": {"ca.crt": []byte(text)}}); err != nil {
				t.Errorf("%s beside a copied certificate of %d bytes: %v", expression, n, err)
			}
		}
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

// All names together have to fit into the record of the Secret.
func TestManyLongNames(t *testing.T) {
	_, err := Render(json.RawMessage(keysOf(strings.Repeat("k", 200)+"%d", "1")(200<<10)), bindingWith(), Service{}, nil)
	if err == nil || !strings.Contains(err.Error(), "the names of the credentials' keys have") || !strings.Contains(err.Error(), "they can have 131072") {
		t.Errorf("got %v", err)
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
		binding, credentials := bindingWith(shape.transforms...), json.RawMessage(shape.credentials(shape.largest()))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Render(credentials, binding, Service{}, nil)
			}
		})
	}
}
