// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"maps"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func defaulted(t *testing.T, k knowledge, old, i *v1beta1.ServiceInstance) *v1beta1.ServiceInstance {
	t.Helper()
	ctx := request(t, nil)
	if old != nil {
		ctx = request(t, old)
	}
	if err := (instanceDefaulter{k, decoder, func() time.Time { return t0 }}).Default(ctx, i); err != nil {
		t.Fatal(err)
	}
	return i
}

// TestWhatIsOffered: a plan is chosen, and a name refused, only by who has seen all.
func TestWhatIsOffered(t *testing.T) {
	class := clusterClass("broker", "class")
	plan, other := clusterPlan(class, "plan"), clusterPlan(class, "other")
	gone := clusterPlan(class, "gone")
	gone.Status.RemovedFromBrokerCatalog = true
	ours, oursPlan := clusterClass("broker", "class"), clusterPlan(class, "plan")
	for _, o := range []client.Object{ours, oursPlan} {
		o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: v1beta1.GroupVersion.String(), Kind: "ClusterServiceBroker", Name: "broker"}})
		o.SetCreationTimestamp(metav1.NewTime(t0.Add(time.Hour))) // the clock of the API server is ahead of the operator's
	}
	offering := func(classes, plans int32) *v1beta1.ClusterServiceBroker {
		b := clusterBroker("broker", true)
		b.Status.ServiceClasses, b.Status.ServicePlans = classes, plans
		return b
	}
	twin := clusterClass("second", "twin", func(c *v1beta1.ClusterServiceClass) { c.Spec.ExternalName = "ext-class" })
	read, unread, second := clusterBroker("broker", true), clusterBroker("unread", false), clusterBroker("second", true)
	going := clusterBroker("broker", true)
	going.Finalizers, going.DeletionTimestamp = []string{v1beta1.Finalizer}, &metav1.Time{Time: t0}
	local := &v1beta1.ServiceClass{}
	namespaceName(local, "ns", "local")
	local.Spec.ExternalName = "ext-class"

	for _, c := range []struct {
		name   string
		known  []client.Object
		plan   string
		start  bool
		want   catalog.Refs
		chosen string   // plan
		error  []string // of a creation
		warn   []string
	}{
		{name: "one plan", known: []client.Object{read, class, plan}, want: refs("plan"), chosen: "ext-plan"},
		{name: "a removed plan does not count", known: []client.Object{read, class, plan, gone}, want: refs("plan"), chosen: "ext-plan"},
		{name: "two plans", known: []client.Object{read, class, plan, other}, want: refs(""), error: []string{"spec.clusterServicePlanExternalName: Required value", `there is more than one ClusterServicePlan of ClusterServiceClass "ext-class": ext-other, ext-plan; name one of them with clusterServicePlanExternalName`}},
		{name: "no plan", known: []client.Object{read, class}, want: refs(""), error: []string{"spec.clusterServicePlanExternalName: Required value"}},
		{name: "no plan any more", known: []client.Object{read, class, gone}, want: refs(""), error: []string{`Required value: there is no ClusterServicePlan of ClusterServiceClass "ext-class"`}},
		{name: "a class without a broker", known: []client.Object{class, plan}, want: refs("plan"), chosen: "ext-plan"},
		// F-S16: what was read tells whether it was the whole catalog, and no clock does.
		{name: "a whole catalog", known: []client.Object{offering(1, 1), ours, oursPlan}, want: refs("plan"), chosen: "ext-plan"},
		{name: "a whole catalog, and a removed plan and one made by hand", known: []client.Object{offering(1, 1), ours, oursPlan, gone, other}, want: refs(""), plan: "ext-nope", chosen: "ext-nope", warn: []string{"the ServiceInstance will wait"}},
		{name: "a class that the broker's status does not count yet", known: []client.Object{offering(0, 1), ours, oursPlan}, want: refs(""), warn: []string{`the catalog of ClusterServiceBroker "broker" is being read`}},
		{name: "a plan that the broker's status does not count yet", known: []client.Object{offering(1, 0), ours, oursPlan}, want: refs(""), warn: []string{"is being read"}},
		{name: "half a catalog", known: []client.Object{offering(1, 2), ours, oursPlan}, want: refs(""), warn: []string{`the catalog of ClusterServiceBroker "broker" is being read`}},
		{name: "half a catalog, with the plan named", known: []client.Object{offering(1, 2), ours, oursPlan}, plan: "ext-plan", want: refs("plan"), chosen: "ext-plan"},
		{name: "half a catalog, without the plan that is named", known: []client.Object{offering(1, 2), ours, oursPlan}, plan: "ext-other", want: refs(""), chosen: "ext-other", warn: []string{"is being read"}},
		{name: "caches that are not synced", start: true, known: []client.Object{read, class, plan}, warn: []string{"spec.clusterServiceClassExternalName was not checked: Bellhop is still starting"}},
		{name: "no class, and a broker that was never read", known: []client.Object{read, unread}, warn: []string{`the catalog of ClusterServiceBroker "unread" was not read yet`}},
		{name: "no class", known: []client.Object{read, clusterClass("broker", "claas")}, error: []string{`spec.clusterServiceClassExternalName: Invalid value: "ext-class"`, "the catalog has ext-claas", "no plan can be chosen"}},
		{name: "a class of a ServiceBroker, and a broker that was never read", known: []client.Object{unread, local}, plan: "ext-plan", chosen: "ext-plan",
			warn: []string{"was not checked", `spec.clusterServiceClassExternalName: there is a ServiceClass with serviceClassExternalName "ext-class"`}},
		{name: "a class of a ServiceBroker", known: []client.Object{read, local}, plan: "ext-plan", chosen: "ext-plan",
			warn: []string{"will wait", `there is a ServiceClass with serviceClassExternalName "ext-class": create a ServiceInstance with this field, and name the plan with servicePlanExternalName`}},
		{name: "a broker that is being deleted", known: []client.Object{going, class, plan}, want: refs("plan"), chosen: "ext-plan",
			warn: []string{`spec.clusterServiceClassExternalName: the ServiceInstance will wait: ClusterServiceBroker "broker", which offers it, is being deleted`}},
		{name: "no class, and a plan", known: []client.Object{read}, plan: "ext-plan", chosen: "ext-plan", warn: []string{"spec.clusterServiceClassExternalName: the ServiceInstance will wait"}},
		{name: "no such plan", known: []client.Object{read, class, plan}, plan: "ext-plam", want: refs(""), chosen: "ext-plam", warn: []string{"spec.clusterServicePlanExternalName: the ServiceInstance will wait", "the catalog has ext-plan"}},
		{name: "a removed plan", known: []client.Object{read, class, gone}, plan: "ext-gone", want: refs("gone"), chosen: "ext-gone", warn: []string{`does not have "ext-gone" any more`}},
		{name: "two classes", known: []client.Object{read, second, class, twin, plan}, error: []string{"spec.clusterServiceClassExternalName: Invalid value", `there is more than one ClusterServiceClass with clusterServiceClassExternalName "ext-class": class (of broker broker), twin (of broker second); make a ServiceInstance that names one of them with clusterServiceClassName; so no plan can be chosen`}},
		{name: "two classes, and a plan", known: []client.Object{read, second, class, twin, plan}, plan: "ext-plan", chosen: "ext-plan", warn: []string{"will wait", "more than one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := knowing(t, c.known...)
			if c.start {
				k = starting(t, c.known...)
			}
			i := defaulted(t, k, nil, instance(func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanExternalName = c.plan }))
			if got := catalog.RefsOf(&i.Spec, catalog.Cluster); got != c.want {
				t.Errorf("references: %v instead of %v", got, c.want)
			}
			if got := i.Spec.ClusterServicePlanExternalName; got != c.chosen {
				t.Errorf("plan: %q instead of %q", got, c.chosen)
			}
			if want := catalog.InstanceLabels(i); !maps.Equal(i.Labels, want) && len(want) > 0 {
				t.Errorf("labels: %v instead of %v", i.Labels, want)
			}
			warnings, err := instanceValidator{k, reviewer(t, new([]string))}.ValidateCreate(request(t, nil), i)
			says(t, "error", text(err), c.error...)
			says(t, "warnings", lines(warnings), c.warn...)
			if said := text(err) + lines(warnings); strings.Contains(said, "the catalog has ext-gone") || strings.Contains(said, "more than one") && strings.Contains(said, "the catalog has") {
				t.Errorf("it proposes what cannot be had: %s", said)
			}
		})
	}
}

