// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package namespaces_test runs an operator that serves two namespaces, with the rights that the chart gives it for that.
package namespaces_test

import (
	"context"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
	"github.com/gophernetes/bellhop/test/internal/workload"
)

var env = &suite.Suite{}

func TestNamespaces(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "namespaces")
}

var (
	mark suite.AuditMark // since then the operator has the rights of the chart

	_ = BeforeSuite(func(ctx SpecContext) {
		env.Join(env.Start(ctx, "--namespaces=team-a,team-b", "--page-by-label", "--ingest-bind-address=127.0.0.1:0"), pagerv1beta1.AddToScheme, v1beta1.AddToScheme)
		Expect(env.Operator.Stop()).To(Succeed())
		for _, name := range []string{"team-a", "team-b", "elsewhere"} {
			env.Apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: "+name+", labels: {pager.k8s.co/page-by-label: enabled}}}")
		}
		replaceRights(ctx)
		mark = env.MarkAudit()
		env.StartOperator(ctx)
	})
	_ = BeforeEach(env.Logs.Reset)
	_ = AfterEach(env.Logs.Report)
)

// replaceRights replaces the operator's rights by those that the chart has for an installation of two namespaces.
func replaceRights(ctx context.Context) {
	GinkgoHelper()
	for _, bindings := range []string{"clusterrolebindings", "rolebindings --namespace=" + env.Cluster.Namespace} {
		out, err := env.Kubectl(ctx, "", strings.Fields("delete "+bindings+" --selector=app.kubernetes.io/name=bellhop")...)
		Expect(err).NotTo(HaveOccurred(), out)
	}
	for _, o := range rightsOfChart(ctx) {
		applyObject(ctx, o)
	}
}

// rightsOfChart returns the roles and bindings that the chart has for an installation of two namespaces.
func rightsOfChart(ctx context.Context) (rights []unstructured.Unstructured) {
	GinkgoHelper()
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	cmd := exec.CommandContext(ctx, suite.Helm(ctx), "template", "bellhop", "charts/bellhop",
		"--namespace="+env.Cluster.Namespace, "--set=namespaces={team-a,team-b}", "--set=certificates.certManager.enabled=true", "--set=pageByLabel.enabled=true")
	cmd.Dir = repo
	out, err := cmd.Output()
	Expect(err).NotTo(HaveOccurred())
	for document := range strings.SplitSeq(string(out), "\n---\n") {
		var o unstructured.Unstructured
		Expect(yaml.Unmarshal([]byte(document), &o.Object)).To(Succeed())
		if strings.HasPrefix(o.GetAPIVersion(), "rbac.authorization.k8s.io/") {
			rights = append(rights, o)
		}
	}
	return rights
}

// leaveOnlyGetOfSecrets takes the right to list and watch Secrets, and to write them, out of the operator's roles.
func leaveOnlyGetOfSecrets(ctx context.Context) {
	GinkgoHelper()
	for _, role := range rightsOfChart(ctx) {
		rules, _, err := unstructured.NestedSlice(role.Object, "rules")
		Expect(err).NotTo(HaveOccurred())
		for _, rule := range rules {
			rule := rule.(map[string]any)
			if resources, _ := rule["resources"].([]any); slices.Contains(resources, any("secrets")) {
				Expect(resources).To(HaveLen(1))
				rule["verbs"] = []any{"get"}
			}
		}
		if len(rules) > 0 && role.GetNamespace() != "team-a" { // which is deleted
			Expect(unstructured.SetNestedSlice(role.Object, rules, "rules")).To(Succeed())
			applyObject(ctx, role)
		}
	}
}

func applyObject(ctx context.Context, o unstructured.Unstructured) {
	GinkgoHelper()
	manifest, err := yaml.Marshal(o.Object)
	Expect(err).NotTo(HaveOccurred())
	env.Apply(ctx, string(manifest))
}

func wait(ctx context.Context, args string) {
	GinkgoHelper()
	env.Wait(ctx, "--timeout=20s "+args)
}

