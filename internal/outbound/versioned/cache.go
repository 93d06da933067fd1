// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package versioned caches clients by the version of the settings that they were made from.
package versioned

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/gophernetes/bellhop/internal/panics"
)

// maxEntries is how many values a Cache has; one more evicts the least recently used.
const maxEntries = 1024

// firstRetry and lastRetry bound the time for which a failure is remembered. It doubles with each failure in a row.
const firstRetry, lastRetry = time.Second, time.Minute

// ErrBusy is returned by TryOf while another call makes the value.
var ErrBusy = errors.New("the value is being made")

// Cache has one value for each key, such as a client with its connections, made from one version of an object and its Secrets. It closes
// values that are replaced, forgotten or evicted.
type Cache[K comparable, V interface {
	comparable
	Close()
}] struct {
	Clock   clock.PassiveClock
	mu      sync.Mutex
	entries *lru.Cache // K → *entry[V]
}

// entry is the value of a key. Its mutex is not locked while a value is made: calls for the present version do not wait then.
type entry[V interface {
	comparable
	Close()
}] struct {
	mu       sync.Mutex
	isClosed bool // it is no longer in the cache, and gets no value
	hasValue bool
	version  string
	value    V
	making   *making[V] // nil: no value is being made
	failed   failure
}

// making is a call that makes a value.
type making[V any] struct {
	version string
	done    chan struct{}
	value   V
	err     error
}

// failure is the last failure to make a value.
type failure struct {
	version string
	err     error // nil: none
	count   int   // in a row
	until   time.Time
}

// NewCache returns an empty cache.
func NewCache[K comparable, V interface {
	comparable
	Close()
}]() *Cache[K, V] {
	return &Cache[K, V]{Clock: clock.RealClock{}, entries: lru.NewWithEvictionFunc(maxEntries, func(_ lru.Key, evicted any) {
		evicted.(*entry[V]).close()
	})}
}

// Of returns the value for key. A value of another version is replaced by the result of newValue, unless that fails. newValue gets the former value,
// or the zero value if there was none, and may return it. Concurrent calls for the same version wait for one call of newValue.
func (c *Cache[K, V]) Of(key K, version string, newValue func(former V) (V, error)) (V, error) {
	return c.of(key, version, newValue, true)
}

// TryOf is Of for callers that must not be delayed: it returns ErrBusy where Of waits for the newValue of another call, and the last failure,
// for firstRetry to lastRetry, where Of calls newValue again.
func (c *Cache[K, V]) TryOf(key K, version string, newValue func(former V) (V, error)) (V, error) {
	return c.of(key, version, newValue, false)
}

func (c *Cache[K, V]) of(key K, version string, newValue func(former V) (V, error), wait bool) (value V, err error) {
	for {
		e := c.entryFor(key)
		e.mu.Lock()
		switch {
		case e.isClosed: // nothing would close its value
		case e.hasValue && e.version == version:
			defer e.mu.Unlock()
			return e.value, nil
		case !wait && e.failed.err != nil && e.failed.version == version && c.Clock.Now().Before(e.failed.until):
			defer e.mu.Unlock()
			return value, e.failed.err
		case e.making == nil:
			return c.make(e, version, newValue)
		case !wait:
			e.mu.Unlock()
			return value, ErrBusy
		default:
			other := e.making
			e.mu.Unlock()
			<-other.done
			if other.version == version {
				return other.value, other.err
			}
			continue
		}
		e.mu.Unlock()
	}
}

// make calls newValue. The mutex of the entry is locked before it, but not after it.
func (c *Cache[K, V]) make(e *entry[V], version string, newValue func(former V) (V, error)) (V, error) {
	m := &making[V]{version: version, done: make(chan struct{}), err: errors.New("the value was not made")}
	e.making = m
	former := e.value
	e.mu.Unlock()
	defer func() { // also after a panic
		unused, hasUnused := e.finish(m, c.Clock.Now())
		close(m.done)
		if hasUnused {
			closeValue(unused)
		}
	}()
	m.value, m.err = newValue(former)
	return m.value, m.err
}

// finish stores the value that was made, and returns the value that is not used any longer. The caller closes it once the entry has its new
// value, and without the lock of the entry.
func (e *entry[V]) finish(m *making[V], now time.Time) (unused V, hasUnused bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.making = nil
	if m.err != nil {
		if e.failed.version != m.version {
			e.failed.count = 0
		}
		wait := min(firstRetry<<min(e.failed.count, 10), lastRetry)
		e.failed = failure{version: m.version, err: m.err, count: e.failed.count + 1, until: now.Add(wait)}
		return unused, false
	}
	e.failed = failure{}
	isFormer := m.value == e.value
	if e.isClosed {
		return m.value, !isFormer
	}
	unused, hasUnused = e.value, e.hasValue && !isFormer
	e.hasValue, e.version, e.value = true, m.version, m.value
	return unused, hasUnused
}

// Forget closes the value for key and removes it.
func (c *Cache[K, V]) Forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
}

// Take removes the value for key, and returns it. The caller closes it. ok is false if there is no value.
func (c *Cache[K, V]) Take(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.entries.Get(key)
	if !ok {
		return value, false
	}
	value, ok = found.(*entry[V]).take()
	if ok {
		c.entries.Remove(key)
	}
	return value, ok
}

// Has reports whether there is a value for key, of any version.
func (c *Cache[K, V]) Has(key K) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.entries.Get(key)
	return ok && found.(*entry[V]).isFilled()
}

// entryFor returns the entry for key, and adds an entry without a value if there is no entry.
func (c *Cache[K, V]) entryFor(key K) *entry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.entries.Get(key); ok {
		return found.(*entry[V])
	}
	added := &entry[V]{}
	c.entries.Add(key, added)
	return added
}

// take returns the value, if there is one, which the entry no longer has.
func (e *entry[V]) take() (value V, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	value, ok = e.value, e.hasValue
	var none V
	e.value, e.hasValue = none, false
	return value, ok
}

func (e *entry[V]) isFilled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.hasValue
}

// close closes the value, if there is one, and the entry. A value that is being made is closed once it is made.
func (e *entry[V]) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.isClosed = true
	if e.hasValue {
		e.hasValue = false
		closeValue(e.value)
	}
}

// closeValue closes a value. A panic does not reach the caller, which may be about another key: an entry is closed to make room.
func closeValue(v interface{ Close() }) {
	var err error // there is no caller for it
	defer panics.Recover(context.Background(), panics.Cluster, "closing a client", &err)
	v.Close()
}
