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
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/osb"
)

// scopes are both; what is said of one holds for the other.

// shop is a broker with its catalog, and what there is of it in the cluster.
type shop struct {
	assortment
	catalog osb.Catalog
}

func newShop(t *testing.T, s scope, restrictions *v1beta1.CatalogRestrictions, services ...osb.Service) *shop {
	t.Helper()
	b := s.newBroker()
	b.SetName("osba")
	b.SetUID("broker")
	if s.Scope == catalog.Namespaced {
		b.SetNamespace("demo")
	}
	parsed, errs := catalog.ParseRestrictions(restrictions, s.Scope)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return &shop{
		assortment: assortment{scope: s, broker: b, restrictions: parsed, owner: func(_, _ string) string { return "" },
			held: holding{map[string]v1beta1.Class{}, map[string]v1beta1.Plan{}}},
		catalog: osb.Catalog{Services: services},
	}
}

// sync does what a librarian does, and the API server.
func (s *shop) sync(t *testing.T) (selection, steps[v1beta1.Class], steps[v1beta1.Plan]) {
	t.Helper()
	chosen := selectionOf(s.assortment, &s.catalog)
	classes := diff(s.held.classes, chosen.classes, chosen.keptClasses, s.isOurs)
	plans := diff(s.held.plans, chosen.plans, chosen.keptPlans, s.isOurs)
	carryOut(t, s.held.classes, classes)
	carryOut(t, s.held.plans, plans)
	return chosen, classes, plans
}

func carryOut[T client.Object](t *testing.T, held map[string]T, s steps[T]) {
	t.Helper()
	for _, o := range slices.Concat(s.create, s.update) {
		stored, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		read := o.DeepCopyObject().(T)
		reflect.ValueOf(read).Elem().SetZero()
		if err := json.Unmarshal(stored, read); err != nil {
			t.Fatal(err)
		}
		read.SetUID(types.UID("uid of " + o.GetName()))
		read.SetGeneration(read.GetGeneration() + 1)
		held[o.GetName()] = read
	}
	for _, o := range s.unmark {
		*removedFlag(held[o.GetName()]) = false
	}
	for _, o := range s.mark {
		*removedFlag(held[o.GetName()]) = true
	}
}

