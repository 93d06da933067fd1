// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package index_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
)

// indexer is a fake client's builder, as a manager's indexer.
type indexer struct{ *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, obj client.Object, field string, values client.IndexerFunc) error {
	i.WithIndex(obj, field, values)
	return nil
}

// newIndex is one over a cache with objects.
func newIndex(t *testing.T, objects ...client.Object) index.Index {
	scheme := runtime.NewScheme()
	if err := v1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...)
	if err := index.AddIndexes(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}
	return index.Index{Cache: builder.Build()}
}

const namespace = "demo"

// fixture has the same in both scopes: the broker osba with a class and two plans, the
// broker other with a class of the same name, and what uses them.
func fixture() []client.Object {
	objects := []client.Object{
		authenticated(broker(catalog.Cluster, "osba"), "osba", "auth"),
		broker(catalog.Cluster, "other"),
		authenticated(broker(catalog.Namespaced, "osba"), "", "auth"),
		broker(catalog.Namespaced, "other"),
	}
	for _, scope := range []catalog.Scope{catalog.Cluster, catalog.Namespaced} {
		objects = append(objects,
			class(scope, "class-1", "mysql", "osba"), plan(scope, "plan-1", "small", "class-1", "osba"), plan(scope, "plan-2", "large", "class-1", "osba"),
			class(scope, "class-2", "redis", "osba"), plan(scope, "plan-3", "small", "class-2", "osba"),
			class(scope, "class-3", "redis", "other"),
			removed(class(scope, "class-4", "mysql", "osba")), removed(plan(scope, "plan-4", "old", "class-2", "osba")),
			removed(class(scope, "class-5", "gone", "osba")),
		)
	}
	return objects
}

func broker(scope catalog.Scope, name string) v1beta1.Broker {
	if scope == catalog.Cluster {
		b := &v1beta1.ClusterServiceBroker{}
		b.Name = name
		return b
	}
	b := &v1beta1.ServiceBroker{}
	b.Namespace, b.Name = namespace, name
	return b
}

func authenticated(b v1beta1.Broker, ns, secret string) v1beta1.Broker {
	b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: ns, Name: secret}}}
	return b
}

func class(scope catalog.Scope, name, externalName, broker string) v1beta1.Class {
	var c v1beta1.Class = &v1beta1.ClusterServiceClass{}
	if scope == catalog.Namespaced {
		c = &v1beta1.ServiceClass{}
		c.SetNamespace(namespace)
	}
	c.SetName(name)
	c.Common().ExternalName, c.Common().ExternalID = externalName, name+"-id"
	c.SetBrokerName(broker)
	return c
}

func plan(scope catalog.Scope, name, externalName, class, broker string) v1beta1.Plan {
	var p v1beta1.Plan = &v1beta1.ClusterServicePlan{}
	if scope == catalog.Namespaced {
		p = &v1beta1.ServicePlan{}
		p.SetNamespace(namespace)
	}
	p.SetName(name)
	p.Common().ExternalName, p.Common().ExternalID = externalName, name+"-id"
	p.SetOwners(broker, class)
	return p
}

// removed is a class or plan that its catalog does not have any more.
func removed[T client.Object](obj T) T {
	switch o := any(obj).(type) {
	case v1beta1.Class:
		o.CommonStatus().RemovedFromBrokerCatalog = true
	case v1beta1.Plan:
		o.CommonStatus().RemovedFromBrokerCatalog = true
	}
	return obj
}

func instance(ns, name string, set func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	i := &v1beta1.ServiceInstance{}
	i.Namespace, i.Name, i.Spec.ExternalID = ns, name, name+"-id"
	if set != nil {
		set(i)
	}
	return i
}

func binding(ns, name string, set func(*v1beta1.ServiceBinding)) *v1beta1.ServiceBinding {
	b := &v1beta1.ServiceBinding{}
	b.Namespace, b.Name, b.Spec.ExternalID = ns, name, name+"-id"
	if set != nil {
		set(b)
	}
	return b
}

