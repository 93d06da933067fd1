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

package binding

import (
	"testing"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/controllers/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
)

// TestABindingSeesWhatIsOnRecordOfItsInstance: one was asked for that the broker had just called unusable.
func TestABindingSeesWhatIsOnRecordOfItsInstance(t *testing.T) {
	f := newBindingSample()
	f.in.BoundInstance.Instance.Name = f.b.Spec.InstanceRef.Name
	shown := f.in.BoundInstance.Instance
	recorded := shown.DeepCopy()
	recorded.Status.Unusable = true
	cache, c := controllertest.NewCluster(t, interceptor.Funcs{}, shown), controllertest.NewCluster(t, interceptor.Funcs{}, recorded)
	r := newReconciler(c, cache, c, &engine.Config{Index: index.Index{Cache: cache}, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(lifecycletest.T0)})
	if g, err := r.findBoundInstance(t.Context(), f.b); err != nil || g.Instance == nil || !g.Instance.Status.Unusable {
		t.Errorf("it sees %+v, %v", g.Instance, err)
	}
}
