// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// createBroker registers a broker of a namespace.
func createBroker(ctx context.Context, namespace, name, url string) *servicecatalogv1beta1.ServiceBroker {
	GinkgoHelper()
	b := &servicecatalogv1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	b.Spec.URL = url
	Expect(env.Client.Create(ctx, b)).To(Succeed())
	return b
}

// createStalledInstance creates an instance, takes its finalizer off, and waits until a person has to act.
func createStalledInstance(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	i := createDatabase(ctx, namespace, name)
	waitForCondition(ctx, i, "Ready")
	suite.Update(ctx, env, i, func(i *servicecatalogv1beta1.ServiceInstance) { i.Finalizers = nil })
	waitForCondition(ctx, i, "Stalled")
}

// createDeployment creates a Deployment like the operator's, with these flags. No controller starts its pods.
func createDeployment(ctx context.Context, namespace string, args ...string) {
	GinkgoHelper()
	labels := map[string]string{"app.kubernetes.io/name": "bellhop", "control-plane": "controller-manager"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bellhop-controller-manager", Labels: labels}}
	d.Spec.Replicas = new(int32(2))
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "manager", Image: "controller:latest", Args: args}}
	Expect(env.Client.Create(ctx, d)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(env.Client.Delete(ctx, d)).To(Succeed()) }) // doctor looks at those of all namespaces
}

// permitPageByLabel gives the ServiceAccount default of a namespace the rights of config/page-by-label.
func permitPageByLabel(ctx context.Context, namespace string) {
	GinkgoHelper()
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	text, err := os.ReadFile(filepath.Join(repo, "config/page-by-label/role.yaml"))
	Expect(err).NotTo(HaveOccurred())
	role := &rbacv1.ClusterRole{}
	Expect(yaml.Unmarshal(text, role)).To(Succeed())
	role.Name = namespace
	Expect(env.Client.Create(ctx, role)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(env.Client.Delete(ctx, role)).To(Succeed()) })
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "default"}},
	}
	Expect(env.Client.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(env.Client.Delete(ctx, binding)).To(Succeed()) })
}

// createUntrustedWebhooks creates webhooks with names like Bellhop's, which nothing calls: one without caBundle, and one whose caBundle is
// no certificate.
func createUntrustedWebhooks(ctx context.Context, name string) {
	GinkgoHelper()
	w := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for hook, bundle := range map[string]string{"vone.pager.k8s.co": "", "vtwo.pager.k8s.co": "text"} {
		w.Webhooks = append(w.Webhooks, admissionregistrationv1.ValidatingWebhook{
			Name: hook, AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new("https://127.0.0.1:9/"), CABundle: []byte(bundle)},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"none.example.com"}, APIVersions: []string{"v1"}, Resources: []string{"none"}},
			}},
		})
	}
	Expect(env.Client.Create(ctx, w)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(env.Client.Delete(ctx, w)).To(Succeed()) })
}

// finding is something that doctor finds.
type finding struct{ ID, Check, Severity, Object, Namespace, Message, Fix string }

// doctorReport is doctor's output.
type doctorReport struct {
	Findings []finding
	Checks   []struct{ ID, Status, Message string }
}

// doctor returns the report of a doctor that finds problems.
func (t *transcript) doctor(ctx context.Context, args string) doctorReport {
	GinkgoHelper()
	out, code := t.try(ctx, "kubectl bellhop doctor -o json "+args)
	Expect(code).To(Equal(3), out)
	var report doctorReport
	Expect(json.Unmarshal([]byte(out), &report)).To(Succeed(), out)
	return report
}

// rightsOf returns doctor's findings about what a user may not do.
func (t *transcript) rightsOf(ctx context.Context, user string) (missing []finding) {
	GinkgoHelper()
	out, code := t.try(ctx, "kubectl bellhop doctor -o json --as="+user)
	Expect(code).To(Equal(0), out)
	var report doctorReport
	Expect(json.Unmarshal([]byte(out), &report)).To(Succeed(), out)
	return slices.DeleteFunc(report.Findings, func(f finding) bool { return f.ID != "right-missing" })
}