// names are those of what was found, in order.
func names[T client.Object](t *testing.T) func([]T, error) string {
	return func(found []T, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, f := range found {
			name := f.GetName()
			if ns := f.GetNamespace(); ns != "" {
				name = ns + "/" + name
			}
			all = append(all, name)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
}

func TestClass(t *testing.T) {
	x := newIndex(t, fixture()...)
	for _, scope := range []catalog.Scope{catalog.Cluster, catalog.Namespaced} {
		byName, byObject := catalog.Reference{Scope: scope, NamedBy: catalog.ByExternalName}, catalog.Reference{Scope: scope, NamedBy: catalog.ByName}
		for _, c := range []struct {
			why   string
			by    catalog.NamedBy
			class string
			want  string
			err   string
		}{
			{"by its name in the catalog; the one that is gone is another", catalog.ByExternalName, "mysql", "class-1", ""},
			{"by its id", catalog.ByExternalID, "class-2-id", "class-2", ""},
			{"by its name", catalog.ByName, "class-3", "class-3", ""},
			{"one that is gone, and nothing else has the name", catalog.ByExternalName, "gone", "class-5", ""},
			{"one that is gone, by its id", catalog.ByExternalID, "class-4-id", "class-4", ""},
			{"none", catalog.ByExternalName, "nope", "", `there is no ` + scope.ClassKind() + ` with ` + byName.ClassField() + ` "nope"`},
			{"none of the id", catalog.ByExternalID, "nope", "", `there is no ` + scope.ClassKind()},
			{"none of the name", catalog.ByName, "nope", "", `there is no ` + scope.ClassKind() + ` "nope"`},
			{"two", catalog.ByExternalName, "redis", "", `there is more than one ` + scope.ClassKind() + ` with ` + byName.ClassField() + ` "redis": class-2 (of broker osba), class-3 (of broker other); make a ServiceInstance that names one of them with ` + byObject.ClassField()},
		} {
			got, err := x.Class(t.Context(), namespace, catalog.Reference{Scope: scope, NamedBy: c.by, Class: c.class})
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) || index.IsNotFound(err) == index.IsAmbiguous(err) || index.IsAmbiguous(err) != (c.why == "two") {
					t.Errorf("%s, %s: the error is %v, want %q", scope, c.why, err, c.err)
				}
			case err != nil || got.GetName() != c.want || catalog.ScopeOf(got) != scope:
				t.Errorf("%s, %s: it is %v, %v, want %q", scope, c.why, got, err, c.want)
			}
		}
	}
	if _, err := x.Class(t.Context(), "elsewhere", catalog.Reference{Scope: catalog.Namespaced, NamedBy: catalog.ByExternalName, Class: "mysql"}); !index.IsNotFound(err) {
		t.Errorf("a class of another namespace is found: %v", err)
	}
}

