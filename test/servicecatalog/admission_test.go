// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

var _ = Describe("The API", func() {
	DescribeTable("has the columns and names of the former service-catalog", func(ctx SpecContext, kind, plural, singular, scope string, columns ...string) {
		crd := &unstructured.Unstructured{}
		crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		Expect(k8s.Get(ctx, client.ObjectKey{Name: plural + "." + v1beta1.GroupVersion.Group}, crd)).To(Succeed())
		Expect(crd.GetLabels()).To(HaveKeyWithValue("svcat", "true"))
		Expect(crd.GetAnnotations()).To(HaveKeyWithValue("api-approved.kubernetes.io", "unapproved, successor of the retired service-catalog"))
		spec := crd.Object["spec"].(map[string]any)
		Expect(spec["scope"]).To(Equal(scope))
		Expect(spec["names"]).To(Equal(map[string]any{
			"kind": kind, "listKind": kind + "List", "plural": plural, "singular": singular, "categories": []any{"all", "svcat", "bellhop"},
		}), "the former has the first two categories, and no short names")
		versions := spec["versions"].([]any)
		Expect(versions).To(HaveLen(1))
		version := versions[0].(map[string]any)
		Expect(version).To(SatisfyAll(HaveKeyWithValue("name", "v1beta1"), HaveKeyWithValue("subresources", HaveKey("status"))))
		shown, wide := []string{}, []string{}
		for _, c := range version["additionalPrinterColumns"].([]any) {
			column := c.(map[string]any)
			text := fmt.Sprintf("%s (%s) %s", column["name"], column["type"], column["jsonPath"])
			if column["priority"] != nil { // only kubectl get -o wide shows the column
				wide = append(wide, text)
			} else {
				shown = append(shown, text)
			}
		}
		Expect(shown).To(Equal(append(columns, "Age (date) .metadata.creationTimestamp")))
		if slices.Contains([]string{"ServiceInstance", "ServiceBinding"}, kind) {
			Expect(wide).To(Equal([]string{"External-ID (string) .spec.externalID", "Current-ID (string) .status.externalID"}))
		} else {
			Expect(wide).To(BeEmpty())
		}
	},
		Entry(nil, "ClusterServiceBroker", "clusterservicebrokers", "clusterservicebroker", "Cluster", "URL (string) .spec.url", "Status (string) .status.lastConditionState"),
		Entry(nil, "ServiceBroker", "servicebrokers", "servicebroker", "Namespaced", "URL (string) .spec.url", "Status (string) .status.lastConditionState"),
		Entry(nil, "ClusterServiceClass", "clusterserviceclasses", "clusterserviceclass", "Cluster", "External-Name (string) .spec.externalName", "Broker (string) .spec.clusterServiceBrokerName"),
		Entry(nil, "ServiceClass", "serviceclasses", "serviceclass", "Namespaced", "External-Name (string) .spec.externalName", "Broker (string) .spec.serviceBrokerName"),
		Entry(nil, "ClusterServicePlan", "clusterserviceplans", "clusterserviceplan", "Cluster", "External-Name (string) .spec.externalName", "Broker (string) .spec.clusterServiceBrokerName", "Class (string) .spec.clusterServiceClassRef.name"),
		Entry(nil, "ServicePlan", "serviceplans", "serviceplan", "Namespaced", "External-Name (string) .spec.externalName", "Broker (string) .spec.serviceBrokerName", "Class (string) .spec.serviceClassRef.name"),
		Entry(nil, "ServiceInstance", "serviceinstances", "serviceinstance", "Namespaced", "Class (string) .status.userSpecifiedClassName", "Plan (string) .status.userSpecifiedPlanName", "Status (string) .status.lastConditionState"),
		Entry(nil, "ServiceBinding", "servicebindings", "servicebinding", "Namespaced", "Service-Instance (string) .spec.instanceRef.name", "Secret-Name (string) ..secretName", "Status (string) .status.lastConditionState"),
	)

	It("describes every field", func(ctx SpecContext) {
		out, err := kubectl(ctx, "", "get", "--raw", "/openapi/v3/apis/"+v1beta1.GroupVersion.String())
		Expect(err).NotTo(HaveOccurred())
		var document struct {
			Components struct {
				Schemas map[string]map[string]any
			}
		}
		Expect(json.Unmarshal([]byte(out), &document)).To(Succeed())
		kindSet := 0
		for name, s := range document.Components.Schemas {
			if strings.Contains(name, "servicecatalog") && !strings.HasSuffix(name, "List") {
				kindSet++
				Expect(findUndescribed(name[strings.LastIndex(name, ".")+1:], s)).To(BeEmpty())
			}
		}
		Expect(kindSet).To(Equal(8))
	})

	DescribeTable("accepts objects as typed clients write them:", func(ctx SpecContext, manifest string) {
		namespace := createNamespace(ctx)
		out, err := kubectl(ctx, "{apiVersion: servicecatalog.k8s.io/v1beta1, "+strings.TrimPrefix(manifest, "{"), "create", "--dry-run=server", "-n", namespace, "-f", "-")
		Expect(err).NotTo(HaveOccurred(), out)
	},
		Entry("brokers", `{kind: ClusterServiceBroker, metadata: {name: typed, creationTimestamp: null}, spec: {url: "https://broker.example.com", relistBehavior: "", relistRequests: 0}, status: {conditions: null, reconciledGeneration: 0, lastConditionState: ""}}`),
		Entry("classes", `{kind: ServiceClass, metadata: {name: typed, creationTimestamp: null}, spec: {externalName: x, externalID: x, description: "", bindable: false, bindingRetrievable: false, planUpdatable: false, serviceBrokerName: x}, status: {removedFromBrokerCatalog: false}}`),
		Entry("plans", `{kind: ServicePlan, metadata: {name: typed, creationTimestamp: null}, spec: {externalName: x, externalID: x, description: "", free: false, serviceBrokerName: x, serviceClassRef: {}}, status: {removedFromBrokerCatalog: false}}`),
		Entry("instances", `{kind: ServiceInstance, metadata: {name: typed, creationTimestamp: null}, spec: {clusterServiceClassExternalName: x, clusterServicePlanExternalName: x, externalID: "", updateRequests: 0, parameters: null, parametersFrom: null, userInfo: null},
			status: {conditions: null, asyncOpInProgress: false, orphanMitigationInProgress: false, reconciledGeneration: 0, observedGeneration: 0, provisionStatus: "", deprovisionStatus: "", lastConditionState: "", userSpecifiedClassName: "", userSpecifiedPlanName: ""}}`),
		Entry("bindings", `{kind: ServiceBinding, metadata: {name: typed, creationTimestamp: null}, spec: {instanceRef: {name: x}, externalID: "", parameters: null, secretTransforms: [{addKey: {key: X, value: null, stringValue: null, jsonPathExpression: "{.x}"}}]},
			status: {conditions: null, asyncOpInProgress: false, reconciledGeneration: 0, orphanMitigationInProgress: false, unbindStatus: "", lastConditionState: ""}}`),
		Entry("bindings whose parameters are a string", `{kind: ServiceBinding, metadata: {name: typed}, spec: {instanceRef: {name: x}, parameters: text}}`),
		Entry("bindings whose parameters are a number", `{kind: ServiceBinding, metadata: {name: typed}, spec: {instanceRef: {name: x}, parameters: 1}}`),
	)

	It("accepts only edits of metadata and deletions while the operator is down", serial, func(ctx SpecContext) {
		namespace := createNamespace(ctx)
		service := newService("mysql", "small")
		server := startBroker(osbtest.Options{Services: []osbtest.Service{service}})
		createReadyBroker(ctx, namespaced, namespace, server)
		si := namespaced.createInstance(ctx, namespace, "i", service.Name, service.Plans[0].Name)
		Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "True", v1beta1.ReasonProvisionedSuccessfully))
		Expect(si.Generation).To(BeEquivalentTo(1), "admission set the references, as it knew the catalog")
		operator.Kill()
		DeferCleanup(func(ctx SpecContext) { startOperator(context.WithoutCancel(ctx)) })

		patch := func(o client.Object, text string) error {
			return k8s.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(text)))
		}
		Expect(patch(si, `{"metadata":{"labels":{"x":"y"},"annotations":{"x":"y"}}}`)).To(Succeed())
		Expect(patch(si, `{"spec":{"updateRequests":1}}`)).To(MatchError(ContainSubstring("failed calling webhook")))
		Expect(patch(si, `{"metadata":{"annotations":{"bellhop.gophernetes.io/made-id":"x"}}}`)).To(MatchError(ContainSubstring("failed calling webhook")))
		Expect(k8s.Delete(ctx, si)).To(Succeed(), "webhooks never block a deletion")
		Expect(patch(si, `{"metadata":{"finalizers":null}}`)).To(Succeed(), "webhooks do not block the removal of a finalizer")
		Eventually(checkGone(ctx, si)).Should(Succeed())
		late := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "b"}, Spec: v1beta1.ServiceBindingSpec{InstanceRef: v1beta1.LocalObjectReference{Name: "i"}}}
		Expect(k8s.Create(ctx, late)).To(MatchError(ContainSubstring("failed calling webhook")), "admission sets the external id, and nothing else does later")
	})

	It("leaves nothing of a dry run in the cluster", func(ctx SpecContext) {
		namespace := createNamespace(ctx)
		manifest := fmt.Sprintf(`{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: dry-%s}, spec: {serviceClassExternalName: x, servicePlanExternalName: x}}`, rand.String(8))
		env.WaitForAdmission(ctx, manifest)
		out, err := kubectl(ctx, manifest, "apply", "--dry-run=server", "-n", namespace, "-f", "-")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(SatisfyAll(ContainSubstring("created (server dry run)"), ContainSubstring("Warning: spec.serviceClassExternalName: the ServiceInstance will wait")))
		Expect(kubectl(ctx, "", "get", "serviceinstances,servicebindings,secrets", "-n", namespace, "-o", "name", "--ignore-not-found")).To(BeEmpty())
	})
})

// findUndescribed returns the fields without a description, at any depth.
func findUndescribed(path string, s map[string]any) (fields []string) {
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		field := properties[name].(map[string]any)
		if text, _ := field["description"].(string); text == "" && field["allOf"] == nil {
			fields = append(fields, path+"."+name)
		}
		fields = append(fields, findUndescribed(path+"."+name, field)...)
	}
	for _, inner := range []string{"items", "additionalProperties"} {
		if s, ok := s[inner].(map[string]any); ok {
			fields = append(fields, findUndescribed(path+"[]", s)...)
		}
	}
	return fields
}
