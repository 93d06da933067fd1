// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/costtest"
)

func repeat(n int, format string) string {
	parts := make([]string, n)
	for i := range n {
		args := []any{i, i, i}
		parts[i] = fmt.Sprintf(format, args[:strings.Count(format, "%d")]...)
	}
	return strings.Join(parts, ",")
}

func body(text string) answer {
	return answer{status: http.StatusOK, header: http.Header{}, body: []byte(text), words: &cleaner{}}
}

// F-S61: a catalog is read in linear time, and what is held of it is at most eight times its size and 4 MiB.
func TestCostOfCatalogs(t *testing.T) {
	service := func(of string) string {
		return `{"services":[{"id":"a","name":"a",` + of + `,"plans":[{"id":"p","name":"p"}]}]}`
	}
	for why, c := range map[string]struct {
		n     int
		shape func(n int) string
	}{
		"plans": {24_990, func(n int) string {
			return `{"services":[{"id":"a","name":"a","plans":[` + repeat(n, `{"id":"p%d","name":"p%d"}`) + `]}]}`
		}},
		"services": {12_000, func(n int) string {
			return `{"services":[` + repeat(n, `{"id":"s%d","name":"s%d","plans":[{"id":"p%d","name":"p"}]}`) + `]}`
		}},
		"too many plans": {4_190_000, func(n int) string {
			return `{"services":[{"id":"a","name":"a","plans":[` + strings.Repeat(`1,`, n-1) + `1]}]}`
		}},
		"no services":     {2_700_000, func(n int) string { return `{"services":[` + strings.Repeat(`{},`, n-1) + `{}]}` }},
		"too many tags":   {2_000_000, func(n int) string { return service(`"tags":[` + strings.Repeat(`"a",`, n-1) + `"a"]`) }},
		"too many fields": {1 << 20, func(n int) string { return service(`"x":1` + strings.Repeat(`,"":0`, n)) }},
		"one long name":   {4 << 20, func(n int) string { return service(`"description":"` + strings.Repeat("a", n) + `"`) }},
		"plans of the same name": {24_990, func(n int) string {
			return `{"services":[{"id":"a","name":"a","plans":[` + repeat(n, `{"id":"p%d","name":"p"}`) + `]}]}`
		}},
		"plans with long ids twice": {100, func(n int) string {
			return `{"services":[{"id":"a","name":"a","plans":[` + repeat(n, `{"id":"`+strings.Repeat("a", 40<<10)+`","name":"p%d"}`) + `]}]}`
		}},
		"large metadata": {4 << 20, func(n int) string { return service(`"metadata":{"a":[` + strings.Repeat("0,", n/2) + `0]}`) }},
		"deep": {4900, func(n int) string {
			return service(`"metadata":` + strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n))
		}},
		"invalid encoding": {2 << 20, func(n int) string { return service(`"description":"` + strings.Repeat("\xff", n) + `"`) }},
		"long numbers":     {4 << 20, func(n int) string { return service(`"maximum_polling_duration":` + strings.Repeat("1", n)) }},
		"schemas": {100, func(n int) string {
			return `{"services":[{"id":"a","name":"a","plans":[` + repeat(n, `{"id":"p%d","name":"p%d","schemas":{"service_instance":{"create":{"parameters":{"title":"`+strings.Repeat("a", 60<<10)+`"}}}}}`) + `]}]}`
		}},
	} {
		t.Run(why, func(t *testing.T) {
			costtest.Linear(t, c.n, func(n int) answer { return body(c.shape(n)) }, func(a answer) { _, _ = readCatalog(a, DefaultCatalogLimits) })
			whole := body(c.shape(2 * c.n))
			if len(whole.body) > DefaultCatalogLimits.Bytes {
				t.Fatalf("the catalog has %d bytes, and none is so large", len(whole.body))
			}
			held := costtest.Held(func() any {
				catalog, _ := readCatalog(whole, DefaultCatalogLimits)
				return catalog
			})
			if held > costtest.Decoded(len(whole.body)) {
				t.Errorf("of %d bytes %d are held", len(whole.body), held)
			}
		})
	}
}

// F-S61: the other answers of a broker.
func TestCostOfAnswers(t *testing.T) {
	reads := map[string]func(answer){
		"a provisioning": func(a answer) { _, _ = readProvision(a) },
		"an update":      func(a answer) { _, _ = readUpdate(a) },
		"a removal":      func(a answer) { _, _ = readRemoval(a) },
		"an instance":    func(a answer) { _, _ = readInstance(a) },
		"a binding":      func(a answer) { _, _ = readBinding(a) },
		"an operation":   func(a answer) { _, _ = readLastOperation(a) },
		"an error":       func(a answer) { _ = readError(a.body) },
		"a token":        func(a answer) { _, _, _ = readToken(a.body) },
	}
	for shape, of := range map[string]func(n int) string{
		"many fields":    func(n int) string { return `{` + strings.Repeat(`"":0,`, n/5) + `"a":1}` },
		"many names":     func(n int) string { return `{` + repeat(n/16, `"a%07d":0`) + `}` },
		"credentials":    func(n int) string { return `{"credentials":{` + repeat(n/16, `"a%07d":0`) + `}}` },
		"endpoints":      func(n int) string { return `{"endpoints":[` + strings.Repeat(`{},`, n/3) + `{}]}` },
		"ports":          func(n int) string { return `{"endpoints":[{"host":"a","ports":[` + strings.Repeat(`1,`, n/2) + `1]}]}` },
		"a long text":    func(n int) string { return `{"description":"` + strings.Repeat(`\u00e4`, n/6) + `","error":"x"}` },
		"a long address": func(n int) string { return `{"dashboard_url":"https://example.com/` + strings.Repeat(`a`, n) + `"}` },
		"a long token":   func(n int) string { return `{"access_token":"` + strings.Repeat(`a`, n) + `"}` },
		"no JSON":        func(n int) string { return strings.Repeat("\xff", n) },
		"deep":           func(n int) string { return strings.Repeat("[", n) },
	} {
		for what, read := range reads {
			t.Run(shape+"/"+what, func(t *testing.T) {
				costtest.Linear(t, maxAnswer/2-100, func(n int) answer { return body(of(n)) }, read)
			})
		}
	}
}
