// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"fmt"
	"testing"

	"github.com/gophernetes/bellhop/internal/costtest"
)

// F-S41: what is remembered of credentials is the size of each value, and bounded.
func TestSizes(t *testing.T) {
	data := map[string][]byte{"password": []byte("hunter2"), "empty": nil}
	again := SizesOf(data).Placeholders()
	if len(again) != 2 || string(again["password"]) != "xxxxxxx" || len(again["empty"]) != 0 {
		t.Errorf("%q", again)
	}
	if none := SizesOf(nil).Placeholders(); none != nil {
		t.Errorf("%q", none)
	}
}

// F-S41: 4,000 short keys held 109 KB. What is held of any credentials is at most 4 KiB, and the sizes together are those of the credentials.
func TestSizesAreBounded(t *testing.T) {
	for _, length := range []int{4, 63, 64, 65, 253} {
		data := map[string][]byte{}
		for i := range 4000 {
			data[fmt.Sprintf("%0*d", length, i)] = []byte("1")
		}
		sizes, names, total := SizesOf(data), 0, 0
		for key, size := range sizes {
			names, total = names+len(key), total+size
		}
		if total != 4000 {
			t.Errorf("keys of %d bytes: %d bytes are left", length, total)
		}
		const bindings = 100
		held := costtest.Held(func() any {
			all := make([]Sizes, bindings)
			for i := range all {
				all[i] = SizesOf(data)
			}
			return all
		}) / bindings
		if held+uint64(names) > 4<<10 {
			t.Errorf("keys of %d bytes: %d hold %d bytes, and their names %d", length, len(sizes), held, names)
		}
	}
}
