// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// goldenCase is one of the cases in the reference, which describe the admission of the former service-catalog. Where Bellhop
// differs, the entry says how.
type goldenCase struct {
	kind string
	by   string // the user who sends the request; default: alice
	// old is the existing object, created by bob. If it is empty, the request is a create.
	old string
	// in is the object of a create, or a merge patch for old: an update then sends the whole patched object.
	in string
	// want is a part of the stored object. U stands for any UUID.
	want string
	// absent are paths that the stored object must not have.
	absent []string
	// refused are parts of the error. If it is empty, the request has to be accepted.
	refused []string
	// warned are parts of the warnings.
	warned []string
}

func (g goldenCase) check(ctx context.Context) {
	GinkgoHelper()
	ns := newNamespace(ctx)
	createNamespacedCatalog(ctx, ns)
	text := func(s string) string { return strings.ReplaceAll(s, "$NS", ns) }
	who := g.by
	if who == "" {
		who = "alice"
	}
	u := impersonate(who)
	// A dry run is enough, and leaves no broker whose catalog would never be read.
	var is *unstructured.Unstructured
	var err error
	if g.old == "" {
		is = parseObject(g.kind, ns, "example", text(g.in))
		err = u.Create(ctx, is, client.DryRunAll)
	} else {
		is = createStored(ctx, impersonate("bob"), parseObject(g.kind, ns, "example-"+ns, text(g.old)))
		DeferCleanup(deleteWithoutFinalizers, is)
		change := map[string]any{}
		Expect(yaml.Unmarshal([]byte(text(g.in)), &change)).To(Succeed())
		is = is.DeepCopy()
		is.Object = applyMergePatch(is.Object, change).(map[string]any)
		err = u.Update(ctx, is, client.DryRunAll)
	}
	for _, warning := range g.warned {
		Expect(u.receivedWarnings()).To(ContainSubstring(warning))
	}
	if len(g.refused) > 0 {
		Expect(err).To(HaveOccurred())
		for _, part := range g.refused {
			Expect(err.Error()).To(ContainSubstring(part))
		}
		return
	}
	Expect(err).NotTo(HaveOccurred())
	stored, err := is.MarshalJSON()
	Expect(err).NotTo(HaveOccurred())
	want, have := map[string]any{}, map[string]any{}
	Expect(yaml.Unmarshal([]byte(text(g.want)), &want)).To(Succeed())
	Expect(yaml.Unmarshal(stored, &have)).To(Succeed()) // so that numbers have the same types
	Expect(findDifferences("", want, have)).To(BeEmpty(), string(stored))
	for _, path := range g.absent {
		_, has, err := unstructured.NestedFieldNoCopy(is.Object, strings.Split(path, ".")...)
		Expect(err).NotTo(HaveOccurred())
		Expect(has).To(BeFalse(), path)
	}
}

// createNamespacedCatalog creates the namespaced class of the reference: class-1 with the name c, and the plans p1 and p2.
func createNamespacedCatalog(ctx context.Context, ns string) {
	GinkgoHelper()
	admin := &user{Client: k8s}
	createStored(ctx, admin, parseObject("ServiceBroker", ns, "osba", `{spec: {url: "https://osba.example.com"}, status: {lastCatalogRetrievalTime: "2100-01-01T00:00:00Z"}}`))
	createStored(ctx, admin, parseObject("ServiceClass", ns, "class-1", `{spec: {externalName: c, externalID: c-id, description: x, serviceBrokerName: osba, planUpdatable: true}}`))
	for _, plan := range []string{"p1", "p2"} {
		createStored(ctx, admin, parseObject("ServicePlan", ns, "plan-"+plan, fmt.Sprintf(
			`{spec: {externalName: %s, externalID: %[1]s-id, description: x, serviceBrokerName: osba, serviceClassRef: {name: class-1}, free: true}}`, plan)))
	}
}

// deleteWithoutFinalizers removes the finalizers of an object, which no controller here does, and waits until it is gone.
func deleteWithoutFinalizers(ctx context.Context, u *unstructured.Unstructured) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
	u.SetFinalizers(nil)
	Expect(k8s.Update(ctx, u)).To(Succeed())
	Expect(k8s.Delete(ctx, u)).To(Succeed())
	known := newTypedObject(u)
	Eventually(func() error { return cache.Get(ctx, client.ObjectKeyFromObject(u), known) }).ShouldNot(Succeed())
}

