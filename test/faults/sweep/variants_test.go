// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
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
