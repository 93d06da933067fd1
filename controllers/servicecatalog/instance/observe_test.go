// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestAPlanOfAnotherClassIsNone: a broker would be sent ids that do not belong together.
func TestAPlanOfAnotherClassIsNone(t *testing.T) {
	objs := []client.Object{}
	for _, name := range []string{"own", "other"} {
		class, plan := &v1beta1.ClusterServiceClass{}, &v1beta1.ClusterServicePlan{}
		class.SetName(name)
		class.Spec.ExternalName = "x"
		plan.SetName(name + "-plan")
		plan.Spec.ExternalName = "y"
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

// F-S62: an instance with references to another class or plan than its spec names sends nothing to the broker of that class, whichever way
// they were stored. A broker that was sent the instance may rename its class and plan.
func TestReferencesToWhatTheSpecDoesNotNameAreNone(t *testing.T) {
	class, other := &v1beta1.ClusterServiceClass{}, &v1beta1.ServiceClass{}
	class.Name, class.Spec.ExternalName, class.Spec.ClusterServiceBrokerName = "class", "renamed", "broker"
	other.Namespace, other.Name, other.Spec.ExternalName, other.Spec.ServiceBrokerName = "ns", "class", "x", "broker"
	plan, local := &v1beta1.ClusterServicePlan{}, &v1beta1.ServicePlan{}
	plan.Name, plan.Spec.ExternalName, plan.Spec.ExternalID = "plan", "small", "plan-id"
	plan.SetOwners("broker", "class")
	local.Namespace, local.Name, local.Spec.ExternalName = "ns", "plan", "small"
	local.SetOwners("broker", "class")
	x := index.Index{Cache: controllertest.NewCluster(t, interceptor.Funcs{}, class, other, plan, local)}
	sent := &v1beta1.ServiceInstancePropertiesState{ClusterServicePlanExternalID: "plan-id"}
	of := func(class, plan string) func(*v1beta1.ServiceInstance) {
		return func(si *v1beta1.ServiceInstance) {
			si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = class, plan
		}
	}
	byName := func(si *v1beta1.ServiceInstance) {
		si.Spec.ClusterServiceClassName, si.Spec.ClusterServicePlanName = "class", "plan"
	}
	for name, test := range map[string]struct {
		named func(*v1beta1.ServiceInstance)
		edit  func(*v1beta1.ServiceInstance)
		want  string
	}{
		"what it names":           {of("renamed", "small"), nil, ""},
		"without a plan":          {of("renamed", ""), nil, ""},
		"by the names of objects": {byName, nil, ""},
		"another class":           {of("x", "small"), nil, `the reference is to ClusterServiceClass "class", which is not that of clusterServiceClassExternalName "x"`},
		"another plan":            {of("renamed", "large"), nil, `the reference is to ClusterServicePlan "plan", which is not that of clusterServicePlanExternalName "large"`},
		"a class of the other scope": {of("x", "small"), func(si *v1beta1.ServiceInstance) {
			catalog.SetRefs(&si.Spec, catalog.Namespaced, catalog.Refs{Class: "class", Plan: "plan"})
		}, `the reference is to ServiceClass "class"`},
		"a class that was renamed": {of("x", "small"), func(si *v1beta1.ServiceInstance) {
			si.Status.Broker = &v1beta1.BrokerReference{Kind: "ClusterServiceBroker", Name: "broker"}
		}, ""},
		"a class and a plan that were renamed": {of("x", "large"), func(si *v1beta1.ServiceInstance) { si.Status.ExternalProperties = sent }, ""},
		"what is being sent":                   {of("x", "large"), func(si *v1beta1.ServiceInstance) { si.Status.InProgressProperties = sent }, ""},
		"another plan than the one that was sent": {of("x", "large"), func(si *v1beta1.ServiceInstance) {
			si.Status.ExternalProperties = &v1beta1.ServiceInstancePropertiesState{ClusterServicePlanExternalID: "other"}
		}, `the reference is to ClusterServicePlan "plan"`},
	} {
		si := &v1beta1.ServiceInstance{}
		si.Namespace, si.Name = "ns", "i"
		catalog.SetRefs(&si.Spec, catalog.Cluster, catalog.Refs{Class: "class", Plan: "plan"})
		test.named(si)
		if test.edit != nil {
			test.edit(si)
		}
		o, err := engine.FindOffering(t.Context(), x, si)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		if o.Missing != nil && o.Plan == nil {
			said = o.Missing.Message
		}
		if (said == "") != (test.want == "") || !strings.HasPrefix(said, test.want) {
			t.Errorf("%s: %q, want %q", name, said, test.want)
		}
	}
}

// TestAPollKnowsRequiredParameters: parameters from Secrets are not read for a poll, whose answer may be that one of them was refused.
func TestAPollKnowsRequiredParameters(t *testing.T) {
	o, si := rulestest.NewOffering(), rulestest.NewInstance()
	class, plan := o.Class.(*v1beta1.ClusterServiceClass), o.Plan.(*v1beta1.ClusterServicePlan)
	class.Spec.ClusterServiceBrokerName = o.Broker.GetName()
	plan.SetOwners(o.Broker.GetName(), class.Name)
	plan.Spec.InstanceCreateParameterSchema = &runtime.RawExtension{Raw: []byte(`{"required":["region"]}`)}
	plan.Spec.InstanceUpdateParameterSchema = &runtime.RawExtension{Raw: []byte(`{"required":["size"]}`)}
	catalog.SetRefs(&si.Spec, catalog.Cluster, catalog.Refs{Class: class.Name, Plan: plan.Name})
	si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
	si.Status.AsyncOpInProgress = true
	for status, want := range map[v1beta1.ProvisionStatus]string{v1beta1.NotProvisioned: "region", v1beta1.Provisioned: "size"} {
		si.Status.ProvisionStatus = status
		r := claimsReconciler(t, class, plan, o.Broker)
		s := &scope{Scope: &engine.Scope{Before: si, Object: si.DeepCopy(), Memory: &engine.Memory{}}, r: r, instance: si.DeepCopy()}
		if err := r.observe(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if got := s.inputs.Parameters; got.Known || !slices.Equal(got.Required, []string{want}) {
			t.Errorf("%s: %+v, want %s", status, got, want)
		}
	}
}
