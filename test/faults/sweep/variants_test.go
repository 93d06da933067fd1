// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/hack/local"
)

func TestVariantsApplyToTheSource(t *testing.T) {
	repo, err := local.FindRepo()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range append(variants(), variant{name: "adapted"}.adapted()) {
		if _, err := v.sources(repo); err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
	}
}

func TestSharesOfVariants(t *testing.T) {
	all := variants()
	if got := (Share{}).ofVariants(all); len(got) != len(all) {
		t.Errorf("without a share there are %d of %d variants", len(got), len(all))
	}
	names := map[string]bool{}
	for number := range uint64(3) {
		some := Share{Number: number + 1, Of: 3}.ofVariants(all)
		if len(some) < len(all)/3 || len(some) > len(all)/3+1 {
			t.Errorf("a third of %d variants are %d", len(all), len(some))
		}
		for _, v := range some {
			names[v.name] = true
		}
	}
	if len(names) != len(all) {
		t.Errorf("three shares of %d variants have %d", len(all), len(names))
	}
}

// A night has a share of the variants, so that what all of them prove together is checked with the table.
func TestEachClassAndOracleHasAVariant(t *testing.T) {
	if err := checkVariants(variants()); err != nil {
		t.Error(err)
	}
	for missing, isLeft := range map[string]func(variant) bool{
		`class "two crashes"`: func(v variant) bool { return !strings.Contains(v.fault, "+") },
		`class "leaders"`:     func(v variant) bool { return !strings.HasPrefix(v.fault, "deposed") || v.others == nil },
		`oracle "key"`:        func(v variant) bool { return v.oracle != "key" },
		`oracle "once"`:       func(v variant) bool { return v.oracle != "once" },
	} {
		left := slices.DeleteFunc(variants(), func(v variant) bool { return !isLeft(v) })
		if err := checkVariants(left); err == nil || !strings.Contains(err.Error(), "no variant is found by the "+missing+" alone") {
			t.Errorf("without variants of the %s: %v", missing, err)
		}
	}
}

// TestReportOfVariants: what the table says must have happened, in a share and with all variants.
func TestReportOfVariants(t *testing.T) {
	var results []variantResult
	for _, v := range variants() {
		name, _, _ := strings.Cut(v.oracle, "|")
		results = append(results, variantResult{variant: v, oracles: []string{name}})
	}
	for _, all := range []bool{false, true} {
		if err := reportVariants(io.Discard, slices.Clone(results), all); err != nil {
			t.Errorf("all %t: %v", all, err)
		}
	}
	for i := range results {
		if results[i].oracle == "key" {
			results[i].oracles = append(results[i].oracles, "once")
		}
	}
	if err := reportVariants(io.Discard, results, true); err == nil || !strings.Contains(err.Error(), `oracle "key" alone`) {
		t.Errorf("key and once always report the same: %v", err)
	}
	results[0].failures = []string{"it was not found"}
	if err := reportVariants(io.Discard, results, false); err == nil {
		t.Error("a variant of a share is not found, and nothing is missed")
	}
}
