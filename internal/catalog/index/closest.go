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

package index

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
)

const (
	// maxSuggestions bounds the suggested names.
	maxSuggestions = 3
	// maxCompared bounds the names that are compared, and maxLetters their length: tenants choose them.
	maxCompared, maxLetters = 200, 64
)

// Closest returns the names that are most similar to a name; all of them where they are few.
func Closest(ctx context.Context, name string, names []string) []string {
	if len(name) > maxLetters {
		return nil
	}
	var short []string
	for _, n := range names {
		if len(n) <= maxLetters {
			short = append(short, n)
		}
	}
	slices.Sort(short)
	short = slices.Compact(short)
	few, tolerance := len(short) <= maxSuggestions, max(2, len(name)/3)
	isLike := func(n string, apart int) bool { return few || apart <= tolerance || strings.Contains(n, name) }
	short = slices.DeleteFunc(short, func(n string) bool { return !isLike(n, max(len(n)-len(name), len(name)-len(n))) }) // at least
	distances := map[string]int{}
	for _, n := range short[:min(len(short), maxCompared)] {
		if ctx.Err() != nil {
			return nil
		}
		if d := distance(name, n); isLike(n, d) {
			distances[n] = d
		}
	}
	similar := slices.SortedFunc(maps.Keys(distances), func(a, b string) int {
		return cmp.Or(cmp.Compare(distances[a], distances[b]), cmp.Compare(a, b))
	})
	return similar[:min(len(similar), maxSuggestions)]
}

// distance returns the edit distance of two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