func mysql(edits ...func(*osb.Service)) osb.Service {
	s := osb.Service{
		ID: "997b8372-8dac-40ac-ae65-758b4a5075a5", Name: "azure-mysql", Description: "MySQL", Tags: []string{"sql"}, Requires: []string{"syslog_drain"},
		Bindable: true, InstancesRetrievable: true, BindingsRetrievable: true, AllowContextUpdates: true, PlanUpdateable: true,
		Metadata: json.RawMessage(`{"z": 1.0, "a": "<b>", "list": [1e2]}`),
		Plans: []osb.Plan{
			{ID: "p50", Name: "basic50", Description: "Small", Free: true, CreateInstance: json.RawMessage(`{"type": "object"}`)},
			{ID: "P100", Name: "basic100", Description: "Large", Bindable: new(false), PlanUpdateable: new(false), BindingRotatable: true,
				MaximumPollingDuration: time.Hour, MaintenanceInfo: &osb.MaintenanceInfo{Version: "1.2.3", Description: "downtime"}},
		},
	}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func other() osb.Service {
	return osb.Service{ID: "redis", Name: "redis", Description: "Redis", Plans: []osb.Plan{{ID: "redis-plan", Name: "free", Description: "Free", Free: true}}}
}

func names[T client.Object](list []T) []string {
	names := []string{}
	for _, o := range list {
		names = append(names, o.GetName())
	}
	slices.Sort(names)
	return names
}

// conformance: C18
func TestACatalogBecomesClassesAndPlans(t *testing.T) {
	for _, s := range scopes {
		shop := newShop(t, s, nil, mysql())
		chosen, _, _ := shop.sync(t)
		if got := names(chosen.classes); !slices.Equal(got, []string{"997b8372-8dac-40ac-ae65-758b4a5075a5"}) {
			t.Fatalf("classes are %q", got)
		}
		if got := names(chosen.plans); !slices.Equal(got, []string{"p50", "z50z100"}) {
			t.Fatalf("plans are %q", got)
		}
		class := shop.held.classes["997b8372-8dac-40ac-ae65-758b4a5075a5"]
		if want := (&v1beta1.CommonServiceClassSpec{
			ExternalName: "azure-mysql", ExternalID: "997b8372-8dac-40ac-ae65-758b4a5075a5", Description: "MySQL", Bindable: true, BindingRetrievable: true,
			PlanUpdatable: true, InstanceRetrievable: true, AllowContextUpdates: true, Tags: []string{"sql"}, Requires: []string{"syslog_drain"},
			ExternalMetadata: &runtime.RawExtension{Raw: []byte(`{"a":"\u003cb\u003e","list":[100],"z":1}`)},
		}); !reflect.DeepEqual(class.Common(), want) {
			t.Errorf("class is\n%+v, want\n%+v", class.Common(), want)
		}
		small, large := shop.held.plans["p50"], shop.held.plans["z50z100"]
		if want := (&v1beta1.CommonServicePlanSpec{
			ExternalName: "basic50", ExternalID: "p50", Description: "Small", Free: true,
			InstanceCreateParameterSchema: &runtime.RawExtension{Raw: []byte(`{"type":"object"}`)},
		}); !reflect.DeepEqual(small.Common(), want) {
			t.Errorf("plan is\n%+v, want\n%+v", small.Common(), want)
		}
		if want := (&v1beta1.CommonServicePlanSpec{
			ExternalName: "basic100", ExternalID: "P100", Description: "Large", Bindable: new(false), PlanUpdatable: new(false), BindingRotatable: true,
			MaximumPollingDurationSeconds: new(int64(3600)), MaintenanceInfo: &v1beta1.MaintenanceInfo{Version: "1.2.3", Description: "downtime"},
		}); !reflect.DeepEqual(large.Common(), want) {
			t.Errorf("plan is\n%+v, want\n%+v", large.Common(), want)
		}
		for _, o := range []client.Object{class, small, large} {
			if o.GetNamespace() != shop.broker.GetNamespace() {
				t.Errorf("%s is in namespace %q", o.GetName(), o.GetNamespace())
			}
			want := []metav1.OwnerReference{{APIVersion: "servicecatalog.k8s.io/v1beta1", Kind: s.BrokerKind(), Name: "osba", UID: "broker", Controller: new(true), BlockOwnerDeletion: new(false)}}
			if !reflect.DeepEqual(o.GetOwnerReferences(), want) {
				t.Errorf("%s is owned by %+v", o.GetName(), o.GetOwnerReferences())
			}
			if o.GetLabels()[v1beta1.LabelExternalID] == "" {
				t.Errorf("%s has the labels %v", o.GetName(), o.GetLabels())
			}
		}
		if small.BrokerName() != "osba" || small.ClassName() != class.GetName() || class.BrokerName() != "osba" {
			t.Errorf("%s is of broker %s and class %s", small.GetName(), small.BrokerName(), small.ClassName())
		}
	}
}

// conformance: C01 C02
func TestOnlyWhatHasChangedIsWritten(t *testing.T) {
	for _, s := range scopes {
		for name, c := range map[string]struct {
			edit func(*osb.Service)
			want string // kind of step, kind of object, names
		}{
			"nothing":                    {func(*osb.Service) {}, ""},
			"the order of keys":          {func(s *osb.Service) { s.Metadata = json.RawMessage(`{"list":[100],"a":"\u003cb>","z":1}`) }, ""},
			"an empty list":              {func(s *osb.Service) { s.Plans[0].Metadata = nil; s.Plans[1].Bindable = new(false) }, ""},
			"a number in the metadata":   {func(s *osb.Service) { s.Metadata = json.RawMessage(`{"z": 1.5, "a": "<b>", "list": [1e2]}`) }, "update class 997b8372-8dac-40ac-ae65-758b4a5075a5"},
			"metadata are gone":          {func(s *osb.Service) { s.Metadata = nil }, "update class 997b8372-8dac-40ac-ae65-758b4a5075a5"},
			"a class's name":             {func(s *osb.Service) { s.Name = "mysql" }, "update class 997b8372-8dac-40ac-ae65-758b4a5075a5"},
			"a class's tags":             {func(s *osb.Service) { s.Tags = nil }, "update class 997b8372-8dac-40ac-ae65-758b4a5075a5"},
			"a plan's description":       {func(s *osb.Service) { s.Plans[0].Description = "Smaller" }, "update plan p50"},
			"a plan is no longer free":   {func(s *osb.Service) { s.Plans[0].Free = false }, "update plan p50"},
			"a maintenance version":      {func(s *osb.Service) { s.Plans[1].MaintenanceInfo.Version = "1.2.4" }, "update plan z50z100"},
			"no maintenance any more":    {func(s *osb.Service) { s.Plans[1].MaintenanceInfo = nil }, "update plan z50z100"},
			"as the service says":        {func(s *osb.Service) { s.Plans[1].Bindable = nil }, "update plan z50z100"},
			"a schema":                   {func(s *osb.Service) { s.Plans[0].CreateInstance = json.RawMessage(`{}`) }, "update plan p50"},
			"another plan":               {func(s *osb.Service) { s.Plans = append(s.Plans, osb.Plan{ID: "p", Name: "p"}) }, "create plan p"},
			"a plan is gone":             {func(s *osb.Service) { s.Plans = s.Plans[:1] }, "mark plan z50z100"},
			"the id: it is another then": {func(s *osb.Service) { s.ID = "x"; s.Plans = []osb.Plan{{ID: "y", Name: "y"}} }, "create class x, create plan y, mark class 997b8372-8dac-40ac-ae65-758b4a5075a5, mark plan p50 z50z100"},
		} {
			shop := newShop(t, s, nil, mysql())
			shop.sync(t)
			edited := mysql(c.edit)
			shop.catalog.Services = []osb.Service{edited}
			_, classes, plans := shop.sync(t)
			if got := written(classes, plans); got != c.want {
				t.Errorf("%s, %s: written is %q, want %q", s.Scope, name, got, c.want)
			}
			if _, classes, plans := shop.sync(t); written(classes, plans) != "" {
				t.Errorf("%s, %s: written again is %q", s.Scope, name, written(classes, plans))
			}
			shop.catalog.Services = []osb.Service{mysql()}
			shop.sync(t)
			for _, name := range []string{"p50", "z50z100"} {
				if *removedFlag(shop.held.plans[name]) {
					t.Errorf("%s, %s: plan %s is marked although it came back", s.Scope, name, name)
				}
			}
		}
	}
}

func written(classes steps[v1beta1.Class], plans steps[v1beta1.Plan]) string {
	var said []string
	say := func(what string, names []string) {
		if len(names) > 0 {
			said = append(said, what+" "+strings.Join(names, " "))
		}
	}
	say("create class", names(classes.create))
	say("create plan", names(plans.create))
	say("update class", names(classes.update))
	say("update plan", names(plans.update))
	say("unmark class", names(classes.unmark))
	say("unmark plan", names(plans.unmark))
	say("mark class", names(classes.mark))
	say("mark plan", names(plans.mark))
	return strings.Join(said, ", ")
}

func TestWhatIsNotTheCatalogsIsLeftAlone(t *testing.T) {
	for _, s := range scopes {
		shop := newShop(t, s, nil, mysql())
		shop.sync(t)
		copied := shop.held.classes["997b8372-8dac-40ac-ae65-758b4a5075a5"].DeepCopyObject().(v1beta1.Class)
		copied.SetName("my-mysql") // as svcat create class --from
		copied.SetOwnerReferences(nil)
		shop.held.classes["my-mysql"] = copied
		own := shop.held.plans["p50"].DeepCopyObject().(v1beta1.Plan)
		own.SetName("my-plan")
		own.SetOwnerReferences(nil)
		shop.held.plans["my-plan"] = own
		shop.catalog.Services = []osb.Service{other()}
		if _, classes, plans := shop.sync(t); slices.Contains(names(classes.mark), "my-mysql") || slices.Contains(names(plans.mark), "my-plan") {
			t.Errorf("%s: what a person made was marked", s.Scope)
		}
		shop.catalog = osb.Catalog{LeftOut: []string{"997b8372-8dac-40ac-ae65-758b4a5075a5"}}
		if chosen, _, _ := shop.sync(t); slices.Contains(names(chosen.keptClasses), "my-mysql") || slices.Contains(names(chosen.keptPlans), "my-plan") {
			t.Errorf("%s: what a person made counts as the catalog's", s.Scope)
		}

		shop = newShop(t, s, nil, mysql())
		shop.sync(t)
		edited := shop.held.plans["p50"]
		edited.Common().DefaultProvisionParameters = &runtime.RawExtension{Raw: []byte(`{"a":1}`)}
		edited.SetAnnotations(map[string]string{"team": "x"})
		edited.SetLabels(map[string]string{"team": "x"})
		edited.SetFinalizers([]string{"example.com/keep"})
		edited.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x", Controller: new(true)}, edited.GetOwnerReferences()[0]})
		shop.sync(t)
		got := shop.held.plans["p50"]
		if got.Common().DefaultProvisionParameters == nil || got.GetAnnotations()["team"] != "x" || got.GetLabels()["team"] != "x" || len(got.GetFinalizers()) != 1 {
			t.Errorf("%s: what a person added is gone: %+v", s.Scope, got)
		}
		if got.GetLabels()[v1beta1.LabelExternalName] == "" {
			t.Errorf("%s: labels were not put back: %v", s.Scope, got.GetLabels())
		}
		owners := got.GetOwnerReferences()
		if len(owners) != 2 || owners[1].UID != "broker" || owners[1].Controller != nil {
			t.Errorf("%s: owners are %+v", s.Scope, owners)
		}
	}
}

func TestAnEditedIDIsPutBack(t *testing.T) {
	for _, s := range scopes {
		for name, id := range map[string]string{"of nothing": "mine", "of another service": "redis"} {
			shop := newShop(t, s, nil, mysql(), other())
			shop.sync(t)
			shop.held.classes["997b8372-8dac-40ac-ae65-758b4a5075a5"].Common().ExternalID = id
			shop.held.plans["z50z100"].Common().ExternalID = id
			_, classes, plans := shop.sync(t)
			if got, want := written(classes, plans), "update class 997b8372-8dac-40ac-ae65-758b4a5075a5, update plan z50z100"; got != want {
				t.Errorf("%s, the id %s: written is %q, want %q", s.Scope, name, got, want)
			}
			if got := shop.held.plans["z50z100"].Common().ExternalID; got != "P100" {
				t.Errorf("%s, the id %s: the plan's is %q", s.Scope, name, got)
			}
		}
	}
}

// On clusters of old a name can be the id itself, and the name of another id, too.
func TestANameThatIsAlsoThatOfAnotherIDIsNotStolen(t *testing.T) {
	for _, s := range scopes {
		rival := mysql(func(m *osb.Service) { m.ID = "zredis" })
		shop := newShop(t, s, nil, rival, other())
		shop.sync(t)
		class := shop.held.classes[catalog.ObjectName("zredis")]
		wanted := osb.Service{ID: class.GetName(), Name: "another", Plans: []osb.Plan{{ID: "another", Name: "one"}}}
		for why, services := range map[string][]osb.Service{"both are there": {wanted, rival, other()}, "the first is gone": {wanted, other()}} {
			shop.catalog.Services = services
			chosen, classes, plans := shop.sync(t)
			if got := written(classes, plans); got != "" || len(chosen.missing) != 1 || !chosen.collides {
				t.Errorf("%s, %s: written is %q, missing is %q", s.Scope, why, got, chosen.missing)
			}
		}
	}
}

func TestObjectsOfAnOldClusterAreTakenOver(t *testing.T) {
	for _, s := range scopes {
		shop := newShop(t, s, nil, mysql())
		class, plan := s.newClass(), s.newPlan()
		class.SetName("997b8372-8dac-40ac-ae65-758b4a5075a5")
		class.Common().ExternalID = class.GetName()
		class.SetBrokerName("osba")
		class.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "servicecatalog.k8s.io/v1beta1", Kind: s.BrokerKind(), Name: "osba", UID: "of a former life", Controller: new(true)}})
		class.CommonStatus().RemovedFromBrokerCatalog = true
		plan.SetName("P100") // the raw id: names never change
		plan.Common().ExternalID = "P100"
		plan.SetOwners("osba", class.GetName())
		shop.held.classes[class.GetName()], shop.held.plans["P100"] = class, plan
		_, classes, plans := shop.sync(t)
		if got, want := written(classes, plans), "create plan p50, update class "+class.GetName()+", update plan P100, unmark class "+class.GetName(); got != want {
			t.Errorf("%s: written is %q, want %q", s.Scope, got, want)
		}
		for name, o := range map[string]client.Object{"class": shop.held.classes[class.GetName()], "plan": shop.held.plans["P100"]} {
			if owners := o.GetOwnerReferences(); len(owners) != 1 || owners[0].UID != "broker" {
				t.Errorf("%s: the %s is owned by %+v", s.Scope, name, owners)
			}
		}
	}
}

