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

package email

import (
	"slices"
	"sync"
)

// recipients is a set of Config.To's indices.
type recipients uint16

func (r recipients) has(i int) bool { return r&(1<<i) != 0 }
func (r *recipients) add(i int)     { *r |= 1 << i }

// maxRoll bounds the messages of which it is remembered who has them.
const maxRoll = 256

// roll remembers who has a message that not everybody has. The zero value is empty.
type roll struct {
	mu   sync.Mutex
	keys []string // of messages, oldest first
	told map[string]recipients
}

func (r *roll) of(key string) recipients {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told[key]
}

// set records who has the message; if that is nobody, or does not matter any more, nothing is kept.
func (r *roll) set(key string, told recipients) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told == nil {
		r.told = map[string]recipients{}
	}
	if _, ok := r.told[key]; ok {
		r.keys = slices.DeleteFunc(r.keys, func(k string) bool { return k == key })
		delete(r.told, key)
	}
	if told == 0 {
		return
	}
	if len(r.keys) == maxRoll {
		delete(r.told, r.keys[0])
		r.keys = slices.Delete(r.keys, 0, 1)
	}
	r.keys = append(r.keys, key)
	r.told[key] = told
}
