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

// Package versioned caches clients by the version of what they were made from.
package versioned

import (
	"sync"

	"k8s.io/utils/lru"
)

// maxEntries is how many values a Cache has; one more evicts the least recently used.
const maxEntries = 1024

// Cache has one value for each key, such as a client with its connections, made from one version of an object and its Secrets. It closes
// values that are replaced, forgotten or evicted.
type Cache[K comparable, V interface{ Close() }] struct {
	mu      sync.Mutex
	entries *lru.Cache // K → *entry[V]
}

// entry is the value of a key. Its mutex is locked while the value is made, which does not delay other keys.
type entry[V interface{ Close() }] struct {
	mu       sync.Mutex
	isClosed bool // it is no longer in the cache, and gets no value
	hasValue bool
	version  string
	value    V
}

// NewCache returns an empty cache.
func NewCache[K comparable, V interface{ Close() }]() *Cache[K, V] {
	return &Cache[K, V]{entries: lru.NewWithEvictionFunc(maxEntries, func(_ lru.Key, evicted any) {
		go evicted.(*entry[V]).close() // which waits for a value that is being made
	})}
}

// Of returns the value for key. A value of another version is replaced by that of newValue, unless newValue fails. Concurrent calls for the
// same key wait.
func (c *Cache[K, V]) Of(key K, version string, newValue func() (V, error)) (V, error) {
	e := c.lockedEntry(key)
	defer e.mu.Unlock()
	if e.hasValue && e.version == version {
		return e.value, nil
	}
	value, err := newValue()
	if err != nil {
		return value, err
	}
	if e.hasValue {
		e.value.Close()
	}
	e.hasValue, e.version, e.value = true, version, value
	return value, nil
}

// Forget closes the value for key and removes it.
func (c *Cache[K, V]) Forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
}

// lockedEntry returns the entry for key with its mutex locked. An entry that was closed while the call waited for the mutex is replaced:
// nothing would close its value.
func (c *Cache[K, V]) lockedEntry(key K) *entry[V] {
	for {
		e := c.entryFor(key)
		e.mu.Lock()
		if !e.isClosed {
			return e
		}
		e.mu.Unlock()
	}
}

// entryFor returns the entry for key, and adds an entry without a value where there is none.
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

// close closes the value, if there is one, and the entry.
func (e *entry[V]) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.isClosed = true
	if e.hasValue {
		e.value.Close()
		e.hasValue = false
	}
}
