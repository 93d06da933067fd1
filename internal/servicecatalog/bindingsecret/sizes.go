// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"bytes"
	"maps"
	"slices"
)

// maxKeys bounds the keys in Sizes, and maxNames their names, in bytes together, so that Sizes hold at most 4 KiB.
const (
	maxKeys  = 32
	maxNames = 2 << 10
)

// Sizes are the sizes of values in bytes, by their keys. Credentials may be remembered in this form.
type Sizes map[string]int

// SizesOf returns the sizes of data. The values of keys beyond the bounds count for the last key within.
func SizesOf(data map[string][]byte) Sizes {
	keys := slices.Sorted(maps.Keys(data))
	n, names := 0, 0
	for n < min(len(keys), maxKeys) && names+len(keys[n]) <= maxNames {
		names += len(keys[n])
		n++
	}
	sizes := make(Sizes, n)
	for i, key := range keys {
		sizes[keys[min(i, max(n-1, 0))]] += len(data[key])
	}
	return sizes
}

// Placeholders returns data of these sizes; nil: there are no sizes.
func (s Sizes) Placeholders() map[string][]byte {
	if len(s) == 0 {
		return nil
	}
	data := make(map[string][]byte, len(s))
	for key, size := range s {
		data[key] = bytes.Repeat([]byte{'x'}, size)
	}
	return data
}