// TestWhatIsNotFoundIsSaidWithWhatHelps: in the form in which it was looked for.
// F-U3: the words are those of the condition as well as of the warning.
func TestWhatIsNotFoundIsSaidWithWhatHelps(t *testing.T) {
	read := func(b v1beta1.Broker) v1beta1.Broker {
		b.CommonStatus().LastCatalogRetrievalTime = &metav1.Time{Time: time.Unix(1, 0)}
		return b
	}
	mysql := class(catalog.Cluster, "class-1", "mysql", "osba")
	x := newIndex(t, read(broker(catalog.Cluster, "osba")), mysql, plan(catalog.Cluster, "plan-1", "small", "class-1", "osba"),
		removed(plan(catalog.Cluster, "plan-2", "smalle", "class-1", "osba")),
		broker(catalog.Namespaced, "new"), class(catalog.Namespaced, "class-9", "kafka", "new"))
	for want, ref := range map[string]catalog.Reference{
		`there is no ClusterServiceClass with clusterServiceClassExternalName "nope"`: {Scope: catalog.Cluster, NamedBy: catalog.ByExternalName, Class: "nope"},
		`there is no ClusterServiceClass with clusterServiceClassExternalName "kafka"; there is a ServiceClass with serviceClassExternalName "kafka": ` +
			`create a ServiceInstance with this field, and name the plan with servicePlanExternalName`: {Scope: catalog.Cluster, NamedBy: catalog.ByExternalName, Class: "kafka"},
		`there is no ServiceClass "class-1"; there is a ClusterServiceClass with clusterServiceClassName "class-1": create a ServiceInstance with this field, ` +
			`and name the plan with clusterServicePlanName; when it was looked for, the catalog of ServiceBroker "new" was not read yet`: {Scope: catalog.Namespaced, NamedBy: catalog.ByName, Class: "class-1"},
	} {
		if _, err := x.Class(t.Context(), namespace, ref); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	want := `there is no ClusterServicePlan with clusterServicePlanExternalName "smal" of ClusterServiceClass "mysql"; the catalog has small`
	if _, err := x.Plan(t.Context(), mysql, catalog.Reference{Scope: catalog.Cluster, NamedBy: catalog.ByExternalName, Class: "mysql", Plan: "smal"}); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestPlan(t *testing.T) {
	objects, called := fixture(), map[string]string{"class-1": "mysql", "class-2": "redis", "class-3": "redis", "class-6": "made by hand"}
	for _, scope := range []catalog.Scope{catalog.Cluster, catalog.Namespaced} {
		objects = append(objects, plan(scope, "plan-5", "twin", "class-6", "osba"), plan(scope, "plan-6", "twin", "class-6", "osba"))
	}
	x := newIndex(t, objects...)
	for _, scope := range []catalog.Scope{catalog.Cluster, catalog.Namespaced} {
		byName, byObject := catalog.Reference{Scope: scope, NamedBy: catalog.ByExternalName}, catalog.Reference{Scope: scope, NamedBy: catalog.ByName}
		for _, c := range []struct {
			why, class string
			ref        catalog.Reference
			want       string
			err        string
		}{
			{"by its name in the catalog", "class-1", catalog.Reference{NamedBy: catalog.ByExternalName, Plan: "large"}, "plan-2", ""},
			{"of its class", "class-2", catalog.Reference{NamedBy: catalog.ByExternalName, Plan: "small"}, "plan-3", ""},
			{"by its id", "class-1", catalog.Reference{NamedBy: catalog.ByExternalID, Plan: "plan-1-id"}, "plan-1", ""},
			{"by its name", "class-1", catalog.Reference{NamedBy: catalog.ByName, Plan: "plan-1"}, "plan-1", ""},
			{"one that is gone, for who has it", "class-2", catalog.Reference{NamedBy: catalog.ByName, Plan: "plan-4"}, "plan-4", ""},
			{"one of another class", "class-1", catalog.Reference{NamedBy: catalog.ByName, Plan: "plan-3"}, "", `there is no ` + scope.PlanKind() + ` with ` + byObject.PlanField() + ` "plan-3" of ` + scope.ClassKind() + ` "class-1"`},
			{"none", "class-1", catalog.Reference{NamedBy: catalog.ByExternalName, Plan: "nope"}, "", "there is no"},
			{"the only one that is offered", "class-2", catalog.Reference{NamedBy: catalog.ByExternalName}, "plan-3", ""},
			{"there are two", "class-1", catalog.Reference{NamedBy: catalog.ByExternalName}, "", `there is more than one ` + scope.PlanKind() + ` of ` + scope.ClassKind() + ` "mysql": large, small; name one of them with ` + byName.PlanField()},
			{"there are two, of an id", "class-1", catalog.Reference{NamedBy: catalog.ByExternalID}, "", `of ` + scope.ClassKind() + ` "class-1-id": plan-1-id, plan-2-id; name one of them with `},
			{"two of a name", "class-6", catalog.Reference{NamedBy: catalog.ByExternalName, Plan: "twin"}, "", `there is more than one ` + scope.PlanKind() + ` with ` + byName.PlanField() + ` "twin" of ` + scope.ClassKind() + ` "made by hand": plan-5, plan-6; make a ServiceInstance that names one of them with ` + byObject.PlanField()},
			{"there is none", "class-3", catalog.Reference{NamedBy: catalog.ByName}, "", `there is no ` + scope.PlanKind() + ` of ` + scope.ClassKind() + ` "class-3"`},
		} {
			c.ref.Scope = scope
			got, err := x.Plan(t.Context(), class(scope, c.class, called[c.class], "osba"), c.ref)
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) || index.IsNotFound(err) == index.IsAmbiguous(err) {
					t.Errorf("%s, %s: the error is %v, want %q", scope, c.why, err, c.err)
				}
			case err != nil || got.GetName() != c.want || catalog.ScopeOf(got) != scope:
				t.Errorf("%s, %s: it is %v, %v, want %q", scope, c.why, got, err, c.want)
			}
		}
	}
}

