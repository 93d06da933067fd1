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

package main

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// pace is what the machine does while something else is measured on it: the mean of the CPU time that the same small work
// takes, over and over. Who shares the machine makes that longer, and no figure but this one tells it.
type pace struct {
	stop chan struct{}
	said chan float64
}

// startPace begins to take it, of less than 1 % of a core.
func startPace() *pace {
	p := &pace{stop: make(chan struct{}), said: make(chan float64, 1)}
	go func() {
		runtime.LockOSThread() // CPU time is counted for a thread
		defer runtime.UnlockOSThread()
		p.said <- paceUntil(p.stop)
	}()
	return p
}

// end is the pace since it began, in milliseconds; no number where the system does not count a thread's CPU time.
func (p *pace) end() float64 {
	close(p.stop)
	return <-p.said
}

func paceUntil(stop <-chan struct{}) float64 {
	const every, length = 250 * time.Millisecond, 1 << 15
	scrambled := rand.New(rand.NewPCG(1, 2)).Perm(length)
	work := make([]int, length)
	again := time.NewTicker(every)
	defer again.Stop()
	sum, times := 0.0, 0.0
	for {
		before := threadSeconds()
		copy(work, scrambled)
		slices.Sort(work)
		sum, times = sum+threadSeconds()-before, times+1
		select {
		case <-again.C:
		case <-stop:
			return sum * 1000 / times
		}
	}
}

// threadSeconds is the CPU time of this thread.
func threadSeconds() float64 {
	const rusageThread = 1 // of Linux
	var used syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &used); err != nil {
		return math.NaN()
	}
	return (time.Duration(used.Utime.Nano()) + time.Duration(used.Stime.Nano())).Seconds()
}
