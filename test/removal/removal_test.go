// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package removal_test runs the scripts that remove Bellhop from a cluster, as users do, and asserts what is left.
package removal_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

const (
	foreignFinalizer = "example.com/mine" // another controller's finalizer
	idConfigMap      = "known-by"         // name of the ConfigMap with the cluster's id
)

var env = &suite.Suite{}

func TestRemoval(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "removal")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	env.Join(env.Start(ctx, "--cluster-id-configmap-name="+idConfigMap), v1beta1.AddToScheme)
})

var (
	_ = BeforeEach(env.Logs.Reset)
	_ = AfterEach(env.Logs.Report)
)

// run runs a script of hack/ against the cluster, and returns what the script printed.
func run(ctx context.Context, script string, environ ...string) (string, error) {
	repo, err := local.FindRepo()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(repo, "hack", script))
	cmd.Env = append(append(os.Environ(), "KUBECTL="+env.Cluster.KubectlPath, "KUBECONFIG="+env.Cluster.Kubeconfig,
		"KUBECACHEDIR="+GinkgoT().TempDir()), environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// operatorOf returns the Deployment of an operator with one API group.
func operatorOf(group string) *appsv1.Deployment {
	labels := map[string]string{"app.kubernetes.io/name": "bellhop"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: env.Cluster.Namespace, Name: "bellhop-" + group + "-controller-manager", Labels: labels}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "manager", Image: "none"}}
	return d
}