// TestChoicesCanBeMade: what an error lists, the field that it names takes.
func TestChoicesCanBeMade(t *testing.T) {
	x := newIndex(t, fixture()...)
	for _, scope := range []catalog.Scope{catalog.Cluster, catalog.Namespaced} {
		_, err := x.Class(t.Context(), namespace, catalog.Reference{Scope: scope, NamedBy: catalog.ByExternalName, Class: "redis"})
		for _, choice := range choices(t, err) {
			name, _, _ := strings.Cut(choice, " (of broker ")
			if _, err := x.Class(t.Context(), namespace, catalog.Reference{Scope: scope, NamedBy: catalog.ByName, Class: name}); err != nil {
				t.Errorf("%s: %s: %v", scope, choice, err)
			}
		}
		for _, by := range []catalog.NamedBy{catalog.ByExternalName, catalog.ByExternalID, catalog.ByName} {
			ref := catalog.Reference{Scope: scope, NamedBy: by}
			_, err := x.Plan(t.Context(), class(scope, "class-1", "mysql", "osba"), ref)
			for _, ref.Plan = range choices(t, err) {
				if _, err := x.Plan(t.Context(), class(scope, "class-1", "mysql", "osba"), ref); err != nil {
					t.Errorf("%s: %v", scope, err)
				}
			}
		}
	}
}

func choices(t *testing.T, err error) []string {
	t.Helper()
	ambiguous, ok := errors.AsType[*index.AmbiguousError](err)
	if !ok || len(ambiguous.Names) < 2 {
		t.Fatalf("there is no choice: %v", err)
	}
	return ambiguous.Names
}

func TestWhatReferencesName(t *testing.T) {
	x := newIndex(t, fixture()...)
	shared := instance(namespace, "shared", func(i *v1beta1.ServiceInstance) {
		i.Spec.ClusterServiceClassRef, i.Spec.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: "class-1"}, &v1beta1.ClusterObjectReference{Name: "plan-1"}
	})
	local := instance(namespace, "local", func(i *v1beta1.ServiceInstance) {
		i.Spec.ServiceClassRef, i.Spec.ServicePlanRef = &v1beta1.LocalObjectReference{Name: "class-1"}, &v1beta1.LocalObjectReference{Name: "plan-1"}
	})
	for scope, i := range map[catalog.Scope]*v1beta1.ServiceInstance{catalog.Cluster: shared, catalog.Namespaced: local} {
		c, err := x.ClassOf(t.Context(), i)
		if err != nil || c.GetName() != "class-1" || catalog.ScopeOf(c) != scope {
			t.Errorf("%s: the class is %v, %v", scope, c, err)
		}
		p, err := x.PlanOf(t.Context(), i)
		if err != nil || p.GetName() != "plan-1" || catalog.ScopeOf(p) != scope {
			t.Errorf("%s: the plan is %v, %v", scope, p, err)
		}
		b, err := x.BrokerOf(t.Context(), c)
		if err != nil || b.GetName() != "osba" || catalog.ScopeOf(b) != scope {
			t.Errorf("%s: the broker is %v, %v", scope, b, err)
		}
		b, err = x.Broker(t.Context(), namespace, v1beta1.BrokerReference{Kind: scope.BrokerKind(), Name: "other"})
		if err != nil || b.GetName() != "other" || catalog.ScopeOf(b) != scope {
			t.Errorf("%s: the broker of a status is %v, %v", scope, b, err)
		}
	}
	none := instance(namespace, "none", nil)
	if c, err := x.ClassOf(t.Context(), none); c != nil || err != nil {
		t.Errorf("without references the class is %v, %v", c, err)
	}
	if p, err := x.PlanOf(t.Context(), none); p != nil || err != nil {
		t.Errorf("without references the plan is %v, %v", p, err)
	}
	local.Spec.ServiceClassRef.Name, local.Spec.ServicePlanRef.Name = "nope", "nope"
	local.Spec.ServiceClassExternalName, local.Spec.ServicePlanExternalName = "mysql", "small"
	if c, err := x.ClassOf(t.Context(), local); c != nil || !index.IsNotFound(err) {
		t.Errorf("the class that is not there is %v, %v", c, err)
	}
	if p, err := x.PlanOf(t.Context(), local); p != nil || !index.IsNotFound(err) || err.Error() != `there is no ServicePlan "nope" (servicePlanExternalName "small")` {
		t.Errorf("the plan that is not there is %v, %v", p, err)
	}
	if _, err := x.BrokerNamed(t.Context(), catalog.Namespaced, "elsewhere", "osba"); !index.IsNotFound(err) || err.Error() != `there is no ServiceBroker "osba"` {
		t.Errorf("a broker of another namespace is found: %v", err)
	}
}

