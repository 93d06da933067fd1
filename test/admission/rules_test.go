// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

const (
	instanceManifest = `{spec: {clusterServiceClassExternalName: azure-mysql, clusterServicePlanExternalName: basic50}}`
	bindingManifest  = `{spec: {instanceRef: {name: x}}}`
)

// madeIDOf returns the record of the external id that the operator generated.
func madeIDOf(u *unstructured.Unstructured) string {
	return u.GetAnnotations()[v1beta1.MadeIDAnnotation]
}

var _ = Describe("Admission", func() {
	var ns string
	BeforeEach(func(ctx SpecContext) { ns = newNamespace(ctx) })

	patch := func(ctx context.Context, by *user, u *unstructured.Unstructured, text string) error {
		return by.Patch(ctx, u, client.RawPatch(types.MergePatchType, []byte(text)))
	}

	DescribeTable("keeps the record of an external id that it generated, whatever users write", func(ctx SpecContext, kind, text string) {
		alice := impersonate("alice")
		u := createStored(ctx, alice, parseObject(kind, ns, "a", text))
		DeferCleanup(deleteWithoutFinalizers, u)
		made := madeIDOf(u)
		id, _, _ := unstructured.NestedString(u.Object, "spec", "externalID")
		Expect(made).To(HavePrefix(id + " 20"))
		Expect(id).To(MatchRegexp(uuid.String()))

		By("changing, removing and forging the record")
		for _, change := range []string{
			`{"metadata":{"annotations":{"bellhop.gophernetes.io/made-id":"x 2030-01-01T00:00:00Z"}}}`,
			`{"metadata":{"annotations":{"bellhop.gophernetes.io/made-id":null}}}`,
			`{"metadata":{"annotations":null}}`,
		} {
			Expect(patch(ctx, alice, u, change)).To(Succeed())
			Expect(madeIDOf(u)).To(Equal(made), change)
		}

		By("copying the object into another namespace")
		copied := u.DeepCopy()
		copied.SetNamespace(newNamespace(ctx))
		copied.SetResourceVersion("")
		copied.SetUID("")
		Expect(alice.Create(ctx, copied)).To(MatchError(ContainSubstring(`is the id of an object in another namespace`)))
		Expect(unstructured.SetNestedField(copied.Object, id+"-2", "spec", "externalID")).To(Succeed())
		Expect(alice.Create(ctx, copied, client.DryRunAll)).To(Succeed())
		Expect(madeIDOf(copied)).To(BeEmpty())
		Expect(alice.receivedWarnings()).To(ContainSubstring("left in place when this object is deleted"))
	},
		Entry(nil, "ServiceInstance", instanceManifest),
		Entry(nil, "ServiceBinding", bindingManifest),
	)

	DescribeTable("releases an object when a user removes the finalizer, and not when a manifest without finalizer replaces it", func(ctx SpecContext, kind, text string) {
		alice := impersonate("alice")
		u := createStored(ctx, alice, parseObject(kind, ns, "a", text))
		before := u.DeepCopy()
		Expect(patch(ctx, alice, u, `{"metadata":{"annotations":{"bellhop.gophernetes.io/deletion-policy":"Retain"}}}`)).To(Succeed())

		By("replacing the object by its manifest")
		manifest := parseObject(kind, ns, "a", text)
		manifest.SetResourceVersion(u.GetResourceVersion())
		manifest.SetLabels(map[string]string{"x": "y"})
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(manifest.GetFinalizers()).To(Equal([]string{v1beta1.Finalizer}))
		Expect(manifest.GetAnnotations()).To(HaveKeyWithValue(v1beta1.DeletionPolicyAnnotation, "Retain"))
		Expect(madeIDOf(manifest)).To(Equal(madeIDOf(before)))
		Expect(manifest.Object["spec"]).To(Equal(before.Object["spec"]))
		Expect(manifest.GetGeneration()).To(BeEquivalentTo(1))
		Expect(manifest.GetLabels()).To(HaveKeyWithValue("x", "y"))

		By("replacing the object while it is being deleted")
		Expect(k8s.Delete(ctx, u)).To(Succeed())
		Expect(alice.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
		manifest = parseObject(kind, ns, "a", text)
		manifest.SetResourceVersion(u.GetResourceVersion())
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(manifest.GetFinalizers()).To(Equal([]string{v1beta1.Finalizer}))

		By("removing the finalizer, as svcat --abandon does")
		manifest.SetFinalizers(nil)
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(client.IgnoreNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(u), u))).To(Succeed())
	},
		Entry(nil, "ServiceInstance", instanceManifest),
		Entry(nil, "ServiceBinding", bindingManifest),
	)

	DescribeTable("keeps the finalizer of a broker that is replaced by its manifest, and releases it when a user removes the finalizer", func(ctx SpecContext, text string) {
		alice := impersonate("alice")
		u := createStored(ctx, alice, parseObject("ServiceBroker", ns, "b", text))

		By("replacing the broker by its manifest")
		manifest := parseObject("ServiceBroker", ns, "b", text)
		manifest.SetResourceVersion(u.GetResourceVersion())
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(manifest.GetFinalizers()).To(Equal([]string{v1beta1.Finalizer}))
		Expect(manifest.Object["spec"]).To(Equal(u.Object["spec"]))

		By("removing the finalizer")
		manifest.SetFinalizers(nil)
		Expect(alice.Update(ctx, manifest)).To(Succeed())
		Expect(manifest.GetFinalizers()).To(BeEmpty())
	},
		Entry("without fields that have a default", `{spec: {url: "https://broker.example.com"}}`),
		Entry("with one field that has a default", `{spec: {url: "https://broker.example.com", relistBehavior: Duration}}`),
	)

	DescribeTable("changes nothing when the same manifest is applied again", func(ctx SpecContext, kind, text string) {
		alice := impersonate("alice")
		apply := func(text string) *unstructured.Unstructured {
			u := parseObject(kind, ns, "a", text)
			Expect(alice.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("gitops"))).To(Succeed())
			return u
		}
		first := apply(text)
		DeferCleanup(deleteWithoutFinalizers, first.DeepCopy())
		// The API server drops the status of a create request. It stores the default of the status with the next request.
		stored := apply(text)
		again := apply(text)
		Expect(again.GetResourceVersion()).To(Equal(stored.GetResourceVersion()))
		Expect(patch(ctx, impersonate("bob"), again, `{"metadata":{"labels":{"x":"y"}}}`)).To(Succeed())
		Expect(again.Object["spec"]).To(Equal(first.Object["spec"]))
		Expect(again.GetGeneration()).To(BeEquivalentTo(1))
	},
		Entry(nil, "ServiceInstance", instanceManifest),
		Entry(nil, "ServiceInstance", `{spec: {clusterServiceClassExternalName: azure-mysql}}`),
		Entry(nil, "ServiceBinding", bindingManifest),
		Entry(nil, "ServiceBroker", `{spec: {url: "https://broker.example.com"}}`),
	)

	It("refuses to bind to an instance that is being deleted", func(ctx SpecContext) { // G30
		alice := impersonate("alice")
		i := createStored(ctx, alice, parseObject("ServiceInstance", ns, "i1", instanceManifest))
		DeferCleanup(func(ctx SpecContext) { Expect(patch(ctx, alice, i, `{"metadata":{"finalizers":null}}`)).To(Succeed()) })
		Expect(alice.Delete(ctx, i)).To(Succeed())
		Eventually(func() (*metav1.Time, error) {
			known := &v1beta1.ServiceInstance{}
			err := cache.Get(ctx, client.ObjectKeyFromObject(i), known)
			return known.DeletionTimestamp, err
		}).ShouldNot(BeNil())
		Expect(alice.Create(ctx, parseObject("ServiceBinding", ns, "b1", `{spec: {instanceRef: {name: i1}}}`))).To(
			MatchError(SatisfyAll(ContainSubstring("spec.instanceRef.name"), ContainSubstring("being deleted"))))
	})

	DescribeTable("refuses references to Secrets that the user may not read", func(ctx SpecContext, kind, text, path string) {
		Expect(impersonate("alice").Create(ctx, parseObject(kind, ns, "a", text))).To(
			MatchError(SatisfyAll(ContainSubstring(path+": Forbidden"), ContainSubstring(`"alice" may not get Secret "theirs"`))))
		root := parseObject(kind, ns, "a", text)
		Expect(k8s.Create(ctx, root, client.DryRunAll)).To(Succeed())
	},
		Entry(nil, "ServiceInstance", `{spec: {clusterServiceClassExternalName: azure-mysql, parametersFrom: [{secretKeyRef: {name: tok, key: k}}, {secretKeyRef: {name: theirs, key: k}}]}}`, "spec.parametersFrom[1].secretKeyRef.name"),
		Entry(nil, "ServiceBinding", `{spec: {instanceRef: {name: x}, parametersFrom: [{secretKeyRef: {name: theirs, key: k}}]}}`, "spec.parametersFrom[0].secretKeyRef.name"),
		Entry(nil, "ServiceBinding", `{spec: {instanceRef: {name: x}, secretTransforms: [{addKeysFrom: {secretRef: {name: theirs}}}]}}`, "spec.secretTransforms[0].addKeysFrom.secretRef.name"),
	)

	DescribeTable("refuses a broker with a Secret that the user may not read, when it is created and when it is changed", func(ctx SpecContext, kind, auth, field string) {
		alice, name := impersonate("alice"), "b-"+ns
		object := func(secret string) *unstructured.Unstructured {
			return parseObject(kind, ns, name, strings.NewReplacer("SECRET", secret, "NS", ns).Replace(`{spec: {url: "https://broker.example.com", authInfo: `+auth+`}}`))
		}
		refused := MatchError(SatisfyAll(ContainSubstring("spec.authInfo."+field+".secretRef.name: Forbidden"), ContainSubstring(`"alice" may not get Secret "theirs"`)))
		Expect(alice.Create(ctx, object("theirs"))).To(refused)

		b := createStored(ctx, alice, object("tok"))
		DeferCleanup(deleteWithoutFinalizers, b)
		changed := object("theirs")
		text, err := json.Marshal(map[string]any{"spec": changed.Object["spec"]})
		Expect(err).NotTo(HaveOccurred())
		Expect(patch(ctx, alice, b.DeepCopy(), string(text))).To(refused)
		changed.SetResourceVersion(b.GetResourceVersion())
		Expect(alice.Update(ctx, changed)).To(refused)

		By("leading a Secret that the user may not read to another address")
		theirs := object("theirs")
		theirs.SetName(name + "-theirs")
		Expect(k8s.Create(ctx, theirs)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, theirs)).To(Succeed()) })
		Expect(patch(ctx, alice, theirs.DeepCopy(), `{"spec":{"url":"https://elsewhere.example.com"}}`)).To(refused)
		Expect(patch(ctx, alice, theirs, `{"metadata":{"finalizers":null}}`)).To(Succeed())
	},
		Entry(nil, "ServiceBroker", `{basic: {secretRef: {name: SECRET}}}`, "basic"),
		Entry(nil, "ServiceBroker", `{bearer: {secretRef: {name: SECRET}}}`, "bearer"),
		Entry(nil, "ServiceBroker", `{oauth2: {tokenURL: "https://token.example.com", secretRef: {name: SECRET}}}`, "oauth2"),
		Entry(nil, "ServiceBroker", `{clientCertificate: {secretRef: {name: SECRET}}}`, "clientCertificate"),
		Entry(nil, "ClusterServiceBroker", `{basic: {secretRef: {namespace: NS, name: SECRET}}}`, "basic"),
		Entry(nil, "ClusterServiceBroker", `{bearer: {secretRef: {namespace: NS, name: SECRET}}}`, "bearer"),
		Entry(nil, "ClusterServiceBroker", `{oauth2: {tokenURL: "https://token.example.com", secretRef: {namespace: NS, name: SECRET}}}`, "oauth2"),
		Entry(nil, "ClusterServiceBroker", `{clientCertificate: {secretRef: {namespace: NS, name: SECRET}}}`, "clientCertificate"),
	)

	// F-S62: the class of a reference decides which broker is sent the Secrets.
	It("sets references to what the spec names, and refuses the first one of a user who may not read the Secrets", func(ctx SpecContext) { // G23
		theirs := createStored(ctx, &user{Client: k8s}, parseObject("ServiceInstance", ns, "theirs", `{spec: {serviceClassExternalName: c, servicePlanExternalName: p1, parametersFrom: [{secretKeyRef: {name: theirs, key: k}}]}}`))
		own := createStored(ctx, impersonate("bob"), parseObject("ServiceInstance", ns, "own", `{spec: {serviceClassExternalName: c, servicePlanExternalName: p1}}`))
		DeferCleanup(deleteWithoutFinalizers, theirs)
		DeferCleanup(deleteWithoutFinalizers, own)
		createNamespacedCatalog(ctx, ns)
		const references = `{"spec":{"serviceClassRef":{"name":"class-1"},"servicePlanRef":{"name":"plan-p1"}}}`

		controller := impersonate("system:serviceaccount:catalog:controller-manager")
		Expect(patch(ctx, controller, own, `{"spec":{"serviceClassRef":{"name":"class-1"},"servicePlanRef":{"name":"plan-p2"}}}`)).To(Succeed())
		Expect(findDifferences("", map[string]any{"serviceClassRef": map[string]any{"name": "class-1"}, "servicePlanRef": map[string]any{"name": "plan-p1"}}, own.Object["spec"])).To(BeEmpty())
		Expect(patch(ctx, controller, own, references)).To(Succeed())
		Expect(own.GetGeneration()).To(BeEquivalentTo(2))
		Expect(own.GetLabels()).To(HaveKeyWithValue("servicecatalog.k8s.io/spec.serviceClassRef.name", catalog.Hash("class-1")))
		name, _, _ := unstructured.NestedString(own.Object, "spec", "userInfo", "username")
		Expect(name).To(Equal("bob"))

		Expect(patch(ctx, impersonate("alice"), theirs.DeepCopy(), references)).To(
			MatchError(SatisfyAll(ContainSubstring("spec.parametersFrom[0].secretKeyRef.name: Forbidden"), ContainSubstring(`"alice" may not get Secret "theirs"`))))
		Expect(patch(ctx, &user{Client: k8s}, theirs, references)).To(Succeed())
	})

	It("warns of what stays after a deletion", func(ctx SpecContext) {
		alice := impersonate("alice")
		i := createStored(ctx, alice, parseObject("ServiceInstance", ns, "i", instanceManifest))
		b := createStored(ctx, alice, parseObject("ServiceBinding", ns, "b", `{spec: {instanceRef: {name: i}}}`))
		Expect(alice.Delete(ctx, i, client.DryRunAll)).To(Succeed())
		Expect(alice.receivedWarnings()).To(ContainSubstring(`ServiceInstance "i" stays until its ServiceBindings are gone: ` + ns + "/b"))
		class := parseObject("ClusterServiceClass", "", "class-1", "{}")
		Expect(alice.Delete(ctx, class, client.DryRunAll)).To(Succeed())
		Expect(alice.receivedWarnings()).To(ContainSubstring(`ServiceInstances of ClusterServiceClass "class-1" are left`))
		broker := parseObject("ClusterServiceBroker", "", "seed", "{}")
		Expect(alice.Delete(ctx, broker, client.DryRunAll)).To(Succeed())
		Expect(alice.receivedWarnings()).To(ContainSubstring(`ClusterServiceBroker "seed" stays until its ServiceInstances are gone`))
		deleteWithoutFinalizers(ctx, b)
		deleteWithoutFinalizers(ctx, i)
	})

	It("accepts only valid transforms", func(ctx SpecContext) {
		alice := impersonate("alice")
		for text, want := range map[string]string{
			`{addKey: {key: a}, removeKey: {key: b}}`: "exactly one of the fields in [renameKey addKey addKeysFrom removeKey] must be set",
			`{}`: "exactly one of the fields",
			`{addKeysFrom: {secretRef: {name: tok, namespace: kube-system}}}`: "must be left out, or be the binding's own",
			`{addKeysFrom: {}}`: "spec.secretTransforms[0].addKeysFrom.secretRef: Required value",
		} {
			Expect(alice.Create(ctx, parseObject("ServiceBinding", ns, "b", `{spec: {instanceRef: {name: x}, secretTransforms: [`+text+`]}}`))).To(MatchError(ContainSubstring(want)), text)
		}
	})
})
