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

package secrets

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// maxReads bounds the Secrets that are read at a time, each of which can have 1 MiB, and namespaceReads those of a namespace.
	maxReads       = 16
	namespaceReads = 4
)

// ErrBusy is that reads for other objects come first.
var ErrBusy = errors.New("as many Secrets are being read for other objects as can be at a time")

// Reads bounds the Secrets whose content is in memory until a decision on it is made. The zero value has room.
type Reads struct {
	mu         sync.Mutex
	all        *semaphore.Weighted
	namespaces map[string]*reader
}

// reader is a namespace for which Secrets are read, or are to be.
type reader struct {
	*semaphore.Weighted

	users int
}

// Enter waits until so many Secrets of a namespace can be read, which end with leave. After the timeout it returns ErrBusy. A namespace
// waits for the others with no more Secrets than it can read at a time, so that the namespaces take turns.
func (r *Reads) Enter(ctx context.Context, namespace string, secrets int, timeout time.Duration) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	own, n := r.use(namespace), int64(min(secrets, namespaceReads))
	if own.Acquire(ctx, n) != nil {
		r.unuse(namespace)
		return nil, ErrBusy
	}
	exit := func() {
		own.Release(n)
		r.unuse(namespace)
	}
	if r.all.Acquire(ctx, n) != nil {
		exit()
		return nil, ErrBusy
	}
	return func() {
		r.all.Release(n)
		exit()
	}, nil
}

func (r *Reads) use(namespace string) *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all, r.namespaces = semaphore.NewWeighted(maxReads), map[string]*reader{}
	}
	own := r.namespaces[namespace]
	if own == nil {
		own = &reader{Weighted: semaphore.NewWeighted(namespaceReads)}
		r.namespaces[namespace] = own
	}
	own.users++
	return own
}

func (r *Reads) unuse(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.namespaces[namespace]
	if own.users--; own.users == 0 {
		delete(r.namespaces, namespace)
	}
}
