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
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// connection reports when it is closed.
type connection struct{ closed chan<- *connection }

func (c *connection) Close() { c.closed <- c }

// Calls for new versions and calls of Forget run at the same time: every value is closed once, also the value of a call that waited for an
// entry that was forgotten meanwhile.
func TestEveryValueIsClosedOnce(t *testing.T) {
	const calls = 20000
	closed := make(chan *connection, 2*calls)
	cache := NewCache[string, *connection]()
	var made atomic.Int32
	var running sync.WaitGroup
	for i := range calls {
		running.Go(func() {
			_, err := cache.Of("broker", strconv.Itoa(i), func(*connection) (*connection, error) {
				made.Add(1)
				return &connection{closed}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		running.Go(func() { cache.Forget("broker") })
	}
	running.Wait()
	cache.Forget("broker")
	seen := map[*connection]bool{}
	for range made.Load() {
		select {
		case c := <-closed:
			if seen[c] {
				t.Fatal("a value was closed twice")
			}
			seen[c] = true
		case <-time.After(10 * time.Second):
			t.Fatalf("%d of %d values were closed", len(seen), made.Load())
		}
	}
}