var _ = Describe("An operator of two namespaces", Ordered, func() {
	var broker *osbtest.Broker
	BeforeAll(func() { broker = osbtest.Start(GinkgoT(), osbtest.Options{Username: "bellhop", Password: "change-me"}) })

	It("serves Alerts, brokers, instances and bindings there", func(ctx SpecContext) {
		service := osbtest.DefaultServices()[0]
		for _, namespace := range []string{"team-a", "team-b"} {
			env.Apply(ctx, strings.NewReplacer("NAMESPACE", namespace, "URL", broker.URL, "CLASS", service.Name, "PLAN", service.Plans[0].Name).Replace(`
{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: events, namespace: NAMESPACE}, spec: {event: {}}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: disk, namespace: NAMESPACE}, spec: {content: Disk is full, receiverRefs: [{kind: Receiver, name: events}]}}
---
{apiVersion: v1, kind: Secret, metadata: {name: broker, namespace: NAMESPACE}, stringData: {username: bellhop, password: change-me}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBroker, metadata: {name: own, namespace: NAMESPACE}, spec: {url: "URL", authInfo: {basic: {secretRef: {name: broker}}}}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: orders, namespace: NAMESPACE}, spec: {serviceClassExternalName: CLASS, servicePlanExternalName: PLAN}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: orders, namespace: NAMESPACE}, spec: {instanceRef: {name: orders}}}
`))
			wait(ctx, "--for=condition=Ready --namespace="+namespace+" receiver/events alert/disk servicebroker/own serviceinstance/orders servicebinding/orders")
		}
		Expect(broker.Counts()[osb.ProvisionInstance]).To(Equal(2))
	})

	It("sends Alerts about objects with the label there", func(ctx SpecContext) {
		for _, namespace := range []string{"elsewhere", "team-b"} {
			env.Apply(ctx, strings.ReplaceAll(`
apiVersion: batch/v1
kind: Job
metadata: {name: import, namespace: NAMESPACE, labels: {pager.k8s.co/page: "true"}, annotations: {pager.k8s.co/receivers: events}}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: main, image: main}]}}}
`, "NAMESPACE", namespace))
			var job batchv1.Job
			Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "import"}, &job)).To(Succeed())
			workload.SetFailed(&job)
			Expect(env.Client.Status().Update(ctx, &job)).To(Succeed())
		}
		alerts := func(namespace string) []pagerv1beta1.Alert {
			var list pagerv1beta1.AlertList
			Expect(env.Client.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
			return list.Items
		}
		Eventually(alerts).WithArguments("team-b").Should(ContainElement(HaveField("Spec.Title", "Job team-b/import is failing")))
		Expect(alerts("elsewhere")).To(BeEmpty())
	})

	It("lets senders post there, and in no other namespace", func(ctx SpecContext) {
		for _, namespace := range []string{"elsewhere", "team-b"} {
			env.Apply(ctx, strings.ReplaceAll(`
{apiVersion: v1, kind: Secret, metadata: {name: posts, namespace: NAMESPACE}, stringData: {token: s3cret}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: AlertSource, metadata: {name: posts, namespace: NAMESPACE}, spec: {secretRef: {name: posts}}}
`, "NAMESPACE", namespace))
		}
		wait(ctx, "--for=condition=Ready --namespace=team-b alertsource/posts")
		var source pagerv1beta1.AlertSource
		Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: "elsewhere", Name: "posts"}, &source)).To(Succeed())
		Expect(source.Status.Conditions).To(BeEmpty())
	})

	It("repeats nothing after a restart", func(ctx SpecContext) {
		before := broker.Counts()
		Expect(env.Operator.Stop()).To(Succeed())
		env.StartOperator(ctx)
		env.Apply(ctx, `{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: new, namespace: team-b}, spec: {content: New, receiverRefs: [{kind: Receiver, name: events}]}}`)
		wait(ctx, "--for=condition=Ready --namespace=team-b alert/new")
		after := broker.Counts()
		Expect(after[osb.ProvisionInstance]).To(Equal(before[osb.ProvisionInstance]))
		Expect(after[osb.Bind]).To(Equal(before[osb.Bind]))
		var alert pagerv1beta1.Alert
		Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: "team-a", Name: "disk"}, &alert)).To(Succeed())
		Expect(alert.Status.Deliveries).To(ConsistOf(HaveField("Attempts", int32(1))))
	})

	// The objects first: with the namespace its RoleBinding is deleted, too.
	It("removes what is outside when the objects of a namespace are deleted, and then the namespace", func(ctx SpecContext) {
		for _, args := range []string{"servicebindings,serviceinstances,alerts --all --namespace=team-a", "servicebrokers,receivers --all --namespace=team-a", "namespace team-a"} {
			out, err := env.Kubectl(ctx, "", strings.Fields("delete --timeout=30s "+args)...)
			Expect(err).NotTo(HaveOccurred(), out)
		}
		Expect(broker.Holds().Instances).To(HaveLen(1))
	})

	It("serves no other namespace, and no object without one", func(ctx SpecContext) {
		env.Apply(ctx, `{apiVersion: pager.k8s.co/v1beta1, kind: ClusterReceiver, metadata: {name: events}, spec: {event: {}, namespaceSelector: {}}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: events, namespace: elsewhere}, spec: {event: {}}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: disk, namespace: elsewhere}, spec: {content: Disk is full, receiverRefs: [{kind: Receiver, name: events}]}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: whole, namespace: team-b}, spec: {content: Disk is full, receiverRefs: [{kind: ClusterReceiver, name: events}]}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: last, namespace: team-b}, spec: {content: Last, receiverRefs: [{kind: Receiver, name: events}]}}
`)
		wait(ctx, "--for=condition=Ready --namespace=team-b alert/last")
		wait(ctx, "--for=condition=Ready=False --namespace=team-b alert/whole")
		var alert pagerv1beta1.Alert
		Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: "elsewhere", Name: "disk"}, &alert)).To(Succeed())
		Expect(alert.Status.Conditions).To(BeEmpty())
		for _, r := range env.RequestsSince(mark) {
			Expect(r.ObjectRef.Namespace).To(BeElementOf("team-a", "team-b", env.Cluster.Namespace, corev1.NamespaceDefault, ""), r.String())
		}
	})

	It("needs no other rights", func() {
		for _, r := range env.RequestsSince(mark) {
			Expect(r.IsForbidden()).To(BeFalse(), r.String())
		}
	})

	It("delivers with the right to get Secrets alone, and notices new ones", func(ctx SpecContext) {
		Expect(env.Operator.Stop()).To(Succeed())
		leaveOnlyGetOfSecrets(ctx)
		mark := env.MarkAudit()
		env.StartOperator(ctx, "--namespaces=team-b", "--apis=pager", "--watch-secrets=false")

		var token atomic.Value
		token.Store("first")
		receiver := notifytest.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+token.Load().(string) {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		DeferCleanup(receiver.Close)
		setToken := func(value string) {
			env.Apply(ctx, `{apiVersion: v1, kind: Secret, metadata: {name: hook, namespace: team-b}, stringData: {token: `+value+`}}`)
		}
		env.Apply(ctx, strings.ReplaceAll(`
{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: hook, namespace: team-b}, spec: {secretRef: {name: hook}, webhook: {url: "URL"}}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: early, namespace: team-b}, spec: {content: Early, receiverRefs: [{kind: Receiver, name: hook}]}}
`, "URL", receiver.URL))
		wait(ctx, "--for=condition=Ready=False --namespace=team-b receiver/hook")
		setToken("first")
		wait(ctx, "--for=condition=Ready --namespace=team-b alert/early receiver/hook")

		token.Store("second")
		setToken("second")
		env.Apply(ctx, `{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: rotated, namespace: team-b}, spec: {content: Rotated, receiverRefs: [{kind: Receiver, name: hook}]}}`)
		wait(ctx, "--for=condition=Ready --namespace=team-b alert/rotated")
		var alert pagerv1beta1.Alert
		Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: "team-b", Name: "rotated"}, &alert)).To(Succeed())
		Expect(alert.Status.Deliveries).To(ConsistOf(HaveField("Attempts", BeNumerically(">", 1))), "the credentials that were replaced were used first")

		verbs := map[string]bool{}
		for _, r := range env.RequestsSince(mark) {
			Expect(r.IsForbidden()).To(BeFalse(), r.String())
			if r.ObjectRef.Resource == "secrets" {
				verbs[r.Verb] = true
			}
		}
		Expect(verbs).To(Equal(map[string]bool{"get": true}))
	})
})
