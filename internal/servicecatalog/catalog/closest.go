// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
)

const (
	// maxSuggestions bounds the names that Closest returns.
	maxSuggestions = 3
	// maxCompared bounds the names whose edit distance is computed, and maxNameLength, in bytes, the length of names that are considered:
	// tenants choose both, and each comparison takes the product of two lengths.
	maxCompared, maxNameLength = 200, 64
)

// Closest returns up to maxSuggestions of names, the most similar to name first. A candidate is similar if it contains name or differs from
// it in few characters; of at most maxSuggestions candidates, all count as similar. Closest returns nil if name is longer than
// maxNameLength, or once the context has ended.
func Closest(ctx context.Context, name string, names []string) []string {
	if len(name) > maxNameLength {
		return nil
	}
	candidates := slices.DeleteFunc(slices.Clone(names), func(candidate string) bool { return len(candidate) > maxNameLength })
	slices.Sort(candidates)
	candidates = slices.Compact(candidates)
	takesAll := len(candidates) <= maxSuggestions
	isSimilar := func(candidate string, distance int) bool { return takesAll || isSimilarAt(name, candidate, distance) }
	candidates = slices.DeleteFunc(candidates, func(candidate string) bool { return !isSimilar(candidate, minEditDistance(name, candidate)) })
	distances := map[string]int{}
	for _, candidate := range candidates[:min(len(candidates), maxCompared)] {
		if ctx.Err() != nil {
			return nil
		}
		if distance := editDistance(name, candidate); isSimilar(candidate, distance) {
			distances[candidate] = distance
		}
	}
	similar := slices.SortedFunc(maps.Keys(distances), func(a, b string) int {
		return cmp.Or(cmp.Compare(distances[a], distances[b]), cmp.Compare(a, b))
	})
	return similar[:min(len(similar), maxSuggestions)]
}

// IsSimilar reports whether a candidate contains name or differs from it in few characters.
func IsSimilar(name, candidate string) bool {
	return max(len(name), len(candidate)) <= maxNameLength && isSimilarAt(name, candidate, editDistance(name, candidate))
}

// isSimilarAt is IsSimilar, of names at a known distance.
func isSimilarAt(name, candidate string, distance int) bool {
	return distance <= max(2, len(name)/3) || strings.Contains(candidate, name)
}

// minEditDistance returns the difference of the lengths of two names: their edit distance is at least that, and takes longer to compute.
func minEditDistance(a, b string) int { return max(len(a)-len(b), len(b)-len(a)) }

// editDistance returns the number of bytes to insert, remove or replace that turn a into b (Levenshtein distance). Of the usual matrix
// it has one row: row[j] is the distance of the part of a that was read and b[:j].
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0] // of the previous row
		row[0]++
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			removed, inserted := row[j+1]+1, row[j]+1
			diagonal = row[j+1]
			row[j+1] = min(replaced, removed, inserted)
		}
	}
	return row[len(b)]
}
