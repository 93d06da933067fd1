// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func secret(name, key, value string) catalog.SecretSource {
	return catalog.SecretSource{Secret: name, Key: key, Data: map[string][]byte{key: []byte(value)}}
}

func inline(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

func TestMerge(t *testing.T) {
	const g38 = `{"firewallRules":[{"endIPAddress":"255.255.255.255","name":"AllowAll","startIPAddress":"0.0.0.0"}],"location":"westus","resourceGroup":"demo"}`
	for _, c := range []struct {
		why            string
		inline         *runtime.RawExtension
		from           []catalog.SecretSource
		sent, redacted string
		checksum       string
		secrets        []string
	}{
		{why: "G38, inline only", inline: inline(`{"location":"westus","resourceGroup":"demo","firewallRules":[{"endIPAddress":"255.255.255.255","name":"AllowAll","startIPAddress":"0.0.0.0"}]}`),
			sent: g38, redacted: g38, checksum: "96cb25a6521985f09793a3c82614091e7500b475bc110b3a8d5d98bd8511e8ba"},
		{why: "G38b, with a Secret", inline: inline(`{"location":"westus"}`), from: []catalog.SecretSource{secret("s", "k", `{"password":"p<1>","n":5432}`)},
			sent:     `{"location":"westus","n":5432,"password":"p<1>"}`,
			redacted: `{"location":"westus","n":"<redacted>","password":"<redacted>"}`,
			checksum: "9d4a93c871ff63d75b81dc84b74f1b3498a98bfbc4231db268bb46028f29a36c", secrets: []string{"5432", "p<1>"}},
		{why: "G38c, numbers are sent as they are, and hashed as ever", inline: inline(`{"a":1,"b":1.0,"c":12345678901234567890,"d":1e21,"e":true,"f":null}`),
			sent:     `{"a":1,"b":1.0,"c":12345678901234567890,"d":1e21,"e":true,"f":null}`,
			redacted: `{"a":1,"b":1.0,"c":12345678901234567890,"d":1e21,"e":true,"f":null}`,
			checksum: "132369c3e166446146e0c7b380da0d052b41a00211428ec6a36b9c1c65a4a41c"},
		{why: "G38d, an empty object", inline: inline(`{}`)},
		{why: "G38d, nothing"},
		{why: "null", inline: inline(`null`)},
		{why: "empty", inline: inline(``)},
		{why: "an empty Secret", inline: inline(`{}`), from: []catalog.SecretSource{secret("s", "k", `{}`), secret("t", "k", `null`)}},
		{why: "the order of Secrets does not show", from: []catalog.SecretSource{secret("s", "k", `{"b":"bbbb"}`), secret("s", "l", `{"a":"aaaa"}`)},
			sent: `{"a":"aaaa","b":"bbbb"}`, redacted: `{"a":"<redacted>","b":"<redacted>"}`,
			checksum: "1d4e88865ab3d25a9c3153a120c0ebd41bf47e531c58ec99391f68030d398409", secrets: []string{"aaaa", "bbbb"}},
		{why: "values at any depth are secret, names are not, and short ones occur by chance",
			from: []catalog.SecretSource{secret("s", "k", `{"deep":{"list":["in list",{"x":"in object","y":12345,"z":"abc"},1.5,true,null],"long name":"last"},"end":"  a  "}`)},
			sent: `{"deep":{"list":["in list",{"x":"in object","y":12345,"z":"abc"},1.5,true,null],"long name":"last"},"end":"  a  "}`, redacted: `{"deep":"<redacted>","end":"<redacted>"}`,
			checksum: "any", secrets: []string{"12345", "in list", "in object", "last"}},
		{why: "a number that is no float64 is sent, too", inline: inline(`{"a":1e999}`), sent: `{"a":1e999}`, redacted: `{"a":1e999}`, checksum: "any"},
		{why: "escapes, blanks and nested order stay", inline: inline(`{"b": {"z":1, "a":"\u003c\/é"} , "a":[ ]}`),
			sent: `{"a":[],"b":{"z":1,"a":"\u003c\/é"}}`, redacted: `{"a":[],"b":{"z":1,"a":"\u003c\/é"}}`, checksum: "any"},
	} {
		p, err := catalog.Merge(c.inline, c.from)
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		if c.checksum == "any" && len(p.Checksum) == 64 {
			p.Checksum = "any"
		}
		var redacted string
		if p.Redacted != nil {
			redacted = string(p.Redacted.Raw)
		}
		if string(p.Sent) != c.sent || redacted != c.redacted || p.Checksum != c.checksum {
			t.Errorf("%s: sent %s, redacted %s, checksum %s", c.why, p.Sent, redacted, p.Checksum)
		}
		if !slices.Equal(p.Secrets, c.secrets) {
			t.Errorf("%s: the secrets are %q, want %q", c.why, p.Secrets, c.secrets)
		}
	}
}

// G38e. No error says anything of what is in a Secret.
func TestMergeRefuses(t *testing.T) {
	const canary = "hunter22"
	for _, c := range []struct {
		why    string
		inline *runtime.RawExtension
		from   []catalog.SecretSource
		want   []string
	}{
		{"YAML", nil, []catalog.SecretSource{secret("s", "k", "password: "+canary)}, []string{"spec.parametersFrom[0].secretKeyRef.key", `key "k" of Secret "s"`, "must be a JSON object"}},
		{"a list", nil, []catalog.SecretSource{secret("s", "k", `["`+canary+`"]`)}, []string{"spec.parametersFrom[0].secretKeyRef.key", "must be a JSON object"}},
		{"a text", nil, []catalog.SecretSource{secret("s", "k", `"`+canary+`"`)}, []string{"must be a JSON object"}},
		{"nothing", nil, []catalog.SecretSource{secret("s", "k", "")}, []string{"must be a JSON object"}},
		{"more than an object", nil, []catalog.SecretSource{secret("s", "k", `{} "`+canary+`"`)}, []string{"must be a JSON object"}},
		{"not UTF-8", nil, []catalog.SecretSource{secret("s", "k", `{"a":"`+canary+"\xff\"}")}, []string{"UTF-8"}},
		{"no such key", nil, []catalog.SecretSource{secret("s", "k", `{}`), {Secret: "t", Key: "k", Data: map[string][]byte{canary: []byte(canary)}}},
			[]string{"spec.parametersFrom[1].secretKeyRef.key: Not found", `"k"`, `Secret "t"`}},
		{"no such Secret", nil, []catalog.SecretSource{{Secret: "t", Key: "k"}}, []string{"spec.parametersFrom[0].secretKeyRef.name: Not found", `"t"`}},
		{"twice, in Secrets", nil, []catalog.SecretSource{secret("s", "k", `{"a":"`+canary+`"}`), secret("t", "l", `{"a":"`+canary+`"}`)},
			[]string{"spec.parametersFrom[1].secretKeyRef.key", `parameter "a"`, `key "k" of Secret "s"`}},
		{"twice, also inline", inline(`{"a":1}`), []catalog.SecretSource{secret("s", "k", `{"a":"`+canary+`"}`)},
			[]string{"spec.parameters:", `parameter "a"`, `key "k" of Secret "s"`}},
		{"an inline list (G33)", inline(`["` + canary + `"]`), nil, []string{"spec.parameters:", "must be a JSON object"}},
		{"an inline text", inline(`"` + canary + `"`), nil, []string{"spec.parameters:", "must be a JSON object"}},
	} {
		p, err := catalog.Merge(c.inline, c.from)
		if err == nil || !reflect.DeepEqual(p, catalog.Parameters{}) {
			t.Errorf("%s: there is no error", c.why)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.why, err, want)
			}
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error tells a secret: %v", c.why, err)
		}
	}
}

