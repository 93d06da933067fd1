// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogsync

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

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// scopes are both; what is said of one holds for the other.

// shop is a broker with its catalog, and what there is of it in the cluster.
type shop struct {
	Builder
	catalog osbresult.Catalog
}

func newShop(t *testing.T, s Kinds, restrictions *v1beta1.CatalogRestrictions, services ...osbresult.Service) *shop {
	t.Helper()
	b := s.NewBroker()
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
		Builder: Builder{Kinds: s, Broker: b, Restrictions: parsed, Owner: func(_, _ string) string { return "" },
			Existing: Existing{map[string]v1beta1.Class{}, map[string]v1beta1.Plan{}}},
		catalog: osbresult.Catalog{Services: services},
	}
}

// sync does what a librarian does, and the API server.
func (s *shop) sync(t *testing.T) (Desired, Changes[v1beta1.Class], Changes[v1beta1.Plan]) {
	t.Helper()
	chosen := Desire(s.Builder, &s.catalog)
	classes := Diff(s.Existing.Classes, chosen.Classes, chosen.KeptClasses, s.IsOurs)
	plans := Diff(s.Existing.Plans, chosen.Plans, chosen.KeptPlans, s.IsOurs)
	carryOut(t, s.Existing.Classes, classes)
	carryOut(t, s.Existing.Plans, plans)
	return chosen, classes, plans
}

