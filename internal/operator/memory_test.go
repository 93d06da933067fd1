// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"cmp"
	"runtime/debug"
	"testing"
)

func TestIdleBeginsOnceAfterEachWork(t *testing.T) {
	var i idle
	total := uint64(0)
	for n, step := range []struct {
		allocated uint64
		begins    bool
	}{
		{3 * idleBytes, false}, // it starts
		{idleBytes, false},
		{idleBytes - 1, true},
		{1, false},
		{0, false},
		{idleBytes, false}, // there is work again
		{2 * idleBytes, false},
		{1, true},
		{1, false},
	} {
		total += step.allocated
		if got := i.begins(total); got != step.begins {
			t.Errorf("look %d: %d more bytes: begins is %t", n, step.allocated, got)
		}
	}
}

func TestWhatIsAllocatedIsCounted(t *testing.T) {
	before := allocated()
	kept = make([]byte, idleBytes)
	if more := allocated() - before; more < idleBytes {
		t.Errorf("after %d bytes it says %d", idleBytes, more)
	}
}

var kept []byte // escapes

func TestLimitMemory(t *testing.T) {
	limitBefore, percentBefore := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	defer func() {
		debug.SetMemoryLimit(limitBefore)
		debug.SetGCPercent(percentBefore)
	}()
	for _, test := range []struct {
		limit, ownLimit, ownPercent string
		want                        int64 // 0: as before
		percent                     int
		fails                       bool
	}{
		{"1000", "", "", 900, gcPercent, false},
		{"1000", "", "50", 900, 100, false},
		{"1000", "500MiB", "", 0, 100, false},
		{"", "", "", 0, 100, false},
		{"1Gi", "", "", 0, 100, true},
		{"0", "", "", 0, 100, true},
	} {
		debug.SetMemoryLimit(limitBefore)
		t.Setenv(memoryLimitVariable, test.limit)
		t.Setenv("GOMEMLIMIT", test.ownLimit)
		t.Setenv("GOGC", test.ownPercent)
		err := LimitMemory()
		limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
		if limit != cmp.Or(test.want, limitBefore) || percent != test.percent || (err != nil) != test.fails {
			t.Errorf("%q, GOMEMLIMIT %q, GOGC %q: limit %d, percent %d, %v", test.limit, test.ownLimit, test.ownPercent, limit, percent, err)
		}
	}
}
