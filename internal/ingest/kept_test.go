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
package ingest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// AlertSources come and go: nothing is kept of those for which nothing happens.
func TestNothingIsKeptOfFormerSources(t *testing.T) {
	var all locks
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 1000 {
		name := types.NamespacedName{Namespace: "n", Name: fmt.Sprint(i)}
		end, err := all.acquire(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all.acquire(over, name); err == nil {
			t.Error("a lock was acquired twice")
		}
		end()
	}
	if len(all.of) > 0 {
		t.Errorf("%d locks are kept", len(all.of))
	}

	var h heard
	for i := range 2 * maxHeard {
		h.set(types.NamespacedName{Namespace: "n", Name: fmt.Sprint(i)}, time.Unix(int64(i), 0))
	}
	if n := h.cache().Len(); n != maxHeard {
		t.Errorf("%d times are kept", n)
	}
	if !h.at(types.NamespacedName{Namespace: "n", Name: "0"}).IsZero() || h.at(types.NamespacedName{Namespace: "n", Name: fmt.Sprint(2*maxHeard - 1)}).IsZero() {
		t.Error("the first is kept, or the last is not")
	}
}
