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

package versioned

import (
	"sync"

	"k8s.io/utils/lru"
)

// maxKept bounds how much a Keeper keeps; one more replaces the least recently used.
const maxKept = 1024

// Keeper keeps what is made from an object and its Secrets, such as a client with its
// connections: once for each version of them.
type Keeper[K comparable, V interface{ Close() }] struct {
	mu   sync.Mutex
	kept *lru.Cache // K → *kept[V]
}

type kept[V interface{ Close() }] struct {
	mu      sync.Mutex
	made    bool
	version string
	value   V
}

// NewKeeper keeps nothing yet.
func NewKeeper[K comparable, V interface{ Close() }]() *Keeper[K, V] {
	return &Keeper[K, V]{kept: lru.NewWithEvictionFunc(maxKept, func(_ lru.Key, value any) {
		go value.(*kept[V]).drop()
	})}
}

// Of is what is kept for key, made anew if it is of another version. Who asks for the
// same key meanwhile waits for it.
func (k *Keeper[K, V]) Of(key K, version string, newValue func() (V, error)) (V, error) {
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

// Forget drops what is kept for key.
func (k *Keeper[K, V]) Forget(key K) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept.Remove(key)
}

func (k *Keeper[K, V]) entry(key K) *kept[V] {
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
