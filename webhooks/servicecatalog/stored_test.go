// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// TestInstancesAreCheckedAsStored is F-S57: the validator refuses what the defaulter would not have let through.
func TestInstancesAreCheckedAsStored(t *testing.T) {
	class := clusterClass("broker", "class")
	k := knowing(t, clusterBroker("broker", true), class, clusterPlan(class, "plan"), clusterPlan(class, "bigger"), live())
	v := instanceValidator{k, reviewer(t, new([]string))}
	root := &v1beta1.UserInfo{Username: "root", Groups: []string{"system:masters"}}
	for _, c := range []struct {
		name string
		edit func(*v1beta1.ServiceInstance)
		want []string
	}{
		{name: "what the defaulter made", edit: func(*v1beta1.ServiceInstance) {}},
		{name: "another user", edit: func(i *v1beta1.ServiceInstance) { i.Spec.UserInfo = root }, want: []string{"spec.userInfo: Forbidden"}},
		{name: "no user", edit: func(i *v1beta1.ServiceInstance) { i.Spec.UserInfo = nil }, want: []string{"spec.userInfo: Forbidden"}},
		{name: "no id", edit: func(i *v1beta1.ServiceInstance) { i.Spec.ExternalID, i.Annotations = "", nil }, want: []string{"spec.externalID: Required value"}},
		{name: "a record of another id", edit: func(i *v1beta1.ServiceInstance) {
			i.Annotations[v1beta1.MadeIDAnnotation] = catalog.MadeID("other", t0)
		}, want: []string{"metadata.annotations[bellhop.gophernetes.io/made-id]: Forbidden"}},
		{name: "a record of an id that another object has", edit: func(i *v1beta1.ServiceInstance) {
			i.Spec.ExternalID, i.Annotations[v1beta1.MadeIDAnnotation] = "made", catalog.MadeID("made", t0)
		}, want: []string{`spec.externalID: Invalid value: "made": is the id of "i"`}},
		{name: "another plan than the named one", edit: func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanRef.Name = "bigger" },
			want: []string{`spec.clusterServicePlanRef: Invalid value: "bigger"`}},
		{name: "another class than the named one", edit: func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServiceClassRef.Name = "other" },
			want: []string{`spec.clusterServiceClassRef: Invalid value: "other"`}},
		{name: "no reference yet", edit: func(i *v1beta1.ServiceInstance) { catalog.SetRefs(&i.Spec, catalog.Cluster, catalog.Refs{}) }},
	} {
		i := defaulted(t, k, nil, instance(func(i *v1beta1.ServiceInstance) { i.Name, i.Spec.ClusterServicePlanExternalName = "new", "ext-plan" }))
		c.edit(i)
		_, err := v.ValidateCreate(request(t, nil), i)
		says(t, c.name, text(err), c.want...)
	}

	going := &metav1.Time{Time: t0}
	for _, c := range []struct {
		name   string
		before func(*v1beta1.ServiceInstance)
		edit   func(*v1beta1.ServiceInstance)
		want   []string
	}{
		{name: "nothing", edit: func(*v1beta1.ServiceInstance) {}},
		{name: "the user without another change", edit: func(i *v1beta1.ServiceInstance) { i.Spec.UserInfo = alice() }, want: []string{"spec.userInfo: Forbidden"}},
		{name: "a change without its user", edit: func(i *v1beta1.ServiceInstance) { i.Spec.Parameters = raw(`{"a":1}`) }, want: []string{"spec.userInfo: Forbidden"}},
		{name: "a change with its user", edit: func(i *v1beta1.ServiceInstance) { i.Spec.Parameters, i.Spec.UserInfo = raw(`{"a":1}`), alice() }},
		{name: "the user while it is being deleted", before: func(i *v1beta1.ServiceInstance) { i.DeletionTimestamp = going },
			edit: func(i *v1beta1.ServiceInstance) { i.Spec.UserInfo = root }, want: []string{"spec.userInfo: Forbidden"}},
		{name: "the record", edit: func(i *v1beta1.ServiceInstance) { i.Annotations = nil }, want: []string{"made-id]: Forbidden"}},
		{name: "the finalizer", edit: func(i *v1beta1.ServiceInstance) { i.Finalizers = nil }},
		{name: "the finalizer and a policy", edit: func(i *v1beta1.ServiceInstance) {
			i.Finalizers, i.Annotations[v1beta1.ParametersPolicyAnnotation] = nil, v1beta1.ParametersManual
		}, want: []string{"metadata.finalizers: Forbidden"}},
		{name: "the finalizer and the spec", edit: func(i *v1beta1.ServiceInstance) {
			i.Finalizers, i.Spec.Parameters, i.Spec.UserInfo = nil, raw(`{"a":1}`), alice()
		}, want: []string{"metadata.finalizers: Forbidden"}},
		{name: "the reference to the plan", edit: func(i *v1beta1.ServiceInstance) { i.Spec.ClusterServicePlanRef.Name = "bigger" }, want: []string{"spec.clusterServicePlanRef: Invalid value"}},
		{name: "another plan, and the former reference", edit: func(i *v1beta1.ServiceInstance) {
			i.Spec.ClusterServicePlanExternalName, i.Spec.UserInfo = "ext-later", alice()
		}, before: func(i *v1beta1.ServiceInstance) { i.Status.ProvisionStatus = "" }, want: []string{`spec.clusterServicePlanRef: Invalid value: "plan"`}},
		{name: "the operator's id and record, where it had none", before: func(i *v1beta1.ServiceInstance) { i.Spec.ExternalID, i.Annotations, i.Finalizers = "", nil, nil },
			edit: func(i *v1beta1.ServiceInstance) {
				i.Spec.ExternalID, i.Annotations, i.Finalizers = "new", map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("new", t0)}, []string{v1beta1.Finalizer}
			}},
		{name: "the id of another object, where it had none", before: func(i *v1beta1.ServiceInstance) { i.Name, i.Spec.ExternalID, i.Annotations = "bypassed", "", nil },
			edit: func(i *v1beta1.ServiceInstance) {
				i.Spec.ExternalID, i.Annotations = "made", map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("made", t0)}
			}, want: []string{`is the id of "i"`}},
		{name: "the operator's references, where it had none", before: func(i *v1beta1.ServiceInstance) { catalog.SetRefs(&i.Spec, catalog.Cluster, catalog.Refs{}) },
			edit: func(i *v1beta1.ServiceInstance) { catalog.SetRefs(&i.Spec, catalog.Cluster, refs("plan")) }},
	} {
		old := live()
		if c.before != nil {
			c.before(old)
		}
		i := old.DeepCopy()
		c.edit(i)
		_, err := v.ValidateUpdate(request(t, old), old, i)
		says(t, c.name, text(err), c.want...)
	}
}

