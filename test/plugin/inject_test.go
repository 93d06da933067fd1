// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/injectionrules"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// template is the label and the annotation on the template of a workload.
const template = `-o go-template='{{with .spec.template.metadata}}{{index .labels "bellhop.gophernetes.io/inject"}} {{index .annotations "bellhop.gophernetes.io/bindings"}}{{"\n"}}{{end}}'`

// secretUse is how a Pod of these specs uses the Secret orders.
type secretUse func(*corev1.PodSpec)

func byVariable(spec *corev1.PodSpec) {
	spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "orders"}}}}
}

func byVolume(spec *corev1.PodSpec) {
	spec.Volumes = []corev1.Volume{{Name: "orders", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "orders"}}}}
	spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "orders", MountPath: "/bindings/orders"}}
}

func byNothing(*corev1.PodSpec) {}

// createReplicaSet creates the ReplicaSet of a Deployment, if there is none, so that its Pods are not garbage. No controller acts on it.
func createReplicaSet(ctx context.Context, namespace, deployment string) *appsv1.ReplicaSet {
	GinkgoHelper()
	labels := map[string]string{"app": deployment}
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: deployment + "-5d4"}}
	rs.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	rs.Spec.Template.Labels = labels
	rs.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "app"}}
	if err := env.Client.Create(ctx, rs); apierrors.IsAlreadyExists(err) {
		Expect(env.Client.Get(ctx, client.ObjectKeyFromObject(rs), rs)).To(Succeed())
	} else {
		Expect(err).NotTo(HaveOccurred())
	}
	return rs
}

// createUser creates a Pod of a Deployment that requests the credentials of the binding orders. Its container runs since a time; zero: it
// waits.
func createUser(ctx context.Context, namespace, deployment, name string, use secretUse, since time.Time) {
	GinkgoHelper()
	rs := createReplicaSet(ctx, namespace, deployment)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name,
		Labels:          map[string]string{servicecatalogv1beta1.InjectLabel: "true", "pod-template-hash": "5d4"},
		Annotations:     map[string]string{servicecatalogv1beta1.InjectBindingsAnnotation: "orders"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: rs.Name, UID: rs.UID, Controller: new(true)}},
	}}
	pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "app"}}
	use(&pod.Spec)
	Expect(env.Client.Create(ctx, pod)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { _ = env.Client.Delete(ctx, pod, client.GracePeriodSeconds(0)) })
	status := corev1.ContainerStatus{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}
	pod.Status.Phase = corev1.PodPending
	if !since.IsZero() {
		status.State, status.Ready = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}}, true
		pod.Status.Phase, pod.Status.Conditions = corev1.PodRunning, []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	Expect(env.Client.Status().Update(ctx, pod)).To(Succeed())
}

// permitInjection labels a namespace.
func (t *transcript) permitInjection(ctx context.Context) {
	GinkgoHelper()
	out, code := t.try(ctx, "kubectl label namespace "+t.namespace+" "+injectionrules.NamespaceSelector)
	Expect(code).To(BeZero(), out)
}

// createPolicy creates a policy with the name of that of config/injection, which matches nothing.
func createPolicy(ctx context.Context) {
	GinkgoHelper()
	p := &admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: injectionrules.Policy}}
	p.Spec.ReinvocationPolicy = admissionregistrationv1.NeverReinvocationPolicy
	p.Spec.MatchConstraints = &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
		RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{"none.example.com"}, APIVersions: []string{"v1"}, Resources: []string{"none"}},
		},
	}}}
	p.Spec.Mutations = []admissionregistrationv1.Mutation{{
		PatchType: admissionregistrationv1.PatchTypeApplyConfiguration, ApplyConfiguration: &admissionregistrationv1.ApplyConfiguration{Expression: "Object{}"},
	}}
	Expect(env.Client.Create(ctx, p)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(env.Client.Delete(ctx, p)).To(Succeed()) })
}

