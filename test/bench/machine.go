// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// describeMachine returns hardware, software, load and commit, on which the figures depend.
func describeMachine(ctx context.Context) string {
	cpu := cmp.Or(findInFile("/proc/cpuinfo", `(?m)^model name\s*: (.+)$`), runtime.GOARCH)
	kernel := cmp.Or(findInFile("/proc/sys/kernel/osrelease", `^(\S+)`), "of unknown version")
	memory := "unknown memory"
	var kibibytes float64
	if _, err := fmt.Sscan(findInFile("/proc/meminfo", `(?m)^MemTotal:\s+(\d+) kB$`), &kibibytes); err == nil {
		memory = fmt.Sprintf("%.0f GiB", kibibytes/(1<<20))
	}
	return fmt.Sprintf("machine  %d cores (GOMAXPROCS %d), %s, %s, %s %s, %s; load before: %s\ncommit   %s",
		runtime.NumCPU(), runtime.GOMAXPROCS(0), cpu, memory, runtime.GOOS, kernel, runtime.Version(),
		cmp.Or(findInFile("/proc/loadavg", `^(\S+)`), "unknown"), describeCommit(ctx))
}

// describeCommit returns the commit of the working tree.
func describeCommit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// readCPUTimes returns the seconds since boot in which cores were busy and idle, over all cores; NaN where the system does not
// tell.
func readCPUTimes() (busy, idle float64) {
	const hertz = 100 // USER_HZ of Linux
	fields := strings.Fields(findInFile("/proc/stat", `^cpu\s+(.+)`))
	for i, field := range fields[:min(8, len(fields))] { // guest and guest_nice are contained in user and nice
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return math.NaN(), math.NaN()
		}
		if i == 3 || i == 4 { // idle and iowait
			idle += ticks / hertz
		} else {
			busy += ticks / hertz
		}
	}
	return busy, idle
}

// findInFile returns the first group of the first match in a file, or "".
func findInFile(path, pattern string) string {
	content, _ := os.ReadFile(path)
	if match := regexp.MustCompile(pattern).FindSubmatch(content); match != nil {
		return strings.TrimSpace(string(match[1]))
	}
	return ""
}