func TestRestrictionsSelectWhatIsOffered(t *testing.T) {
	for _, s := range scopes {
		class := "spec.clusterServiceClass.name"
		if s.Scope == catalog.Namespaced {
			class = "spec.serviceClass.name"
		}
		for restriction, want := range map[string]string{
			"class spec.externalName=redis":                  "redis | redis-plan",
			"class name notin (redis)":                       "997b8372-8dac-40ac-ae65-758b4a5075a5 | p50 z50z100",
			"plan spec.free=true":                            "997b8372-8dac-40ac-ae65-758b4a5075a5 redis | p50 redis-plan",
			"plan spec.externalName=basic100":                "997b8372-8dac-40ac-ae65-758b4a5075a5 | z50z100",
			"plan spec.externalID=nobody":                    " | ",
			"plan " + class + "=redis":                       "redis | redis-plan",
			"class spec.externalID in (redis,another)":       "redis | redis-plan",
			"plan spec.free=false":                           "997b8372-8dac-40ac-ae65-758b4a5075a5 | z50z100",
			"class spec.externalName in (redis,azure-mysql)": "997b8372-8dac-40ac-ae65-758b4a5075a5 redis | p50 redis-plan z50z100",
		} {
			kind, selector, _ := strings.Cut(restriction, " ")
			restrictions := &v1beta1.CatalogRestrictions{ServiceClass: []string{selector}}
			if kind == "plan" {
				restrictions = &v1beta1.CatalogRestrictions{ServicePlan: []string{selector}}
			}
			chosen, _, _ := newShop(t, s, restrictions, mysql(), other()).sync(t)
			if got := strings.Join(names(chosen.classes), " ") + " | " + strings.Join(names(chosen.plans), " "); got != want || len(chosen.missing) > 0 {
				t.Errorf("%s, %s: offered is %q, missing %q, want %q", s.Scope, restriction, got, chosen.missing, want)
			}
		}
	}
}

