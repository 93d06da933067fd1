// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package costtest compares the cost of reading an input with the cost of reading one of twice its size. It counts allocations and not time, so that
// its result is the same on a busy machine. With COSTS=1 it also logs the CPU time of the larger input, the least of three reads, for hack/costs.sh.
package costtest

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

// Growth is how many times as much twice the input may cost.
const Growth = 2.5

// Cost is the sum of the allocations, in bytes and in objects.
type Cost struct{ Bytes, Objects uint64 }

// Of returns the allocations of the process while f runs.
func Of(f func()) Cost {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return Cost{Bytes: after.TotalAlloc - before.TotalAlloc, Objects: after.Mallocs - before.Mallocs}
}

// Linear fails the test where an input of 2n takes more than Growth times as much as one of n. Shape makes an input of a size, and read reads it; 2n
// is the largest that the bound of read accepts.
func Linear[T any](t testing.TB, n int, shape func(n int) T, read func(T)) {
	t.Helper()
	half, whole := shape(n), shape(2*n)
	if os.Getenv("COSTS") != "" {
		least, cost := time.Hour, Cost{}
		for range 3 { // the first one also makes the heap large enough, and other processes slow the CPU down
			start := cpu()
			cost = Of(func() { read(whole) })
			least = min(least, cpu()-start)
		}
		t.Logf("cost: %d ms of CPU, %d KiB allocated, input of %d", least.Milliseconds(), cost.Bytes>>10, 2*n)
	}
	var one, two Cost
	for range 3 { // something else may allocate meanwhile
		one, two = Of(func() { read(half) }), Of(func() { read(whole) })
		if !exceeds(two.Bytes, one.Bytes) && !exceeds(two.Objects, one.Objects) {
			return
		}
	}
	t.Errorf("an input of %d allocates %d bytes in %d objects, and one of %d %d bytes in %d objects, more than %v times as much",
		n, one.Bytes, one.Objects, 2*n, two.Bytes, two.Objects, Growth)
}

// cpu is the time that the process has used.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// noise is how many bytes or objects other goroutines may allocate meanwhile.
const noise = 64 << 10

func exceeds(whole, half uint64) bool { return float64(whole) > Growth*float64(half)+noise }

// Held returns how many bytes are in use for a value that newValue returns, once it has returned.
func Held(newValue func() any) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	value := newValue()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(value)
	return after.HeapAlloc - min(after.HeapAlloc, before.HeapAlloc)
}

// Decoded is the most that a decoded input may hold: eight times its size and 4 MiB.
func Decoded(input int) uint64 { return 8*uint64(input) + 4<<20 }
