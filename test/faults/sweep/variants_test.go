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
