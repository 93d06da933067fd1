// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

func bindingWith(transforms ...v1beta1.SecretTransform) *v1beta1.ServiceBinding {
	return &v1beta1.ServiceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "b1", UID: "uid-b1"},
		Spec:       v1beta1.ServiceBindingSpec{SecretTransforms: transforms},
	}
}

func add(key string, a v1beta1.AddKeyTransform) v1beta1.SecretTransform {
	a.Key = key
	return v1beta1.SecretTransform{AddKey: &a}
}

func path(key, expression string) v1beta1.SecretTransform {
	return add(key, v1beta1.AddKeyTransform{JSONPathExpression: &expression})
}

func rename(from, to string) v1beta1.SecretTransform {
	return v1beta1.SecretTransform{RenameKey: &v1beta1.RenameKeyTransform{From: from, To: to}}
}

func remove(key string) v1beta1.SecretTransform {
	return v1beta1.SecretTransform{RemoveKey: &v1beta1.RemoveKeyTransform{Key: key}}
}

func copyOf(namespace, name string) v1beta1.SecretTransform {
	return v1beta1.SecretTransform{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Namespace: namespace, Name: name}}}
}

// golden are the credentials of the golden example G41.
const golden = `{"uri":"mysql://u@h","port":3306,"float":1.50,"bool":true,"null":null,"obj":{"b":1,"a":"<x>"},"list":["a",2],"big":12345678901234567890,"esc":"a<b"}`

func TestCredentialsBecomeKeys(t *testing.T) {
	others := map[string]map[string][]byte{"other": {"EXTRA": []byte("more"), "uri": []byte("theirs")}}
	for name, c := range map[string]struct {
		credentials string
		transforms  []v1beta1.SecretTransform
		want        map[string]string
	}{
		"all kinds, G41": {golden, nil, map[string]string{
			"uri": "mysql://u@h", "port": "3306", "float": "1.5", "bool": "true", "null": "null",
			"obj": `{"a":"\u003cx\u003e","b":1}`, "list": `["a",2]`, "big": "12345678901234567890", "esc": "a<b",
		}},
		"numbers are as they were written before, unless that lost some of them": {
			`{"a":1.0,"b":1e3,"c":1E+21,"d":-0,"e":0.1,"f":0.30000000000000004,"g":9007199254740993,"h":1e400,"i":1e-400,"j":[1.50,{"k":12345678901234567890}],"l":0e5,"m":1e-7,"n":3.141592653589793238}`, nil,
			map[string]string{"a": "1", "b": "1000", "c": "1e+21", "d": "-0", "e": "0.1", "f": "0.30000000000000004", "g": "9007199254740993", "h": "1e400", "i": "1e-400", "j": `[1.5,{"k":12345678901234567890}]`, "l": "0", "m": "1e-7", "n": "3.141592653589793238"},
		},
		"none":  {``, nil, map[string]string{}},
		"null":  {`null`, []v1beta1.SecretTransform{add("A", v1beta1.AddKeyTransform{StringValue: new("x")})}, map[string]string{"A": "x"}},
		"empty": {`{}`, nil, map[string]string{}},
		"as G42": {`{"USERNAME":"u","uri":"mysql://u@h","obj":{"a":1}}`, []v1beta1.SecretTransform{
			rename("USERNAME", "DB_USER"), rename("NOPE", "X"),
			add("POOL", v1beta1.AddKeyTransform{StringValue: new("10"), Value: []byte("unused")}),
			path("LIT", "jdbc:{.uri}"), path("L2", ".obj.a"),
		}, map[string]string{"DB_USER": "u", "uri": "mysql://u@h", "obj": `{"a":1}`, "POOL": "10", "LIT": "jdbc:mysql://u@h", "L2": ".obj.a"}},
		"one after the other": {`{"a":"1"}`, []v1beta1.SecretTransform{
			rename("a", "b"), path("c", "{.b}2"), remove("b"), remove("nothing"), rename("c", "a"),
		}, map[string]string{"a": "12"}},
		"a rename replaces":           {`{"a":"1","b":"2"}`, []v1beta1.SecretTransform{rename("a", "b")}, map[string]string{"b": "1"}},
		"to its own name":             {`{"a":"1"}`, []v1beta1.SecretTransform{rename("a", "a")}, map[string]string{"a": "1"}},
		"bytes":                       {`{}`, []v1beta1.SecretTransform{add("k", v1beta1.AddKeyTransform{Value: []byte{0, 255}})}, map[string]string{"k": "\x00\xff"}},
		"nothing at all":              {`{}`, []v1beta1.SecretTransform{add("k", v1beta1.AddKeyTransform{})}, map[string]string{"k": ""}},
		"keys of another Secret":      {`{"uri":"ours"}`, []v1beta1.SecretTransform{copyOf("", "other")}, map[string]string{"uri": "theirs", "EXTRA": "more"}},
		"the namespace may be named":  {`{}`, []v1beta1.SecretTransform{copyOf("demo", "other")}, map[string]string{"uri": "theirs", "EXTRA": "more"}},
		"the first member counts":     {`{"a":"1"}`, []v1beta1.SecretTransform{{RenameKey: rename("a", "b").RenameKey, RemoveKey: remove("a").RemoveKey}}, map[string]string{"b": "1"}},
		"an element may say nothing":  {`{"a":"1"}`, []v1beta1.SecretTransform{{}}, map[string]string{"a": "1"}},
		"a bad key may be renamed":    {`{"a b":"1"}`, []v1beta1.SecretTransform{rename("a b", "a")}, map[string]string{"a": "1"}},
		"an object from a path":       {`{"obj":{"b":1,"a":"<x>"}}`, []v1beta1.SecretTransform{path("o", "{.obj}")}, map[string]string{"obj": `{"a":"\u003cx\u003e","b":1}`, "o": `{"a":"\u003cx\u003e","b":1}`}},
		"the last of two equal names": {`{"a":1,"a":2}`, nil, map[string]string{"a": "2"}},
	} {
		content, err := Render(json.RawMessage(c.credentials), bindingWith(c.transforms...), Service{}, others)
		got := map[string]string{}
		for key, value := range content.Data {
			got[key] = string(value)
		}
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: %q, %v\nwant %q", name, got, err, c.want)
		}
	}
}

