// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// createDatabase creates an instance of the plan small of the class postgres in the catalog of the broker acme.
func createDatabase(ctx context.Context, namespace, name string) *servicecatalogv1beta1.ServiceInstance {
	GinkgoHelper()
	i := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	i.Spec.ClusterServiceClassExternalName, i.Spec.ClusterServicePlanExternalName = "postgres", "small"
	i.Spec.Parameters = rawJSON(`{"region": "eu"}`)
	Expect(env.Client.Create(ctx, i)).To(Succeed())
	return i
}

// bindDatabase creates the binding orders of an instance.
func bindDatabase(ctx context.Context, namespace, instance string) *servicecatalogv1beta1.ServiceBinding {
	GinkgoHelper()
	b := &servicecatalogv1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "orders"}}
	b.Spec.InstanceRef.Name = instance
	Expect(env.Client.Create(ctx, b)).To(Succeed())
	return b
}

// createAlertTo creates an alert to receivers of its namespace.
func createAlertTo(ctx context.Context, namespace, name string, receivers ...string) *pagerv1beta1.Alert {
	GinkgoHelper()
	a := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	a.Spec.Content = "node-7 has 3 % left"
	for _, receiver := range receivers {
		a.Spec.ReceiverRefs = append(a.Spec.ReceiverRefs, pagerv1beta1.ReceiverRef{Kind: pagerv1beta1.KindReceiver, Name: receiver})
	}
	Expect(env.Client.Create(ctx, a)).To(Succeed())
	return a
}

// waitForCondition waits until a condition of an object is True.
func waitForCondition(ctx context.Context, o client.Object, condition string) {
	GinkgoHelper()
	waitFor(ctx, o, "condition="+condition)
}

// waitFor waits until kubectl wait --for is satisfied.
func waitFor(ctx context.Context, o client.Object, what string) {
	GinkgoHelper()
	kind, err := env.Client.GroupVersionKindFor(o)
	Expect(err).NotTo(HaveOccurred())
	out, err := env.Kubectl(ctx, "", "wait", "-n", o.GetNamespace(), "--for="+what, "--timeout=1m", kind.Kind+"."+kind.Version+"."+kind.Group+"/"+o.GetName())
	Expect(err).NotTo(HaveOccurred(), out)
}

var _ = Describe("tree", func() {
	It("shows what belongs to brokers, instances, bindings, alerts and receivers", func(ctx SpecContext) {
		t := newTranscript(ctx)
		startInbox(ctx, t.namespace, "team")
		createSuspended(ctx, t.namespace, "silent")
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "lost"), "Ready")
		alert := createAlertTo(ctx, t.namespace, "disk-full", "silent", "team")
		waitForCondition(ctx, alert, "Stalled")
		waitForCondition(ctx, createAlertTo(ctx, t.namespace, "unheard"), "Stalled")
		waitFor(ctx, alert, `jsonpath={.status.deliveries[?(@.name=="team")].state}=Sent`)

		t.run(ctx, 0, "kubectl bellhop tree broker/acme")
		t.run(ctx, 0, "kubectl bellhop tree instance/orders-db")
		t.run(ctx, 0, "kubectl bellhop tree servicebinding.servicecatalog.k8s.io orders --ascii")
		t.run(ctx, 0, "kubectl bellhop tree instances/lost -A")
		t.run(ctx, 0, "kubectl bellhop tree alert/disk-full")
		t.run(ctx, 0, "TERM=dumb kubectl bellhop tree alerts unheard")
		t.run(ctx, 0, "kubectl bellhop tree receiver/team")
		t.run(ctx, 0, "kubectl bellhop tree binding/orders -o json")
		t.run(ctx, 0, "kubectl bellhop tree alert/disk-full -o json")
		t.run(ctx, 0, "kubectl bellhop tree alert/disk-full -o yaml")
		t.matchGolden("tree")
	})

	It("shows all brokers and alerts", func(ctx SpecContext) {
		t := newTranscript(ctx)
		waitForCondition(ctx, createAlertTo(ctx, t.namespace, "unheard"), "Stalled")
		out, code := t.try(ctx, "kubectl bellhop tree")
		Expect(code).To(BeZero(), out)
		Expect(out).To(MatchRegexp(`(?m)^ClusterServiceBroker/acme +Ready$`))
		Expect(out).To(MatchRegexp(`(?m)^├─ ClusterServiceClass/postgres +Offered$|^├─ ClusterServiceClass/queue +Offered$`))
		Expect(out).To(MatchRegexp(`(?m)^Alert/unheard +Stalled \(NoReceiver\) +\S`))

		out, code = t.try(ctx, "kubectl bellhop tree -A -o json")
		Expect(code).To(BeZero(), out)
		var roots []struct{ Kind, Name, Namespace, State, Reason string }
		Expect(json.Unmarshal([]byte(out), &roots)).To(Succeed(), out)
		Expect(roots).To(ContainElement(HaveField("Name", "acme")))
		Expect(roots).To(ContainElement(SatisfyAll(HaveField("Namespace", t.namespace), HaveField("Name", "unheard"), HaveField("Reason", "NoReceiver"))))
	})

	It("leaves out what the user may not read, and says so", func(ctx SpecContext) {
		t := newTranscript(ctx)
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "orders-db"), "Ready")
		t.run(ctx, 0, "kubectl bellhop tree --as=jane")
		t.run(ctx, 1, "kubectl bellhop tree instance/orders-db --as=jane")
		allowServices(ctx, t.namespace, "joe", "get", "list")
		t.run(ctx, 0, "kubectl bellhop tree --as=joe")
		t.run(ctx, 0, "kubectl bellhop tree instance/orders-db --as=joe")
		t.run(ctx, 0, "kubectl bellhop tree instance/orders-db --as=joe -o json 2>/dev/null")
		t.matchGolden("tree-rights")
	})

	It("says what is wrong with its arguments", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createAlertTo(ctx, t.namespace, "disk-full")
		t.run(ctx, 2, "kubectl bellhop tree alert")
		t.run(ctx, 2, "kubectl bellhop tree pod/x")
		t.run(ctx, 2, "kubectl bellhop tree plan/small")
		t.run(ctx, 2, "kubectl bellhop tree alert/a alert/b")
		t.run(ctx, 2, "kubectl bellhop tree alert/")
		t.run(ctx, 2, "kubectl bellhop tree -o xml")
		t.run(ctx, 1, "kubectl bellhop tree alert/disk-ful")
		t.run(ctx, 1, "kubectl bellhop tree broker/amce 2>&1 | head -1; exit 1")
		t.run(ctx, 0, "kubectl-bellhop __complete tree al 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete tree alert/ 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete tree alert d 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete tree alert/disk-full '' 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete tree -o '' 2>/dev/null")
		t.matchGolden("tree-errors")
	})
})
