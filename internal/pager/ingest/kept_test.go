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
	var all memory
	named := func(n int) types.NamespacedName { return types.NamespacedName{Namespace: "n", Name: fmt.Sprint(n)} }
	for i := range 2 * maxKept {
		all.update(named(i), func(r *recorded) { r.heard = time.Unix(int64(i), 0) })
	}
	if n := all.last.Len(); n != maxKept {
		t.Errorf("%d sources are kept", n)
	}
	if !all.of(named(0)).heard.IsZero() || all.of(named(2*maxKept-1)).heard.IsZero() {
		t.Error("the first is kept, or the last is not")
	}
}
