// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package times

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Backoff is a delay that doubles with each failure in a row, from First to Last.
type Backoff struct {
	First, Last time.Duration
	// Jitter is how many percent a delay may be longer or shorter, so that requests that failed together are not retried together. There are Steps
	// delays between the shortest and the longest one.
	Jitter, Steps int
}

// Delay returns the delay after the count-th failure in a row. It is the same each time for a seed and a count.
func (b Backoff) Delay(seed string, count int32) time.Duration {
	wait := b.First
	for n := int32(1); n < count && wait < b.Last; n++ {
		wait *= 2
	}
	return b.Spread(min(wait, b.Last), seed, count)
}

// Spread returns another delay after the count-th failure in a row with the same jitter.
func (b Backoff) Spread(wait time.Duration, seed string, count int32) time.Duration {
	hash := fnv.New32a()
	fmt.Fprint(hash, seed, count)
	jitter, steps := time.Duration(b.Jitter), time.Duration(b.Steps)
	shortest, width := wait*(100-jitter)/100, wait*2*jitter/100
	return shortest + width*(time.Duration(hash.Sum32())%steps)/steps
}
