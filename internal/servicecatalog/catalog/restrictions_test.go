// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func TestRestrictions(t *testing.T) {
	cluster := clusterPlan("plan-1", "basic50", "plan-1-id", "class-1", "osba")
	free := clusterPlan("plan-2", "free", "plan-2-id", "class-1", "osba")
	free.Spec.Free = true
	local := namespacedPlan("plan-1", "plan-1-id", "class-1")
	for _, c := range []struct {
		why      string
		selector []string
		plan     v1beta1.Plan
		want     bool
	}{
		{"nothing selects everything", nil, cluster, true},
		{"equal", []string{"spec.externalName=basic50"}, cluster, true},
		{"equal, twice written", []string{"spec.externalName==basic50"}, cluster, true},
		{"case counts", []string{"spec.externalName=Basic50"}, cluster, false},
		{"not equal", []string{"spec.externalName!=basic50"}, cluster, false},
		{"one of some", []string{"name in (plan-0, plan-1)"}, cluster, true},
		{"none of some", []string{"name notin (plan-0,plan-1)"}, cluster, false},
		{"by id", []string{"spec.externalID=plan-1-id"}, cluster, true},
		{"G45, a free one", []string{"spec.free=true"}, free, true},
		{"one that is not", []string{"spec.free=true"}, cluster, false},
		{"a bare property always is there", []string{"spec.free"}, cluster, true},
		{"all have to match", []string{"name=plan-1", "spec.free=true"}, cluster, false},
		{"all do", []string{"name=plan-1", "spec.free=false"}, cluster, true},
		{"also within one", []string{"name=plan-1,spec.free=false"}, cluster, true},
		{"after a comma a property that nothing has: never equal", []string{"name=plan-1,bogus=x"}, cluster, false},
		{"and always different", []string{"name=plan-1,bogus!=x"}, cluster, true},
		{"by class", []string{"spec.clusterServiceClass.name=class-1"}, cluster, true},
		{"by another class", []string{"spec.clusterServiceClass.name=class-2"}, cluster, false},
		{"by class, namespaced", []string{"spec.serviceClass.name=class-1"}, local, true},
		{"by another class, namespaced", []string{"spec.serviceClass.name=class-2"}, local, false},
	} {
		r, errs := catalog.ParseRestrictions(&v1beta1.CatalogRestrictions{ServicePlan: c.selector}, catalog.ScopeOf(c.plan))
		if len(errs) > 0 {
			t.Errorf("%s: %v", c.why, errs)
		} else if got := r.MatchesPlan(c.plan); got != c.want {
			t.Errorf("%s: %q matches: %t, want %t", c.why, c.selector, got, c.want)
		}
		if class := clusterClass("class-1", "azure-mysql", "class-1", "osba"); !r.MatchesClass(class) {
			t.Errorf("%s: what selects plans selects classes, too", c.why)
		}
	}
}

func TestRestrictionsOfClasses(t *testing.T) {
	for _, scope := range []catalog.Scope{catalog.Cluster, catalog.Namespaced} {
		r, errs := catalog.ParseRestrictions(&v1beta1.CatalogRestrictions{ServiceClass: []string{"spec.externalName in (azure-mysql, redis)", "name!=class-2"}}, scope)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		var one, two v1beta1.Class = clusterClass("class-1", "redis", "class-1", "osba"), clusterClass("class-2", "redis", "class-2", "osba")
		if scope == catalog.Namespaced {
			one, two = namespacedClass("class-1", "redis", "class-1"), namespacedClass("class-2", "redis", "class-2")
		}
		if !r.MatchesClass(one) || r.MatchesClass(two) {
			t.Errorf("%s: class-1 %t, class-2 %t", scope, r.MatchesClass(one), r.MatchesClass(two))
		}
	}
	if r, errs := catalog.ParseRestrictions(nil, catalog.Cluster); len(errs) > 0 || !r.MatchesClass(clusterClass("a", "b", "c", "d")) {
		t.Error("without restrictions everything is offered")
	}
}

