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
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// AlertSources come and go: of the times of their posts, the last are kept.
func TestNothingIsKeptOfFormerSources(t *testing.T) {
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
