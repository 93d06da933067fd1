// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// maxDeletedJobs is about how many names of Jobs of a namespace the last state is kept of one that was deleted, and is not handled yet.
const maxDeletedJobs = 100

// deletedJobs are the last states of Jobs that were deleted, or have lost the label, until they are handled: a Job that its TTL deletes has failed
// all the same. Of several Jobs of a request the one that decides is kept. The zero value is ready to use.
type deletedJobs struct {
	mu          sync.Mutex
	byKey       map[types.UID]*healthrules.Trimmed
	byNamespace map[string]int
	dropped     func(request) // is called for each that there was no room for
}

// add keeps the last state of a Job that has ended.
func (d *deletedJobs) add(req request, o *healthrules.Trimmed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	former := d.byKey[req.key()]
	switch {
	case former != nil && !decides(o, former):
		return
	case former == nil && d.byNamespace[req.Namespace] >= maxDeletedJobs:
		d.dropped(req)
		return
	case former == nil:
		if d.byKey == nil {
			d.byKey, d.byNamespace = map[types.UID]*healthrules.Trimmed{}, map[string]int{}
		}
		d.byNamespace[req.Namespace]++
	}
	d.byKey[req.key()] = o
}

// decides reports whether a Job decides instead of a former one. A Job that cannot be decoded decides nothing.
func decides(job, former *healthrules.Trimmed) bool {
	is, err := job.Object()
	if err != nil {
		return false
	}
	was, err := former.Object()
	if err != nil {
		return true
	}
	deciding, _ := healthrules.DecidingJob([]*unstructured.Unstructured{was, is}, time.Time{}) // both have ended
	return deciding == is
}

// of returns the Job of a request; nil: none is kept.
func (d *deletedJobs) of(req request) *healthrules.Trimmed {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byKey[req.key()]
}

// forget removes the Job of a request that was handled, unless it is another one by now; nil: none was.
func (d *deletedJobs) forget(req request, handled *healthrules.Trimmed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if handled == nil || d.byKey[req.key()] != handled {
		return
	}
	delete(d.byKey, req.key())
	if d.byNamespace[req.Namespace]--; d.byNamespace[req.Namespace] <= 0 {
		delete(d.byNamespace, req.Namespace)
	}
}
