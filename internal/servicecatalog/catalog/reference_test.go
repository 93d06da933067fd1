// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func TestReferenceOf(t *testing.T) {
	for _, c := range []struct {
		spec       v1beta1.PlanReference
		want       catalog.Reference
		classField string
		planField  string
	}{
		{v1beta1.PlanReference{ClusterServiceClassExternalName: "c", ClusterServicePlanExternalName: "p"},
			catalog.Reference{Scope: catalog.Cluster, NamedBy: catalog.ByExternalName, Class: "c", Plan: "p"}, "clusterServiceClassExternalName", "clusterServicePlanExternalName"},
		{v1beta1.PlanReference{ClusterServiceClassExternalID: "c", ClusterServicePlanExternalID: "p"},
			catalog.Reference{Scope: catalog.Cluster, NamedBy: catalog.ByExternalID, Class: "c", Plan: "p"}, "clusterServiceClassExternalID", "clusterServicePlanExternalID"},
		{v1beta1.PlanReference{ClusterServiceClassName: "c", ClusterServicePlanName: "p"},
			catalog.Reference{Scope: catalog.Cluster, NamedBy: catalog.ByName, Class: "c", Plan: "p"}, "clusterServiceClassName", "clusterServicePlanName"},
		{v1beta1.PlanReference{ServiceClassExternalName: "c", ServicePlanExternalName: "p"},
			catalog.Reference{Scope: catalog.Namespaced, NamedBy: catalog.ByExternalName, Class: "c", Plan: "p"}, "serviceClassExternalName", "servicePlanExternalName"},
		{v1beta1.PlanReference{ServiceClassExternalID: "c", ServicePlanExternalID: "p"},
			catalog.Reference{Scope: catalog.Namespaced, NamedBy: catalog.ByExternalID, Class: "c", Plan: "p"}, "serviceClassExternalID", "servicePlanExternalID"},
		{v1beta1.PlanReference{ServiceClassName: "c", ServicePlanName: "p"},
			catalog.Reference{Scope: catalog.Namespaced, NamedBy: catalog.ByName, Class: "c", Plan: "p"}, "serviceClassName", "servicePlanName"},
	} {
		got, errs := catalog.ReferenceOf(c.spec)
		if len(errs) > 0 || got != c.want {
			t.Errorf("the reference of %+v is %+v: %v", c.spec, got, errs)
		}
		if got.ClassPath().String() != "spec."+c.classField || got.PlanPath().String() != "spec."+c.planField {
			t.Errorf("the paths of %+v are %s and %s", got, got.ClassPath(), got.PlanPath())
		}
		for field, want := range map[string]string{c.classField: "c", c.planField: "p"} {
			if value := reflect.ValueOf(c.spec).FieldByName(strings.ToUpper(field[:1]) + field[1:]); value.String() != want {
				t.Errorf("spec.%s is %q, want %q", field, value, want)
			}
		}
	}
	if got, errs := catalog.ReferenceOf(v1beta1.PlanReference{ServiceClassName: "c"}); len(errs) > 0 || got.Plan != "" {
		t.Errorf("a plan need not be named: %+v, %v", got, errs)
	}
}