func TestBrokersAndTheirs(t *testing.T) {
	x := newIndex(t, fixture()...)
	ctx := t.Context()
	brokers, classes, plans := names[v1beta1.Broker](t), names[v1beta1.Class](t), names[v1beta1.Plan](t)
	for _, c := range []struct{ why, got, want string }{
		{"brokers of the cluster", brokers(x.Brokers(ctx, catalog.Cluster, namespace)), "osba other"},
		{"of a namespace", brokers(x.Brokers(ctx, catalog.Namespaced, namespace)), "demo/osba demo/other"},
		{"of another", brokers(x.Brokers(ctx, catalog.Namespaced, "elsewhere")), ""},
		{"with a Secret", brokers(x.BrokersWith(ctx, types.NamespacedName{Namespace: "osba", Name: "auth"})), "osba"},
		{"with one of their namespace", brokers(x.BrokersWith(ctx, types.NamespacedName{Namespace: namespace, Name: "auth"})), "demo/osba"},
		{"with another", brokers(x.BrokersWith(ctx, types.NamespacedName{Namespace: namespace, Name: "nope"})), ""},
		{"classes of the cluster", classes(x.Classes(ctx, broker(catalog.Cluster, "osba"))), "class-1 class-2 class-4 class-5"},
		{"of a namespace", classes(x.Classes(ctx, broker(catalog.Namespaced, "other"))), "demo/class-3"},
		{"plans of the cluster", plans(x.Plans(ctx, broker(catalog.Cluster, "osba"))), "plan-1 plan-2 plan-3 plan-4"},
		{"of a namespace", plans(x.Plans(ctx, broker(catalog.Namespaced, "osba"))), "demo/plan-1 demo/plan-2 demo/plan-3 demo/plan-4"},
		{"plans of a class", plans(x.PlansOf(ctx, class(catalog.Cluster, "class-1", "", ""))), "plan-1 plan-2"},
		{"of one of a namespace", plans(x.PlansOf(ctx, class(catalog.Namespaced, "class-2", "", ""))), "demo/plan-3 demo/plan-4"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.why, c.got, c.want)
		}
	}
}