// TestIDsAreUnique: also those of objects that are alike, as in another cluster.
// conformance: P01 B02
func TestIDsAreUnique(t *testing.T) {
	const n = 1000
	k, ids := knowing(t), map[string]bool{}
	for range n {
		b := binding(func(b *v1beta1.ServiceBinding) { b.Annotations, b.Spec.ExternalID = nil, "" })
		if err := (bindingDefaulter{decoder, func() time.Time { return t0 }}).Default(request(t, nil), b); err != nil {
			t.Fatal(err)
		}
		ids[b.Spec.ExternalID], ids[defaulted(t, k, nil, instance()).Spec.ExternalID] = true, true
	}
	if len(ids) != 2*n || ids[""] {
		t.Errorf("%d objects have %d ids", 2*n, len(ids))
	}
}

// TestIDs: only what is made here is recorded as made.
func TestIDs(t *testing.T) {
	k := knowing(t)
	made := defaulted(t, k, nil, instance())
	if id := made.Spec.ExternalID; id == "" || !catalog.RecordsID(made, id) {
		t.Errorf("made: %q, %v", id, made.Annotations)
	}
	if made.Spec.UserInfo.Username != "alice" || made.Spec.UserInfo.Extra["scopes"][1] != "b" {
		t.Errorf("user: %+v", made.Spec.UserInfo)
	}
	claims := map[string]string{v1beta1.MadeIDAnnotation: "theirs 2026-01-02T03:04:05Z", "a": "b"}
	brought := defaulted(t, k, nil, instance(func(i *v1beta1.ServiceInstance) { i.Spec.ExternalID, i.Annotations = "theirs", maps.Clone(claims) }))
	if brought.Spec.ExternalID != "theirs" || !maps.Equal(brought.Annotations, map[string]string{"a": "b"}) {
		t.Errorf("brought: %q, %v", brought.Spec.ExternalID, brought.Annotations)
	}
	annotated := defaulted(t, k, nil, instance(func(i *v1beta1.ServiceInstance) { i.Annotations = maps.Clone(claims) }))
	if annotated.Spec.ExternalID == "theirs" || !catalog.RecordsID(annotated, annotated.Spec.ExternalID) {
		t.Errorf("annotated: %q, %v", annotated.Spec.ExternalID, annotated.Annotations)
	}

	v := instanceValidator{knowing(t, live()), reviewer(t, new([]string))}
	copied := instance(func(i *v1beta1.ServiceInstance) {
		i.Name, i.Spec.ExternalID, i.Spec.ClusterServicePlanExternalName = "copy", "made", "ext-plan"
	})
	_, err := v.ValidateCreate(request(t, nil), defaulted(t, v.knowledge, nil, copied.DeepCopy()))
	says(t, "a copy", text(err), `spec.externalID: Invalid value: "made"`, `is the id of "i"`)
	copied.Namespace = "elsewhere"
	_, err = v.ValidateCreate(request(t, nil), defaulted(t, v.knowledge, nil, copied.DeepCopy()))
	says(t, "a copy elsewhere", text(err), "is the id of an object in another namespace")
	copied.Spec.ExternalID = "nobody's"
	warnings, err := v.ValidateCreate(request(t, nil), defaulted(t, v.knowledge, nil, copied.DeepCopy()))
	says(t, "nobody's", text(err))
	says(t, "nobody's", lines(warnings), `the resource under the id "nobody's" at the broker will be adopted, and left in place`,
		"spec.externalID is supplied without the annotation bellhop.gophernetes.io/deletion-policy") // F-S25
	copied.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: v1beta1.DeletionPolicyDelete}
	warnings, err = v.ValidateCreate(request(t, nil), defaulted(t, v.knowledge, nil, copied.DeepCopy()))
	says(t, "nobody's, to be deleted", text(err))
	says(t, "nobody's, to be deleted", lines(warnings), `the resource under the id "nobody's" at the broker will be adopted, and DELETED with this object, as its deletion policy is Delete, even if another client created it`)
	warnings, err = instanceValidator{starting(t, live()), reviewer(t, new([]string))}.ValidateCreate(request(t, nil), defaulted(t, v.knowledge, nil, copied.DeepCopy()))
	says(t, "starting", text(err))
	says(t, "starting", lines(warnings), "whether another object has it was not checked")
}