func TestWhatCannotGoIntoASecretIsNamedWithoutItsValue(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		credentials string
		transforms  []v1beta1.SecretTransform
		want        []string
	}{
		"a key": {`{"a b":"hunter2"}`, nil, []string{`"a b"`, "renameKey"}},
		// F-B7: all bad keys are named at once, and the advice is one that can be followed.
		"bad keys":                {`{"path/$x":"hunter2","Sysdig Access Key":"hunter2","fine":"x"}`, nil, []string{`"Sysdig Access Key", "path/$x"`, "create another ServiceBinding", "renameKey or removeKey"}},
		"an empty key":            {`{"":"hunter2"}`, nil, []string{`""`}},
		"two dots":                {`{"..":"hunter2"}`, nil, []string{`".."`}},
		"no object":               {`["hunter2"]`, nil, []string{"not a JSON object"}},
		"more than one":           {`{"a":"hunter2"} {}`, nil, []string{"not a JSON object"}},
		"too large":               {`{"a":"hunter2` + long + `"}`, nil, []string{"1048583 bytes", "1048576"}},
		"a path to nothing, G42b": {`{"a":"hunter2"}`, []v1beta1.SecretTransform{remove("x"), path("k", "{.nope}")}, []string{"spec.secretTransforms[1].addKey.jsonPathExpression", `"{.nope}"`, "nope is not found in the credentials", "create another ServiceBinding"}}, // F-JS10: the spec cannot be changed
		"an unclosed path":        {`{"a":"hunter2"}`, []v1beta1.SecretTransform{path("k", "{.a")}, []string{"unclosed action"}},
		"a path through a string": {`{"a":"hunter2"}`, []v1beta1.SecretTransform{path("k", "{.a[?(@.b)]}")}, []string{"does not fit the credentials"}},
		"another namespace":       {`{"a":"hunter2"}`, []v1beta1.SecretTransform{copyOf("kube-system", "other")}, []string{"spec.secretTransforms[0].addKeysFrom.secretRef.namespace", `"kube-system"`, `"demo"`}},
		"no reference":            {`{}`, []v1beta1.SecretTransform{{AddKeysFrom: &v1beta1.AddKeysFromTransform{}}}, []string{"addKeysFrom.secretRef.name is empty"}},
		"no such Secret":          {`{}`, []v1beta1.SecretTransform{copyOf("", "nope")}, []string{`Secret "nope" does not exist in namespace "demo"`}},
		"itself":                  {`{}`, []v1beta1.SecretTransform{copyOf("", "b1")}, []string{"the binding's own Secret"}},
	} {
		_, err := Render(json.RawMessage(c.credentials), bindingWith(c.transforms...), Service{}, map[string]map[string][]byte{"b1": {}, "other": {}})
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 1024 {
			t.Errorf("%s: %q", name, err)
		}
	}
}

func TestTheSecretsThatAreReadAreThoseThatAreCopied(t *testing.T) {
	both := copyOf("", "unused")
	both.RenameKey = rename("a", "b").RenameKey
	got := SourcesOf(bindingWith(copyOf("", "b"), copyOf("", "a"), copyOf("", "b"), both, v1beta1.SecretTransform{AddKeysFrom: &v1beta1.AddKeysFromTransform{}}))
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add(golden)
	f.Add(`{"a":1e999999999999999999999,"b":-0.0e-9}`)
	f.Fuzz(func(t *testing.T, credentials string) {
		content, err := Render(json.RawMessage(credentials), bindingWith(), Service{Class: "mysql", Broker: "main"}, nil)
		if err != nil {
			return
		}
		checkEntries(t, content)
		values := Values(json.RawMessage(credentials))
		for key, value := range content.Beside(nil) {
			if _, ours := content.Derived[key]; ours && (key == typeKey || key == providerKey) {
				continue
			}
			if len(value) > 0 && value[0] != '{' && value[0] != '[' && !slices.Contains(values, string(value)) && !slices.Contains([]string{"true", "false", "null"}, string(value)) {
				t.Errorf("the value of %q is not known to be secret", key)
			}
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for name, transforms := range map[string][]v1beta1.SecretTransform{
		"as told":     nil,
		"transformed": {rename("uri", "url"), remove("list"), path("dsn", "{.url}:{.port}"), copyOf("", "other")},
	} {
		b.Run(name, func(b *testing.B) {
			binding := bindingWith(transforms...)
			others := map[string]map[string][]byte{"other": {"EXTRA": []byte("more")}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Render(json.RawMessage(golden), binding, Service{Class: "mysql", Broker: "main"}, others); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
