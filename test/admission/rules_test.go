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

package admission_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

const (
	anInstance = `{spec: {clusterServiceClassExternalName: azure-mysql, clusterServicePlanExternalName: basic50}}`
	aBinding   = `{spec: {instanceRef: {name: x}}}`
)

var _ = Describe("Admission", func() {
	var ns string
	BeforeEach(func(ctx SpecContext) { ns = newNamespace(ctx) })

	patch := func(ctx context.Context, by *user, u *unstructured.Unstructured, text string) error {
		return by.Patch(ctx, u, client.RawPatch(types.MergePatchType, []byte(text)))
	}
	record := func(u *unstructured.Unstructured) string { return u.GetAnnotations()[v1beta1.MadeIDAnnotation] }

	DescribeTable("records the id that it made, whatever anybody says of it", func(ctx SpecContext, kind, text string) {
		alice := as("alice")
		u := store(ctx, alice, object(kind, ns, "a", text))
		DeferCleanup(release, u)
		made := record(u)
		id, _, _ := unstructured.NestedString(u.Object, "spec", "externalID")
		Expect(made).To(HavePrefix(id + " 20"))
		Expect(id).To(MatchRegexp(uuid.String()))

		By("changing, dropping and forging it")
		for _, change := range []string{
			`{"metadata":{"annotations":{"bellhop.gophernetes.io/made-id":"x 2030-01-01T00:00:00Z"}}}`,
			`{"metadata":{"annotations":{"bellhop.gophernetes.io/made-id":null}}}`,
			`{"metadata":{"annotations":null}}`,
		} {
			Expect(patch(ctx, alice, u, change)).To(Succeed())
			Expect(record(u)).To(Equal(made), change)
		}

		By("copying the object into another namespace")
		copied := u.DeepCopy()
		copied.SetNamespace(newNamespace(ctx))
		copied.SetResourceVersion("")
		copied.SetUID("")
		Expect(alice.Create(ctx, copied)).To(MatchError(ContainSubstring(`is the id of an object in another namespace`)))
		Expect(unstructured.SetNestedField(copied.Object, id+"-2", "spec", "externalID")).To(Succeed())
		Expect(alice.Create(ctx, copied, client.DryRunAll)).To(Succeed())
		Expect(record(copied)).To(BeEmpty())
		Expect(alice.heard()).To(ContainSubstring("left alone when this object is deleted"))
	},
		Entry(nil, "ServiceInstance", anInstance),
		Entry(nil, "ServiceBinding", aBinding),
	)

	DescribeTable("lets go of what is let go of, and of nothing that is replaced", func(ctx SpecContext, kind, text string) {
		alice := as("alice")
		u := store(ctx, alice, object(kind, ns, "a", text))
		before := u.DeepCopy()
		Expect(patch(ctx, alice, u, `{"metadata":{"annotations":{"bellhop.gophernetes.io/deletion-policy":"Retain"}}}`)).To(Succeed())

		By("replacing it by its manifest")
		manifest := object(kind, ns, "a", text)
		manifest.SetResourceVersion(u.GetResourceVersion())
		manifest.SetLabels(map[string]string{"x": "y"})
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(manifest.GetFinalizers()).To(Equal([]string{v1beta1.Finalizer}))
		Expect(manifest.GetAnnotations()).To(HaveKeyWithValue(v1beta1.DeletionPolicyAnnotation, "Retain"))
		Expect(record(manifest)).To(Equal(record(before)))
		Expect(manifest.Object["spec"]).To(Equal(before.Object["spec"]))
		Expect(manifest.GetGeneration()).To(BeEquivalentTo(1))
		Expect(manifest.GetLabels()).To(HaveKeyWithValue("x", "y"))

		By("replacing it while it is being deleted")
		Expect(k8s.Delete(ctx, u)).To(Succeed())
		Expect(alice.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
		manifest = object(kind, ns, "a", text)
		manifest.SetResourceVersion(u.GetResourceVersion())
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(manifest.GetFinalizers()).To(Equal([]string{v1beta1.Finalizer}))

		By("removing the finalizer, as svcat --abandon does")
		manifest.SetFinalizers(nil)
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(client.IgnoreNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(u), u))).To(Succeed())
	},
		Entry(nil, "ServiceInstance", anInstance),
		Entry(nil, "ServiceBinding", aBinding),
	)

	DescribeTable("keeps a broker that is replaced by its manifest, and lets go of one that is let go of", func(ctx SpecContext, text string) {
		alice := as("alice")
		u := store(ctx, alice, object("ServiceBroker", ns, "b", text))

		By("replacing it by its manifest")
		manifest := object("ServiceBroker", ns, "b", text)
		manifest.SetResourceVersion(u.GetResourceVersion())
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(manifest.GetFinalizers()).To(Equal([]string{v1beta1.Finalizer}))
		Expect(manifest.Object["spec"]).To(Equal(u.Object["spec"]))

		By("removing the finalizer")
		manifest.SetFinalizers(nil)
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(manifest.GetFinalizers()).To(BeEmpty())
	},
		Entry("that leaves out what is the default", `{spec: {url: "https://broker.example.com"}}`),
		Entry("that says some of it", `{spec: {url: "https://broker.example.com", relistBehavior: Duration}}`),
	)

	DescribeTable("changes nothing where nothing changes", func(ctx SpecContext, kind, text string) {
		alice := as("alice")
		apply := func(text string) *unstructured.Unstructured {
			u := object(kind, ns, "a", text)
			Expect(alice.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("gitops"))).To(Succeed())
			return u
		}
		first := apply(text)
		DeferCleanup(release, first.DeepCopy())
		// The API server drops the status of a create, and its default is stored with the next request.
		stored := apply(text)
		again := apply(text)
		Expect(again.GetResourceVersion()).To(Equal(stored.GetResourceVersion()))
		Expect(patch(ctx, as("bob"), again, `{"metadata":{"labels":{"x":"y"}}}`)).To(Succeed())
		Expect(again.Object["spec"]).To(Equal(first.Object["spec"]))
		Expect(again.GetGeneration()).To(BeEquivalentTo(1))
	},
		Entry(nil, "ServiceInstance", anInstance),
		Entry(nil, "ServiceInstance", `{spec: {clusterServiceClassExternalName: azure-mysql}}`),
		Entry(nil, "ServiceBinding", aBinding),
		Entry(nil, "ServiceBroker", `{spec: {url: "https://broker.example.com"}}`),
	)

	It("refuses to bind to what is going away", func(ctx SpecContext) { // G30
		alice := as("alice")
		i := store(ctx, alice, object("ServiceInstance", ns, "i1", anInstance))
		DeferCleanup(func(ctx SpecContext) { Expect(patch(ctx, alice, i, `{"metadata":{"finalizers":null}}`)).To(Succeed()) })
		Expect(alice.Delete(ctx, i)).To(Succeed())
		Eventually(func() (*metav1.Time, error) {
			known := &v1beta1.ServiceInstance{}
			err := cache.Get(ctx, client.ObjectKeyFromObject(i), known)
			return known.DeletionTimestamp, err
		}).ShouldNot(BeNil())
		Expect(alice.Create(ctx, object("ServiceBinding", ns, "b1", `{spec: {instanceRef: {name: i1}}}`))).To(
			MatchError(SatisfyAll(ContainSubstring("spec.instanceRef.name"), ContainSubstring("being deleted"))))
	})

	DescribeTable("asks who may read the Secrets that are named", func(ctx SpecContext, kind, text, path string) {
		Expect(as("alice").Create(ctx, object(kind, ns, "a", text))).To(
			MatchError(SatisfyAll(ContainSubstring(path+": Forbidden"), ContainSubstring(`"alice" may not get Secret "theirs"`))))
		root := object(kind, ns, "a", text)
		Expect(k8s.Create(ctx, root, client.DryRunAll)).To(Succeed())
	},
		Entry(nil, "ServiceInstance", `{spec: {clusterServiceClassExternalName: azure-mysql, parametersFrom: [{secretKeyRef: {name: tok, key: k}}, {secretKeyRef: {name: theirs, key: k}}]}}`, "spec.parametersFrom[1].secretKeyRef.name"),
		Entry(nil, "ServiceBinding", `{spec: {instanceRef: {name: x}, parametersFrom: [{secretKeyRef: {name: theirs, key: k}}]}}`, "spec.parametersFrom[0].secretKeyRef.name"),
		Entry(nil, "ServiceBinding", `{spec: {instanceRef: {name: x}, secretTransforms: [{addKeysFrom: {secretRef: {name: theirs}}}]}}`, "spec.secretTransforms[0].addKeysFrom.secretRef.name"),
	)

	It("warns of what a deletion leaves", func(ctx SpecContext) {
		alice := as("alice")
		i := store(ctx, alice, object("ServiceInstance", ns, "i", anInstance))
		b := store(ctx, alice, object("ServiceBinding", ns, "b", `{spec: {instanceRef: {name: i}}}`))
		Expect(alice.Delete(ctx, i, client.DryRunAll)).To(Succeed())
		Expect(alice.heard()).To(ContainSubstring(`ServiceInstance "i" stays until its ServiceBindings are gone: ` + ns + "/b"))
		class := object("ClusterServiceClass", "", "class-1", "{}")
		Expect(alice.Delete(ctx, class, client.DryRunAll)).To(Succeed())
		Expect(alice.heard()).To(ContainSubstring(`ServiceInstances of ClusterServiceClass "class-1" are left`))
		broker := object("ClusterServiceBroker", "", "seed", "{}")
		Expect(alice.Delete(ctx, broker, client.DryRunAll)).To(Succeed())
		Expect(alice.heard()).To(ContainSubstring(`ClusterServiceBroker "seed" stays until its ServiceInstances are gone`))
		release(ctx, b)
		release(ctx, i)
	})

	It("keeps out exactly what it must of a transformation", func(ctx SpecContext) {
		alice := as("alice")
		for text, want := range map[string]string{
			`{addKey: {key: a}, removeKey: {key: b}}`: "exactly one of the fields in [renameKey addKey addKeysFrom removeKey] must be set",
			`{}`: "exactly one of the fields",
			`{addKeysFrom: {secretRef: {name: tok, namespace: kube-system}}}`: "must be left out, or be the binding's own",
			`{addKeysFrom: {}}`: "spec.secretTransforms[0].addKeysFrom.secretRef: Required value",
		} {
			Expect(alice.Create(ctx, object("ServiceBinding", ns, "b", `{spec: {instanceRef: {name: x}, secretTransforms: [`+text+`]}}`))).To(MatchError(ContainSubstring(want)), text)
		}
	})
})