// TestBindingsAreCheckedAsStored is F-S57: no field of a binding's spec changes, and no other user's identity is stored.
func TestBindingsAreCheckedAsStored(t *testing.T) {
	v := bindingValidator{knowing(t, binding(func(b *v1beta1.ServiceBinding) { b.Name = "holder" })), reviewer(t, new([]string))}
	made := func() *v1beta1.ServiceBinding {
		b := &v1beta1.ServiceBinding{}
		namespaceName(b, "ns", "b")
		b.Spec.InstanceRef.Name = "i"
		if err := (bindingDefaulter{decoder, func() time.Time { return t0 }}).Default(request(t, nil), b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	root := &v1beta1.UserInfo{Username: "root"}
	for name, c := range map[string]struct {
		edit func(*v1beta1.ServiceBinding)
		want []string
	}{
		"what the defaulter made": {edit: func(*v1beta1.ServiceBinding) {}},
		"another user":            {edit: func(b *v1beta1.ServiceBinding) { b.Spec.UserInfo = root }, want: []string{"spec.userInfo: Forbidden"}},
		"no id":                   {edit: func(b *v1beta1.ServiceBinding) { b.Spec.ExternalID, b.Annotations = "", nil }, want: []string{"spec.externalID: Required value"}},
		"the id of another object, with a record": {edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.ExternalID, b.Annotations[v1beta1.MadeIDAnnotation] = "made", catalog.MadeID("made", t0)
		}, want: []string{`is the id of "holder"`}},
	} {
		b := made()
		c.edit(b)
		_, err := v.ValidateCreate(request(t, nil), b)
		says(t, name, text(err), c.want...)
	}
	for name, c := range map[string]struct {
		edit func(*v1beta1.ServiceBinding)
		want []string
	}{
		"nothing":       {edit: func(*v1beta1.ServiceBinding) {}},
		"the finalizer": {edit: func(b *v1beta1.ServiceBinding) { b.Finalizers = nil }},
		"an annotation": {edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.RebindAnnotation] = "now" }},
		"the finalizer and an annotation": {edit: func(b *v1beta1.ServiceBinding) {
			b.Finalizers, b.Annotations[v1beta1.RebindAnnotation] = nil, "now"
		}, want: []string{"metadata.finalizers: Forbidden"}},
		"the record": {edit: func(b *v1beta1.ServiceBinding) { delete(b.Annotations, v1beta1.MadeIDAnnotation) }, want: []string{"made-id]: Forbidden"}},
		"the user":   {edit: func(b *v1beta1.ServiceBinding) { b.Spec.UserInfo = root }, want: []string{"spec.userInfo: Forbidden"}},
		"all": {edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.InstanceRef.Name, b.Spec.SecretName, b.Spec.ExternalID, b.Spec.Parameters = "other", "other", "other", raw(`{"a":1}`)
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "s", Key: "k"}}}
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{{RemoveKey: &v1beta1.RemoveKeyTransform{Key: "k"}}}
		}, want: []string{"spec.instanceRef: Forbidden", "spec.secretName: Forbidden", "spec.externalID: Forbidden", "spec.parameters: Forbidden", "spec.parametersFrom: Forbidden", "spec.secretTransforms: Forbidden"}},
	} {
		old := made()
		b := old.DeepCopy()
		c.edit(b)
		_, err := v.ValidateUpdate(request(t, old), old, b)
		says(t, name, text(err), c.want...)
	}
}

// TestBrokersAreCheckedAsStored is F-S57: an update of the spec keeps the finalizer.
func TestBrokersAreCheckedAsStored(t *testing.T) {
	v := brokerValidator[*v1beta1.ServiceBroker]{knowing(t), reviewer(t, new([]string)), Options{Guard: outbound.NewGuard(nil, nil)}}
	old := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "b", Finalizers: []string{v1beta1.Finalizer}}}
	old.Spec.URL = "https://broker.example.com"
	b := old.DeepCopy()
	b.Spec.RelistRequests++
	_, err := v.ValidateUpdate(request(t, old), old, b)
	says(t, "with the finalizer", text(err))
	b.Finalizers = nil
	_, err = v.ValidateUpdate(request(t, old), old, b)
	says(t, "without the finalizer", text(err), "metadata.finalizers: Forbidden")
}
