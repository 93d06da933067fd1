// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// idleAfter is how long little is allocated before memory is returned.
	idleAfter = time.Minute
	// idleBytes is how many bytes a process at most allocates in that time if it only renews its lease and serves metrics.
	idleBytes = 32 << 20
)

// memoryLimitVariable is the environment variable with the container's memory limit in bytes.
const memoryLimitVariable = "MEMORY_LIMIT"

// gcPercent is by how much the heap grows between collections, as GOGC. Go's 100 costs a sixth of the CPU time of a process that has only some
// megabytes in use.
const gcPercent = 200

// LimitMemory makes the garbage collector work harder before the container's memory limit is reached, at which the kernel kills the
// process, and less where there is room. GOMEMLIMIT and GOGC go before it. Of processors, Go reads the container's limit itself.
func LimitMemory() error {
	limit, err := containerLimit()
	if err != nil || limit == 0 || os.Getenv("GOMEMLIMIT") != "" {
		return err
	}
	debug.SetMemoryLimit(limit / 10 * 9) // the program itself, and the kernel's memory for it, need the rest
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return nil
}

// containerLimit returns the container's memory limit in bytes; 0: it has none that is known.
func containerLimit() (int64, error) {
	text := os.Getenv(memoryLimitVariable)
	if text == "" {
		return 0, nil
	}
	limit, err := strconv.ParseInt(text, 10, 64)
	if err != nil || limit <= 0 {
		return 0, fmt.Errorf("%s is %q: it must be a number of bytes", memoryLimitVariable, text)
	}
	return limit, nil
}

// memoryLimit returns how much memory the process may have in bytes: the container's limit, else Go's; 0: no limit.
func memoryLimit() int64 {
	if limit, err := containerLimit(); err == nil && limit > 0 { // LimitMemory reports the error
		return limit
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	return 0
}

// idle detects from its allocations when the process becomes idle.
type idle struct {
	allocated uint64 // at the last call of begins
	reported  bool   // since the process was last busy
}

// begins reports whether the process has become idle since the last call, once for each time.
func (i *idle) begins(allocated uint64) bool {
	isIdle := allocated-i.allocated < idleBytes
	begins := isIdle && !i.reported
	i.allocated, i.reported = allocated, isIdle
	return begins
}

// ReturnMemory returns freed memory to the system whenever the process becomes idle, until ctx ends. Go's runtime keeps about as
// much as is in use for later allocations.
func ReturnMemory(ctx context.Context) {
	var i idle
	wait.UntilWithContext(ctx, func(context.Context) {
		if i.begins(allocated()) {
			debug.FreeOSMemory()
		}
	}, idleAfter)
}

// allocated returns how many bytes were ever allocated on the heap.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