func TestBrokenReferences(t *testing.T) {
	for _, c := range []struct {
		why  string
		spec v1beta1.PlanReference
		want []string // each error's path, and something that it says
	}{
		{"G10, none of all", v1beta1.PlanReference{}, []string{
			"spec: Required", "clusterServiceClassExternalName, clusterServiceClassExternalID, clusterServiceClassName, serviceClassExternalName, serviceClassExternalID, serviceClassName"}},
		{"G10b, a plan alone", v1beta1.PlanReference{ClusterServicePlanExternalName: "p"}, []string{
			"spec.clusterServiceClassExternalName: Required", "clusterServicePlanExternalName"}},
		{"G11, both scopes", v1beta1.PlanReference{ClusterServiceClassExternalName: "c1", ClusterServicePlanExternalName: "p", ServiceClassExternalName: "c2"}, []string{
			`spec.clusterServiceClassExternalName: Invalid value: "c1"`, `spec.clusterServicePlanExternalName: Invalid value: "p"`, `spec.serviceClassExternalName: Invalid value: "c2"`, "not both"}},
		{"both, and nothing else is said", v1beta1.PlanReference{ClusterServiceClassName: "c1", ClusterServiceClassExternalID: "c1", ServicePlanName: "p"}, []string{
			`spec.clusterServiceClassName: Invalid value: "c1"`, `spec.clusterServiceClassExternalID: Invalid value: "c1"`, `spec.servicePlanName: Invalid value: "p"`}},
		{"G12, a class twice", v1beta1.PlanReference{ClusterServiceClassExternalName: "c", ClusterServiceClassName: "d", ClusterServicePlanExternalName: "p"}, []string{
			`spec.clusterServiceClassExternalName: Invalid value: "c"`, `spec.clusterServiceClassName: Invalid value: "d"`, "clusterServiceClassExternalName, clusterServiceClassName leave all but one out"}},
		{"G13, a plan in another form", v1beta1.PlanReference{ClusterServiceClassExternalName: "c", ClusterServicePlanName: "p"}, []string{
			"spec.clusterServicePlanExternalName: Required", "in place of clusterServicePlanName, since clusterServiceClassExternalName names the class"}},
		{"a plan twice", v1beta1.PlanReference{ServiceClassName: "c", ServicePlanName: "p", ServicePlanExternalID: "q"}, []string{
			`spec.servicePlanName: Invalid value: "p"`, `spec.servicePlanExternalID: Invalid value: "q"`}},
		{"both twice", v1beta1.PlanReference{ServiceClassName: "c", ServiceClassExternalID: "c", ServicePlanName: "p", ServicePlanExternalID: "q"}, []string{
			"spec.serviceClassName", "spec.serviceClassExternalID", "spec.servicePlanName", "spec.servicePlanExternalID"}},
		{"plans alone", v1beta1.PlanReference{ServicePlanName: "p", ServicePlanExternalID: "q"}, []string{
			"Required", "spec.servicePlanName", "spec.servicePlanExternalID"}},
	} {
		got, errs := catalog.ReferenceOf(c.spec)
		for _, want := range c.want {
			if len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), want) {
				t.Errorf("%s: %v, want %q", c.why, errs, want)
			}
		}
		if got != (catalog.Reference{}) {
			t.Errorf("%s: there is a reference, %+v", c.why, got)
		}
	}
}

// G04 to G06: a default plan is named as the class is.
func TestNamePlan(t *testing.T) {
	for _, c := range []struct {
		spec v1beta1.PlanReference
		plan v1beta1.Plan
		want v1beta1.PlanReference
	}{
		{v1beta1.PlanReference{ClusterServiceClassExternalName: "azure-mysql"}, clusterPlan("plan-1", "basic50", "plan-1-id", "class-1", "osba"),
			v1beta1.PlanReference{ClusterServiceClassExternalName: "azure-mysql", ClusterServicePlanExternalName: "basic50"}},
		{v1beta1.PlanReference{ClusterServiceClassExternalID: "class-1"}, clusterPlan("plan-1", "basic50", "plan-1-id", "class-1", "osba"),
			v1beta1.PlanReference{ClusterServiceClassExternalID: "class-1", ClusterServicePlanExternalID: "plan-1-id"}},
		{v1beta1.PlanReference{ClusterServiceClassName: "class-1"}, clusterPlan("plan-1", "basic50", "plan-1-id", "class-1", "osba"),
			v1beta1.PlanReference{ClusterServiceClassName: "class-1", ClusterServicePlanName: "plan-1"}},
		{v1beta1.PlanReference{ServiceClassExternalName: "azure-mysql"}, namespacedPlan("plan-1", "plan-1-id", "class-1"),
			v1beta1.PlanReference{ServiceClassExternalName: "azure-mysql", ServicePlanExternalName: "basic50"}},
		{v1beta1.PlanReference{ServiceClassExternalID: "class-1"}, namespacedPlan("plan-1", "plan-1-id", "class-1"),
			v1beta1.PlanReference{ServiceClassExternalID: "class-1", ServicePlanExternalID: "plan-1-id"}},
		{v1beta1.PlanReference{ServiceClassName: "class-1"}, namespacedPlan("plan-1", "plan-1-id", "class-1"),
			v1beta1.PlanReference{ServiceClassName: "class-1", ServicePlanName: "plan-1"}},
	} {
		ref, errs := catalog.ReferenceOf(c.spec)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		spec := c.spec
		if ref.NamePlan(&spec, c.plan); spec != c.want {
			t.Errorf("with a plan %+v is %+v, want %+v", c.spec, spec, c.want)
		}
		if read, errs := catalog.ReferenceOf(spec); len(errs) > 0 || !read.MatchesPlan(c.plan) {
			t.Errorf("the reference of %+v is %+v: %v", spec, read, errs)
		}
	}
}

