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

package credentials

import (
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

func TestNamesOfVariables(t *testing.T) {
	for _, c := range []struct {
		flags     nameFlags
		key, want string
	}{
		{nameFlags{}, "host", "host"},
		{nameFlags{}, "jdbcUrl", "jdbcUrl"},
		{nameFlags{}, "tls.crt", "tls_crt"},
		{nameFlags{}, "db-host", "db_host"},
		{nameFlags{}, "..weird", "__weird"},
		{nameFlags{}, "1st", "_1st"},
		{nameFlags{prefix: "DB_"}, "1st", "DB_1st"},
		{nameFlags{prefix: "DB_"}, "host", "DB_host"},
		{nameFlags{prefix: "db_", upperCase: true}, "tls.crt", "DB_TLS_CRT"},
		{nameFlags{upperCase: true}, "host", "HOST"},
	} {
		if got := c.flags.name(c.key); got != c.want {
			t.Errorf("%+v, key %q: %q, want %q", c.flags, c.key, got, c.want)
		}
		if got := c.flags.name(c.key); !shellName.MatchString(got) {
			t.Errorf("key %q: no shell can have the variable %q", c.key, got)
		}
	}
}

func TestVariablesThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		flags nameFlags
		data  map[string]string
		want  []string // parts of the message or the hint
	}{
		"clash":         {nameFlags{}, map[string]string{"db-host": "a", "db.host": "b"}, []string{`"db-host" and "db.host"`, "db_host", "--omit=db.host"}},
		"clash of case": {nameFlags{upperCase: true}, map[string]string{"Host": "a", "host": "b"}, []string{`"Host" and "host"`, "HOST"}},
		"not UTF-8":     {nameFlags{}, map[string]string{"keystore": "\xff\xfe"}, []string{`key "keystore" is binary`, "--key=keystore", "--omit=keystore"}},
		"NUL":           {nameFlags{}, map[string]string{"blob": "a\x00b"}, []string{`key "blob" is binary`}},
		"loader":        {nameFlags{}, map[string]string{"LD_PRELOAD": "/x"}, []string{"LD_PRELOAD", "how programs run", "--prefix"}},
		"shell":         {nameFlags{upperCase: true}, map[string]string{"path": "/x"}, []string{"PATH"}},
	} {
		data := map[string][]byte{}
		for key, value := range c.data {
			data[key] = []byte(value)
		}
		_, err := c.flags.variables(data)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, part := range c.want {
			if text := cli.Explain(err); !strings.Contains(text, part) {
				t.Errorf("%s: %q does not have %q", name, text, part)
			}
		}
	}
}

func TestAPrefixKeepsAVariableFromBeingSpecial(t *testing.T) {
	flags := nameFlags{prefix: "DB_"}
	all, err := flags.variables(map[string][]byte{"PATH": []byte("/orders"), "host": []byte("db")})
	if want := []variable{{"DB_PATH", "/orders"}, {"DB_host", "db"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("%v, %v, want %v", all, err, want)
	}
}

func TestKeysOfTheSameNameAndValueAreOneVariable(t *testing.T) {
	flags := nameFlags{upperCase: true}
	all, err := flags.variables(map[string][]byte{"USERNAME": []byte("u"), "username": []byte("u")})
	if want := []variable{{"USERNAME", "u"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("%v, %v, want %v", all, err, want)
	}
}

func TestPrefixes(t *testing.T) {
	for prefix, ok := range map[string]bool{"": true, "DB_": true, "_": true, "1_": false, "DB-": false, "DB ": false, "x=": false} {
		err := (&nameFlags{prefix: prefix}).validate()
		if (err == nil) != ok || !ok && cli.ExitCode(err) != cli.ExitUsage {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
}

func TestEnvironmentReplacesVariables(t *testing.T) {
	got := environment([]string{"A=1", "host=old", "B=x=y"}, []variable{{"host", "db"}, {"port", "1"}})
	if want := []string{"A=1", "B=x=y", "host=db", "port=1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
