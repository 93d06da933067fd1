// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// withoutRules removes rules and required fields from a schema.
func withoutRules(schema map[string]any) {
	delete(schema, "x-kubernetes-validations")
	delete(schema, "required")
	for _, part := range schema {
		switch part := part.(type) {
		case map[string]any:
			withoutRules(part)
		case []any:
			for _, p := range part {
				if m, ok := p.(map[string]any); ok {
					withoutRules(m)
				}
			}
		}
	}
}

// loosen removes the rules of the specs of a CRD until its result is called.
func loosen(ctx context.Context, name string) (restore func(ctx context.Context)) {
	GinkgoHelper()
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, crd)).To(Succeed())
	before := crd.DeepCopy()
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	Expect(err).NotTo(HaveOccurred())
	for _, v := range versions {
		spec, _, err := unstructured.NestedFieldNoCopy(v.(map[string]any), "schema", "openAPIV3Schema", "properties", "spec")
		Expect(err).NotTo(HaveOccurred())
		withoutRules(spec.(map[string]any))
	}
	Expect(unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions")).To(Succeed())
	Expect(k8s.Update(ctx, crd)).To(Succeed())
	return func(ctx context.Context) {
		now := before.DeepCopy()
		Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, crd)).To(Succeed())
		now.SetResourceVersion(crd.GetResourceVersion())
		Expect(k8s.Update(ctx, now)).To(Succeed())
	}
}

// F-S57: objects that were stored before the schema had its rules continue to work: their status, their finalizers and their metadata can be written.
var _ = Describe("An object that was stored before the rules of the schema", Ordered, ContinueOnFailure, func() {
	kinds := []struct{ kind, resource, spec string }{
		{"ServiceInstance", "serviceinstances", `{clusterServiceClassExternalName: x}`},
		{"ServiceBinding", "servicebindings", `{instanceRef: {name: x}}`},
		{"ServiceClass", "serviceclasses", `{}`}, // without its required fields
		{"ServicePlan", "serviceplans", `{}`},
		{"ServiceBroker", "servicebrokers", `{}`},
	}
	stored := map[string]*unstructured.Unstructured{}
	BeforeAll(func(ctx SpecContext) {
		ns := newNamespace(ctx)
		nowhere := &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/none": "none"}}
		changeHooks(ctx, func(_ bool, _ *admissionregistrationv1.WebhookClientConfig, around **metav1.LabelSelector) {
			*around = nowhere
		},
			func(ctx context.Context) error {
				u := parseObject("ServiceBinding", ns, "probe", `{metadata: {annotations: {bellhop.gophernetes.io/deletion-policy: Other}}, spec: {instanceRef: {name: x}}}`)
				return k8s.Create(ctx, u, client.DryRunAll)
			})
		for _, k := range kinds {
			restore := loosen(ctx, k.resource+".servicecatalog.k8s.io")
			u := parseObject(k.kind, ns, "old", `{spec: `+k.spec+`}`)
			Eventually(func() error { return k8s.Create(ctx, u) }).Should(Succeed())
			stored[k.kind] = u
			restore(ctx)
		}
		Eventually(func() error {
			return k8s.Create(ctx, parseObject("ServicePlan", ns, "probe", `{spec: {}}`), client.DryRunAll)
		}).Should(MatchError(apierrors.IsInvalid, "IsInvalid"))
	})
	for _, k := range kinds {
		It("has its metadata, status and finalizers written: "+k.kind, func(ctx SpecContext) {
			u := stored[k.kind]
			write := func(text string) error {
				return k8s.Patch(ctx, u.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(text)))
			}
			if k.spec != "{}" { // as the controller completes what bypassed admission
				Expect(write(`{"metadata":{"finalizers":["kubernetes-incubator/service-catalog"]},"spec":{"externalID":"later"}}`)).To(Succeed())
			}
			Expect(write(`{"metadata":{"labels":{"a":"b"},"finalizers":["kubernetes-incubator/service-catalog"]}}`)).To(Succeed())
			Expect(k8s.Status().Patch(ctx, u.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"conditions":[]}}`)))).To(Succeed())
			Expect(k8s.Delete(ctx, u.DeepCopy())).To(Succeed())
			Expect(write(`{"metadata":{"finalizers":null}}`)).To(Succeed())
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(u), u)).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		})
	}
})