// TestUpdates: whose fields are whose.
func TestUpdates(t *testing.T) {
	class := clusterClass("broker", "class")
	k := knowing(t, clusterBroker("broker", true), class, clusterPlan(class, "plan"), clusterPlan(class, "bigger"))
	annotations := map[string]string{v1beta1.MadeIDAnnotation: "made 2026-01-02T03:04:05Z", v1beta1.DeletionPolicyAnnotation: "Retain"}
	old := live(func(i *v1beta1.ServiceInstance) { i.Annotations, i.Spec.UpdateRequests = annotations, 3 })
	now := metav1.NewTime(t0)
	deleted := live(func(i *v1beta1.ServiceInstance) { i.Annotations, i.DeletionTimestamp = annotations, &now })
	unresolved := live(func(i *v1beta1.ServiceInstance) { catalog.SetRefs(&i.Spec, "", catalog.Refs{}) })

	for _, c := range []struct {
		name string
		old  *v1beta1.ServiceInstance
		edit func(*v1beta1.ServiceInstance)
		want func(*v1beta1.ServiceInstance) // from the old one
	}{
		{"nothing", old, func(*v1beta1.ServiceInstance) {}, func(*v1beta1.ServiceInstance) {}},
		{"parameters", old, func(i *v1beta1.ServiceInstance) { i.Spec.Parameters = raw(`{"a":1}`) },
			func(i *v1beta1.ServiceInstance) { i.Spec.Parameters = raw(`{"a":1}`); i.Spec.UserInfo = alice() }},
		{"parameters, with somebody else's name", old, func(i *v1beta1.ServiceInstance) {
			i.Spec.Parameters, i.Spec.UserInfo = raw(`{"a":1}`), &v1beta1.UserInfo{Username: "root"}
		}, func(i *v1beta1.ServiceInstance) { i.Spec.Parameters = raw(`{"a":1}`); i.Spec.UserInfo = alice() }},
		{"somebody else's name alone", old, func(i *v1beta1.ServiceInstance) { i.Spec.UserInfo = &v1beta1.UserInfo{Username: "root"} }, func(*v1beta1.ServiceInstance) {}},
		{"another plan", old, func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanExternalName = "ext-bigger" },
			func(i *v1beta1.ServiceInstance) {
				i.Spec.ClusterServicePlanExternalName, i.Spec.ClusterServicePlanRef.Name, i.Spec.UserInfo = "ext-bigger", "bigger", alice()
			}},
		{"a plan that is not known, and a reference", old, func(i *v1beta1.ServiceInstance) {
			i.Spec.ClusterServicePlanExternalName, i.Spec.ClusterServicePlanRef.Name, i.Spec.ClusterServiceClassRef.Name = "ext-none", "bigger", "another"
		}, func(i *v1beta1.ServiceInstance) {
			i.Spec.ClusterServicePlanExternalName, i.Spec.ClusterServicePlanRef, i.Spec.UserInfo = "ext-none", nil, alice()
		}},
		{"references alone", unresolved, func(i *v1beta1.ServiceInstance) { catalog.SetRefs(&i.Spec, catalog.Cluster, refs("plan")) },
			func(i *v1beta1.ServiceInstance) { catalog.SetRefs(&i.Spec, catalog.Cluster, refs("plan")) }},
		{"a reference to another plan alone", old, func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanRef.Name = "bigger" }, func(*v1beta1.ServiceInstance) {}},
		{"a reference to another class alone", old, func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServiceClassRef.Name = "other" }, func(*v1beta1.ServiceInstance) {}},
		{"a request to update, with what was not resolved yet", unresolved, func(i *v1beta1.ServiceInstance) { i.Spec.UpdateRequests = 1 },
			func(i *v1beta1.ServiceInstance) {
				catalog.SetRefs(&i.Spec, catalog.Cluster, refs("plan"))
				i.Spec.UpdateRequests, i.Spec.UserInfo = 1, alice()
			}},
		{"a manifest in its place", old, func(i *v1beta1.ServiceInstance) {
			*i = *instance(func(i *v1beta1.ServiceInstance) { i.Labels = map[string]string{"a": "b"} })
		}, func(i *v1beta1.ServiceInstance) { i.Labels = map[string]string{"a": "b"} }},
		{"another class, which the schema refuses", old, func(i *v1beta1.ServiceInstance) {
			i.Spec.ClusterServiceClassExternalName = "other"
			catalog.SetRefs(&i.Spec, "", catalog.Refs{})
		}, func(i *v1beta1.ServiceInstance) {
			i.Spec.ClusterServiceClassExternalName, i.Spec.UserInfo = "other", alice()
		}},
		{"releasing", old, func(i *v1beta1.ServiceInstance) { i.Finalizers = nil }, func(i *v1beta1.ServiceInstance) { i.Finalizers = nil }},
		{"releasing, and a label", old, func(i *v1beta1.ServiceInstance) { i.Finalizers, i.Labels = nil, map[string]string{"a": "b"} },
			func(i *v1beta1.ServiceInstance) { i.Finalizers, i.Labels = nil, map[string]string{"a": "b"} }},
		{"the finalizer and the policy", old, func(i *v1beta1.ServiceInstance) {
			i.Finalizers = nil
			delete(i.Annotations, v1beta1.DeletionPolicyAnnotation)
		}, func(*v1beta1.ServiceInstance) {}},
		{"the policy alone", old, func(i *v1beta1.ServiceInstance) { delete(i.Annotations, v1beta1.DeletionPolicyAnnotation) },
			func(i *v1beta1.ServiceInstance) { delete(i.Annotations, v1beta1.DeletionPolicyAnnotation) }},
		{"the finalizer and the spec, with a policy of its own", old, func(i *v1beta1.ServiceInstance) {
			i.Finalizers, i.Spec.UpdateRequests = nil, 4
			i.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: "Delete"}
		}, func(i *v1beta1.ServiceInstance) {
			i.Annotations[v1beta1.DeletionPolicyAnnotation], i.Spec.UpdateRequests, i.Spec.UserInfo = "Delete", 4, alice()
		}},
		{"the record", old, func(i *v1beta1.ServiceInstance) {
			i.Annotations[v1beta1.MadeIDAnnotation] = "made 2030-01-02T03:04:05Z"
		}, func(*v1beta1.ServiceInstance) {}},
		{"a manifest in the place of one that is being deleted", deleted, func(i *v1beta1.ServiceInstance) { *i = *instance() }, func(*v1beta1.ServiceInstance) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, want := c.old.DeepCopy(), c.old.DeepCopy()
			c.edit(i)
			c.want(want)
			defaulted(t, k, c.old, i)
			if !equality.Semantic.DeepEqual(i.Spec, want.Spec) {
				t.Errorf("spec: %+v\ninstead of %+v", i.Spec, want.Spec)
			}
			if !equality.Semantic.DeepEqual(i.Finalizers, want.Finalizers) || !maps.Equal(i.Annotations, want.Annotations) {
				t.Errorf("%v %v instead of %v %v", i.Finalizers, i.Annotations, want.Finalizers, want.Annotations)
			}
			for key, value := range want.Labels {
				if i.Labels[key] != value {
					t.Errorf("labels: %v", i.Labels)
				}
			}
		})
	}

	withoutRecord := live(func(i *v1beta1.ServiceInstance) { i.Annotations = nil })
	i := withoutRecord.DeepCopy()
	i.Annotations = map[string]string{v1beta1.MadeIDAnnotation: "made 2026-01-02T03:04:05Z"}
	if defaulted(t, k, withoutRecord, i); len(i.Annotations) != 0 {
		t.Errorf("an id that was brought got a record: %v", i.Annotations)
	}
}

