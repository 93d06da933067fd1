// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"maps"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func clusterClass(name, externalName, externalID, broker string) *v1beta1.ClusterServiceClass {
	class := &v1beta1.ClusterServiceClass{}
	class.Name, class.Spec.ExternalName, class.Spec.ExternalID, class.Spec.ClusterServiceBrokerName = name, externalName, externalID, broker
	return class
}

func namespacedClass(name, externalName, externalID string) *v1beta1.ServiceClass {
	class := &v1beta1.ServiceClass{}
	class.Name, class.Spec.ExternalName, class.Spec.ExternalID, class.Spec.ServiceBrokerName = name, externalName, externalID, "osba"
	return class
}

func clusterPlan(name, externalName, externalID, class, broker string) *v1beta1.ClusterServicePlan {
	plan := &v1beta1.ClusterServicePlan{}
	plan.Name, plan.Spec.ExternalName, plan.Spec.ExternalID = name, externalName, externalID
	plan.SetOwners(broker, class)
	return plan
}

func namespacedPlan(name, externalID, class string) *v1beta1.ServicePlan {
	plan := &v1beta1.ServicePlan{}
	plan.Name, plan.Spec.ExternalName, plan.Spec.ExternalID = name, "basic50", externalID
	plan.SetOwners("osba", class)
	return plan
}

// Labels of the former service-catalog, by which svcat finds objects.
func TestLabels(t *testing.T) {
	const id = "997b8372-8dac-40ac-ae65-758b4a5075a5"
	const (
		hashID     = "3c5500a240d9a1cf27a4106e1929c9bc91ee1a85e60b2e0c4349e2c8"
		hashName   = "84b31a02293deb60067259716e58d1757122823ce3476e473a08da04"
		hashBroker = "f8a690649964686ef7951a212a153fbac7ee5772de79fb1bcf3b8e8e"
		hashPlan   = "0b8f3b1a532d8171fdcd78b1c3eb97842ef1c7560235c6ec37df07dd"
		hashPlanID = "34f4fd8a1f78b7eaa102f4116b3d3ac5be684b136684f9c8f26256ed"
		hashC1     = "d66f549981016f878412f309d4cee62ddd2a59484676dacedce0890e"
	)
	instance := func(set func(*v1beta1.ServiceInstanceSpec)) map[string]string {
		var si v1beta1.ServiceInstance
		set(&si.Spec)
		return catalog.InstanceLabels(&si)
	}
	const prefix = "servicecatalog.k8s.io/"
	for _, c := range []struct {
		why       string
		got, want map[string]string
	}{
		{"G39, a class of the cluster", catalog.ClassLabels(clusterClass(id, "azure-mysql", id, "osba")), map[string]string{
			prefix + "spec.externalID": hashID, prefix + "spec.externalName": hashName, prefix + "spec.clusterServiceBrokerName": hashBroker}},
		{"one of a namespace", catalog.ClassLabels(namespacedClass(id, "azure-mysql", id)), map[string]string{
			prefix + "spec.externalID": hashID, prefix + "spec.externalName": hashName, prefix + "spec.serviceBrokerName": hashBroker}},
		{"G40, a plan of the cluster", catalog.PlanLabels(clusterPlan("p50", "basic50", "p50", "c1", "osba")), map[string]string{
			prefix + "spec.externalID": hashPlanID, prefix + "spec.externalName": hashPlan,
			prefix + "spec.clusterServiceClassRef.name": hashC1, prefix + "spec.clusterServiceBrokerName": hashBroker}},
		{"one of a namespace", catalog.PlanLabels(namespacedPlan("p50", "p50", "c1")), map[string]string{
			prefix + "spec.externalID": hashPlanID, prefix + "spec.externalName": hashPlan,
			prefix + "spec.serviceClassRef.name": hashC1, prefix + "spec.serviceBrokerName": hashBroker}},
		{"G23, an instance", instance(func(s *v1beta1.ServiceInstanceSpec) {
			s.ClusterServiceClassRef, s.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: "class-1"}, &v1beta1.ClusterObjectReference{Name: "plan-1"}
		}), map[string]string{
			prefix + "spec.clusterServiceClassRef.name": "c5e0e8412ce1f4ae45b4a9196ded127af5b50cd23a920b2dd1486093",
			prefix + "spec.clusterServicePlanRef.name":  "48e0fcbebf02b444a92a77d9a493843282af02c9c1a309fd7c218851"}},
		{"one of a namespaced class, G28b: without its plan", instance(func(s *v1beta1.ServiceInstanceSpec) {
			s.ServiceClassRef = &v1beta1.LocalObjectReference{Name: "class-1"}
		}), map[string]string{
			prefix + "spec.serviceClassRef.name": "c5e0e8412ce1f4ae45b4a9196ded127af5b50cd23a920b2dd1486093"}},
		{"one of a namespaced plan", instance(func(s *v1beta1.ServiceInstanceSpec) {
			s.ServicePlanRef = &v1beta1.LocalObjectReference{Name: "plan-1"}
		}), map[string]string{
			prefix + "spec.servicePlanRef.name": "48e0fcbebf02b444a92a77d9a493843282af02c9c1a309fd7c218851"}},
		{"one without references", instance(func(*v1beta1.ServiceInstanceSpec) {}), map[string]string{}},
	} {
		if !maps.Equal(c.got, c.want) {
			t.Errorf("%s: labels are\n%v, want\n%v", c.why, c.got, c.want)
		}
	}
}

func TestSetLabels(t *testing.T) {
	for _, c := range []struct {
		why            string
		old, set, want map[string]string
		changed        bool
	}{
		{"the first ones", nil, map[string]string{"a": "1"}, map[string]string{"a": "1"}, true},
		{"others stay", map[string]string{"b": "2"}, map[string]string{"a": "1"}, map[string]string{"a": "1", "b": "2"}, true},
		{"an old value goes", map[string]string{"a": "0"}, map[string]string{"a": "1"}, map[string]string{"a": "1"}, true},
		{"nothing to do", map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "1"}, map[string]string{"a": "1", "b": "2"}, false},
		{"nothing at all", nil, nil, nil, false},
	} {
		obj := &v1beta1.ServiceInstance{}
		obj.Labels = c.old
		before := maps.Clone(c.old)
		if changed := catalog.SetLabels(obj, c.set); changed != c.changed || !maps.Equal(obj.Labels, c.want) {
			t.Errorf("%s: labels are %v, changed %t; want %v, %t", c.why, obj.Labels, changed, c.want, c.changed)
		}
		if !maps.Equal(c.old, before) {
			t.Errorf("%s: the map of the cache was changed to %v", c.why, c.old)
		}
	}
}
