// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// A cpuBaseline measures how fast the machine is while something else is measured: it repeats one small computation and takes
// the mean of its CPU time. On a shared or throttled machine the mean rises, and no other figure shows that.
type cpuBaseline struct {
	stopped chan struct{}
	mean    chan float64
}

// startCPUBaseline starts the measurement, which needs less than 1 % of a core.
func startCPUBaseline() *cpuBaseline {
	c := &cpuBaseline{stopped: make(chan struct{}), mean: make(chan float64, 1)}
	go func() {
		runtime.LockOSThread() // the kernel counts CPU time by thread
		defer runtime.UnlockOSThread()
		c.mean <- averageSortTime(c.stopped)
	}()
	return c
}

// stop ends the measurement and returns the mean in milliseconds, or NaN where the system does not count the CPU time of threads.
func (c *cpuBaseline) stop() float64 {
	close(c.stopped)
	return <-c.mean
}

func averageSortTime(stopped <-chan struct{}) float64 {
	const every, length = 250 * time.Millisecond, 1 << 15
	scrambled := rand.New(rand.NewPCG(1, 2)).Perm(length)
	work := make([]int, length)
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	sum, times := 0.0, 0.0
	for {
		before := threadCPUSeconds()
		copy(work, scrambled)
		slices.Sort(work)
		sum, times = sum+threadCPUSeconds()-before, times+1
		select {
		case <-ticks.C:
		case <-stopped:
			return sum * 1000 / times
		}
	}
}

// threadCPUSeconds returns the CPU time of the current thread.
func threadCPUSeconds() float64 {
	const rusageThread = 1 // RUSAGE_THREAD of Linux
	var used syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &used); err != nil {
		return math.NaN()
	}
	return (time.Duration(used.Utime.Nano()) + time.Duration(used.Stime.Nano())).Seconds()
}