// TestWhatCameAround: of an object that no admission has seen the controller makes the id.
func TestWhatCameAround(t *testing.T) {
	k := knowing(t)
	old := instance(func(i *v1beta1.ServiceInstance) {
		i.Spec.ClusterServicePlanExternalName, i.Spec.UserInfo = "ext-plan", &v1beta1.UserInfo{Username: "bob"}
	})
	i := old.DeepCopy()
	i.Finalizers, i.Spec.ExternalID = []string{v1beta1.Finalizer}, "late"
	i.Annotations = map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("late", t0)}
	if defaulted(t, k, old, i); !catalog.RecordsID(i, "late") || i.Spec.UserInfo.Username != "bob" {
		t.Errorf("%v %+v", i.Annotations, i.Spec)
	}
	bound := binding(func(b *v1beta1.ServiceBinding) { b.Annotations, b.Spec.ExternalID = nil, "" })
	b := binding(func(b *v1beta1.ServiceBinding) { b.Spec.SecretName = "other" })
	if err := (bindingDefaulter{decoder, time.Now}).Default(request(t, bound), b); err != nil || b.Spec.ExternalID != "made" || !catalog.RecordsID(b, "made") || b.Spec.SecretName != "" {
		t.Errorf("%v %v %+v", err, b.Annotations, b.Spec)
	}
}

