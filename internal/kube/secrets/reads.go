// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"context"
	"errors"
	"time"

	"github.com/gophernetes/bellhop/internal/kube/keyed"
)

const (
	// maxReads bounds the Secrets that are read at a time, each of which can have 1 MiB, and namespaceReads bounds them for one namespace.
	maxReads       = 16
	namespaceReads = 4
)

// ErrBusy is that reads for other objects come first.
var ErrBusy = errors.New("as many Secrets are being read for other objects as can be at a time")

// Reads bounds the Secrets whose content is in memory until a decision on it is made. The zero value has room.
type Reads struct {
	byNamespace keyed.Semaphores[string]
	all         keyed.Semaphores[struct{}] // of one key: the zero value of a semaphore itself has no room
}

// Enter waits until so many Secrets of a namespace can be read, which end with leave. After the timeout it returns ErrBusy. A namespace
// waits for the others with no more Secrets than it can read at a time, so that the namespaces take turns.
func (r *Reads) Enter(ctx context.Context, namespace string, secrets int, timeout time.Duration) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	n := int64(min(secrets, namespaceReads))
	leaveNamespace, err := r.byNamespace.Acquire(ctx, namespace, n, namespaceReads)
	if err != nil {
		return nil, ErrBusy
	}
	leaveAll, err := r.all.Acquire(ctx, struct{}{}, n, maxReads)
	if err != nil {
		leaveNamespace()
		return nil, ErrBusy
	}
	return func() {
		leaveAll()
		leaveNamespace()
	}, nil
}