// applyMergePatch applies a JSON merge patch.
func applyMergePatch(to, patch any) any {
	change, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	old, _ := to.(map[string]any)
	result := maps.Clone(old)
	if result == nil {
		result = map[string]any{}
	}
	for key, value := range change {
		if value == nil {
			delete(result, key)
		} else {
			result[key] = applyMergePatch(result[key], value)
		}
	}
	return result
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// findDifferences returns the paths at which is lacks a value of want.
func findDifferences(path string, want, is any) (paths []string) {
	switch w := want.(type) {
	case map[string]any:
		m, ok := is.(map[string]any)
		if !ok || len(w) == 0 && len(m) > 0 && path != "" {
			return []string{fmt.Sprintf("%s: %v instead of %v", path, is, want)}
		}
		for _, key := range slices.Sorted(maps.Keys(w)) {
			paths = append(paths, findDifferences(path+"."+key, w[key], m[key])...)
		}
		return paths
	case string:
		if s, ok := is.(string); w == "U" && ok && uuid.MatchString(s) {
			return nil
		}
	}
	if !reflect.DeepEqual(want, is) {
		return []string{fmt.Sprintf("%s: %v instead of %v", path, is, want)}
	}
	return nil
}

const (
	// createdInstance is +D of the reference, createdBinding is +B.
	createdInstance = `{metadata: {finalizers: [kubernetes-incubator/service-catalog], generation: 1}, spec: {externalID: U, updateRequests: 0, userInfo: {username: alice, uid: uid-alice, groups: [system:authenticated]}}}`
	createdBinding  = `{metadata: {finalizers: [kubernetes-incubator/service-catalog], generation: 1}, spec: {externalID: U, secretName: example, userInfo: {username: alice, uid: uid-alice, groups: [system:authenticated]}}}`

	// provisioned is P of the reference, namespaced is N.
	provisioned = `{spec: {clusterServiceClassExternalName: azure-mysql, clusterServicePlanExternalName: basic50, externalID: $NS, updateRequests: 3}, status: ` + provisionedStatus + `}`
	fixed       = `{spec: {clusterServiceClassExternalName: fixed, clusterServicePlanExternalName: basic50, externalID: $NS}, status: ` + provisionedStatus + `}`
	namespaced  = `{spec: {serviceClassExternalName: c, servicePlanExternalName: p1, externalID: $NS}, status: ` + provisionedStatus + `}`

	provisionedStatus = `{conditions: [], asyncOpInProgress: false, orphanMitigationInProgress: false, provisionStatus: Provisioned, deprovisionStatus: Required, observedGeneration: 1, reconciledGeneration: 1, lastConditionState: Ready, userSpecifiedClassName: x, userSpecifiedPlanName: x}`
)

var _ = DescribeTable("ServiceInstances", func(ctx SpecContext, e goldenCase) {
	e.kind = "ServiceInstance"
	e.check(ctx)
},
	Entry("G01", goldenCase{
		in: `{metadata: {name: azure-mysql-instance}, spec: {clusterServiceClassExternalName: azure-mysql, clusterServicePlanExternalName: basic50,
			parameters: {location: westus, resourceGroup: demo, firewallRules: [{name: AllowAll, startIPAddress: 0.0.0.0, endIPAddress: 255.255.255.255}]}}}`,
		want: `{metadata: {finalizers: [kubernetes-incubator/service-catalog], generation: 1}, spec: {externalID: U, updateRequests: 0, userInfo: {username: alice, uid: uid-alice, groups: [system:authenticated]},
			clusterServiceClassExternalName: azure-mysql, clusterServicePlanExternalName: basic50,
			parameters: {location: westus, resourceGroup: demo, firewallRules: [{name: AllowAll, startIPAddress: 0.0.0.0, endIPAddress: 255.255.255.255}]}}}`,
	}),
	Entry("G01: Bellhop sets the references and their labels, too, so that the generation stays 1", goldenCase{
		in: `{spec: {clusterServiceClassExternalName: azure-mysql, clusterServicePlanExternalName: basic50}}`,
		want: `{metadata: {generation: 1, labels: {servicecatalog.k8s.io/spec.clusterServiceClassRef.name: c5e0e8412ce1f4ae45b4a9196ded127af5b50cd23a920b2dd1486093,
			servicecatalog.k8s.io/spec.clusterServicePlanRef.name: 48e0fcbebf02b444a92a77d9a493843282af02c9c1a309fd7c218851}},
			spec: {clusterServiceClassRef: {name: class-1}, clusterServicePlanRef: {name: plan-1}}}`,
	}),
	Entry("G04", goldenCase{in: `{spec: {clusterServiceClassExternalName: azure-mysql}}`, want: `{spec: {externalID: U, clusterServicePlanExternalName: basic50}}`}),
	Entry("G05", goldenCase{in: `{spec: {clusterServiceClassExternalID: class-1}}`, want: `{spec: {externalID: U, clusterServicePlanExternalID: plan-1-id}}`}),
	Entry("G06", goldenCase{in: `{spec: {clusterServiceClassName: class-1}}`, want: `{spec: {externalID: U, clusterServicePlanName: plan-1}}`}),
	Entry("G07", goldenCase{in: `{spec: {clusterServiceClassExternalName: two-plans}}`, refused: []string{"spec.clusterServicePlanExternalName: Required value", `more than one ClusterServicePlan of ClusterServiceClass "two-plans": a, b; name one of them with clusterServicePlanExternalName`}}),
	Entry("G08", goldenCase{in: `{spec: {clusterServiceClassExternalName: azure-mysq}}`, refused: []string{`spec.clusterServiceClassExternalName: Invalid value: "azure-mysq"`, "the catalog has azure-mysql"}}),
	Entry("G08b", goldenCase{in: `{spec: {clusterServiceClassExternalName: nope, clusterServicePlanExternalName: nope}}`, want: createdInstance,
		absent: []string{"spec.clusterServiceClassRef"}, warned: []string{"spec.clusterServiceClassExternalName: the ServiceInstance will wait"}}),
	Entry("G09", goldenCase{in: `{spec: {clusterServiceClassName: nope}}`, refused: []string{`spec.clusterServiceClassName: Invalid value: "nope"`, "no plan can be chosen"}}),
	Entry("G10: Bellhop refuses it by the schema, instead of an answer with status 500", goldenCase{in: `{spec: {parameters: {a: 1}}}`, refused: []string{"exactly one of clusterServiceClassExternalName"}}),
	Entry("G10b", goldenCase{in: `{spec: {clusterServicePlanExternalName: p}}`, refused: []string{"spec.clusterServicePlanExternalName", "goes with clusterServiceClassExternalName"}}),
	Entry("G11", goldenCase{in: `{spec: {clusterServiceClassExternalName: c, clusterServicePlanExternalName: p, serviceClassExternalName: c}}`, refused: []string{"exactly one of clusterServiceClassExternalName"}}),
	Entry("G12", goldenCase{in: `{spec: {clusterServiceClassExternalName: c, clusterServiceClassName: c, clusterServicePlanExternalName: p}}`, refused: []string{"exactly one of clusterServiceClassExternalName"}}),
	Entry("G13", goldenCase{in: `{spec: {clusterServiceClassExternalName: c, clusterServicePlanName: p}}`, refused: []string{"spec.clusterServicePlanName", "goes with clusterServiceClassName"}}),
	Entry("G14", goldenCase{in: `{spec: {clusterServiceClassExternalName: azure-mysql, parameters: [1, 2]}}`, refused: []string{"spec.parameters", "must be of type object"}}),
	Entry("G14b", goldenCase{in: `{spec: {clusterServiceClassExternalName: azure-mysql, parameters: "x"}}`, refused: []string{"spec.parameters", "must be of type object"}}),
	Entry("G14c", goldenCase{in: `{spec: {clusterServiceClassExternalName: azure-mysql, parameters: null}}`, want: createdInstance, absent: []string{"spec.parameters"}}),
	Entry("G14d", goldenCase{in: `{spec: {clusterServiceClassExternalName: azure-mysql, parameters: {}}}`, want: `{spec: {parameters: {}}}`}),
	Entry("G15", goldenCase{in: `{spec: {serviceClassExternalName: c, servicePlanExternalName: p1}}`, want: createdInstance}),
	Entry("G15: Bellhop sets references, as for cluster classes", goldenCase{in: `{spec: {serviceClassExternalName: c, servicePlanExternalName: p1}}`, want: `{spec: {serviceClassRef: {name: class-1}, servicePlanRef: {name: plan-p1}}}`}),
	Entry("G16: Bellhop keeps the user's finalizer (8.2: it was lost)", goldenCase{
		in: `{metadata: {finalizers: [example.com/mine], labels: {a: b}}, spec: {clusterServiceClassExternalName: c, clusterServicePlanExternalName: p, clusterServiceClassRef: {name: c1}, clusterServicePlanRef: {name: p1},
			externalID: my id, userInfo: {username: root}, bogus: 1}, status: {provisionStatus: Provisioned}}`,
		want:   `{metadata: {finalizers: [example.com/mine, kubernetes-incubator/service-catalog], labels: {a: b}}, spec: {externalID: my id, userInfo: {username: alice}}, status: {observedGeneration: -1}}`,
		absent: []string{"spec.clusterServiceClassRef", "spec.clusterServicePlanRef", "spec.bogus", "status.provisionStatus", "metadata.annotations"},
		warned: []string{`spec.externalID: the resource under the id "my id" at the broker will be adopted, and left in place when this object is deleted`},
	}),
	Entry("G17: Bellhop ignores it, as for cluster classes", goldenCase{in: `{spec: {serviceClassExternalName: c, servicePlanExternalName: nope, serviceClassRef: {name: c1}, servicePlanRef: {name: p1}}}`,
		want: `{spec: {serviceClassRef: {name: class-1}}}`, absent: []string{"spec.servicePlanRef"}}),
	Entry("G19", goldenCase{in: `{spec: {clusterServiceClassExternalName: azure-mysql, parametersFrom: [{secretKeyRef: {name: s}}, {}]}}`,
		refused: []string{"spec.parametersFrom[0].secretKeyRef.key: Required value", "spec.parametersFrom[1].secretKeyRef: Required value"}}),
	Entry("G20", goldenCase{in: `{spec: {clusterServiceClassExternalName: azure-mysql, updateRequests: -1}}`, refused: []string{"spec.updateRequests", "greater than or equal to 0"}}),
	Entry("G20b: Bellhop accepts names of any length", goldenCase{in: `{spec: {clusterServiceClassExternalName: ` + strings.Repeat("c", 64) + `, clusterServicePlanExternalName: "p lan!"}}`, want: createdInstance}),

	Entry("G21", goldenCase{old: provisioned, in: `{spec: {clusterServicePlanExternalName: basic100, updateRequests: null, userInfo: null}}`,
		want:   `{metadata: {generation: 2}, spec: {updateRequests: 3, userInfo: {username: alice}, clusterServiceClassRef: {name: class-1}}, status: {provisionStatus: Provisioned}}`,
		absent: []string{"spec.clusterServicePlanRef"}, warned: []string{"the ServiceInstance will wait"}}),
	Entry("G22", goldenCase{old: fixed, in: `{spec: {clusterServicePlanExternalName: basic100}}`,
		refused: []string{"spec.clusterServicePlanExternalName: Forbidden", `instances of plan "basic50" of "fixed" cannot change their plan: create another ServiceInstance with the plan "basic100"`}}),
	Entry("G22b: Bellhop accepts updates of metadata although the class is gone", goldenCase{old: `{spec: {clusterServiceClassExternalName: gone, clusterServicePlanExternalName: gone}}`, in: `{metadata: {finalizers: null}}`,
		absent: []string{"metadata.finalizers"}}),
	Entry("G23: Bellhop ignores references to what the spec does not name", goldenCase{by: "system:serviceaccount:catalog:service-catalog-controller-manager",
		old:  `{spec: {clusterServiceClassExternalName: nope, clusterServicePlanExternalName: nope}}`,
		in:   `{spec: {clusterServiceClassRef: {name: class-1}, clusterServicePlanRef: {name: plan-1}}}`,
		want: `{metadata: {generation: 1}, spec: {userInfo: {username: bob}}}`, absent: []string{"spec.clusterServiceClassRef", "spec.clusterServicePlanRef"}}),
	Entry("G24: Bellhop accepts a change during an operation, and applies it afterwards", goldenCase{
		old: strings.Replace(provisioned, "provisionStatus: Provisioned", "provisionStatus: Provisioned, currentOperation: Update", 1), in: `{spec: {parameters: {a: 2}}}`,
		want: `{metadata: {generation: 2}, spec: {parameters: {a: 2}}}`}),
	Entry("G24b: Bellhop calls no webhook, so that the labels of the references stay unchanged", goldenCase{old: provisioned, in: `{metadata: {labels: {a: b}}}`,
		want: `{metadata: {generation: 1, labels: {a: b}}, spec: {userInfo: {username: bob}}}`}),
	Entry("G25", goldenCase{old: provisioned, in: `{spec: {clusterServiceClassExternalName: other}}`, refused: []string{"spec.clusterServiceClassExternalName", "field is immutable"}}),
	Entry("G26: Bellhop keeps the id when kubectl replace sends the manifest, and changes nothing", goldenCase{old: provisioned,
		in:   `{metadata: {finalizers: null, annotations: null}, spec: {externalID: null, updateRequests: null, userInfo: null, clusterServiceClassRef: null, clusterServicePlanRef: null}}`,
		want: `{metadata: {generation: 1, finalizers: [kubernetes-incubator/service-catalog]}, spec: {externalID: $NS, updateRequests: 3, userInfo: {username: bob}, clusterServiceClassRef: {name: class-1}, clusterServicePlanRef: {name: plan-1}}}`}),
	Entry("G26: another id is refused", goldenCase{old: provisioned, in: `{spec: {externalID: other}}`, refused: []string{"spec.externalID", "field is immutable"}}),
	Entry("G27", goldenCase{old: provisioned, in: `{spec: {updateRequests: 2}}`, refused: []string{"spec.updateRequests", "may not decrease"}}),
	Entry("G28: Bellhop does the same as for cluster classes", goldenCase{old: namespaced, in: `{spec: {servicePlanExternalName: p2}}`,
		want: `{metadata: {generation: 2}, spec: {serviceClassRef: {name: class-1}, servicePlanRef: {name: plan-p2}}}`}),
	Entry("G28b: Bellhop does not panic", goldenCase{old: namespaced, in: `{spec: {servicePlanExternalName: p2, servicePlanRef: null}}`,
		want: `{metadata: {generation: 2}, spec: {serviceClassRef: {name: class-1}, servicePlanRef: {name: plan-p2}}}`}),
	Entry("G28c: Bellhop checks it, too", goldenCase{old: namespaced, in: `{spec: {servicePlanExternalName: p2, servicePlanRef: null, serviceClassRef: null}}`,
		want: `{metadata: {generation: 2}, spec: {serviceClassRef: {name: class-1}, servicePlanRef: {name: plan-p2}}}`}),
	Entry("G29: Bellhop accepts updates although a migration left a status with a later generation", goldenCase{old: strings.Replace(provisioned, "reconciledGeneration: 1", "reconciledGeneration: 5", 1), in: `{spec: {parameters: {a: 1}}}`,
		want: `{metadata: {generation: 2}}`}),
)

var _ = DescribeTable("ServiceBindings", func(ctx SpecContext, e goldenCase) {
	e.kind = "ServiceBinding"
	e.check(ctx)
},
	Entry("G02", goldenCase{in: `{metadata: {name: azure-mysql-binding}, spec: {instanceRef: {name: azure-mysql-instance}, secretName: mysql-secret}}`,
		want: `{metadata: {finalizers: [kubernetes-incubator/service-catalog], generation: 1}, spec: {instanceRef: {name: azure-mysql-instance}, secretName: mysql-secret, externalID: U, userInfo: {username: alice, uid: uid-alice, groups: [system:authenticated]}}}`}),
	Entry("G03", goldenCase{in: `{spec: {instanceRef: {name: i1}}}`, want: createdBinding, warned: []string{`there is no ServiceInstance "i1"`}}),
	Entry("G31", goldenCase{old: `{spec: {instanceRef: {name: i1}, secretName: b1, externalID: $NS}}`, in: `{metadata: {labels: {x: "1"}}, spec: {instanceRef: {name: other}, secretName: zzz, parameters: {a: 1}}}`,
		want: `{metadata: {generation: 1, labels: {x: "1"}}, spec: {instanceRef: {name: i1}, secretName: b1, externalID: $NS, userInfo: {username: bob}}}`, absent: []string{"spec.parameters"},
		warned: []string{"spec.instanceRef, spec.parameters, spec.secretName: not changed"}}),
	Entry("G32", goldenCase{in: `{spec: {instanceRef: {name: ""}, secretName: Bad_Name}}`, refused: []string{"spec.instanceRef.name", "spec.secretName"}}),
	Entry("G32b: Bellhop computes the name of the Secret once the name of the object is known", goldenCase{in: `{metadata: {generateName: b-}, spec: {instanceRef: {name: i1}}}`, want: `{spec: {externalID: U}}`, absent: []string{"spec.secretName"}}),
	Entry("G33", goldenCase{in: `{spec: {instanceRef: {name: i1}, parameters: [1], secretTransforms: [{addKey: {key: URL, jsonPathExpression: "{.uri}"}}, {renameKey: {from: USERNAME, to: DB_USER}}]}}`, want: createdBinding}),
	Entry("G33: what typed clients write", goldenCase{in: `{spec: {instanceRef: {name: i1}, parameters: [1], secretTransforms: [{addKey: {key: URL, jsonPathExpression: "{.uri}", value: null, stringValue: null}}]}}`,
		want: `{spec: {parameters: [1], secretTransforms: [{addKey: {key: URL, jsonPathExpression: "{.uri}", value: null, stringValue: null}}]}}`}),
)

var _ = DescribeTable("brokers", func(ctx SpecContext, e goldenCase) { e.check(ctx) },
	Entry("G34", goldenCase{kind: "ClusterServiceBroker", in: `{spec: {url: "http://osba.osba.svc.cluster.local", authInfo: {basic: {secretRef: {namespace: osba, name: osba-auth}}}}}`,
		want:   `{metadata: {finalizers: [kubernetes-incubator/service-catalog]}, spec: {relistBehavior: Duration, relistRequests: 0}}`,
		warned: []string{"spec.url: the connection is not encrypted", "spec.url: the address is in the cluster", `Secret "osba-auth" does not exist in namespace "osba"`}}),
	Entry("G34b", goldenCase{kind: "ServiceBroker", in: `{spec: {url: "http://osba", relistBehavior: Manual, relistDuration: 15m, authInfo: {bearer: {secretRef: {name: tok}}}}}`,
		want: `{metadata: {finalizers: [kubernetes-incubator/service-catalog]}, spec: {relistBehavior: Manual, relistRequests: 0, relistDuration: 15m0s}}`}),
	Entry("G35", goldenCase{kind: "ServiceBroker", in: `{spec: {url: "http://osba", authInfo: {}}}`, refused: []string{"spec.authInfo", "auth config is required"}}),
	Entry("G35b", goldenCase{kind: "ServiceBroker", in: `{spec: {url: "http://osba", authInfo: {basic: {}}}}`, refused: []string{"spec.authInfo.basic.secretRef: Required value"}}),
	Entry("G36, the schema's", goldenCase{kind: "ClusterServiceBroker", in: `{spec: {url: "", relistBehavior: Sometimes, relistDuration: 0s, relistRequests: -1}}`,
		refused: []string{"spec.url", "spec.relistBehavior", "spec.relistRequests"}}),
	Entry("G36, the rules'", goldenCase{kind: "ClusterServiceBroker", in: `{spec: {url: "https://x", insecureSkipTLSVerify: true, caBundle: Zm9v, relistDuration: 0s}}`,
		refused: []string{"spec.caBundle", "spec.relistDuration"}}),
	Entry("G36, the webhook's", goldenCase{kind: "ClusterServiceBroker", in: `{spec: {url: "https://x", catalogRestrictions: {serviceClass: ["spec.free=true"], servicePlan: ["spec.clusterServiceClassRef.name=x"]}}}`,
		refused: []string{"spec.catalogRestrictions.serviceClass[0]", "spec.catalogRestrictions.servicePlan[0]"}}),
	Entry("G37", goldenCase{kind: "ClusterServiceBroker", in: `{spec: {url: "https://x", authInfo: {basic: {secretRef: {namespace: osba, name: other}}}}}`,
		refused: []string{"spec.authInfo.basic.secretRef.name: Forbidden", `"alice" may not get Secret "other" in namespace "osba"`}}),
	Entry("G37b: Bellhop keeps the old value", goldenCase{kind: "ClusterServiceBroker", old: `{spec: {url: "http://osba", relistRequests: 7, relistBehavior: Manual}, status: {lastCatalogRetrievalTime: "2100-01-01T00:00:00Z"}}`, in: `{spec: {url: "http://osba2", relistRequests: null, relistBehavior: null}}`,
		want: `{metadata: {generation: 2}, spec: {relistBehavior: Manual, relistRequests: 7}}`}),
	Entry("G37c", goldenCase{kind: "ServiceBroker", old: `{spec: {url: "http://osba", relistRequests: 7}}`, in: `{spec: {url: "http://osba2", relistRequests: null, relistBehavior: Duration}}`,
		want: `{metadata: {generation: 2}, spec: {relistRequests: 7}}`}),
	Entry("G37d", goldenCase{kind: "ServiceBroker", old: `{spec: {url: "http://osba", relistRequests: 7}}`, in: `{spec: {relistRequests: 6}}`, refused: []string{"spec.relistRequests", "may not decrease"}}),
)

var _ = DescribeTable("classes and plans", func(ctx SpecContext, e goldenCase) { e.check(ctx) },
	Entry("G39", goldenCase{kind: "ClusterServiceClass", in: `{metadata: {name: 997b8372-8dac-40ac-ae65-758b4a5075a5}, spec: {externalName: azure-mysql, externalID: 997b8372-8dac-40ac-ae65-758b4a5075a5, description: x, bindable: true, clusterServiceBrokerName: osba}}`,
		want: `{metadata: {labels: {servicecatalog.k8s.io/spec.externalID: 3c5500a240d9a1cf27a4106e1929c9bc91ee1a85e60b2e0c4349e2c8, servicecatalog.k8s.io/spec.externalName: 84b31a02293deb60067259716e58d1757122823ce3476e473a08da04,
			servicecatalog.k8s.io/spec.clusterServiceBrokerName: f8a690649964686ef7951a212a153fbac7ee5772de79fb1bcf3b8e8e}}, spec: {bindingRetrievable: false, planUpdatable: false}}`}),
	Entry("G39b: Bellhop accepts an empty description", goldenCase{kind: "ServiceClass", in: `{spec: {externalName: "", externalID: "", description: ""}}`,
		refused: []string{"spec.externalName", "spec.externalID", "spec.serviceBrokerName"}}),
	Entry("G39c", goldenCase{kind: "ServiceClass", old: `{spec: {externalName: x, externalID: a, description: x, serviceBrokerName: osba}}`, in: `{spec: {externalID: b, serviceBrokerName: zzz}}`,
		want: `{metadata: {labels: {servicecatalog.k8s.io/spec.serviceBrokerName: f8a690649964686ef7951a212a153fbac7ee5772de79fb1bcf3b8e8e}}, spec: {externalID: b, serviceBrokerName: osba}}`}),
	Entry("G40", goldenCase{kind: "ClusterServicePlan", in: `{metadata: {name: p50}, spec: {externalName: basic50, externalID: p50, description: x, free: true, clusterServiceClassRef: {name: c1}, clusterServiceBrokerName: osba}}`,
		want: `{metadata: {labels: {servicecatalog.k8s.io/spec.externalName: 0b8f3b1a532d8171fdcd78b1c3eb97842ef1c7560235c6ec37df07dd, servicecatalog.k8s.io/spec.clusterServiceClassRef.name: d66f549981016f878412f309d4cee62ddd2a59484676dacedce0890e,
			servicecatalog.k8s.io/spec.externalID: 34f4fd8a1f78b7eaa102f4116b3d3ac5be684b136684f9c8f26256ed, servicecatalog.k8s.io/spec.clusterServiceBrokerName: f8a690649964686ef7951a212a153fbac7ee5772de79fb1bcf3b8e8e}}}`}),
	Entry("G40b", goldenCase{kind: "ServicePlan", old: `{spec: {externalName: x, externalID: p50, description: x, free: true, serviceClassRef: {name: c1}, serviceBrokerName: osba}}`, in: `{spec: {externalID: p51}}`,
		refused: []string{"spec.externalID", "externalID cannot change"}}),
	Entry("G40c", goldenCase{kind: "ServicePlan", old: `{spec: {externalName: x, externalID: p50, description: x, free: true, serviceClassRef: {name: c1}, serviceBrokerName: osba}}`,
		in:   `{spec: {externalName: basic50, description: text, free: false, serviceBrokerName: other, serviceClassRef: {name: c2}}}`,
		want: `{metadata: {labels: {servicecatalog.k8s.io/spec.externalName: 0b8f3b1a532d8171fdcd78b1c3eb97842ef1c7560235c6ec37df07dd}}, spec: {externalName: basic50, description: text, free: false, serviceBrokerName: osba, serviceClassRef: {name: c1}}}`}),
)
