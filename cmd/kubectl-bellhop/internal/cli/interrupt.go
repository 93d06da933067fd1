// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"io"
	"time"
)

// writeTimeout bounds a write that an interrupt does not cancel.
const writeTimeout = 10 * time.Second

// Hold delays the end of the process after an interrupt until release is called.
func (e *Environment) Hold() (release func()) {
	e.holds.Add(1)
	return func() { e.holds.Add(-1) }
}

// IsHeld reports whether something has to end before the process may.
func (e *Environment) IsHeld() bool { return e.holds.Load() > 0 }

// Uninterrupted returns a context for a write that an interrupt does not cancel: one whose answer has to be known, or one that removes
// what the command made. The process ends after release.
func (e *Environment) Uninterrupted(ctx context.Context) (uninterrupted context.Context, release context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	letEnd := e.Hold()
	return ctx, func() {
		cancel()
		letEnd()
	}
}

// ReadUntil has the end of a context end a command that reads standard input.
func (e *Environment) ReadUntil(ctx context.Context) { e.In = &interruptible{ctx.Done(), e.In} }

// interruptible is a reader whose Read returns context.Canceled after an interrupt, even if nothing was read.
type interruptible struct {
	interrupted <-chan struct{}
	raw         io.Reader
}

func (r *interruptible) Read(into []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	buffer, done := make([]byte, len(into)), make(chan result, 1)
	go func() {
		n, err := r.raw.Read(buffer)
		done <- result{n, err}
	}()
	select {
	case <-r.interrupted:
		return 0, context.Canceled
	case read := <-done:
		return copy(into, buffer[:read.n]), read.err
	}
}