func TestCollisionsAreReportedAndNothingIsStolen(t *testing.T) {
	for _, s := range scopes {
		shop := newShop(t, s, nil, mysql(), other())
		shop.owner = func(kind, name string) string {
			if kind == s.ClassKind() && name == "redis" || kind == s.PlanKind() && name == "p50" {
				return "rival"
			}
			return ""
		}
		chosen, _, _ := shop.sync(t)
		if got := strings.Join(names(chosen.classes), " ") + " | " + strings.Join(names(chosen.plans), " "); got != "997b8372-8dac-40ac-ae65-758b4a5075a5 | z50z100" {
			t.Errorf("%s: offered is %q", s.Scope, got)
		}
		want := []string{
			`plan "basic50" of service "azure-mysql": ` + s.PlanKind() + ` p50 of ` + s.BrokerKind() + ` "rival" has the same id; it is left as it is`,
			`service "redis": ` + s.ClassKind() + ` redis of ` + s.BrokerKind() + ` "rival" has the same id; it is left as it is`,
		}
		if !slices.Equal(chosen.missing, want) || !chosen.collides {
			t.Errorf("%s: missing is %q, want %q", s.Scope, chosen.missing, want)
		}
	}
}

func TestOneBadEntryTakesNothingElseAway(t *testing.T) {
	for _, s := range scopes {
		shop := newShop(t, s, nil, mysql(), other())
		shop.sync(t)
		moved := other()
		moved.Plans = append(moved.Plans, osb.Plan{ID: "p50", Name: "basic50"})
		shop.catalog = osb.Catalog{Services: []osb.Service{moved}, Problems: []string{"services[0] is left out"}, LeftOut: []string{"997b8372-8dac-40ac-ae65-758b4a5075a5"}}
		before := maps.Clone(shop.held.plans)
		chosen, classes, plans := shop.sync(t)
		if got := written(classes, plans); got != "" {
			t.Errorf("%s: written is %q", s.Scope, got)
		}
		if got := names(chosen.keptClasses); !slices.Equal(got, []string{"997b8372-8dac-40ac-ae65-758b4a5075a5"}) {
			t.Errorf("%s: kept classes are %q", s.Scope, got)
		}
		if got := names(chosen.keptPlans); !slices.Equal(got, []string{"p50", "z50z100"}) {
			t.Errorf("%s: kept plans are %q", s.Scope, got)
		}
		want := []string{"services[0] is left out", `plan "basic50" of service "redis": ` + s.PlanKind() + ` p50 is of ` + s.ClassKind() + ` 997b8372-8dac-40ac-ae65-758b4a5075a5, and a plan cannot go to another service`}
		if !slices.Equal(chosen.missing, want) || !reflect.DeepEqual(before, shop.held.plans) {
			t.Errorf("%s: missing is %q, want %q", s.Scope, chosen.missing, want)
		}

		shop.catalog = osb.Catalog{Services: []osb.Service{mysql(func(m *osb.Service) { m.Plans = m.Plans[:1] }), other()}, LeftOut: []string{"P100"}}
		if _, classes, plans := shop.sync(t); written(classes, plans) != "" {
			t.Errorf("%s: written is %q although only a plan was left out", s.Scope, written(classes, plans))
		}

		shop.catalog = osb.Catalog{Services: []osb.Service{mysql(func(m *osb.Service) { m.Plans = m.Plans[1:] }), moved}}
		if _, classes, plans := shop.sync(t); written(classes, plans) != "" {
			t.Errorf("%s: written is %q although a plan only cannot move", s.Scope, written(classes, plans))
		}

		stranger := s.newClass()
		stranger.SetName("redis")
		stranger.Common().ExternalID = "something else"
		shop.held.classes["redis"] = stranger
		shop.catalog = osb.Catalog{Services: []osb.Service{other()}}
		chosen = selectionOf(shop.assortment, &shop.catalog)
		if want := []string{`service "redis": ` + s.ClassKind() + ` redis has another external id, "something else"`}; !slices.Equal(chosen.missing, want) || len(chosen.plans) > 0 || !chosen.collides {
			t.Errorf("%s: missing is %q, want %q", s.Scope, chosen.missing, want)
		}
		if got := names(chosen.keptPlans); !slices.Equal(got, []string{"redis-plan"}) {
			t.Errorf("%s: kept plans are %q", s.Scope, got)
		}
	}
}
