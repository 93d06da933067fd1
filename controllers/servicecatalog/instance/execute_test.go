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

package instance

import (
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// conformance: F01
func TestAnInstanceIsFetchedOnlyWhereTheBrokerCan(t *testing.T) {
	for _, retrievable := range []bool{true, false} {
		broker, client := controllertest.StartBroker(t)
		class := &v1beta1.ClusterServiceClass{}
		class.Spec.InstanceRetrievable = retrievable
		inspectInstance(t.Context(), client, osb.Params{InstanceID: "id", ServiceID: osbtest.SyncService, PlanID: osbtest.SyncPlan}, class)
		if fetched := len(broker.Calls(osb.GetInstance)); (fetched == 1) != retrievable {
			t.Errorf("retrievable %v: fetched %d times", retrievable, fetched)
		}
	}
}
