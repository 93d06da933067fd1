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

// recipients is a set of indices in Config.To.
type recipients uint16

func (r recipients) has(i int) bool { return r&(1<<i) != 0 }
func (r *recipients) add(i int)     { *r |= 1 << i }

// maxDelivered bounds the messages in a deliveredSet.
const maxDelivered = 256

// deliveredSet has the recipients that received a message of which other recipients were refused. The zero value is empty.
type deliveredSet struct {
	mu        sync.Mutex
	keys      []string // of messages, oldest first
	delivered map[string]recipients
}

func (d *deliveredSet) of(key string) recipients {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.delivered[key]
}

// set records the recipients of a message; an empty set removes the message.
func (d *deliveredSet) set(key string, to recipients) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.delivered == nil {
		d.delivered = map[string]recipients{}
	}
	if _, ok := d.delivered[key]; ok {
		d.keys = slices.DeleteFunc(d.keys, func(k string) bool { return k == key })
		delete(d.delivered, key)
	}
	if to == 0 {
		return
	}
	if len(d.keys) == maxDelivered {
		delete(d.delivered, d.keys[0])
		d.keys = slices.Delete(d.keys, 0, 1)
	}
	d.keys = append(d.keys, key)
	d.delivered[key] = to
}
