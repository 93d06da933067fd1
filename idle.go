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
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// idleAfter is for how long little is done before memory is given back.
	idleAfter = time.Minute
	// idleBytes are what a process allocates in that time that does nothing but renew its lease
	// and show its metrics.
	idleBytes = 32 << 20
)

// idle tells when nothing goes on, from what the process allocates.
type idle struct {
	allocated uint64 // at the last look
	told      bool   // since something went on
}

// begins says whether nothing went on since the last look, once until something does.
func (i *idle) begins(allocated uint64) bool {
	rests := allocated-i.allocated < idleBytes
	begins := rests && !i.told
	i.allocated, i.told = allocated, rests
	return begins
}

// returnMemory gives the system back what much work took, once it is done. Go's runtime keeps
// about as much again as is in use, ready for more.
func returnMemory(ctx context.Context) {
	var i idle
	wait.UntilWithContext(ctx, func(context.Context) {
		if i.begins(allocated()) {
			debug.FreeOSMemory()
		}
	}, idleAfter)
}

// allocated are the bytes of the heap that were ever allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