func TestInstances(t *testing.T) {
	refs := func(class, plan string) func(*v1beta1.ServiceInstance) {
		return func(i *v1beta1.ServiceInstance) {
			i.Spec.ClusterServiceClassExternalName = "mysql"
			i.Spec.ClusterServiceClassRef, i.Spec.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: class}, &v1beta1.ClusterObjectReference{Name: plan}
		}
	}
	local := func(i *v1beta1.ServiceInstance) {
		i.Spec.ServiceClassExternalName = "mysql"
		i.Status.ExternalProperties = &v1beta1.ServiceInstancePropertiesState{ServicePlanExternalID: "held-id"}
		i.Status.InProgressProperties = &v1beta1.ServiceInstancePropertiesState{ServicePlanExternalID: "sent-id"}
		i.Spec.ServiceClassRef, i.Spec.ServicePlanRef = &v1beta1.LocalObjectReference{Name: "class-1"}, &v1beta1.LocalObjectReference{Name: "plan-1"}
		i.Status.Broker = &v1beta1.BrokerReference{Kind: "ServiceBroker", Name: "osba"}
	}
	x := newIndex(t, append(fixture(),
		instance("a", "one", refs("class-1", "plan-1")),
		instance("b", "two", func(i *v1beta1.ServiceInstance) {
			refs("class-1", "plan-2")(i)
			i.Status.ExternalID = "next-id"
			i.Status.Broker = &v1beta1.BrokerReference{Kind: "ClusterServiceBroker", Name: "osba"}
		}),
		instance("b", "strayed", func(i *v1beta1.ServiceInstance) { // its class was taken over by another broker
			refs("class-2", "plan-3")(i)
			i.Status.Broker = &v1beta1.BrokerReference{Kind: "ClusterServiceBroker", Name: "other"}
		}),
		instance(namespace, "local", local),
		instance("elsewhere", "local", local),
		instance("a", "copied", func(i *v1beta1.ServiceInstance) { i.Spec.ExternalID = "one-id" }),
		instance("a", "by-name", func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServiceClassExternalName = "mysql" }),
		instance("a", "by-id", func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServiceClassExternalID = "class-1-id" }),
		instance("a", "by-object", func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServiceClassName = "class-1" }),
		instance(namespace, "local-by-name", func(i *v1beta1.ServiceInstance) { i.Spec.ServiceClassExternalName = "mysql" }),
		instance("elsewhere", "local-by-name", func(i *v1beta1.ServiceInstance) { i.Spec.ServiceClassExternalName = "mysql" }),
		instance("a", "waits", func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServiceClassExternalName = "unknown" }),
		instance("a", "waits-for-one-of-two", func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServiceClassExternalName = "redis" }),
		instance("a", "waits-for-what-is-gone", refs("deleted", "plan-1")),
		instance("a", "reads", func(i *v1beta1.ServiceInstance) {
			i.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "s", Key: "k"}}, {SecretKeyRef: &v1beta1.SecretKeyReference{Name: "s", Key: "l"}}, {}}
		}),
	)...)
	ctx, all := t.Context(), names[*v1beta1.ServiceInstance](t)
	for _, c := range []struct{ why, got, want string }{
		{"with an id in the spec, of any namespace", all(x.InstancesWithID(ctx, "one-id")), "a/copied a/one"},
		{"also where the status has another", all(x.InstancesWithID(ctx, "two-id")), "b/two"},
		{"with an id in the status", all(x.InstancesWithID(ctx, "next-id")), "b/two"},
		{"with no such id", all(x.InstancesWithID(ctx, "nope")), ""},
		{"of a class", all(x.InstancesOfClass(ctx, class(catalog.Cluster, "class-1", "", ""))), "a/one b/two"},
		{"of one of a namespace", all(x.InstancesOfClass(ctx, class(catalog.Namespaced, "class-1", "", ""))), "demo/local"},
		{"of a plan", all(x.InstancesOfPlan(ctx, plan(catalog.Cluster, "plan-2", "", "", ""))), "b/two"},
		{"of one of a namespace", all(x.InstancesOfPlan(ctx, plan(catalog.Namespaced, "plan-1", "", "", ""))), "demo/local"},
		{"of a broker, sent or not", all(x.InstancesOfBroker(ctx, broker(catalog.Cluster, "osba"))), "a/one b/two"},
		{"of one that no class says", all(x.InstancesOfBroker(ctx, broker(catalog.Cluster, "other"))), "b/strayed"},
		{"of one of a namespace", all(x.InstancesOfBroker(ctx, broker(catalog.Namespaced, "osba"))), "demo/local"},
		{"that wait for a class", all(x.InstancesWaitingFor(ctx, class(catalog.Cluster, "class-1", "mysql", ""))), "a/by-id a/by-name a/by-object"},
		{"for one of a namespace", all(x.InstancesWaitingFor(ctx, class(catalog.Namespaced, "class-1", "mysql", ""))), "demo/local-by-name"},
		{"that wait for a broker", all(x.InstancesWaitingForBroker(ctx, broker(catalog.Cluster, "new"))), "a/waits a/waits-for-one-of-two a/waits-for-what-is-gone"},
		{"for one with a class", all(x.InstancesWaitingForBroker(ctx, broker(catalog.Cluster, "osba"))), "a/by-id a/by-name a/by-object a/one a/waits a/waits-for-one-of-two a/waits-for-what-is-gone"},
		{"for one of a namespace", all(x.InstancesWaitingForBroker(ctx, broker(catalog.Namespaced, "osba"))), "demo/local-by-name"},
		{"that read a Secret", all(x.InstancesReading(ctx, types.NamespacedName{Namespace: "a", Name: "s"})), "a/reads"},
		{"that read one of the same name", all(x.InstancesReading(ctx, types.NamespacedName{Namespace: "b", Name: "s"})), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.why, c.got, c.want)
		}
	}
	for name, want := range map[string]bool{"class-1": true, "class-2": true, "class-3": false} {
		if got, err := x.ClassInUse(ctx, class(catalog.Cluster, name, "mysql", "")); err != nil || got != want {
			t.Errorf("%s is in use: %t, %v", name, got, err)
		}
	}
	for name, want := range map[string]bool{"plan-1": true, "plan-4": false, "held": true, "sent": true} {
		if got, err := x.PlanInUse(ctx, plan(catalog.Namespaced, name, "", "class-1", "")); err != nil || got != want {
			t.Errorf("%s is in use: %t, %v", name, got, err)
		}
	}
	if got, err := x.PlanInUse(ctx, plan(catalog.Namespaced, "held", "", "class-2", "")); err != nil || got {
		t.Errorf("a plan of another class is in use: %t, %v", got, err)
	}
}

