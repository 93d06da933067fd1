// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package parameters

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

const testSchema = `{"type": "object", "properties": {
	"region": {"type": "string"}, "storage": {"type": "integer"}, "zones": {"type": "array", "items": {"type": "string"}},
	"backup": {"type": "object", "properties": {"enabled": {"type": "boolean"}, "version": {"type": "string"}}}}}`

func TestApply(t *testing.T) {
	for _, test := range []struct {
		name, current, stdin, file string
		pairs                      []string
		want, wantError            string
	}{
		{name: "nothing", want: `null`},
		{name: "a string stays one", pairs: []string{"region=5"}, want: `{"region":"5"}`},
		{name: "types of the schema", pairs: []string{"storage=5", "backup.enabled=true", "backup.version=1.0", `zones=["a","b"]`},
			want: `{"backup":{"enabled":true,"version":"1.0"},"storage":5,"zones":["a","b"]}`},
		{name: "a wrong type stays a string", pairs: []string{"storage=big"}, want: `{"storage":"big"}`},
		{name: "of unknown type", pairs: []string{"a=5", `b="5"`, "c=x y", "d=null", "e=1.50", "f=5 6"}, want: `{"a":5,"b":"5","c":"x y","d":null,"e":1.50,"f":"5 6"}`},
		{name: "an equals sign in the value", pairs: []string{"region=a=b"}, want: `{"region":"a=b"}`},
		{name: "an empty value", pairs: []string{"region="}, want: `{"region":""}`},
		{name: "changes keep the rest", current: `{"region":"eu","storage":9007199254740993}`, pairs: []string{"region=us"}, want: `{"region":"us","storage":9007199254740993}`},
		{name: "removes", current: `{"region":"eu","backup":{"enabled":true}}`, pairs: []string{"region-", "backup.enabled-", "none.such-"}, want: `{"backup":{}}`},
		{name: "a file replaces all", current: `{"region":"eu"}`, file: "-", stdin: "storage: 7\n", pairs: []string{"region=us"}, want: `{"region":"us","storage":7}`},
		{name: "a file of another form", file: "-", stdin: "[1]", wantError: "--params=-: must be a JSON or YAML object"},
		{name: "no file", file: "/none", wantError: "--params: open /none"},
		{name: "no value", pairs: []string{"region"}, wantError: "--param=region: must be KEY=VALUE, or KEY- to remove it"},
		{name: "no key", pairs: []string{"=x"}, wantError: "the key must be NAME or OBJECT.FIELD"},
		{name: "a field of what is no object", current: `{"region":"eu"}`, pairs: []string{"region.x=1"}, wantError: "region is no object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := cli.New(genericiooptions.IOStreams{In: strings.NewReader(test.stdin), Out: io.Discard, ErrOut: io.Discard})
			f := &Flags{pairs: test.pairs, file: test.file}
			var current *runtime.RawExtension
			if test.current != "" {
				current = &runtime.RawExtension{Raw: []byte(test.current)}
			}
			got, err := f.Apply(e, current, &runtime.RawExtension{Raw: []byte(testSchema)})
			if test.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantError) || cli.ExitCode(err) != cli.ExitUsage {
					t.Fatalf("got %v, exit code %d", err, cli.ExitCode(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
}

func TestSources(t *testing.T) {
	f := &Flags{secrets: []string{"orders/admin"}}
	sources, err := f.Sources()
	if err != nil || len(sources) != 1 || sources[0].SecretKeyRef.Name != "orders" || sources[0].SecretKeyRef.Key != "admin" {
		t.Fatal(sources, err)
	}
	for _, wrong := range []string{"orders", "/admin", "orders/"} {
		if _, err := (&Flags{secrets: []string{wrong}}).Sources(); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
}
