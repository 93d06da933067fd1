// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

func rawJSON(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

// allowServices lets a user do something with the instances and bindings of a namespace.
func allowServices(ctx context.Context, namespace, user string, verbs ...string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: user + "-services"}
	rule := rbacv1.PolicyRule{APIGroups: []string{servicecatalogv1beta1.GroupVersion.Group}, Resources: []string{"serviceinstances", "servicebindings"}, Verbs: verbs}
	Expect(env.Client.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}})).To(Succeed())
	Expect(env.Client.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
}

// createReceiverWithSecret creates a Receiver of Gotify whose Secret has that name.
func createReceiverWithSecret(ctx context.Context, namespace, name, secret string) *pagerv1beta1.Receiver {
	GinkgoHelper()
	r := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.Gotify = &pagerv1beta1.GotifyProvider{URL: "http://127.0.0.1:9"}
	r.Spec.SecretRef = &pagerv1beta1.SecretReference{Name: secret}
	Expect(env.Client.Create(ctx, r)).To(Succeed())
	return r
}

var _ = Describe("describe", func() {
	It("explains alerts and receivers", func(ctx SpecContext) {
		t := newTranscript(ctx)
		startInbox(ctx, t.namespace, "team")
		silent := createSuspended(ctx, t.namespace, "silent")
		waitForCondition(ctx, createAlertTo(ctx, t.namespace, "sent", "team"), "Ready")
		waitForCondition(ctx, createAlertTo(ctx, t.namespace, "held", "silent"), "Stalled")
		waitForCondition(ctx, createAlertTo(ctx, t.namespace, "unheard"), "Stalled")
		waitForCondition(ctx, createReceiverWithSecret(ctx, t.namespace, "phone", "absent"), "Reconciling")
		waitFor(ctx, silent, "jsonpath={.status.waiting}=1") // the receiver's count follows its Alerts after some seconds
		t.run(ctx, 0, "kubectl bellhop describe alert/sent | sed '/^Events:/,$d'")
		t.run(ctx, 0, "kubectl bellhop describe alert/held | sed '/^Events:/,$d'")
		t.run(ctx, 0, "kubectl bellhop describe alerts unheard | sed '/^Events:/,$d'")
		t.run(ctx, 0, "kubectl bellhop describe receiver/phone receiver/silent | sed '/^Events:/,$d'")
		t.matchGolden("describe-alerts")

		Eventually(func() string {
			out, _ := t.try(ctx, "kubectl bellhop describe alert/unheard")
			return out
		}).Should(MatchRegexp(`(?s)\nEvents:\n  AGE +TYPE +REASON +MESSAGE\n  \d+m?s? +Warning +NoReceiver `))
	})

	It("explains brokers, instances and bindings", func(ctx SpecContext) {
		t := newTranscript(ctx)
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "orders-db"), "Ready")
		instance := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "typo"}}
		instance.Spec.ClusterServiceClassExternalName, instance.Spec.ClusterServicePlanExternalName = "postgres", "tiny"
		Expect(env.Client.Create(ctx, instance)).To(Succeed())
		waitForCondition(ctx, instance, "Reconciling")
		t.run(ctx, 0, "kubectl bellhop describe broker/acme | sed '/^Events:/,$d'")
		t.run(ctx, 0, "kubectl bellhop describe instance orders-db typo | sed '/^Events:/,$d'")
		t.run(ctx, 0, "kubectl bellhop describe binding/orders | sed '/^Events:/,$d'")
		t.matchGolden("describe-services")
	})

	It("explains a refused binding with the broker's words", func(ctx SpecContext) {
		t := newTranscript(ctx)
		b := bindDatabase(ctx, t.namespace, "none")
		waitForCondition(ctx, b, "Reconciling")
		out := t.run(ctx, 0, "kubectl bellhop describe binding/orders")
		Expect(out).To(ContainSubstring("ReferencesNonexistentInstance"))
		Expect(out).To(MatchRegexp(`What to do: +create the ServiceInstance, or another binding`))
	})

	// F-U39
	It("shows control characters, as other commands do, instead of sending them to the terminal", func(ctx SpecContext) {
		t := newTranscript(ctx)
		alert := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "clipboard"}}
		alert.Spec.Title, alert.Spec.Content = "disk full\x1b]52;c;eA==\x07\u009b2J", "\x1b[2Jall is well"
		Expect(env.Client.Create(ctx, alert)).To(Succeed())
		instance := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "clipboard"}}
		instance.Spec.ServiceClassExternalName, instance.Spec.ServicePlanExternalName = "x\x1b[8m", "x\x1b[8m"
		Expect(env.Client.Create(ctx, instance)).To(Succeed())
		waitForCondition(ctx, alert, "Stalled")
		for _, command := range []string{"describe alert/clipboard", "describe instance/clipboard", "tree instance/clipboard", "tree alert/clipboard", "alerts", "alerts -o wide", "doctor",
			"page 'x' --name clipboard"} {
			out, _ := t.try(ctx, "kubectl bellhop "+command)
			Expect(out).NotTo(Or(ContainSubstring("\x1b"), ContainSubstring("\x07"), ContainSubstring("\u009b")), command)
		}
		Expect(t.try(ctx, "kubectl bellhop describe alert/clipboard")).To(ContainSubstring(`disk full^[]52;c;eA==^G\u009b2J`))
		out, _ := t.try(ctx, "kubectl bellhop alerts -o jsonpath='{.items[0].spec.title}'")
		Expect(out).To(ContainSubstring("\x1b]52"), "a program reads the title as it is")
	})

	It("says what is wrong with its arguments, and what the user may not read", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createAlertTo(ctx, t.namespace, "disk-full")
		t.run(ctx, 2, "kubectl bellhop describe")
		t.run(ctx, 2, "kubectl bellhop describe alert")
		t.run(ctx, 2, "kubectl bellhop describe alert disk/full")
		t.run(ctx, 2, "kubectl bellhop describe class/postgres")
		t.run(ctx, 2, "kubectl bellhop describe alert/disk-full full")
		t.run(ctx, 1, "kubectl bellhop describe alert/disk-ful")
		t.run(ctx, 1, "kubectl bellhop describe alert/disk-full --as=jane")
		allow(ctx, t.namespace, "joe", []string{"get"}, "alerts")
		out, _ := t.try(ctx, "kubectl bellhop describe alert/disk-full --as=joe")
		Expect(out).To(ContainSubstring("note: left out, as you may not read them: events"))
		t.run(ctx, 0, "kubectl-bellhop __complete describe alert/ 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete describe alert/disk-full in 2>/dev/null")
		t.matchGolden("describe-errors")
	})
})