func TestBrokenRestrictions(t *testing.T) {
	for _, c := range []struct {
		why      string
		scope    catalog.Scope
		class    []string
		plan     []string
		path     string
		contains string
	}{
		{"G36, a plan's property", catalog.Cluster, []string{"spec.free=true"}, nil, "spec.catalogRestrictions.serviceClass[0]", "must begin with one of name, spec.externalName, spec.externalID"},
		{"G36, as labels spell it", catalog.Cluster, nil, []string{"spec.clusterServiceClassRef.name=x"}, "spec.catalogRestrictions.servicePlan[0]", "spec.clusterServiceClass.name"},
		{"the other scope's", catalog.Namespaced, nil, []string{"name=a", "spec.clusterServiceClass.name=x"}, "spec.catalogRestrictions.servicePlan[1]", "spec.serviceClass.name"},
		{"the other scope's", catalog.Cluster, nil, []string{"spec.serviceClass.name=x"}, "spec.catalogRestrictions.servicePlan[0]", "spec.clusterServiceClass.name"},
		{"two blanks", catalog.Cluster, []string{"name  in (a)"}, nil, "spec.catalogRestrictions.serviceClass[0]", "single spaces"},
		{"no blank", catalog.Cluster, []string{"name in(a)"}, nil, "spec.catalogRestrictions.serviceClass[0]", "single spaces"},
		{"not there", catalog.Cluster, nil, []string{"!spec.free"}, "spec.catalogRestrictions.servicePlan[0]", "must begin with"},
		{"nothing", catalog.Cluster, []string{""}, nil, "spec.catalogRestrictions.serviceClass[0]", "must begin with"},
		{"a value with a blank", catalog.Cluster, []string{"spec.externalName=a b"}, nil, "spec.catalogRestrictions.serviceClass[0]", "must be a label selector"},
		{"a value that is no label's", catalog.Cluster, []string{"spec.externalName=-a"}, nil, "spec.catalogRestrictions.serviceClass[0]", "must be a label selector"},
		{"no end", catalog.Cluster, []string{"name in (a"}, nil, "spec.catalogRestrictions.serviceClass[0]", "must be a label selector"},
		{"an end in the next", catalog.Cluster, []string{"name in (a", "b)"}, nil, "spec.catalogRestrictions.serviceClass[0]", "must be a label selector"},
		// F-S60
		{"more values that are no label's than an error lists", catalog.Cluster, []string{"name in (" + strings.Repeat("-a, ", 33) + "b)"}, nil,
			"spec.catalogRestrictions.serviceClass[0]", `has more than 32 values that no label can have, as "-a"`},
	} {
		r, errs := catalog.ParseRestrictions(&v1beta1.CatalogRestrictions{ServiceClass: c.class, ServicePlan: c.plan}, c.scope)
		if len(errs) == 0 || errs[0].Field != c.path || !strings.Contains(errs[0].Error(), c.contains) {
			t.Errorf("%s: %v, want %q at %s", c.why, errs, c.contains, c.path)
		}
		if c.class != nil && r.MatchesClass(clusterClass("a", "a", "a", "a")) || c.plan != nil && r.MatchesPlan(clusterPlan("a", "a", "a", "a", "a")) {
			t.Errorf("%s: what is broken lets something through", c.why)
		}
	}
}

func FuzzParseRestrictions(f *testing.F) {
	f.Add("name in (a, b)", "spec.free=true")
	f.Add("name!=", ",")
	plan := clusterPlan("a", "a", "a", "a", "a")
	f.Fuzz(func(t *testing.T, one, two string) {
		for _, scope := range []catalog.Scope{catalog.Cluster, catalog.Namespaced} {
			r, errs := catalog.ParseRestrictions(&v1beta1.CatalogRestrictions{ServicePlan: []string{one, two}}, scope)
			if matches := r.MatchesPlan(plan); matches && len(errs) > 0 {
				t.Errorf("%q, %q are broken and match", one, two)
			}
		}
	})
}
