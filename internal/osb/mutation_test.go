//go:build mutation

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

package osb

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutations are mistakes that a client could have, each with the statement that it breaks.
// The test of that statement must see it.
var mutations = []struct {
	breaks, why, file, right, wrong string
}{
	{"T01", "the version is an old one", "exchange.go", `req.Header.Set("X-Broker-API-Version", e.version)`, `req.Header.Set("X-Broker-API-Version", "2.13")`},
	{"T09", "a blank is +", "exchange.go", `return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")`, `return strings.Clone(url.QueryEscape(s))`},
	{"T16", "a description is as good as a code", "outcome.go", `e.meaning(resp.StatusCode, said.Code)`, `e.meaning(resp.StatusCode, said.Code+said.Description)`},
	{"I05", "what is empty is left out", "identity.go", "`json:\"groups\"`", "`json:\"groups,omitempty\"`"},
	{"C09", "what does not say that it is free is not", "catalog.go", `Free: free == nil || *free`, `Free: free != nil && *free`},
	{"L02", "an operation that was not named is sent", "exchange.go", `if parameter.value != "" {`, `if parameter.name != "" {`},
	{"D05", "what is not found is gone", "outcome.go", "case e.fetches():\n\t\t\treturn result.Gone", "case e.fetches(), e.removes():\n\t\t\treturn result.Gone"},
	{"B05", "an app_guid that is empty is sent", "bindings.go", "`json:\"app_guid,omitempty\"`", "`json:\"app_guid\"`"},
	{"B08", "credentials of a 202 are taken", "decode.go", `if a.status == http.StatusAccepted { // credentials`, `if a.status == 0 { // credentials`},
	{"O03", "a 201 that cannot be read leaves nothing behind", "outcome.go", `case err != nil && resp.StatusCode == http.StatusOK:`, `case err != nil && resp.StatusCode <= http.StatusCreated:`},
}

func TestMutations(t *testing.T) {
	tests := map[string]bool{}
	for _, c := range conformance {
		tests[c.id] = true
	}
	broken := map[string]bool{}
	for _, m := range mutations {
		if broken[m.breaks] || !tests[m.breaks] {
			t.Errorf("%s is broken twice, or has no test here", m.breaks)
		}
		broken[m.breaks] = true
		t.Run(m.breaks, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.right); n != 1 {
				t.Fatalf("%s has %q %d times, so that the mistake cannot be made", m.file, m.right, n)
			}
			out := testWith(t, m.file, strings.Replace(string(source), m.right, m.wrong, 1), "^TestConformance$/^"+m.breaks+"$")
			if !regexp.MustCompile(`(?m)^ +--- FAIL: TestConformance/` + m.breaks + ` `).MatchString(out) {
				t.Errorf("nobody sees that %s:\n%s", m.why, out)
			}
		})
	}
	want(t, "mutations", len(mutations), 10)
}

// testWith runs one test of this package with another text in place of a file's.
func testWith(t *testing.T, file, text, run string) string {
	t.Helper()
	dir := t.TempDir()
	mutant, overlay := filepath.Join(dir, file), filepath.Join(dir, "overlay.json")
	original, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{mutant: []byte(text), overlay: replace} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-run", run, ".").CombinedOutput()
	if err == nil {
		return "the test passes\n" + string(out)
	}
	return string(out)
}