func carryOut[T Object](t *testing.T, held map[string]T, s Changes[T]) {
	t.Helper()
	for _, o := range slices.Concat(s.Create, s.Update) {
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
	for _, o := range s.ClearRemoved {
		*RemovedFlag(held[o.GetName()]) = false
	}
	for _, o := range s.SetRemoved {
		*RemovedFlag(held[o.GetName()]) = true
	}
}

func mysql(edits ...func(*osbresult.Service)) osbresult.Service {
	s := osbresult.Service{
		ID: "997b8372-8dac-40ac-ae65-758b4a5075a5", Name: "azure-mysql", Description: "MySQL", Tags: []string{"sql"}, Requires: []string{"syslog_drain"},
		Bindable: true, InstancesRetrievable: true, BindingsRetrievable: true, AllowContextUpdates: true, PlanUpdateable: true,
		Metadata: json.RawMessage(`{"z": 1.0, "a": "<b>", "list": [1e2]}`),
		Plans: []osbresult.Plan{
			{ID: "p50", Name: "basic50", Description: "Small", Free: true, CreateInstance: json.RawMessage(`{"type": "object"}`)},
			{ID: "P100", Name: "basic100", Description: "Large", Bindable: new(false), PlanUpdateable: new(false), BindingRotatable: true,
				MaximumPollingDuration: time.Hour, MaintenanceInfo: &osbresult.MaintenanceInfo{Version: "1.2.3", Description: "downtime"}},
		},
	}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func other() osbresult.Service {
	return osbresult.Service{ID: "redis", Name: "redis", Description: "Redis", Plans: []osbresult.Plan{{ID: "redis-plan", Name: "free", Description: "Free", Free: true}}}
}

func names[T Object](list []T) []string {
	names := []string{}
	for _, o := range list {
		names = append(names, o.GetName())
	}
	slices.Sort(names)
	return names
}

// conformance: C18
func TestACatalogBecomesClassesAndPlans(t *testing.T) {
	for _, s := range AllKinds {
		shop := newShop(t, s, nil, mysql())
		chosen, _, _ := shop.sync(t)
		if got := names(chosen.Classes); !slices.Equal(got, []string{"997b8372-8dac-40ac-ae65-758b4a5075a5"}) {
			t.Fatalf("classes are %q", got)
		}
		if got := names(chosen.Plans); !slices.Equal(got, []string{"p50", "z50z100"}) {
			t.Fatalf("plans are %q", got)
		}
		class := shop.Existing.Classes["997b8372-8dac-40ac-ae65-758b4a5075a5"]
		if want := (&v1beta1.CommonServiceClassSpec{
			ExternalName: "azure-mysql", ExternalID: "997b8372-8dac-40ac-ae65-758b4a5075a5", Description: "MySQL", Bindable: true, BindingRetrievable: true,
			PlanUpdatable: true, InstanceRetrievable: true, AllowContextUpdates: true, Tags: []string{"sql"}, Requires: []string{"syslog_drain"},
			ExternalMetadata: &runtime.RawExtension{Raw: []byte(`{"a":"\u003cb\u003e","list":[100],"z":1}`)},
		}); !reflect.DeepEqual(class.Common(), want) {
			t.Errorf("class is\n%+v, want\n%+v", class.Common(), want)
		}
		small, large := shop.Existing.Plans["p50"], shop.Existing.Plans["z50z100"]
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
		for _, o := range []Object{class, small, large} {
			if o.GetNamespace() != shop.Broker.GetNamespace() {
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
	for _, s := range AllKinds {
		for name, c := range map[string]struct {
			edit func(*osbresult.Service)
			want string // kind of step, kind of object, names
		}{
			"nothing":                    {func(*osbresult.Service) {}, ""},
			"the order of keys":          {func(s *osbresult.Service) { s.Metadata = json.RawMessage(`{"list":[100],"a":"\u003cb>","z":1}`) }, ""},
			"an empty list":              {func(s *osbresult.Service) { s.Plans[0].Metadata = nil; s.Plans[1].Bindable = new(false) }, ""},
			"a number in the metadata":   {func(s *osbresult.Service) { s.Metadata = json.RawMessage(`{"z": 1.5, "a": "<b>", "list": [1e2]}`) }, "update class 997b8372-8dac-40ac-ae65-758b4a5075a5"},
			"metadata are gone":          {func(s *osbresult.Service) { s.Metadata = nil }, "update class 997b8372-8dac-40ac-ae65-758b4a5075a5"},
			"a class's name":             {func(s *osbresult.Service) { s.Name = "mysql" }, "update class 997b8372-8dac-40ac-ae65-758b4a5075a5"},
			"a class's tags":             {func(s *osbresult.Service) { s.Tags = nil }, "update class 997b8372-8dac-40ac-ae65-758b4a5075a5"},
			"a plan's description":       {func(s *osbresult.Service) { s.Plans[0].Description = "Smaller" }, "update plan p50"},
			"a plan is no longer free":   {func(s *osbresult.Service) { s.Plans[0].Free = false }, "update plan p50"},
			"a maintenance version":      {func(s *osbresult.Service) { s.Plans[1].MaintenanceInfo.Version = "1.2.4" }, "update plan z50z100"},
			"no maintenance any more":    {func(s *osbresult.Service) { s.Plans[1].MaintenanceInfo = nil }, "update plan z50z100"},
			"as the service says":        {func(s *osbresult.Service) { s.Plans[1].Bindable = nil }, "update plan z50z100"},
			"a schema":                   {func(s *osbresult.Service) { s.Plans[0].CreateInstance = json.RawMessage(`{}`) }, "update plan p50"},
			"another plan":               {func(s *osbresult.Service) { s.Plans = append(s.Plans, osbresult.Plan{ID: "p", Name: "p"}) }, "create plan p"},
			"a plan is gone":             {func(s *osbresult.Service) { s.Plans = s.Plans[:1] }, "mark plan z50z100"},
			"the id: it is another then": {func(s *osbresult.Service) { s.ID = "x"; s.Plans = []osbresult.Plan{{ID: "y", Name: "y"}} }, "create class x, create plan y, mark class 997b8372-8dac-40ac-ae65-758b4a5075a5, mark plan p50 z50z100"},
		} {
			shop := newShop(t, s, nil, mysql())
			shop.sync(t)
			edited := mysql(c.edit)
			shop.catalog.Services = []osbresult.Service{edited}
			_, classes, plans := shop.sync(t)
			if got := written(classes, plans); got != c.want {
				t.Errorf("%s, %s: written is %q, want %q", s.Scope, name, got, c.want)
			}
			if _, classes, plans := shop.sync(t); written(classes, plans) != "" {
				t.Errorf("%s, %s: written again is %q", s.Scope, name, written(classes, plans))
			}
			shop.catalog.Services = []osbresult.Service{mysql()}
			shop.sync(t)
			for _, name := range []string{"p50", "z50z100"} {
				if *RemovedFlag(shop.Existing.Plans[name]) {
					t.Errorf("%s, %s: plan %s is marked although it came back", s.Scope, name, name)
				}
			}
		}
	}
}

func written(classes Changes[v1beta1.Class], plans Changes[v1beta1.Plan]) string {
	var said []string
	say := func(what string, names []string) {
		if len(names) > 0 {
			said = append(said, what+" "+strings.Join(names, " "))
		}
	}
	say("create class", names(classes.Create))
	say("create plan", names(plans.Create))
	say("update class", names(classes.Update))
	say("update plan", names(plans.Update))
	say("unmark class", names(classes.ClearRemoved))
	say("unmark plan", names(plans.ClearRemoved))
	say("mark class", names(classes.SetRemoved))
	say("mark plan", names(plans.SetRemoved))
	return strings.Join(said, ", ")
}

func TestWhatIsNotTheCatalogsIsLeftAlone(t *testing.T) {
	for _, s := range AllKinds {
		shop := newShop(t, s, nil, mysql())
		shop.sync(t)
		copied := shop.Existing.Classes["997b8372-8dac-40ac-ae65-758b4a5075a5"].DeepCopyObject().(v1beta1.Class)
		copied.SetName("my-mysql") // as svcat create class --from
		copied.SetOwnerReferences(nil)
		shop.Existing.Classes["my-mysql"] = copied
		own := shop.Existing.Plans["p50"].DeepCopyObject().(v1beta1.Plan)
		own.SetName("my-plan")
		own.SetOwnerReferences(nil)
		shop.Existing.Plans["my-plan"] = own
		shop.catalog.Services = []osbresult.Service{other()}
		if _, classes, plans := shop.sync(t); slices.Contains(names(classes.SetRemoved), "my-mysql") || slices.Contains(names(plans.SetRemoved), "my-plan") {
			t.Errorf("%s: what a person made was marked", s.Scope)
		}
		shop.catalog = osbresult.Catalog{LeftOut: []string{"997b8372-8dac-40ac-ae65-758b4a5075a5"}}
		if chosen, _, _ := shop.sync(t); slices.Contains(names(chosen.KeptClasses), "my-mysql") || slices.Contains(names(chosen.KeptPlans), "my-plan") {
			t.Errorf("%s: what a person made counts as the catalog's", s.Scope)
		}

		shop = newShop(t, s, nil, mysql())
		shop.sync(t)
		edited := shop.Existing.Plans["p50"]
		edited.Common().DefaultProvisionParameters = &runtime.RawExtension{Raw: []byte(`{"a":1}`)}
		edited.SetAnnotations(map[string]string{"team": "x"})
		edited.SetLabels(map[string]string{"team": "x"})
		edited.SetFinalizers([]string{"example.com/keep"})
		edited.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x", Controller: new(true)}, edited.GetOwnerReferences()[0]})
		shop.sync(t)
		got := shop.Existing.Plans["p50"]
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
	for _, s := range AllKinds {
		for name, id := range map[string]string{"of nothing": "mine", "of another service": "redis"} {
			shop := newShop(t, s, nil, mysql(), other())
			shop.sync(t)
			shop.Existing.Classes["997b8372-8dac-40ac-ae65-758b4a5075a5"].Common().ExternalID = id
			shop.Existing.Plans["z50z100"].Common().ExternalID = id
			_, classes, plans := shop.sync(t)
			if got, want := written(classes, plans), "update class 997b8372-8dac-40ac-ae65-758b4a5075a5, update plan z50z100"; got != want {
				t.Errorf("%s, the id %s: written is %q, want %q", s.Scope, name, got, want)
			}
			if got := shop.Existing.Plans["z50z100"].Common().ExternalID; got != "P100" {
				t.Errorf("%s, the id %s: the plan's is %q", s.Scope, name, got)
			}
		}
	}
}

// On clusters of old a name can be the id itself, and the name of another id, too.
func TestANameThatIsAlsoThatOfAnotherIDIsNotStolen(t *testing.T) {
	for _, s := range AllKinds {
		rival := mysql(func(m *osbresult.Service) { m.ID = "zredis" })
		shop := newShop(t, s, nil, rival, other())
		shop.sync(t)
		class := shop.Existing.Classes[catalog.ObjectName("zredis")]
		wanted := osbresult.Service{ID: class.GetName(), Name: "another", Plans: []osbresult.Plan{{ID: "another", Name: "one"}}}
		for why, services := range map[string][]osbresult.Service{"both are there": {wanted, rival, other()}, "the first is gone": {wanted, other()}} {
			shop.catalog.Services = services
			chosen, classes, plans := shop.sync(t)
			if got := written(classes, plans); got != "" || len(chosen.Missing) != 1 || !chosen.Collides {
				t.Errorf("%s, %s: written is %q, missing is %q", s.Scope, why, got, chosen.Missing)
			}
		}
	}
}

func TestObjectsOfAnOldClusterAreTakenOver(t *testing.T) {
	for _, s := range AllKinds {
		shop := newShop(t, s, nil, mysql())
		class, plan := s.NewClass(), s.NewPlan()
		class.SetName("997b8372-8dac-40ac-ae65-758b4a5075a5")
		class.Common().ExternalID = class.GetName()
		class.SetBrokerName("osba")
		class.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "servicecatalog.k8s.io/v1beta1", Kind: s.BrokerKind(), Name: "osba", UID: "of a former life", Controller: new(true)}})
		class.CommonStatus().RemovedFromBrokerCatalog = true
		plan.SetName("P100") // the raw id: names never change
		plan.Common().ExternalID = "P100"
		plan.SetOwners("osba", class.GetName())
		shop.Existing.Classes[class.GetName()], shop.Existing.Plans["P100"] = class, plan
		_, classes, plans := shop.sync(t)
		if got, want := written(classes, plans), "create plan p50, update class "+class.GetName()+", update plan P100, unmark class "+class.GetName(); got != want {
			t.Errorf("%s: written is %q, want %q", s.Scope, got, want)
		}
		for name, o := range map[string]Object{"class": shop.Existing.Classes[class.GetName()], "plan": shop.Existing.Plans["P100"]} {
			if owners := o.GetOwnerReferences(); len(owners) != 1 || owners[0].UID != "broker" {
				t.Errorf("%s: the %s is owned by %+v", s.Scope, name, owners)
			}
		}
	}
}

func TestRestrictionsSelectWhatIsOffered(t *testing.T) {
	for _, s := range AllKinds {
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
			if got := strings.Join(names(chosen.Classes), " ") + " | " + strings.Join(names(chosen.Plans), " "); got != want || len(chosen.Missing) > 0 {
				t.Errorf("%s, %s: offered is %q, missing %q, want %q", s.Scope, restriction, got, chosen.Missing, want)
			}
		}
	}
}

func TestCollisionsAreReportedAndNothingIsStolen(t *testing.T) {
	for _, s := range AllKinds {
		shop := newShop(t, s, nil, mysql(), other())
		shop.Owner = func(kind, name string) string {
			if kind == s.ClassKind() && name == "redis" || kind == s.PlanKind() && name == "p50" {
				return "rival"
			}
			return ""
		}
		chosen, _, _ := shop.sync(t)
		if got := strings.Join(names(chosen.Classes), " ") + " | " + strings.Join(names(chosen.Plans), " "); got != "997b8372-8dac-40ac-ae65-758b4a5075a5 | z50z100" {
			t.Errorf("%s: offered is %q", s.Scope, got)
		}
		want := []string{
			`plan "basic50" of service "azure-mysql": ` + s.PlanKind() + ` p50 of ` + s.BrokerKind() + ` "rival" has the same id; it is left as it is`,
			`service "redis": ` + s.ClassKind() + ` redis of ` + s.BrokerKind() + ` "rival" has the same id; it is left as it is`,
		}
		if !slices.Equal(chosen.Missing, want) || !chosen.Collides {
			t.Errorf("%s: missing is %q, want %q", s.Scope, chosen.Missing, want)
		}
	}
}

func TestOneBadEntryTakesNothingElseAway(t *testing.T) {
	for _, s := range AllKinds {
		shop := newShop(t, s, nil, mysql(), other())
		shop.sync(t)
		moved := other()
		moved.Plans = append(moved.Plans, osbresult.Plan{ID: "p50", Name: "basic50"})
		shop.catalog = osbresult.Catalog{Services: []osbresult.Service{moved}, Problems: []string{"services[0] is left out"}, LeftOut: []string{"997b8372-8dac-40ac-ae65-758b4a5075a5"}}
		before := maps.Clone(shop.Existing.Plans)
		chosen, classes, plans := shop.sync(t)
		if got := written(classes, plans); got != "" {
			t.Errorf("%s: written is %q", s.Scope, got)
		}
		if got := names(chosen.KeptClasses); !slices.Equal(got, []string{"997b8372-8dac-40ac-ae65-758b4a5075a5"}) {
			t.Errorf("%s: kept classes are %q", s.Scope, got)
		}
		if got := names(chosen.KeptPlans); !slices.Equal(got, []string{"p50", "z50z100"}) {
			t.Errorf("%s: kept plans are %q", s.Scope, got)
		}
		want := []string{"services[0] is left out", `plan "basic50" of service "redis": ` + s.PlanKind() + ` p50 is of ` + s.ClassKind() + ` 997b8372-8dac-40ac-ae65-758b4a5075a5, and a plan cannot move to another service`}
		if !slices.Equal(chosen.Missing, want) || !reflect.DeepEqual(before, shop.Existing.Plans) {
			t.Errorf("%s: missing is %q, want %q", s.Scope, chosen.Missing, want)
		}

		shop.catalog = osbresult.Catalog{Services: []osbresult.Service{mysql(func(m *osbresult.Service) { m.Plans = m.Plans[:1] }), other()}, LeftOut: []string{"P100"}}
		if _, classes, plans := shop.sync(t); written(classes, plans) != "" {
			t.Errorf("%s: written is %q although only a plan was left out", s.Scope, written(classes, plans))
		}

		shop.catalog = osbresult.Catalog{Services: []osbresult.Service{mysql(func(m *osbresult.Service) { m.Plans = m.Plans[1:] }), moved}}
		if _, classes, plans := shop.sync(t); written(classes, plans) != "" {
			t.Errorf("%s: written is %q although a plan only cannot move", s.Scope, written(classes, plans))
		}

		stranger := s.NewClass()
		stranger.SetName("redis")
		stranger.Common().ExternalID = "something else"
		shop.Existing.Classes["redis"] = stranger
		shop.catalog = osbresult.Catalog{Services: []osbresult.Service{other()}}
		chosen = Desire(shop.Builder, &shop.catalog)
		if want := []string{`service "redis": ` + s.ClassKind() + ` redis has another external id, "something else"`}; !slices.Equal(chosen.Missing, want) || len(chosen.Plans) > 0 || !chosen.Collides {
			t.Errorf("%s: missing is %q, want %q", s.Scope, chosen.Missing, want)
		}
		if got := names(chosen.KeptPlans); !slices.Equal(got, []string{"redis-plan"}) {
			t.Errorf("%s: kept plans are %q", s.Scope, got)
		}
	}
}