// Other specs register brokers and receivers of the cluster, which doctor reports, too.
var _ = Describe("doctor", suite.Serial, func() {
	It("finds nothing where all is well", func(ctx SpecContext) {
		t := newTranscript(ctx)
		startInbox(ctx, t.namespace, "team")
		t.try(ctx, "kubectl annotate receiver team "+pagerv1beta1.DefaultReceiverAnnotation+"=true")
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, createAlertTo(ctx, t.namespace, "disk-full", "team"), "Ready")
		t.run(ctx, 0, "kubectl bellhop doctor")
		t.run(ctx, 0, "kubectl bellhop doctor -o json")
		t.run(ctx, 0, "kubectl bellhop doctor -o yaml | head -4")
		t.run(ctx, 0, "kubectl bellhop doctor --operator-namespace=elsewhere | grep elsewhere")
		t.matchGolden("doctor-well")
	})

	It("finds what is wrong, and says how to correct it", func(ctx SpecContext) {
		t := newTranscript(ctx)
		waitForCondition(ctx, createBroker(ctx, t.namespace, "gone", "http://127.0.0.1:9"), "Reconciling")
		for _, name := range []string{"phone", "pager"} {
			createReceiverWithSecret(ctx, t.namespace, name, "absent")
			t.try(ctx, "kubectl annotate receiver "+name+" "+pagerv1beta1.DefaultReceiverAnnotation+"=true")
		}
		createSuspended(ctx, t.namespace, "silent")
		waitForCondition(ctx, createAlertTo(ctx, t.namespace, "disk-full", "silent"), "Stalled")
		createStalledInstance(ctx, t.namespace, "orders-db")
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "held"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "held"), "Ready")
		t.try(ctx, "kubectl delete serviceinstance held --wait=false")
		Eventually(func() string {
			out, _ := t.try(ctx, "kubectl get serviceinstance held -o jsonpath='{.status.lastConditionState}'")
			return out
		}).Should(Equal(servicecatalogv1beta1.ReasonDeprovisionBlockedByExistingCredentials))

		out := t.run(ctx, 3, "kubectl bellhop doctor --stuck-after=0s")
		t.hide(regexp.MustCompile(`attempt \d+ failed`).FindString(out), "attempt N failed")
		t.matchGolden("doctor-problems")

		report := t.doctor(ctx, "--stuck-after=0s")
		for id, object := range map[string]string{
			"broker-not-ready": "ServiceBroker/gone", "receiver-not-ready": "Receiver/phone", "default-receiver-ambiguous": "Namespace/" + t.namespace,
			"serviceinstance-stalled": "ServiceInstance/orders-db", "alert-stalled": "Alert/disk-full", "deletion-stuck": "ServiceInstance/held",
		} {
			Expect(report.Findings).To(ContainElement(SatisfyAll(HaveField("ID", id), HaveField("Object", object), HaveField("Fix", Not(BeEmpty())))), id)
		}
		Expect(t.doctor(ctx, "").Findings).NotTo(ContainElement(HaveField("ID", "deletion-stuck")), "it is younger than 5 minutes")
		Expect(t.doctor(ctx, "-A").Findings).To(ContainElement(HaveField("Namespace", t.namespace)))
	})

	// F-U21, F-U23
	It("skips what the user may not read, and names roles with which nothing is missing", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.run(ctx, 0, "kubectl bellhop doctor --as=jane")
		for _, finding := range t.rightsOf(ctx, "jane") {
			_, command, _ := strings.Cut(finding.Fix, "an administrator can allow it: ")
			t.try(ctx, command)
			if kind, rest, _ := strings.Cut(strings.TrimPrefix(command, "kubectl create "), " "); kind == "clusterrolebinding" {
				name, _, _ := strings.Cut(rest, " ")
				DeferCleanup(func(ctx SpecContext) { t.try(ctx, "kubectl delete clusterrolebinding "+name) })
			}
		}
		Expect(t.rightsOf(ctx, "jane")).To(BeEmpty())
		allowServices(ctx, t.namespace, "joe", "get", "list", "create")
		t.run(ctx, 0, "kubectl bellhop doctor --as=joe")
		t.run(ctx, 2, "kubectl bellhop doctor -o xml")
		t.run(ctx, 2, "kubectl bellhop doctor now")
		t.run(ctx, 0, "kubectl-bellhop __complete doctor -o '' 2>/dev/null")
		t.matchGolden("doctor-rights")
	})

	It("finds an operator that does not run, and webhooks that are not trusted", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createDeployment(ctx, t.namespace)
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "bellhop.gophernetes.io"}}
		lease.Spec.HolderIdentity = new("bellhop-controller-manager-7d9c")
		lease.Spec.LeaseDurationSeconds = new(int32(15))
		lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Now().Add(-time.Hour)}
		Expect(env.Client.Create(ctx, lease)).To(Succeed())
		createUntrustedWebhooks(ctx, "doctor-"+t.namespace)
		t.run(ctx, 3, "kubectl bellhop doctor --operator-namespace="+t.namespace)
		t.matchGolden("doctor-operator")

		suite.Update(ctx, env, lease, func(l *coordinationv1.Lease) { l.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()} })
		Expect(t.doctor(ctx, "--operator-namespace="+t.namespace).Checks).To(ContainElement(
			SatisfyAll(HaveField("ID", "leader"), HaveField("Status", "ok"), HaveField("Message", "bellhop-controller-manager-7d9c leads"))))
	})

	// F-U20
	It("is not needed for the version of the operator", func(ctx SpecContext) {
		t := newTranscript(ctx)
		plugin, _ := t.try(ctx, "kubectl bellhop version --client")
		t.hide(plugin, "kubectl-bellhop VERSION\n")
		t.run(ctx, 0, "kubectl bellhop version")
		t.try(ctx, "kubectl create role joe --verb=list --resource=deployments.apps && kubectl create rolebinding joe --role=joe --user=joe")
		t.run(ctx, 0, "kubectl bellhop version --as=joe --operator-namespace="+t.namespace)
		createDeployment(ctx, t.namespace)
		t.run(ctx, 0, "kubectl bellhop version --as=joe --operator-namespace="+t.namespace)
		t.run(ctx, 0, "kubectl bellhop version")
		t.run(ctx, 0, "kubectl bellhop version -o json | grep -A8 operatorVersions")
		t.run(ctx, 0, "kubectl bellhop version -o yaml | grep -A8 operatorVersions")
		t.run(ctx, 0, "kubectl bellhop version --client")
		t.run(ctx, 0, "kubectl bellhop version --client --server=https://127.0.0.1:1")
		t.run(ctx, 1, "kubectl bellhop version --server=https://127.0.0.1:1")
		t.run(ctx, 0, "kubectl bellhop version --as=jane")
		t.run(ctx, 2, "kubectl bellhop version -o table")
		t.matchGolden("version")
	})

	It("finds watched objects about which no alert is sent", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.createOrders(ctx)
		t.try(ctx, "kubectl bellhop watch deploy/orders && kubectl create job import --image=import")
		t.try(ctx, "kubectl label job import pager.k8s.co/page=true && kubectl annotate job import pager.k8s.co/page-after-seconds=5m")
		createDeployment(ctx, t.namespace, "--page-by-label", "--page-kinds=v1/configmaps,example.com/v1/houses")
		permitPageByLabel(ctx, t.namespace)
		doctor := "kubectl bellhop doctor --operator-namespace=" + t.namespace
		t.run(ctx, 0, doctor+" | sed -n '/ watched /,/ secrets /p'")
		Expect(t.doctor(ctx, "-A --operator-namespace="+t.namespace).Findings).To(ContainElement(
			SatisfyAll(HaveField("ID", "watched-without-consent"), HaveField("Object", "Namespace/"+t.namespace))))
		disabled := createNamespace(ctx)
		t.hide(disabled, "DISABLED")
		createDeployment(ctx, disabled, "--page-by-label=false")
		t.try(ctx, "kubectl label namespace "+t.namespace+" pager.k8s.co/page-by-label=enabled && kubectl bellhop watch job/import --after=5m")
		t.run(ctx, 0, "kubectl bellhop doctor --operator-namespace="+disabled+" | sed -n '/ watched /,/ secrets /p'")
		t.run(ctx, 0, "kubectl bellhop doctor | grep ' watched '")
		t.try(ctx, "kubectl create rolebinding joe --clusterrole=view --user=joe")
		t.run(ctx, 0, "kubectl bellhop doctor --as=joe | grep ' watched '")
		t.run(ctx, 0, doctor+" --as=joe | grep ' watched '")
		t.matchGolden("doctor-watched")
	})

	It("finds Secrets of bindings that are missing, and webhooks that do not answer", func(ctx SpecContext) {
		t := newTranscript(ctx)
		waitForCondition(ctx, createDatabase(ctx, t.namespace, "orders-db"), "Ready")
		waitForCondition(ctx, bindDatabase(ctx, t.namespace, "orders-db"), "Ready")
		env.Operator.Kill()
		DeferCleanup(func(ctx SpecContext) { env.StartOperator(ctx) })
		t.try(ctx, "kubectl delete secret orders")
		t.run(ctx, 3, "kubectl bellhop doctor")
		t.matchGolden("doctor-without-operator")
	})
})
