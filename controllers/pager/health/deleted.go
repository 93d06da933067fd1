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

package health

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/health"
)

// maxDeletedJobs is how many Jobs of a namespace that were deleted, and are not handled yet, are kept.
const maxDeletedJobs = 100

// deletedJobs are the last states of Jobs that were deleted, or have lost the label, until they are handled: a Job that its TTL deletes has failed
// all the same. The zero value is ready to use.
type deletedJobs struct {
	mu          sync.Mutex
	byKey       map[types.UID][]*lifecycle.Trimmed
	byNamespace map[string]int
	dropped     func(request) // is called for each that there was no room for
}

// add keeps the last state of a Job.
func (d *deletedJobs) add(req request, o *lifecycle.Trimmed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byNamespace[req.Namespace] >= maxDeletedJobs {
		d.dropped(req)
		return
	}
	if d.byKey == nil {
		d.byKey, d.byNamespace = map[types.UID][]*lifecycle.Trimmed{}, map[string]int{}
	}
	d.byKey[req.key()] = append(d.byKey[req.key()], o)
	d.byNamespace[req.Namespace]++
}

// of returns the Jobs of a request.
func (d *deletedJobs) of(req request) []*lifecycle.Trimmed {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.byKey[req.key()])
}

// forget forgets the Jobs of a request that were handled.
func (d *deletedJobs) forget(req request, handled int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := d.byKey[req.key()][min(handled, len(d.byKey[req.key()])):]
	d.byNamespace[req.Namespace] -= len(d.byKey[req.key()]) - len(left)
	if d.byKey[req.key()] = left; len(left) == 0 {
		delete(d.byKey, req.key())
	}
	if d.byNamespace[req.Namespace] <= 0 {
		delete(d.byNamespace, req.Namespace)
	}
}
