// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package headers

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// F-B26: the schema refuses the same names, so that the rule holds where the webhook is not asked.
func TestReservedInTheSchema(t *testing.T) {
	source, err := os.ReadFile("../../../../api/pager/v1beta1/http_header_types.go")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`XValidation:rule="(.*?)",message`).FindSubmatch(source)
	if rule == nil {
		t.Fatal("HTTPHeader has no rule")
	}
	var schema []string
	for _, quoted := range regexp.MustCompile(`'([a-z-]+)'`).FindAllSubmatch(rule[1], -1) {
		schema = append(schema, string(quoted[1]))
	}
	var own []string
	for _, name := range reserved {
		own = append(own, strings.ToLower(name))
	}
	slices.Sort(schema)
	slices.Sort(own)
	if !slices.Equal(schema, own) {
		t.Errorf("the schema has %q, the code %q", schema, own)
	}
}
