// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// F-S57: the API server gives a mutating webhook the status that a user wrote, and replaces it afterwards.
var _ = DescribeTable("A status of a request changes nothing that a webhook sets", func(ctx SpecContext, kind, text, forged, want string) {
	ns := newNamespace(ctx)
	createNamespacedCatalog(ctx, ns)
	alice := impersonate("alice")
	honest := createStored(ctx, impersonate("bob"), parseObject(kind, ns, "honest-"+ns, text))
	DeferCleanup(deleteWithoutFinalizers, honest)
	for _, status := range []string{`{"conditions":7}`, `7`, `[]`, `{"observedGeneration":"x","removedFromBrokerCatalog":"x"}`} {
		change, expected, have := map[string]any{}, map[string]any{}, map[string]any{}
		Expect(json.Unmarshal([]byte(forged), &change)).To(Succeed())
		change["status"] = json.RawMessage(status)
		Expect(json.Unmarshal([]byte(want), &expected)).To(Succeed())

		By("creating with the status " + status)
		created := parseObject(kind, ns, "forged-"+ns, text)
		body, err := json.Marshal(applyMergePatch(created.Object, change))
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Unmarshal(body, &created.Object)).To(Succeed())
		Expect(alice.Create(ctx, created, client.DryRunAll)).To(Succeed())
		stored, err := created.MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Unmarshal(stored, &have)).To(Succeed())
		Expect(findDifferences("", expected, have)).To(BeEmpty(), string(stored))

		By("patching with the status " + status)
		patched := honest.DeepCopy()
		body, err = json.Marshal(change)
		Expect(err).NotTo(HaveOccurred())
		Expect(alice.Patch(ctx, patched, client.RawPatch(types.MergePatchType, body), client.DryRunAll)).To(Succeed())
		Expect(patched.GetFinalizers()).To(Equal(honest.GetFinalizers()))
		Expect(madeIDOf(patched)).To(Equal(madeIDOf(honest)))
		if kind != "ServiceInstance" { // the spec of an instance is the user's
			Expect(patched.Object["spec"]).To(Equal(honest.Object["spec"]))
		} else {
			Expect(patched.Object["spec"]).To(HaveKeyWithValue("userInfo", HaveKeyWithValue("username", "alice")))
			Expect(patched.Object["spec"]).To(HaveKeyWithValue("clusterServicePlanRef", HaveKeyWithValue("name", "plan-1")))
		}
	}
},
	Entry(nil, "ServiceInstance", instanceManifest,
		`{"metadata":{"annotations":{"bellhop.gophernetes.io/made-id":"x 2030-01-01T00:00:00Z"}},"spec":{"parameters":{"a":1},"userInfo":{"username":"root","uid":"0","groups":["system:masters"]},"clusterServicePlanRef":{"name":"other"}}}`,
		`{"metadata":{"finalizers":["kubernetes-incubator/service-catalog"]},"spec":{"externalID":"U","userInfo":{"username":"alice","uid":"uid-alice","groups":["system:authenticated"]},"clusterServicePlanRef":{"name":"plan-1"}}}`),
	Entry(nil, "ServiceBinding", bindingManifest,
		`{"metadata":{"annotations":{"bellhop.gophernetes.io/made-id":"x 2030-01-01T00:00:00Z"}},"spec":{"parameters":{"a":1},"userInfo":{"username":"root","uid":"0","groups":["system:masters"]}}}`,
		`{"metadata":{"finalizers":["kubernetes-incubator/service-catalog"]},"spec":{"externalID":"U","userInfo":{"username":"alice","uid":"uid-alice","groups":["system:authenticated"]}}}`),
	Entry(nil, "ServiceBroker", `{spec: {url: "https://broker.example.com"}}`,
		`{"metadata":{"finalizers":null},"spec":{"relistBehavior":null}}`, `{"metadata":{"finalizers":["kubernetes-incubator/service-catalog"]},"spec":{"relistBehavior":"Duration"}}`),
	Entry(nil, "ClusterServiceBroker", `{spec: {url: "https://broker.example.com"}}`,
		`{"metadata":{"finalizers":null},"spec":{"relistBehavior":null}}`, `{"metadata":{"finalizers":["kubernetes-incubator/service-catalog"]},"spec":{"relistBehavior":"Duration"}}`),
	Entry(nil, "ServiceClass", `{spec: {externalName: x, externalID: x, description: x, serviceBrokerName: osba}}`,
		`{"spec":{"serviceBrokerName":"other"}}`, `{"metadata":{"labels":{"servicecatalog.k8s.io/spec.externalID":"54a2f7f92a5f975d8096af77a126edda7da60c5aa872ef1b871701ae"}}}`),
	Entry(nil, "ClusterServiceClass", `{spec: {externalName: x, externalID: x, description: x, clusterServiceBrokerName: seed}}`,
		`{"spec":{"clusterServiceBrokerName":"other"}}`, `{"metadata":{"labels":{"servicecatalog.k8s.io/spec.externalID":"54a2f7f92a5f975d8096af77a126edda7da60c5aa872ef1b871701ae"}}}`),
	Entry(nil, "ServicePlan", `{spec: {externalName: x, externalID: x, description: x, serviceBrokerName: osba, serviceClassRef: {name: class-1}, free: true}}`,
		`{"spec":{"serviceBrokerName":"other","serviceClassRef":{"name":"other"}}}`, `{"metadata":{"labels":{"servicecatalog.k8s.io/spec.externalID":"54a2f7f92a5f975d8096af77a126edda7da60c5aa872ef1b871701ae"}}}`),
	Entry(nil, "ClusterServicePlan", `{spec: {externalName: x, externalID: x, description: x, clusterServiceBrokerName: seed, clusterServiceClassRef: {name: class-1}, free: true}}`,
		`{"spec":{"clusterServiceBrokerName":"other","clusterServiceClassRef":{"name":"other"}}}`, `{"metadata":{"labels":{"servicecatalog.k8s.io/spec.externalID":"54a2f7f92a5f975d8096af77a126edda7da60c5aa872ef1b871701ae"}}}`),
)

var _ = DescribeTable("A value of the wrong type is refused with its field", func(ctx SpecContext, kind, text, want string) {
	Expect(impersonate("alice").Create(ctx, parseObject(kind, newNamespace(ctx), "a", text))).To(MatchError(ContainSubstring(want)))
},
	Entry(nil, "ServiceInstance", `{spec: {clusterServiceClassExternalName: x, parametersFrom: text}}`, `spec.parametersFrom: Invalid value: "string": must be an array`),
	Entry(nil, "ServiceInstance", `{spec: {clusterServiceClassExternalName: x, parametersFrom: [{secretKeyRef: {name: 7, key: k}}]}}`, `spec.parametersFrom[0].secretKeyRef.name: Invalid value: "number": must be a string`),
	Entry(nil, "ServiceBinding", `{spec: {instanceRef: db}}`, `spec.instanceRef: Invalid value: "string": must be an object`),
	Entry(nil, "ServiceBroker", `{spec: {url: "https://broker.example.com", relistDuration: 15}}`, `spec.relistDuration: Invalid value: "number": `),
	Entry(nil, "ServiceBroker", `{spec: {url: "https://broker.example.com", caBundle: "%"}}`, `spec.caBundle: Invalid value: "string": must be a string in base64`),
)
