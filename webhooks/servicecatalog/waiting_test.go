// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func from(secret string) []v1beta1.ParametersFromSource {
	return []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: secret, Key: "all"}}}
}

// F-S62: a binding that waits for its instance has its Secrets sent by whichever user creates the instance.
func TestF_S62_AnInstanceCompletesBindings(t *testing.T) {
	waiting := binding(func(b *v1beta1.ServiceBinding) { b.Spec.ParametersFrom = from("theirs") })
	class := clusterClass("broker", "class")
	for _, c := range []struct {
		name  string
		objs  []client.Object
		error []string
	}{
		{"of a user who may not get the Secret", []client.Object{waiting}, []string{"metadata.name: Forbidden", `"alice" may not get Secret "theirs" in namespace "ns", so they may not have it sent for ServiceBinding "b" either`}},
		{"of a user who may", []client.Object{binding(func(b *v1beta1.ServiceBinding) { b.Spec.ParametersFrom = from("mine") })}, nil},
		{"without Secrets", []client.Object{binding()}, nil},
		{"of another instance", []client.Object{binding(func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom, b.Spec.InstanceRef.Name = from("theirs"), "other"
		})}, nil},
		{"of another namespace", []client.Object{binding(func(b *v1beta1.ServiceBinding) { b.Spec.ParametersFrom, b.Namespace = from("theirs"), "other" })}, nil},
		{"that is being deleted", []client.Object{binding(func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom, b.Finalizers, b.DeletionTimestamp = from("theirs"), []string{v1beta1.Finalizer}, new(metav1.Now())
		})}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for what, k := range map[string]knowledge{
				"known":    knowing(t, append(c.objs, class, clusterPlan(class, "plan"))...),
				"starting": starting(t, c.objs...), // a guarantee does not wait for the other caches
			} {
				i := defaulted(t, k, nil, instance())
				_, err := instanceValidator{k, reviewer(t, new([]string), "mine")}.ValidateCreate(request(t, nil), i)
				says(t, what, text(err), c.error...)
			}
		})
	}
}

