//go:build mutation

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"testing"

	"github.com/gophernetes/bellhop/internal/mutationtest"
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
	{"D05", "what is not found is gone", "outcome.go", "case e.is(fetches):\n\t\t\treturn osbresult.Gone", "case e.is(fetches), e.is(removes):\n\t\t\treturn osbresult.Gone"},
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
	var all []mutationtest.Mutation
	for _, m := range mutations {
		if broken[m.breaks] || !tests[m.breaks] {
			t.Errorf("%s is broken twice, or has no test here", m.breaks)
		}
		broken[m.breaks] = true
		all = append(all, mutationtest.Mutation{Name: m.breaks + ": " + m.why, File: m.file, Right: m.right, Wrong: m.wrong, Test: "TestConformance/" + m.breaks})
	}
	want(t, "mutations", len(mutations), 10)
	mutationtest.Run(t, all)
}