// TestOneOfTwoPlans: once an instance has its plan, more of them are no matter.
func TestOneOfTwoPlans(t *testing.T) {
	class := clusterClass("broker", "class")
	plan := clusterPlan(class, "plan", func(p *v1beta1.CommonServicePlanSpec) { p.InstanceUpdateParameterSchema = raw(`{"maxProperties":1}`) })
	v := instanceValidator{knowing(t, clusterBroker("broker", true), class, plan, clusterPlan(class, "other")), reviewer(t, new([]string))}
	old := live(func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanExternalName = "" })
	i := old.DeepCopy()
	i.Spec.Parameters = raw(`{"a":1}`)
	warnings, err := v.ValidateUpdate(request(t, old), old, defaulted(t, v.knowledge, old, i))
	says(t, "parameters", text(err)+lines(warnings))
	if catalog.RefsOf(&i.Spec, catalog.Cluster) != refs("plan") {
		t.Errorf("references: %+v", i.Spec)
	}
	i.Spec.Parameters = raw(`{"a":1,"b":2}`)
	_, err = v.ValidateUpdate(request(t, old), old, defaulted(t, v.knowledge, old, i))
	says(t, "too many", text(err), "spec.parameters")
}

// TestAClassThatTookAName: an instance stays with its class when that is renamed, and
// another takes its name.
func TestAClassThatTookAName(t *testing.T) {
	own := clusterClass("broker", "class", func(c *v1beta1.ClusterServiceClass) { c.Spec.ExternalName, c.Spec.PlanUpdatable = "ext-former", true })
	other := clusterClass("second", "other", func(c *v1beta1.ClusterServiceClass) { c.Spec.ExternalName = "ext-class" })
	objs := []client.Object{clusterBroker("broker", true), clusterBroker("second", true), own, other,
		clusterPlan(own, "plan"), clusterPlan(own, "bigger"),
		clusterPlan(other, "other-bigger", func(p *v1beta1.CommonServicePlanSpec) { p.ExternalName = "ext-bigger" }), clusterPlan(other, "biggest")}
	for _, c := range []struct {
		plan string
		want catalog.Refs
		warn []string
	}{
		{plan: "ext-bigger", want: refs("bigger")},
		{plan: "ext-biggest", want: refs(""), warn: []string{"will wait", "there is no"}},
	} {
		v := instanceValidator{knowing(t, objs...), reviewer(t, new([]string))}
		old := live()
		i := old.DeepCopy()
		i.Spec.ClusterServicePlanExternalName = c.plan
		if got := catalog.RefsOf(&defaulted(t, v.knowledge, old, i).Spec, catalog.Cluster); got != c.want {
			t.Errorf("%s: references are %v instead of %v", c.plan, got, c.want)
		}
		warnings, err := v.ValidateUpdate(request(t, old), old, defaulted(t, v.knowledge, old, i))
		says(t, c.plan, text(err))
		says(t, c.plan, lines(warnings), c.warn...)
	}
}

