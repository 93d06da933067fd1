// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package reasons

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/docs"
)

const sample = `
# Page

| reason of an instance | Ready | what it means | what to do |
| --- | --- | --- | --- |
| ` + "`One`, `Two`" + ` | True | the *broker* has ` + "`spec`" + ` | nothing |
| ` + "`Three`" + ` | False | see [turns](receivers.md#turns) | [release it](../how-to/services/delete-an-instance.md#release), or [look](#here) |

| reason of a binding | Ready | what it means | what to do |
| --- | --- | --- | --- |
| ` + "`Three`" + ` | | as [of an instance](#reasons-of-an-instance) | the same; or ask for [new credentials](../how-to/services/rotate-credentials.md) |
| ` + "`Four`" + ` | False | four | wait |

| what you see | what it is |
| --- | --- |
| ` + "`Five`" + ` | five |
`

func TestParse(t *testing.T) {
	tables := parse(sample)
	for _, test := range []struct {
		subject Subject
		reason  string
		want    Explanation
	}{
		{Instance, "One", Explanation{Meaning: "the broker has spec", Action: "nothing"}},
		{Instance, "Two", Explanation{Meaning: "the broker has spec", Action: "nothing"}},
		{Instance, "Three", Explanation{Meaning: "see turns", Action: "release it, or look",
			Pages: []string{docs.URL("reference/receivers.md#turns"), docs.URL("how-to/services/delete-an-instance.md#release")}}},
		{Binding, "Three", Explanation{Meaning: "see turns", Action: "release it, or look; or ask for new credentials",
			Pages: []string{docs.URL("reference/receivers.md#turns"), docs.URL("how-to/services/delete-an-instance.md#release"), docs.URL("how-to/services/rotate-credentials.md")}}},
		{Binding, "Four", Explanation{Meaning: "four", Action: "wait"}},
		{Binding, "Five", Explanation{}},
		{Binding, "One", Explanation{}},
	} {
		if got := tables[test.subject][test.reason]; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s of %s: %+v, want %+v", test.reason, test.subject, got, test.want)
		}
	}
	if len(tables) != 2 {
		t.Errorf("%d tables", len(tables))
	}
}

func TestExplainTakesTheFirstSubject(t *testing.T) {
	if e, ok := Explain("Sending", Answer, Alert); !ok || !strings.Contains(e.Meaning, "in flight") || e.NeedsNothing() {
		t.Errorf("Sending: %+v", e)
	}
	if e, ok := Explain("Sent", Alert); !ok || !e.NeedsNothing() {
		t.Errorf("Sent: %+v", e)
	}
	if _, ok := Explain("Sent", Broker); ok {
		t.Error("a broker has no reason Sent")
	}
}

// Every reason that the API declares is explained for a person, except those that only events have.
func TestEveryReasonOfTheAPIIsExplained(t *testing.T) {
	subjects := map[string][]Subject{"pager": {Alert, Receiver, Answer, AlertSource}, "servicecatalog": {Broker, Instance, Binding}}
	events := eventReasons(t)
	for group, of := range subjects {
		found := 0
		for _, reason := range declaredReasons(t, filepath.Join("..", "..", "..", "..", "api", group, "v1beta1", "conditions.go")) {
			found++
			e, ok := Explain(reason, of...)
			if !ok && !slices.Contains(events, reason) {
				t.Errorf("%s: docs/reference/conditions.md does not explain the reason %s", group, reason)
			}
			if ok && (e.Meaning == "" || e.Action == "" || strings.HasPrefix(e.Meaning, "as of")) {
				t.Errorf("%s: %s: %+v", group, reason, e)
			}
		}
		if found < 10 {
			t.Errorf("%s: only %d reasons were found", group, found)
		}
	}
}

// declaredReasons returns the values of the constants Reason… of a file.
func declaredReasons(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	return values
}

// eventReasons returns the reasons that docs/reference/events.md lists as those of events about services, as test/docs does.
func eventReasons(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "reference", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	inside := false
	for line := range strings.Lines(string(text)) {
		cells := splitRow(line)
		switch {
		case len(cells) == 0:
			inside = false
		case cells[0] == "reason of an event about a service":
			inside = true
		case inside:
			for _, match := range quoted.FindAllStringSubmatch(cells[0], -1) {
				found = append(found, match[1])
			}
		}
	}
	return found
}
