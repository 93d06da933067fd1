// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package walktest says how many random walks a test makes.
package walktest

import "os"

// Count is few in the gate, where the mistakes of mutation_test.go must still be found, and many with WALKS=all, as in the nightly run. Go's
// cache knows that a test depends on the variable if the test calls Count: variables of a package are set before Go records what is read.
func Count(few, many uint64) uint64 {
	if os.Getenv("WALKS") == "all" {
		return many
	}
	return few
}
