// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

const (
	// maxCached is how many bytes of schemas are kept compiled, which takes some
	// fifteen times as much.
	maxCached = 512 << 10
	// overhead is the least size that a schema counts for, in bytes.
	overhead = 256
	// maxTries is how often a schema is compiled that took too long, which may have
	// been the machine's fault.
	maxTries = 3
)

// cache keeps compiled schemas, and the errors of schemas that do not compile, by their SHA-256. It forgets the least recently used.
type cache struct {
	limit int

	mu      sync.Mutex
	size    int
	entries map[[32]byte]*list.Element
	recent  *list.List // of *entry, the last used first
}

func newCache(limit int) *cache {
	return &cache{limit: limit, entries: map[[32]byte]*list.Element{}, recent: list.New()}
}

// entry is one schema. Whoever uses it holds its slot.
type entry struct {
	key  [32]byte
	size int
	slot chan struct{}

	compiled *compiled
	err      error
	tries    int
}

func (c *cache) get(key [32]byte, size int) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.entries[key]; ok {
		c.recent.MoveToFront(found)
		return found.Value.(*entry)
	}
	e := &entry{key: key, size: size + overhead, slot: make(chan struct{}, 1)}
	c.entries[key] = c.recent.PushFront(e)
	for c.size += e.size; c.size > c.limit && c.recent.Len() > 1; {
		oldest := c.recent.Remove(c.recent.Back()).(*entry)
		delete(c.entries, oldest.key)
		c.size -= oldest.size
	}
	return e
}

// compile compiles the schema if that was not done before.
func (e *entry) compile(ctx context.Context, raw []byte) (*compiled, error) {
	if e.compiled == nil && (e.err == nil || errors.Is(e.err, errTooCostly) && e.tries < maxTries) {
		e.tries++
		e.compiled, e.err = compile(ctx, raw)
	}
	return e.compiled, e.err
}