// changing is a cache that is brought up to date between two reads.
type changing struct {
	client.Reader
	change func(*v1beta1.ServiceInstance)
}

func (c *changing) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	err := c.Reader.List(ctx, list, options...)
	if _, ok := list.(*v1beta1.ServiceInstanceList); ok && c.change != nil {
		i := &v1beta1.ServiceInstance{}
		if err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "db"}, i); err != nil {
			return err
		}
		c.change(i)
		c.change = nil
		return errors.Join(err, c.Reader.(client.Client).Update(ctx, i))
	}
	return err
}

// A broker's Secret lost its finalizer, as an instance was neither found before nor after
// the cache learned that it was sent.
func TestWhatIsSentMeanwhileIsFoundOnce(t *testing.T) {
	x := newIndex(t, append(fixture(), instance(namespace, "db", func(i *v1beta1.ServiceInstance) {
		i.Spec.ServiceClassRef = &v1beta1.LocalObjectReference{Name: "class-1"}
	}))...)
	x.Cache = &changing{Reader: x.Cache, change: func(i *v1beta1.ServiceInstance) {
		i.Status.Broker = &v1beta1.BrokerReference{Kind: "ServiceBroker", Name: "osba"}
	}}
	if got := names[*v1beta1.ServiceInstance](t)(x.InstancesOfBroker(t.Context(), broker(catalog.Namespaced, "osba"))); got != namespace+"/db" {
		t.Errorf("found %q", got)
	}
}

