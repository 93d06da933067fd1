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

// machine says what the figures are measured on, what else it was doing, and of which commit they are.
func machine(ctx context.Context) string {
	cpu := cmp.Or(find("/proc/cpuinfo", `(?m)^model name\s*: (.+)$`), runtime.GOARCH)
	kernel := cmp.Or(find("/proc/sys/kernel/osrelease", `^(\S+)`), "of unknown version")
	memory := "unknown memory"
	var kibibytes float64
	if _, err := fmt.Sscan(find("/proc/meminfo", `(?m)^MemTotal:\s+(\d+) kB$`), &kibibytes); err == nil {
		memory = fmt.Sprintf("%.0f GiB", kibibytes/(1<<20))
	}
	return fmt.Sprintf("machine  %d cores (GOMAXPROCS %d), %s, %s, %s %s, %s; load before: %s\ncommit   %s",
		runtime.NumCPU(), runtime.GOMAXPROCS(0), cpu, memory, runtime.GOOS, kernel, runtime.Version(),
		cmp.Or(find("/proc/loadavg", `^(\S+)`), "unknown"), commit(ctx))
}

// commit is what the tree is of, and so what is measured.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// busy are the seconds that all cores together were busy with whatever, and idle, since the machine started; no numbers
// where the system does not say.
func busy() (busy, idle float64) {
	const hertz = 100 // of what Linux shows to programs
	fields := strings.Fields(find("/proc/stat", `^cpu\s+(.+)`))
	for i, field := range fields[:min(8, len(fields))] { // those after are part of others
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return math.NaN(), math.NaN()
		}
		if i == 3 || i == 4 { // idle, and waiting for a disk
			idle += ticks / hertz
		} else {
			busy += ticks / hertz
		}
	}
	return busy, idle
}

// find is the first group of the first match in a file; empty if there is none.
func find(path, pattern string) string {
	content, _ := os.ReadFile(path)
	if match := regexp.MustCompile(pattern).FindSubmatch(content); match != nil {
		return strings.TrimSpace(string(match[1]))
	}
	return ""
}
