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

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/catalog/index"
)

// TestAPlanOfAnotherClassIsNone: a broker would be sent ids that do not belong together.
func TestAPlanOfAnotherClassIsNone(t *testing.T) {
	objs := []client.Object{}
	for _, name := range []string{"own", "other"} {
		class, plan := &v1beta1.ClusterServiceClass{}, &v1beta1.ClusterServicePlan{}
		class.SetName(name)
		plan.SetName(name + "-plan")
		plan.SetOwners("broker", name)
		objs = append(objs, class, plan)
	}
	x := index.Index{Cache: controllertest.NewCluster(t, interceptor.Funcs{}, objs...)}
	for plan, want := range map[string]string{"own-plan": "", "other-plan": `the plan "other-plan" is not of the class "own"`} {
		si := &v1beta1.ServiceInstance{}
		si.Namespace, si.Name = "ns", "i"
		si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = "x", "y"
		si.Spec.ClusterServiceClassRef = &v1beta1.ClusterObjectReference{Name: "own"}
		si.Spec.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: plan}
		o, err := engine.FindOffering(t.Context(), x, si)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		if o.Missing != nil && o.Missing.Reason == v1beta1.ReasonReferencesNonexistentServicePlan {
			said = o.Missing.Message
		}
		if said != want || (o.Plan == nil) != (want != "") {
			t.Errorf("%s: plan %v, %q", plan, o.Plan, said)
		}
	}
}
