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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// AlertSources come and go: of the times of their posts, the last are kept.
func TestNothingIsKeptOfFormerSources(t *testing.T) {
	var all kept[time.Time]
	named := func(n int) *v1beta1.AlertSource {
		return &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: fmt.Sprint(n)}}
	}
	for i := range 2 * maxKept {
		all.set(client.ObjectKeyFromObject(named(i)), time.Unix(int64(i), 0))
	}
	if n := all.lru().Len(); n != maxKept {
		t.Errorf("%d times are kept", n)
	}
	if !lastOf(&all, named(0), nil, time.Unix(1<<40, 0)).IsZero() || lastOf(&all, named(2*maxKept-1), nil, time.Unix(1<<40, 0)).IsZero() {
		t.Error("the first is kept, or the last is not")
	}
}