func alice() *v1beta1.UserInfo {
	return &v1beta1.UserInfo{Username: "alice", UID: "uid-alice", Groups: []string{"system:authenticated"}, Extra: map[string]v1beta1.ExtraValue{"scopes": {"a", "b"}}}
}

// TestPlanChanges: the plan that is left says whether it can be, and where it says nothing
// the class; both scopes alike.
func TestPlanChanges(t *testing.T) {
	for _, c := range []struct {
		name  string
		class bool
		plan  *bool
		edit  func(*v1beta1.ServiceInstance)
		error []string
		warn  []string
	}{
		{name: "the class can", class: true},
		{name: "the class cannot", error: []string{"spec.clusterServicePlanExternalName: Forbidden", `instances of plan "ext-plan" of "ext-class" cannot change their plan: create another ServiceInstance with the plan "ext-bigger"`}},
		{name: "the plan can", plan: new(true)},
		{name: "the plan cannot", class: true, plan: new(false), error: []string{"cannot change their plan"}},
		{name: "nothing was provisioned", edit: func(i *v1beta1.ServiceInstance) { i.Status.ProvisionStatus = "" }},
		{name: "it is being provisioned", edit: func(i *v1beta1.ServiceInstance) {
			i.Status.ProvisionStatus, i.Status.CurrentOperation, i.Status.AsyncOpInProgress = "", v1beta1.OperationProvision, true
		}, error: []string{"cannot change their plan"}},
		{name: "its provisioning is tried again", edit: func(i *v1beta1.ServiceInstance) {
			i.Status.ProvisionStatus, i.Status.CurrentOperation = "", v1beta1.OperationProvision
		}},
		{name: "it is being deleted", edit: func(i *v1beta1.ServiceInstance) { i.DeletionTimestamp = &metav1.Time{Time: t0} }},
		{name: "the plan is gone", class: true, edit: func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanRef.Name = "gone" }},
		{name: "the plan is gone, and the class cannot", edit: func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanRef.Name = "gone" }, error: []string{`instances of "ext-class" cannot change their plan`}},
		{name: "the class is gone", edit: func(i *v1beta1.ServiceInstance) {
			i.Spec.ClusterServiceClassRef.Name, i.Spec.ClusterServiceClassExternalName = "gone", "ext-gone"
		}, warn: []string{"whether the plan can be changed was not checked"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			class := clusterClass("broker", "class", func(k *v1beta1.ClusterServiceClass) { k.Spec.PlanUpdatable = c.class })
			plan := clusterPlan(class, "plan", func(p *v1beta1.CommonServicePlanSpec) { p.PlanUpdatable = c.plan })
			v := instanceValidator{knowing(t, clusterBroker("broker", true), class, plan, clusterPlan(class, "bigger")), reviewer(t, new([]string))}
			old := live()
			if c.edit != nil {
				c.edit(old)
			}
			i := old.DeepCopy()
			i.Spec.ClusterServicePlanExternalName = "ext-bigger"
			warnings, err := v.ValidateUpdate(request(t, old), old, defaulted(t, v.knowledge, old, i))
			says(t, "error", text(err), c.error...)
			says(t, "warnings", lines(warnings), c.warn...)
		})
	}

	class := &v1beta1.ServiceClass{}
	namespaceName(class, "ns", "class")
	class.Spec.ExternalName, class.Spec.ServiceBrokerName = "c", "broker"
	plan := &v1beta1.ServicePlan{}
	namespaceName(plan, "ns", "plan")
	plan.Spec.ExternalName = "p"
	plan.SetOwners("broker", "class")
	old := live(func(i *v1beta1.ServiceInstance) {
		i.Spec.PlanReference = v1beta1.PlanReference{ServiceClassExternalName: "c", ServicePlanExternalName: "p"}
		catalog.SetRefs(&i.Spec, catalog.Namespaced, refs("plan"))
	})
	i := old.DeepCopy()
	i.Spec.ServicePlanExternalName = "other"
	k := knowing(t, class, plan)
	_, err := instanceValidator{k, reviewer(t, new([]string))}.ValidateUpdate(request(t, old), old, defaulted(t, k, old, i))
	says(t, "namespaced", text(err), "spec.servicePlanExternalName: Forbidden", `instances of plan "p" of "c" cannot change their plan: create another ServiceInstance with the plan "other"`)
}