func TestBindings(t *testing.T) {
	to := func(instance string) func(*v1beta1.ServiceBinding) {
		return func(b *v1beta1.ServiceBinding) { b.Spec.InstanceRef.Name = instance }
	}
	x := newIndex(t,
		binding("a", "one", to("i")),
		binding("b", "one", to("i")),
		binding("a", "two", func(b *v1beta1.ServiceBinding) {
			to("i")(b)
			b.Spec.SecretName, b.Status.ExternalID, b.Status.PredecessorID = "one", "next-id", "old-id"
			b.Status.Target = &v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: "ServiceBroker", Name: "osba"}}
			b.Status.LeftBehind = []v1beta1.LeftBehind{{ID: "left-id", Target: v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: "ClusterServiceBroker", Name: "osbb"}}}}
		}),
		binding(namespace, "local", func(b *v1beta1.ServiceBinding) {
			b.Status.Target = &v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: "ServiceBroker", Name: "osba"}}
		}),
		binding("a", "three", func(b *v1beta1.ServiceBinding) {
			to("j")(b)
			b.Status.Target = &v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: "ClusterServiceBroker", Name: "osba"}}
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "s", Key: "k"}}}
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{{}, {AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Name: "t"}}}, {AddKeysFrom: &v1beta1.AddKeysFromTransform{}}}
		}),
	)
	ctx, all := t.Context(), names[*v1beta1.ServiceBinding](t)
	for _, c := range []struct{ why, got, want string }{
		{"to an instance", all(x.Bindings(ctx, types.NamespacedName{Namespace: "a", Name: "i"})), "a/one a/two"},
		{"to none", all(x.Bindings(ctx, types.NamespacedName{Namespace: "b", Name: "j"})), ""},
		{"with an id, of any namespace", all(x.BindingsWithID(ctx, "one-id")), "a/one b/one"},
		{"with one in the status", all(x.BindingsWithID(ctx, "next-id")), "a/two"},
		{"with one to be removed", all(x.BindingsWithID(ctx, "old-id")), "a/two"},
		{"into a Secret, named or not", all(x.BindingsInto(ctx, types.NamespacedName{Namespace: "a", Name: "one"})), "a/one a/two"},
		{"into no other", all(x.BindingsInto(ctx, types.NamespacedName{Namespace: "a", Name: "two"})), ""},
		{"with parameters from a Secret", all(x.BindingsReading(ctx, types.NamespacedName{Namespace: "a", Name: "s"})), "a/three"},
		{"at a broker", all(x.BindingsOfBroker(ctx, broker(catalog.Cluster, "osba"))), "a/three"},
		{"with something left at a broker", all(x.BindingsOfBroker(ctx, broker(catalog.Cluster, "osbb"))), "a/two"}, // F-S70
		{"at one of a namespace", all(x.BindingsOfBroker(ctx, broker(catalog.Namespaced, "osba"))), "demo/local"},
		{"with keys from a Secret", all(x.BindingsReading(ctx, types.NamespacedName{Namespace: "a", Name: "t"})), "a/three"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.why, c.got, c.want)
		}
	}
}

// refusing is an indexer, and a cache, that fails.
type refusing struct{ client.Reader }

var errRefused = errors.New("refused")

func (refusing) IndexField(context.Context, client.Object, string, client.IndexerFunc) error {
	return errRefused
}

func (refusing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errRefused
}

func (refusing) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errRefused
}

// A cache that cannot be read is not one that has nothing.
func TestFailuresAreNotAbsences(t *testing.T) {
	if err := index.AddIndexes(t.Context(), refusing{}); !errors.Is(err, errRefused) {
		t.Errorf("AddIndexes says %v", err)
	}
	x, ctx, c, b := index.Index{Cache: refusing{}}, t.Context(), class(catalog.Cluster, "c", "c", "b"), broker(catalog.Cluster, "b")
	resolved := instance("a", "b", func(i *v1beta1.ServiceInstance) {
		i.Spec.ServiceClassRef, i.Spec.ServicePlanRef = &v1beta1.LocalObjectReference{Name: "c"}, &v1beta1.LocalObjectReference{Name: "p"}
	})
	for what, do := range map[string]func() (any, error){
		"Class":                     func() (any, error) { return x.Class(ctx, "a", catalog.Reference{NamedBy: catalog.ByExternalName}) },
		"Class, by name":            func() (any, error) { return x.Class(ctx, "a", catalog.Reference{NamedBy: catalog.ByName}) },
		"Plan":                      func() (any, error) { return x.Plan(ctx, c, catalog.Reference{}) },
		"ClassOf":                   func() (any, error) { return x.ClassOf(ctx, resolved) },
		"PlanOf":                    func() (any, error) { return x.PlanOf(ctx, resolved) },
		"BrokerOf":                  func() (any, error) { return x.BrokerOf(ctx, c) },
		"BrokersWith":               func() (any, error) { return x.BrokersWith(ctx, types.NamespacedName{}) },
		"InstancesOfBroker":         func() (any, error) { return x.InstancesOfBroker(ctx, b) },
		"InstancesWaitingFor":       func() (any, error) { return x.InstancesWaitingFor(ctx, c) },
		"InstancesWaitingForBroker": func() (any, error) { return x.InstancesWaitingForBroker(ctx, b) },
		"ClassInUse":                func() (any, error) { return x.ClassInUse(ctx, c) },
		"Bindings":                  func() (any, error) { return x.Bindings(ctx, types.NamespacedName{}) },
	} {
		if _, err := do(); !errors.Is(err, errRefused) || index.IsNotFound(err) || index.IsAmbiguous(err) {
			t.Errorf("%s says %v", what, err)
		}
	}
}
