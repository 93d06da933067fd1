// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"sync"
	"time"
)

// gate blocks callers while it is closed. A new one is open.
type gate struct {
	mu     sync.Mutex
	opened chan struct{}
}

func newGate() *gate {
	opened := make(chan struct{})
	close(opened)
	return &gate{opened: opened}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
		g.opened = make(chan struct{})
	default:
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

// wait returns when the gate is open or the context ends; held: the gate was closed.
func (g *gate) wait(ctx context.Context) (held bool) {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	select {
	case <-opened:
		return false
	default:
	}
	select {
	case <-opened:
	case <-ctx.Done():
	}
	return true
}

// Signal is set once. Done is closed then.
type Signal struct {
	once sync.Once
	Done chan struct{}
}

// NewSignal returns a signal that is not set.
func NewSignal() *Signal { return &Signal{Done: make(chan struct{})} }

// Set closes Done.
func (s *Signal) Set() { s.once.Do(func() { close(s.Done) }) }

// Sleep returns after a time, or when the context ends.
func Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