// TestParameters: they are checked against the schema of the next request, as far as they
// are known, and only where they are new.
func TestParameters(t *testing.T) {
	class := clusterClass("broker", "class", func(c *v1beta1.ClusterServiceClass) { c.Spec.PlanUpdatable = true })
	plan := clusterPlan(class, "plan", func(p *v1beta1.CommonServicePlanSpec) {
		p.InstanceCreateParameterSchema = raw(`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"size":{"type":"integer"}},"required":["size"]}`)
		p.InstanceUpdateParameterSchema = raw(`{"type":"object","properties":{"size":{"type":"integer","minimum":10}}}`)
	})
	broken := clusterPlan(class, "broken", func(p *v1beta1.CommonServicePlanSpec) {
		p.InstanceCreateParameterSchema = raw(`{"$ref":"https://example.com/schema"}`)
	})
	advisory := clusterPlan(class, "advisory", func(p *v1beta1.CommonServicePlanSpec) {
		p.InstanceCreateParameterSchema = plan.Spec.InstanceCreateParameterSchema
	})
	advisory.Annotations = map[string]string{v1beta1.SchemaPolicyAnnotation: v1beta1.SchemaPolicyWarn}
	narrow := clusterPlan(class, "narrow", func(p *v1beta1.CommonServicePlanSpec) {
		p.InstanceCreateParameterSchema = raw(`{"properties":{"size":{"type":"string"}}}`)
		p.InstanceUpdateParameterSchema = raw(`{"properties":{"size":{"type":"string"}}}`)
	})
	secret := []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "mine", Key: "k"}}}
	var asked []string
	v := instanceValidator{knowing(t, clusterBroker("broker", true), class, plan, broken, advisory, narrow), reviewer(t, &asked, "mine")}
	create := func(edit func(*v1beta1.ServiceInstance)) (string, string) {
		asked = nil
		i := defaulted(t, v.knowledge, nil, instance(func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanExternalName = "ext-plan" }, edit))
		warnings, err := v.ValidateCreate(request(t, nil), i)
		return lines(warnings), text(err)
	}
	_, err := create(func(i *v1beta1.ServiceInstance) { i.Spec.Parameters = raw(`{"size":"big"}`) })
	says(t, "a wrong type", err, "spec.parameters.size")
	_, err = create(func(*v1beta1.ServiceInstance) {})
	says(t, "none", err, "size")
	warnings, err := create(func(i *v1beta1.ServiceInstance) { i.Spec.ParametersFrom = secret })
	says(t, "more from a Secret", err)
	says(t, "more from a Secret", warnings, `Secret "mine" does not exist in namespace "ns"`)
	if len(asked) != 1 || asked[0] != "ns/mine" {
		t.Errorf("asked for %v", asked)
	}
	_, err = create(func(i *v1beta1.ServiceInstance) {
		i.Spec.ParametersFrom = []v1beta1.ParametersFromSource{secret[0], {SecretKeyRef: &v1beta1.SecretKeyReference{Name: "theirs", Key: "k"}}}
	})
	says(t, "another's Secret", err, "spec.parametersFrom[1].secretKeyRef.name: Forbidden", `"alice" may not get Secret "theirs"`)
	warnings, err = create(func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanExternalName = "ext-broken" })
	says(t, "a schema that cannot be used", err)
	says(t, "a schema that cannot be used", warnings, "spec.parameters: not checked")

	// F-B18: a plan may set itself what its schema requires.
	warn := func(i *v1beta1.ServiceInstance) {
		i.Annotations = map[string]string{v1beta1.SchemaPolicyAnnotation: v1beta1.SchemaPolicyWarn}
	}
	warnings, err = create(warn)
	says(t, "a schema that only warns", err)
	says(t, "a schema that only warns", warnings, "spec.parameters.size: Required value: must be given; the parameters are sent nevertheless, since the annotation bellhop.gophernetes.io/schema-policy is Warn")
	warnings, err = create(func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanExternalName = "ext-advisory" })
	says(t, "a plan whose schema only warns", err)
	says(t, "a plan whose schema only warns", warnings, "spec.parameters.size: Required value")
	_, err = create(func(i *v1beta1.ServiceInstance) {
		i.Spec.ClusterServicePlanExternalName = "ext-advisory"
		i.Annotations = map[string]string{v1beta1.SchemaPolicyAnnotation: v1beta1.SchemaPolicyEnforce}
	})
	says(t, "an instance that takes precedence", err, "spec.parameters.size: Required value")
	_, err = create(func(i *v1beta1.ServiceInstance) {
		i.Annotations = map[string]string{v1beta1.SchemaPolicyAnnotation: "Ignore"}
	})
	says(t, "an unknown policy", err, `metadata.annotations[bellhop.gophernetes.io/schema-policy]: Unsupported value: "Ignore": supported values: "Enforce", "Warn"`)

	old := live(func(i *v1beta1.ServiceInstance) { i.Spec.Parameters, i.Spec.ParametersFrom = raw(`{"size":1}`), secret })
	update := func(edit func(*v1beta1.ServiceInstance)) string {
		asked = nil
		i := old.DeepCopy()
		edit(i)
		_, err := v.ValidateUpdate(request(t, old), old, defaulted(t, v.knowledge, old, i))
		return text(err)
	}
	says(t, "what was there before", update(func(i *v1beta1.ServiceInstance) { i.Spec.UpdateRequests = 1 }))
	says(t, "too small for an update", update(func(i *v1beta1.ServiceInstance) { i.Spec.Parameters = raw(`{"size":2}`) }), "spec.parameters.size")
	says(t, "too small for an update, with a warning", update(func(i *v1beta1.ServiceInstance) {
		i.Spec.Parameters = raw(`{"size":2}`)
		metav1.SetMetaDataAnnotation(&i.ObjectMeta, v1beta1.SchemaPolicyAnnotation, v1beta1.SchemaPolicyWarn)
	}))
	says(t, "what an update to another plan does not send", update(func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanExternalName = "ext-narrow" }))
	says(t, "what it sends", update(func(i *v1beta1.ServiceInstance) {
		i.Spec.ClusterServicePlanExternalName, i.Spec.Parameters = "ext-narrow", raw(`{"size":2}`)
	}), "spec.parameters")
	says(t, "all of them gone", update(func(i *v1beta1.ServiceInstance) { i.Spec.Parameters = nil }))
	if len(asked) > 0 {
		t.Errorf("asked again for %v", asked)
	}
	says(t, "another key", update(func(i *v1beta1.ServiceInstance) {
		i.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "mine", Key: "other"}}}
	}))
	if len(asked) != 1 {
		t.Errorf("asked for %v", asked)
	}
	old.Status.ProvisionStatus = ""
	says(t, "before anything was provisioned", update(func(i *v1beta1.ServiceInstance) { i.Spec.Parameters = raw(`{"size":2}`) }))
	says(t, "another plan before anything was provisioned", update(func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanExternalName = "ext-narrow" }), "spec.parameters")
}