// F-S51: an instance that waits for its class has its Secrets, and those of its bindings, sent by whichever user has the class offered.
func TestF_S51_ABrokerOrClassCompletesInstances(t *testing.T) {
	guard := Options{Guard: outbound.NewGuard(nil, nil)}
	ofCluster := instance(func(i *v1beta1.ServiceInstance) { i.Spec.ParametersFrom = from("theirs") })
	ofNamespace := instance(func(i *v1beta1.ServiceInstance) {
		i.Spec.PlanReference = v1beta1.PlanReference{ServiceClassExternalName: "ext-class"}
		i.Spec.ParametersFrom = from("theirs")
	})
	withBinding := ofNamespace.DeepCopy()
	withBinding.Spec.ParametersFrom = nil
	edited := func(i *v1beta1.ServiceInstance, edit func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
		i = i.DeepCopy()
		edit(i)
		return i
	}
	dangling := edited(ofNamespace, func(i *v1beta1.ServiceInstance) {
		i.Spec.ServiceClassRef = &v1beta1.LocalObjectReference{Name: "class"}
	})
	class := &v1beta1.ServiceClass{}
	namespaceName(class, "ns", "class")
	class.Spec.ExternalName, class.Spec.ExternalID, class.Spec.ServiceBrokerName = "ext-class", "id-class", "b"
	others := class.DeepCopy()
	others.Spec.ServiceBrokerName = "other"
	for _, c := range []struct {
		name string
		objs []client.Object
		// cluster and namespaced: the creation of a broker or class of the scope completes the instance.
		cluster, namespaced bool
		sent                string
	}{
		{"waits for a class of the cluster", []client.Object{ofCluster}, true, false, `ServiceInstance "i"`},
		{"waits for a class of the namespace", []client.Object{ofNamespace}, false, true, `ServiceInstance "i"`},
		{"waits, with a binding", []client.Object{withBinding, binding(func(b *v1beta1.ServiceBinding) { b.Spec.ParametersFrom = from("theirs") })}, false, true, `ServiceBinding "b"`},
		{"its class is gone", []client.Object{dangling}, false, true, `ServiceInstance "i"`},
		{"waits in another namespace", []client.Object{edited(ofNamespace, func(i *v1beta1.ServiceInstance) { i.Namespace = "other" })}, false, false, ""},
		{"is at another broker", []client.Object{edited(ofNamespace, func(i *v1beta1.ServiceInstance) {
			i.Status.Broker = &v1beta1.BrokerReference{Kind: "ServiceBroker", Name: "other"}
		})}, false, false, ""},
		{"is being deleted", []client.Object{edited(ofNamespace, func(i *v1beta1.ServiceInstance) {
			i.Finalizers, i.DeletionTimestamp = []string{v1beta1.Finalizer}, new(metav1.Now())
		})}, false, false, ""},
		{"has no Secrets", []client.Object{withBinding}, false, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := knowing(t, c.objs...)
			access := reviewer(t, new([]string), "mine")
			refused := func(what string, completes bool, path string, err error) {
				t.Helper()
				if !completes {
					says(t, what, text(err))
					return
				}
				says(t, what, text(err), path+": Forbidden", `"alice" may not get Secret "theirs" in namespace "ns", so they may not have it sent for `+c.sent+" either")
			}
			local, shared := brokerValidator[*v1beta1.ServiceBroker]{k, access, guard}, brokerValidator[*v1beta1.ClusterServiceBroker]{k, access, guard}
			b := broker("https://broker.example.com")
			_, err := local.ValidateCreate(request(t, nil), b)
			refused("a ServiceBroker", c.namespaced, "spec.url", err)
			_, err = shared.ValidateCreate(request(t, nil), global(b))
			refused("a ClusterServiceBroker", c.cluster, "spec.url", err)

			open := b.DeepCopy()
			open.Spec.CatalogRestrictions = &v1beta1.CatalogRestrictions{ServiceClass: []string{"spec.externalName=ext-class"}}
			_, err = local.ValidateUpdate(request(t, b), b, open)
			refused("other restrictions", c.namespaced, "spec.catalogRestrictions", err)
			relisted := b.DeepCopy()
			relisted.Spec.RelistRequests++
			_, err = local.ValidateUpdate(request(t, b), b, relisted)
			says(t, "a request to relist", text(err))

			if c.name == "its class is gone" || c.namespaced || c.sent == "" {
				err = classDefaulter[*v1beta1.ServiceClass]{k, access, decoder}.Default(request(t, nil), class.DeepCopy())
				refused("a ServiceClass", c.namespaced, "spec.serviceBrokerName", err)
				renamed := class.DeepCopy()
				renamed.Spec.ExternalName, renamed.Name = "before", "renamed"
				after := renamed.DeepCopy()
				after.Spec.ExternalName = "ext-class"
				err = classDefaulter[*v1beta1.ServiceClass]{k, access, decoder}.Default(request(t, renamed), after)
				refused("a ServiceClass with another name", c.namespaced && c.name != "its class is gone", "spec.serviceBrokerName", err)
				err = classDefaulter[*v1beta1.ServiceClass]{k, access, decoder}.Default(request(t, class), class.DeepCopy())
				says(t, "a ServiceClass with the same names", text(err))
			}
			if c.cluster {
				err = classDefaulter[*v1beta1.ClusterServiceClass]{k, access, decoder}.Default(request(t, nil), clusterClass("broker", "class"))
				refused("a ClusterServiceClass", true, "spec.clusterServiceBrokerName", err)
			}
		})
	}

	// While the class exists, its broker gets the Secrets, and no other one.
	for owner, completes := range map[*v1beta1.ServiceClass]bool{class: true, others: false} {
		v := brokerValidator[*v1beta1.ServiceBroker]{knowing(t, owner, ofNamespace), reviewer(t, new([]string), "mine"), guard}
		_, err := v.ValidateCreate(request(t, nil), broker("https://broker.example.com"))
		if completes {
			says(t, "the broker of the class", text(err), "spec.url: Forbidden")
		} else {
			says(t, "another broker", text(err))
		}
	}
}

