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

package bindingsecret

import (
	"bytes"
	"maps"
	"slices"
)

// maxNames bounds the names in Sizes, in bytes together.
const maxNames = 4 << 10

// Sizes are the sizes of values by their keys: what may be remembered of credentials.
type Sizes map[string]int

// SizesOf returns the sizes of data, as far as the names of its keys are not too long together.
func SizesOf(data map[string][]byte) Sizes {
	sizes, names := Sizes{}, 0
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if names += len(key); names > maxNames {
			break
		}
		sizes[key] = len(data[key])
	}
	return sizes
}

// Placeholders returns data of these sizes; nil: there is none.
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
