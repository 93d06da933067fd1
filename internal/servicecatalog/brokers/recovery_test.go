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

package brokers

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestRecoveries has F-JS4: the first success after a failure is told, and only that.
func TestRecoveries(t *testing.T) {
	var r Recoveries
	key := Key{Name: "broker"}
	at := func(s int) time.Time { return rulestest.T0.Add(time.Duration(s) * time.Second) }
	if !r.RecordSuccess(key, at(1)) || r.RecordSuccess(key, at(2)) || !r.Since(key).Equal(at(1)) {
		t.Errorf("of a broker of which nothing is known: %s", r.Since(key))
	}
	r.RecordFailure(key)
	if !r.RecordSuccess(key, at(3)) || !r.Since(key).Equal(at(3)) {
		t.Errorf("after it failed: %s", r.Since(key))
	}
}