var _ = Describe("bind --inject", func() {
	var t *transcript
	BeforeEach(func(ctx SpecContext) {
		t = newTranscript(ctx)
		t.createOrders(ctx)
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders"), "Ready")
	})

	It("adds bindings to the template of a workload", func(ctx SpecContext) {
		t.permitInjection(ctx)
		t.run(ctx, 0, "kubectl bellhop bind orders --inject deployment/orders --dry-run=client")
		t.run(ctx, 0, "kubectl bellhop bind orders --inject deployment/orders --dry-run=server")
		t.run(ctx, 0, "kubectl bellhop bind orders --inject deployment/orders --dry-run=client -o yaml")
		t.run(ctx, 0, "kubectl get servicebindings")
		t.try(ctx, "kubectl annotate deployment orders secret.reloader.stakater.com/reload=orders")
		t.run(ctx, 0, "kubectl bellhop bind orders --inject deployment/orders --wait")
		t.run(ctx, 0, "kubectl get deployment orders -o jsonpath='{.metadata.annotations}'")
		t.run(ctx, 0, "kubectl get deployment orders "+template)
		t.run(ctx, 0, "kubectl bellhop bind orders --name reports --secret-name reports-db --inject deploy/orders --wait -o name")
		t.run(ctx, 0, "kubectl get deployment orders "+template)
		t.run(ctx, 0, "kubectl bellhop unbind reports && kubectl wait --for=delete --timeout=60s servicebinding/reports")
		t.run(ctx, 0, "kubectl bellhop bind orders --name reports --inject Deployments.apps/orders")
		t.run(ctx, 0, "kubectl bellhop unbind reports --wait && kubectl bellhop bind orders --name reports --inject deployment/orders")
		t.run(ctx, 0, "kubectl get deployment orders "+template)
		createUser(ctx, t.namespace, "orders", "orders-5d4-a", byNothing, time.Now())
		t.run(ctx, 0, "kubectl bellhop unbind orders reports --dry-run=client")
		t.matchGolden("inject")
	})

	It("adds bindings to the templates of StatefulSets and DaemonSets", func(ctx SpecContext) {
		t.permitInjection(ctx)
		for _, workload := range []string{"StatefulSet", "DaemonSet"} {
			manifest := `{apiVersion: apps/v1, kind: %s, metadata: {name: orders}, spec: {updateStrategy: {type: OnDelete}, selector: {matchLabels: {app: orders}},
				template: {metadata: {labels: {app: orders}}, spec: {containers: [{name: orders, image: orders}]}}}}`
			out, code := t.try(ctx, "kubectl apply -f - <<EOF\n"+fmt.Sprintf(manifest, workload)+"\nEOF")
			Expect(code).To(BeZero(), out)
		}
		t.run(ctx, 0, "kubectl bellhop bind orders --name first --inject sts/orders")
		t.run(ctx, 0, "kubectl bellhop bind orders --name second --inject ds/orders")
		t.run(ctx, 0, "kubectl get statefulset,daemonset orders -o jsonpath='{.items[*].spec.template.metadata.annotations}'")
		t.matchGolden("inject-kinds")
	})

	It("keeps an edit of the annotation by another client", func(ctx SpecContext) {
		t.permitInjection(ctx)
		for n := range 4 {
			_, code := t.try(ctx, fmt.Sprintf("for i in 1 2 3; do kubectl bellhop bind orders --name b%d-$i --inject deployment/orders >$i.log 2>&1 & done; wait; cat *.log >&2; ! grep error *.log", n))
			Expect(code).To(BeZero())
		}
		out, _ := t.try(ctx, "kubectl get deployment orders "+template)
		bindings, err := injectionrules.ParseBindings(strings.TrimPrefix(strings.TrimSpace(out), "true "))
		Expect(err).NotTo(HaveOccurred())
		Expect(bindings).To(HaveLen(12), out)
	})

	It("creates nothing where the credentials cannot be injected", func(ctx SpecContext) {
		for _, workload := range []string{"job/orders", "pod/orders", "deployment", "deployment/", "deploy.example.com/orders"} {
			t.run(ctx, 2, "kubectl bellhop bind orders --inject "+workload)
		}
		t.run(ctx, 1, "kubectl bellhop bind orders --inject deployment/order")
		t.run(ctx, 1, "kubectl bellhop bind orders --inject deployment/orders")
		t.permitInjection(ctx)
		annotate := func(value string) {
			out, code := t.try(ctx, `kubectl patch deployment orders --type=merge -p '{"spec": {"template": {"metadata": {"annotations": {"bellhop.gophernetes.io/bindings": "`+value+`"}}}}}'`)
			Expect(code).To(BeZero(), out)
		}
		annotate("a1,a2,a3,a4,a5,a6,a7,a8,a9,a10,a11,a12,a13,a14,a15,a16")
		t.run(ctx, 1, "kubectl bellhop bind orders --inject deployment/orders")
		annotate("cache,")
		t.run(ctx, 1, "kubectl bellhop bind orders --inject deployment/orders")
		t.run(ctx, 0, "kubectl get servicebindings")
		allowServices(ctx, t.namespace, "ann", "get", "list", "create")
		t.run(ctx, 1, "kubectl bellhop bind orders --inject deployment/orders --as=ann")
		t.try(ctx, "kubectl create role ann --verb=get --resource=deployments && kubectl create rolebinding ann --role=ann --user=ann")
		annotate("cache")
		t.run(ctx, 1, "kubectl bellhop bind orders --inject deployment/orders --as=ann")
		t.run(ctx, 0, "kubectl-bellhop __complete bind orders --inject d 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete bind orders --inject deployment/ 2>/dev/null")
		t.matchGolden("inject-errors")
	})
})

