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

// maxKept is how many values a Cache keeps; one more evicts the least recently used.
const maxKept = 1024

// Cache keeps one value for each key, such as a client with its connections, made from one version of an object and its Secrets.
type Cache[K comparable, V interface{ Close() }] struct {
	mu   sync.Mutex
	kept *lru.Cache // K → *kept[V]
}

type kept[V interface{ Close() }] struct {
	mu      sync.Mutex
	made    bool
	version string
	value   V
}

// NewCache returns an empty cache.
func NewCache[K comparable, V interface{ Close() }]() *Cache[K, V] {
	return &Cache[K, V]{kept: lru.NewWithEvictionFunc(maxKept, func(_ lru.Key, value any) {
		go value.(*kept[V]).drop()
	})}
}

// Of returns the value for key, and replaces it by newValue's if it has another version. Concurrent calls for the same key wait.
func (k *Cache[K, V]) Of(key K, version string, newValue func() (V, error)) (V, error) {
	entry := k.entry(key)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.made && entry.version == version {
		return entry.value, nil
	}
	value, err := newValue()
	if err != nil {
		return value, err
	}
	if entry.made {
		entry.value.Close()
	}
	entry.made, entry.version, entry.value = true, version, value
	return value, nil
}

// Forget closes and drops the value for key.
func (k *Cache[K, V]) Forget(key K) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept.Remove(key)
}

func (k *Cache[K, V]) entry(key K) *kept[V] {
	k.mu.Lock()
	defer k.mu.Unlock()
	if entry, ok := k.kept.Get(key); ok {
		return entry.(*kept[V])
	}
	entry := &kept[V]{}
	k.kept.Add(key, entry)
	return entry
}

func (e *kept[V]) drop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made {
		e.value.Close()
		e.made = false
	}
}