// F-S40: of parameters from Secrets there were no bounds.
func TestMergeBoundsTheSecretsTogether(t *testing.T) {
	half := func(name string, n int) catalog.SecretSource {
		return secret("s", name, `{"`+name+`":"`+strings.Repeat("x", n-len(name)-7)+`"}`)
	}
	fits := []catalog.SecretSource{half("a", catalog.MaxParameters/2), half("b", catalog.MaxParameters/2)}
	if _, err := catalog.Merge(nil, fits); err != nil {
		t.Errorf("as many bytes as may be: %v", err)
	}
	const want = "spec.parametersFrom: Invalid value: the keys of the Secrets have more than the 262144 bytes that they may have together: store large values where the service can read them, and pass their location here"
	larger := []catalog.SecretSource{half("a", catalog.MaxParameters/2), half("b", catalog.MaxParameters/2+1)}
	for why, sent := range map[string][]string{"new parameters": nil, "others than the broker has": {"another checksum"}} {
		if p, err := catalog.Merge(nil, larger, sent...); err == nil || err.Error() != want || !reflect.DeepEqual(p, catalog.Parameters{}) {
			t.Errorf("%s: %v, want %s", why, err, want)
		}
	}
	has := "the checksum is not known"
	for _, c := range []struct {
		why  string
		from []catalog.SecretSource
		fits bool
	}{
		{"those that the broker has", larger, true},
		{"one byte more", []catalog.SecretSource{larger[0], half("b", catalog.MaxParameters/2+2)}, false},
		{"more than 1 MiB", []catalog.SecretSource{half("a", 1<<20), half("b", 100)}, false},
	} {
		if c.fits {
			has = checksumOf(c.from)
		}
		if _, err := catalog.Merge(nil, c.from, "another", has); (err == nil) != c.fits {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

// checksumOf returns the checksum of parameters from Secrets, whatever their size: it counts the values only.
func checksumOf(from []catalog.SecretSource) string {
	all := "{"
	for _, source := range from {
		all += strings.Trim(string(source.Data[source.Key]), "{}") + ","
	}
	p, _ := catalog.Merge(inline(strings.TrimSuffix(all, ",")+"}"), nil)
	return p.Checksum
}

// F-S40.
func TestTheCostOfMergingGrowsInAStraightLine(t *testing.T) {
	repeated := func(format string) func(n int) string {
		return func(n int) string {
			var parts []string
			for size, i := 0, 0; size < n; i++ {
				parts = append(parts, fmt.Sprintf(format, i))
				size += len(parts[i]) + 1
			}
			return strings.Join(parts, ",")
		}
	}
	for shape, object := range map[string]func(n int) string{
		"many small values":  func(n int) string { return `{"a":[` + repeated("%d")(n) + `]}` },
		"many names":         func(n int) string { return "{" + repeated(`"%d":1`)(n) + "}" },
		"many names, inside": func(n int) string { return `{"a":{` + repeated(`"%d":1`)(n) + "}}" },
		"deep": func(n int) string {
			return `{"a":` + strings.Repeat("[", n/60) + `"value"` + strings.Repeat("]", n/60) + "}"
		},
		"many duplicates": func(n int) string { return `{"a":[` + repeated(`"value%.0d"`)(n) + `]}` },
		"escapes":         func(n int) string { return `{"a":"` + strings.Repeat(`\u003c`, n/6) + `"}` },
	} {
		cost := func(n int) float64 {
			from := []catalog.SecretSource{secret("s", "k", object(n))}
			return testing.AllocsPerRun(1, func() {
				if _, err := catalog.Merge(nil, from); err != nil {
					t.Errorf("%s: %v", shape, err)
				}
			})
		}
		if one, two := cost(catalog.MaxParameters/2), cost(catalog.MaxParameters-1024); two > 2.5*one {
			t.Errorf("%s: twice the bytes make %.0f allocations, and not %.0f", shape, two, one)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add(`{"a":1}`, `{"b":{"c":["x",2]}}`)
	f.Add(`{"a":{"b":1e999}}`, `{"a":"\ud800"}`)
	f.Add(`null`, ` {"":"" } `)
	f.Fuzz(func(t *testing.T, in, from string) {
		p, err := catalog.Merge(inline(in), []catalog.SecretSource{secret("s", "k", from)})
		if err != nil || p.Sent == nil {
			return
		}
		var sent, redacted map[string]any
		if json.Unmarshal(p.Sent, &sent) != nil && !strings.ContainsAny(in+from, "eE") || !json.Valid(p.Redacted.Raw) || json.Unmarshal(p.Redacted.Raw, &redacted) != nil && !strings.ContainsAny(in, "eE") {
			t.Errorf("%s and %s is no JSON", p.Sent, p.Redacted.Raw)
		}
		var hidden map[string]json.RawMessage
		_ = json.Unmarshal([]byte(from), &hidden) // it was read
		for name := range hidden {
			if redacted != nil && redacted[name] != catalog.Redacted {
				t.Errorf("parameter %q is shown", name)
			}
		}
		again, err := catalog.Merge(&runtime.RawExtension{Raw: p.Sent}, nil)
		if err != nil || string(again.Sent) != string(p.Sent) || again.Checksum != p.Checksum {
			t.Errorf("%s, merged again, is %s: %v", p.Sent, again.Sent, err)
		}
	})
}