func TestReferenceMatches(t *testing.T) {
	cluster := clusterClass("class-1", "azure-mysql", "class-1-id", "osba")
	local := namespacedClass("class-1", "azure-mysql", "class-1-id")
	plan, localPlan := clusterPlan("plan-1", "basic50", "plan-1-id", "class-1", "osba"), namespacedPlan("plan-1", "plan-1-id", "class-1")
	for _, class := range []v1beta1.Class{cluster, local} {
		scope, refs := catalog.ScopeOf(class), catalog.ReferencesTo(class)
		if want := []catalog.Reference{
			{Scope: scope, NamedBy: catalog.ByExternalName, Class: "azure-mysql"},
			{Scope: scope, NamedBy: catalog.ByExternalID, Class: "class-1-id"},
			{Scope: scope, NamedBy: catalog.ByName, Class: "class-1"},
		}; !slices.Equal(refs, want) {
			t.Fatalf("%s is referred to by %v, want %v", scope, refs, want)
		}
		for _, ref := range refs {
			if ref.MatchesPlan(plan) == ref.MatchesPlan(localPlan) {
				t.Errorf("%+v, without a plan, matches the plans of its scope", ref)
			}
			if ref.Plan = "another"; ref.MatchesPlan(plan) || ref.MatchesPlan(localPlan) {
				t.Errorf("%+v matches no other plan", ref)
			}
		}
	}
}

func TestChanged(t *testing.T) {
	old := catalog.Reference{Scope: catalog.Cluster, NamedBy: catalog.ByExternalName, Class: "c", Plan: "p"}
	for _, c := range []struct {
		why         string
		change      func(*catalog.Reference)
		class, plan bool
	}{
		{"nothing", func(*catalog.Reference) {}, false, false},
		{"the plan", func(r *catalog.Reference) { r.Plan = "q" }, false, true},
		{"the class", func(r *catalog.Reference) { r.Class = "d" }, true, false},
		{"the form", func(r *catalog.Reference) { r.NamedBy = catalog.ByName }, true, true},
		{"the scope", func(r *catalog.Reference) { r.Scope = catalog.Namespaced }, true, true},
	} {
		updated := old
		c.change(&updated)
		if class, plan := catalog.Changed(old, updated); class != c.class || plan != c.plan {
			t.Errorf("%s: class %t, plan %t; want %t, %t", c.why, class, plan, c.class, c.plan)
		}
	}
}

func TestHowReferencesAreShown(t *testing.T) {
	cluster := catalog.Reference{Scope: catalog.Cluster, NamedBy: catalog.ByExternalName, Class: "x", Plan: "y"}
	local := catalog.Reference{Scope: catalog.Namespaced, NamedBy: catalog.ByName, Class: `a"b`}
	for _, c := range []struct{ got, want string }{
		{cluster.UserSpecifiedClassName(), "ClusterServiceClass/x"},
		{cluster.UserSpecifiedPlanName(), "y"},
		{cluster.String(), "x/y"},
		{cluster.ClassString(), `clusterServiceClassExternalName "x"`},
		{cluster.PlanString(), `clusterServicePlanExternalName "y"`},
		{local.UserSpecifiedClassName(), `ServiceClass/a"b`},
		{local.UserSpecifiedPlanName(), ""},
		{local.ClassString(), `serviceClassName "a\"b"`},
	} {
		if c.got != c.want {
			t.Errorf("it shows %s, want %s", c.got, c.want)
		}
	}
}