var _ = Describe("The Pods of a binding", func() {
	It("are shown by tree, those first that are not ready", func(ctx SpecContext) {
		t := newTranscript(ctx)
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "orders-db"), "Ready")
		createUser(ctx, t.namespace, "import", "import-5d4-0", byVolume, time.Time{})
		createUser(ctx, t.namespace, "web", "web-5d4-0", byVariable, time.Now())
		createUser(ctx, t.namespace, "other", "other-5d4-0", byNothing, time.Now())
		t.run(ctx, 0, "kubectl bellhop tree binding/orders")
		for n := range 10 {
			createUser(ctx, t.namespace, "web", fmt.Sprintf("web-5d4-%d", n+1), byVariable, time.Now())
		}
		t.run(ctx, 0, "kubectl bellhop tree instance/orders-db --ascii")
		t.run(ctx, 0, "kubectl bellhop tree binding/orders -o json | grep -c '\"Pod\"'")
		t.matchGolden("tree-pods")
	})
})

// The policy is one of the cluster.
var _ = Describe("doctor", suite.Serial, func() {
	It("finds Pods without credentials, and Pods with former ones", func(ctx SpecContext) {
		t := newTranscript(ctx)
		doctor := " | sed -n '/ injection /,/ deletions /p' | sed '$d'"
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "orders-db"), "Ready")
		t.run(ctx, 0, "kubectl bellhop doctor"+doctor)
		createUser(ctx, t.namespace, "early", "early-5d4-0", byNothing, time.Now())

		By("having neither the label nor the policy")
		t.run(ctx, 0, "kubectl bellhop doctor"+doctor)
		t.permitInjection(ctx)
		t.run(ctx, 0, "kubectl bellhop doctor"+doctor)

		By("having both")
		createPolicy(ctx)
		t.run(ctx, 0, "kubectl bellhop doctor"+doctor)
		Expect(t.doctor(ctx, "-A").Findings).To(ContainElement(SatisfyAll(HaveField("ID", "injection-missed"), HaveField("Namespace", t.namespace))))

		By("replacing the credentials")
		before := time.Now().Add(-time.Hour)
		createUser(ctx, t.namespace, "web", "web-5d4-0", byVariable, before)
		createUser(ctx, t.namespace, "web", "web-5d4-1", byVariable, before)
		createUser(ctx, t.namespace, "files", "files-5d4-0", byVolume, before)
		createUser(ctx, t.namespace, "new", "new-5d4-0", byVariable, time.Now().Add(time.Hour))
		createUser(ctx, t.namespace, "waits", "waits-5d4-0", byVariable, time.Time{})
		out, code := t.try(ctx, "kubectl bellhop rotate orders --wait")
		Expect(code).To(BeZero(), out)
		t.run(ctx, 0, "kubectl bellhop doctor"+doctor)

		By("lacking rights")
		t.run(ctx, 0, "kubectl bellhop doctor --as=jane | grep ' injection '")
		t.try(ctx, "kubectl create role joe --verb=list --resource=pods && kubectl create rolebinding joe --role=joe --user=joe")
		t.run(ctx, 0, "kubectl bellhop doctor --as=joe"+doctor)
		allowServices(ctx, t.namespace, "joe", "get", "list")
		t.run(ctx, 0, "kubectl bellhop doctor --as=joe"+doctor)
		t.matchGolden("doctor-injection")
	})

	It("compares Pods with the last rotation, and not with later events of the Secret's other keys", func(ctx SpecContext) {
		t := newTranscript(ctx)
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "orders-db"), "Ready")
		createUser(ctx, t.namespace, "web", "web-5d4-0", byVariable, time.Now().Add(time.Second))
		age := func() []string {
			var ids []string
			for _, f := range t.doctor(ctx, "").Findings { // of which there is one about the policy
				ids = append(ids, f.ID)
			}
			return ids
		}
		Expect(age()).NotTo(ContainElement("credentials-outdated"))
		Eventually(func(g Gomega) { // once the second of the start is over
			out, code := t.try(ctx, `kubectl patch secret orders --type=merge -p '{"stringData": {"comment": "'$(date +%s)'"}}'`)
			g.Expect(code).To(BeZero(), out)
			secret := &corev1.Secret{}
			g.Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "orders"}, secret)).To(Succeed())
			var latest time.Time
			for _, entry := range secret.ManagedFields {
				if entry.Time.After(latest) {
					latest = entry.Time.Time
				}
			}
			pod := &corev1.Pod{}
			g.Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "web-5d4-0"}, pod)).To(Succeed())
			g.Expect(pod.Status.ContainerStatuses[0].State.Running.StartedAt.Time).To(BeTemporally("<", latest))
		}).Should(Succeed())
		Expect(age()).NotTo(ContainElement("credentials-outdated"))
		out, code := t.try(ctx, "kubectl bellhop rotate orders --wait")
		Expect(code).To(BeZero(), out)
		Expect(age()).To(ContainElement("credentials-outdated"))
	})
})
