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
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, test := range []struct {
		limit, own string
		want       int64 // 0: as before
		fails      bool
	}{
		{"1000", "", 900, false},
		{"1000", "500MiB", 0, false},
		{"", "", 0, false},
		{"1Gi", "", 0, true},
		{"0", "", 0, true},
	} {
		debug.SetMemoryLimit(before)
		t.Setenv(memoryLimitVariable, test.limit)
		t.Setenv("GOMEMLIMIT", test.own)
		err := LimitMemory()
		if got := debug.SetMemoryLimit(-1); got != cmp.Or(test.want, before) || (err != nil) != test.fails {
			t.Errorf("%q, GOMEMLIMIT %q: limit %d, %v", test.limit, test.own, got, err)
		}
	}
}