func TestDeletionPolicy(t *testing.T) {
	v := instanceValidator{knowing(t), reviewer(t, new([]string))}
	old := live()
	i := old.DeepCopy()
	i.Annotations[v1beta1.DeletionPolicyAnnotation] = "Orphan"
	_, err := v.ValidateUpdate(request(t, old), old, i)
	says(t, "new", text(err), "metadata.annotations[bellhop.gophernetes.io/deletion-policy]", `Unsupported value: "Orphan"`, `"Retain", "Delete"`)
	_, err = v.ValidateUpdate(request(t, i), i, i)
	says(t, "old", text(err))
	for _, policy := range []string{v1beta1.DeletionPolicyRetain, v1beta1.DeletionPolicyDelete} {
		i.Annotations[v1beta1.DeletionPolicyAnnotation] = policy
		_, err = v.ValidateUpdate(request(t, old), old, i)
		says(t, policy, text(err))
	}
}

// F-S6: parameters are bounded at creation and when they change; larger ones that are stored already do not block other changes.
func TestParametersAreBounded(t *testing.T) {
	sized := func(size int) func(*v1beta1.ServiceInstance) {
		return func(i *v1beta1.ServiceInstance) {
			i.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"a":"` + strings.Repeat("x", size) + `"}`)}
		}
	}
	v := instanceValidator{knowing(t), reviewer(t, new([]string))}
	const large = 257 << 10
	_, err := v.ValidateCreate(request(t, nil), instance(sized(large)))
	says(t, "creation", text(err), "spec.parameters", "and may have 262144")
	_, err = v.ValidateCreate(request(t, nil), instance(func(i *v1beta1.ServiceInstance) {
		i.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"a":[` + strings.Repeat(`{"b":1},`, 4096) + `{}]}`)}
	}))
	says(t, "many fields", text(err), "spec.parameters", "has 4097 fields, and may have 4096")
	old := instance(sized(large))
	_, err = v.ValidateUpdate(request(t, nil), old, defaulted(t, v.knowledge, old, instance(sized(large), func(i *v1beta1.ServiceInstance) { i.Spec.UpdateRequests++ })))
	says(t, "another change", text(err))
	_, err = v.ValidateUpdate(request(t, nil), old, instance(sized(large+1)))
	says(t, "a change", text(err), "spec.parameters", "and may have 262144")
	_, err = v.ValidateUpdate(request(t, nil), old, instance(func(i *v1beta1.ServiceInstance) {
		i.Annotations = map[string]string{v1beta1.ParametersPolicyAnnotation: "Never"}
	}))
	says(t, "an unknown policy", text(err), `Unsupported value: "Never": supported values: "Automatic", "Manual"`)
}