var _ = Describe("A cluster from which Bellhop is removed", Ordered, ContinueOnFailure, func() {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-", Namespace: metav1.NamespaceDefault, Finalizers: []string{foreignFinalizer}},
		StringData: map[string]string{"username": "bellhop", "password": "change-me"}}

	It("has an instance, and its operator is stopped", func(ctx SpecContext) {
		server := osbtest.Start(GinkgoT(), osbtest.Options{Username: "bellhop", Password: "change-me"})
		Expect(env.Client.Create(ctx, secret)).To(Succeed())
		broker := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: "team"}}
		broker.Spec.URL = server.URL
		broker.Spec.AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: secret.Name}}}
		Expect(env.Client.Create(ctx, broker)).To(Succeed())
		instance := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: "orders"}}
		service := osbtest.DefaultServices()[0]
		instance.Spec.ServiceClassExternalName, instance.Spec.ServicePlanExternalName = service.Name, service.Plans[0].Name
		Expect(env.Client.Create(ctx, instance)).To(Succeed())
		Eventually(func() (string, error) {
			err := env.Client.Get(ctx, client.ObjectKeyFromObject(instance), instance)
			return instance.Status.LastConditionState, err
		}).Should(Equal("Ready"))
		Eventually(env.Finalizers(ctx, secret)).Should(ConsistOf(foreignFinalizer, v1beta1.AuthSecretFinalizer))
		Expect(env.Operator.Stop()).To(Succeed())
	})

	It("keeps the id by which brokers know it while it has instances", func(ctx SpecContext) {
		out, err := run(ctx, "undeploy.sh")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("ConfigMap " + idConfigMap))
		Expect(out).To(ContainSubstring("make undeploy again"))
		Expect(out).To(ContainSubstring("make uninstall"))
		Expect(out).NotTo(ContainSubstring("objects of users"))
		Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: env.Cluster.Namespace, Name: idConfigMap}, &corev1.ConfigMap{})).To(Succeed())
	})

	It("keeps all objects without FORCE=1", func(ctx SpecContext) {
		out, err := run(ctx, "uninstall.sh")
		Expect(err).To(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("1 objects of serviceinstances.servicecatalog.k8s.io"))
		Expect(env.Finalizers(ctx, secret)()).To(ConsistOf(foreignFinalizer, v1beta1.AuthSecretFinalizer))
	})

	It("has no Secret with the operator's finalizer after FORCE=1", func(ctx SpecContext) {
		out, err := run(ctx, "uninstall.sh", "FORCE=1")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("abandoned: serviceinstances.servicecatalog.k8s.io default/orders"))
		Expect(env.Finalizers(ctx, secret)()).To(Equal([]string{foreignFinalizer}))
	})

	It("has no Secret with the operator's finalizer that an earlier attempt left", func(ctx SpecContext) {
		secret.Finalizers = append(secret.Finalizers, v1beta1.AuthSecretFinalizer)
		Expect(env.Client.Update(ctx, secret)).To(Succeed())
		out, err := run(ctx, "uninstall.sh")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(env.Finalizers(ctx, secret)()).To(Equal([]string{foreignFinalizer}))
	})

	It("keeps what an operator of the other API group has, and nothing else", func(ctx SpecContext) {
		repo, err := local.FindRepo()
		Expect(err).NotTo(HaveOccurred())
		inRepo := func(flag string, paths ...string) (args []string) {
			for _, path := range paths {
				args = append(args, flag, filepath.Join(repo, "config", path))
			}
			return args
		}
		injection := inRepo("-f", "injection/mutating_policy.yaml", "injection/validating_policy.yaml")
		components := append(inRepo("-f", "page-by-label/role.yaml", "page-by-label/role_binding.yaml", "ingest/service.yaml", "ingress-policy/operator.yaml"), injection...)
		applied, err := env.Kubectl(ctx, "", append([]string{"apply"}, components...)...)
		Expect(err).NotTo(HaveOccurred(), applied)
		roles := map[string]*rbacv1.ClusterRole{}
		for _, group := range []string{"pager", "servicecatalog"} {
			roles[group] = &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bellhop-" + group + "-view"}}
			Expect(env.Client.Create(ctx, roles[group])).To(Succeed())
		}
		expectLeft := func(out string, groups ...string) {
			GinkgoHelper()
			for group, role := range roles {
				err := env.Client.Get(ctx, client.ObjectKeyFromObject(role), role)
				Expect(client.IgnoreNotFound(err)).To(Succeed())
				Expect(err == nil).To(Equal(slices.Contains(groups, group)), "the role of %s: %s", group, out)
			}
		}
		other := operatorOf("servicecatalog")
		Expect(env.Client.Create(ctx, other)).To(Succeed())
		out, err := run(ctx, "undeploy.sh", "CONFIG=pager")
		Expect(err).NotTo(HaveOccurred(), out)
		expectLeft(out, "servicecatalog")
		listed, err := env.Kubectl(ctx, "", append([]string{"get", "--ignore-not-found", "-o", "name"}, components...)...)
		Expect(err).NotTo(HaveOccurred(), listed)
		Expect(strings.Fields(listed)).To(And(HaveLen(4), HaveEach(HaveSuffix("/bellhop-injection"))))

		Expect(env.Client.Create(ctx, operatorOf("pager"))).To(Succeed())
		Expect(env.Client.Delete(ctx, other)).To(Succeed())
		out, err = run(ctx, "undeploy.sh", "CONFIG=servicecatalog")
		Expect(err).NotTo(HaveOccurred(), out)
		expectLeft(out)
		listed, err = env.Kubectl(ctx, "", append([]string{"get", "--ignore-not-found", "-o", "name"}, injection...)...)
		Expect(err).NotTo(HaveOccurred(), listed)
		Expect(listed).To(BeEmpty())
		Expect(env.Client.Delete(ctx, operatorOf("pager"))).To(Succeed())
	})

	It("loses the operator's namespace once nothing else is in it, and the roles of components", func(ctx SpecContext) {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "bellhop-page-by-label-role"}}
		Expect(env.Client.Create(ctx, role)).To(Succeed())
		repo, err := local.FindRepo()
		Expect(err).NotTo(HaveOccurred())
		listener := filepath.Join(repo, "config/ingest/service.yaml")
		created, err := env.Kubectl(ctx, "", "create", "-f", listener)
		Expect(err).NotTo(HaveOccurred(), created)
		injection := filepath.Join(repo, "config/injection")
		applied, err := env.Kubectl(ctx, "", "apply", "-f", filepath.Join(injection, "mutating_policy.yaml"), "-f", filepath.Join(injection, "validating_policy.yaml"))
		Expect(err).NotTo(HaveOccurred(), applied)
		out, err := run(ctx, "undeploy.sh")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(apierrors.IsNotFound(env.Client.Get(ctx, client.ObjectKeyFromObject(role), role))).To(BeTrue())
		listed, err := env.Kubectl(ctx, "", "get", "--ignore-not-found", "-o", "name", "-f", listener)
		Expect(err).NotTo(HaveOccurred(), listed)
		Expect(listed).To(BeEmpty())
		Expect(client.IgnoreNotFound(env.Client.Get(ctx, client.ObjectKey{Name: env.Cluster.Namespace}, &corev1.Namespace{}))).To(Succeed())
		Expect(out).NotTo(Or(ContainSubstring("stay"), ContainSubstring("make un")), "nothing remains to be done")
	})
})
