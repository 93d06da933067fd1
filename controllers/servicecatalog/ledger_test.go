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

package servicecatalog

import (
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
)

// TestAPlaceIsTheNames: the next object of the name has it, and with it the means to give it up.
func TestAPlaceIsTheNames(t *testing.T) {
	ledger := newLedger[v1beta1.ServiceInstanceStatus, struct{}](newOrphans())
	si := lifecycletest.NewInstance()
	ledger.of(si).queued = &waiting{broker: brokerKey{name: "former"}}
	si.UID = "another"
	if e := ledger.of(si); e.uid != "another" || e.queued == nil || *e.queued != (waiting{broker: brokerKey{name: "former"}}) {
		t.Errorf("%+v", e)
	}
}