// F-S62: the references of an instance decide which broker is sent its Secrets. A user who writes them into an instance that waits has them
// ignored, and where no mutating webhook has seen the request, refused.
func TestF_S62_AReferenceCompletesAnInstance(t *testing.T) {
	attackers, awaited, copied := clusterClass("attackers", "attackers"), clusterClass("broker", "class"), clusterClass("attackers", "copied")
	copied.Spec.ExternalName = "ext-class"
	local := &v1beta1.ServiceClass{}
	namespaceName(local, "ns", "attackers")
	local.Spec.ExternalName, local.Spec.ServiceBrokerName = "ext-class", "attackers"
	forged := []client.Object{clusterBroker("attackers", true), clusterBroker("broker", true), attackers, clusterPlan(attackers, "attackers-plan"), local}
	ambiguous := append([]client.Object{awaited, clusterPlan(awaited, "plan"), copied, clusterPlan(copied, "copied-plan")}, forged...)
	known := append([]client.Object{awaited, clusterPlan(awaited, "plan")}, forged...)
	with := func(objs []client.Object, more ...client.Object) knowledge {
		return knowing(t, append(more, objs...)...)
	}
	to := func(scope catalog.Scope, class, plan string) func(*v1beta1.ServiceInstance) {
		return func(i *v1beta1.ServiceInstance) {
			catalog.SetRefs(&i.Spec, scope, catalog.Refs{Class: class, Plan: plan})
		}
	}
	const refused = "is set by Bellhop, and cannot be changed: leave it out"
	for _, c := range []struct {
		name   string
		k      knowledge
		secret string
		edit   func(*v1beta1.ServiceInstance)
		want   []string
		// ignored are the references after the mutating webhook.
		ignored catalog.Refs
	}{
		{"another class, while the named one does not exist", with(forged), "mine", to(catalog.Cluster, "attackers", "attackers-plan"),
			[]string{`spec.clusterServiceClassRef: Invalid value: "attackers"`, `spec.clusterServicePlanRef: Invalid value: "attackers-plan"`, refused}, catalog.Refs{}},
		{"a class without a plan", with(forged), "mine", to(catalog.Cluster, "attackers", ""), []string{`spec.clusterServiceClassRef: Invalid value: "attackers"`}, catalog.Refs{}},
		{"a plan without a class", with(forged), "mine", to(catalog.Cluster, "", "attackers-plan"), []string{`spec.clusterServicePlanRef: Invalid value: "attackers-plan"`}, catalog.Refs{}},
		{"what does not exist", with(forged), "mine", to(catalog.Cluster, "later", "later-plan"), []string{`spec.clusterServiceClassRef: Invalid value: "later"`}, catalog.Refs{}},
		{"a class of the other scope", with(forged), "mine", to(catalog.Namespaced, "attackers", ""), []string{"spec.serviceClassRef: Forbidden"}, catalog.Refs{}},
		{"one of two classes of the name", with(ambiguous), "mine", to(catalog.Cluster, "copied", "copied-plan"), []string{`spec.clusterServiceClassRef: Invalid value: "copied"`}, catalog.Refs{}},
		{"another class than the named one", with(known), "mine", to(catalog.Cluster, "attackers", "attackers-plan"), []string{`spec.clusterServiceClassRef: Invalid value: "attackers"`}, refs("plan")},
		{"a plan of another class", with(known), "mine", to(catalog.Cluster, "class", "attackers-plan"), []string{`spec.clusterServicePlanRef: Invalid value: "attackers-plan"`}, refs("plan")},
		{"the named one, of a user who may not get the Secret", with(known), "theirs", to(catalog.Cluster, "class", "plan"),
			[]string{"spec.parametersFrom[0].secretKeyRef.name: Forbidden", `"alice" may not get Secret "theirs"`}, refs("plan")},
		{"the named one, of a user who may", with(known), "mine", to(catalog.Cluster, "class", "plan"), nil, refs("plan")},
		{"the named one, with the Secret of a binding", with(known, binding(func(b *v1beta1.ServiceBinding) { b.Spec.ParametersFrom = from("theirs") })), "mine", to(catalog.Cluster, "class", "plan"),
			[]string{"spec: Forbidden", `"alice" may not get Secret "theirs" in namespace "ns", so they may not have it sent for ServiceBinding "b" either`}, refs("plan")},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := live(func(i *v1beta1.ServiceInstance) {
				i.Spec.ClusterServicePlanExternalName, i.Spec.ParametersFrom, i.Status.ProvisionStatus = "", from(c.secret), ""
				catalog.SetRefs(&i.Spec, catalog.Cluster, catalog.Refs{})
			})
			i := old.DeepCopy()
			c.edit(i)
			v := instanceValidator{c.k, reviewer(t, new([]string), "mine")}
			_, err := v.ValidateUpdate(request(t, old), old, i)
			says(t, "as it is", text(err), c.want...)
			for _, k := range []knowledge{c.k, {c.k.index, starting(t).synced}} {
				is := catalog.RefsOf(&defaulted(t, k, old, i.DeepCopy()).Spec, catalog.Cluster)
				if is != c.ignored && is != (catalog.Refs{}) {
					t.Errorf("the references are %v, want %v", is, c.ignored)
				}
			}
			created := defaulted(t, c.k, nil, instance())
			if created.Spec.ParametersFrom = from("mine"); c.want != nil && !strings.Contains(c.want[0], "Secret") && !strings.Contains(text(err), "may not get") {
				c.edit(created)
				_, err = v.ValidateCreate(request(t, nil), created)
				says(t, "created", text(err), c.want...)
			}
		})
	}

	// What is referenced stays: nothing else may be, also where another class takes the name.
	old := live(func(i *v1beta1.ServiceInstance) { i.Status.ProvisionStatus = "" })
	for name, edit := range map[string]func(*v1beta1.ServiceInstance){
		"removed":            to(catalog.Cluster, "", ""),
		"another":            to(catalog.Cluster, "attackers", "attackers-plan"),
		"of the other scope": to(catalog.Namespaced, "attackers", ""),
	} {
		i := old.DeepCopy()
		edit(i)
		_, err := instanceValidator{with(known), reviewer(t, new([]string))}.ValidateUpdate(request(t, old), old, i)
		says(t, name, text(err), "lassRef", refused)
		if is := catalog.RefsOf(&defaulted(t, with(known), old, i).Spec, catalog.Cluster); is != refs("plan") {
			t.Errorf("%s: the references are %v", name, is)
		}
	}
}
