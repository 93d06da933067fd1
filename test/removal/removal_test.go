/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package removal_test runs the scripts that take bellhop out of a cluster, as users do, and
// asserts what is left.
package removal_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

const (
	mine  = "example.com/mine" // somebody else's finalizer
	idsIn = "known-by"         // the ConfigMap of the cluster's id
)

var (
	repo     string
	cluster  *local.Cluster
	operator *local.Operator
	k8s      client.Client
)

func TestRemoval(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "removal")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	repo, err = local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	// The cluster outlives this node's context.
	cluster, err = local.Start(context.WithoutCancel(ctx), local.Options{Repo: repo, ControllerManager: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return cluster.Stop() })
	binary, err := local.BuildOperator(ctx, repo)
	Expect(err).NotTo(HaveOccurred())
	operator, err = cluster.StartOperator(ctx, local.OperatorOptions{Binary: binary,
		Args: []string{"--allow-outbound=127.0.0.1", "--cluster-id-configmap-name=" + idsIn}})
	Expect(err).NotTo(HaveOccurred())

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		Expect(add(scheme)).To(Succeed())
	}
	k8s, err = client.New(cluster.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
})

// run runs a script of hack/ against the cluster and returns what it printed.
func run(ctx context.Context, script string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(repo, "hack", script))
	cmd.Env = append(append(os.Environ(), "KUBECTL="+cluster.KubectlPath, "KUBECONFIG="+cluster.Kubeconfig,
		"KUBECACHEDIR="+GinkgoT().TempDir()), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// finalizersOf are those of a Secret.
func finalizersOf(ctx context.Context, secret *corev1.Secret) func() ([]string, error) {
	return func() ([]string, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret)
		return secret.Finalizers, err
	}
}

var _ = Describe("A cluster that bellhop is taken out of", Ordered, ContinueOnFailure, func() {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-", Namespace: metav1.NamespaceDefault, Finalizers: []string{mine}},
		StringData: map[string]string{"username": "bellhop", "password": "change-me"}}

	It("has a service, and the operator ends", func(ctx SpecContext) {
		server := osbtest.Start(GinkgoT(), osbtest.Options{Username: "bellhop", Password: "change-me"})
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		broker := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: "team"}}
		broker.Spec.URL = server.URL
		broker.Spec.AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: secret.Name}}}
		Expect(k8s.Create(ctx, broker)).To(Succeed())
		instance := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: "orders"}}
		service := osbtest.DefaultServices()[0]
		instance.Spec.ServiceClassExternalName, instance.Spec.ServicePlanExternalName = service.Name, service.Plans[0].Name
		Expect(k8s.Create(ctx, instance)).To(Succeed())
		Eventually(func() (string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(instance), instance)
			return instance.Status.LastConditionState, err
		}).Should(Equal("Ready"))
		Eventually(finalizersOf(ctx, secret)).Should(ConsistOf(mine, v1beta1.AuthSecretFinalizer))
		Expect(operator.Stop()).To(Succeed())
	})

	It("keeps the id by which brokers know it while there are services", func(ctx SpecContext) {
		out, err := run(ctx, "undeploy.sh")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("ConfigMap " + idsIn))
		Expect(out).NotTo(ContainSubstring("what is not the operator's"))
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: idsIn}, &corev1.ConfigMap{})).To(Succeed())
	})

	It("loses no object without being told", func(ctx SpecContext) {
		out, err := run(ctx, "uninstall.sh")
		Expect(err).To(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("1 objects of serviceinstances.servicecatalog.k8s.io"))
		Expect(finalizersOf(ctx, secret)()).To(ConsistOf(mine, v1beta1.AuthSecretFinalizer))
	})

	It("has no Secret that nobody lets go", func(ctx SpecContext) {
		out, err := run(ctx, "uninstall.sh", "FORCE=1")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("abandoned: serviceinstances.servicecatalog.k8s.io default/orders"))
		Expect(finalizersOf(ctx, secret)()).To(Equal([]string{mine}))
	})

	It("has none that an attempt before has left", func(ctx SpecContext) {
		secret.Finalizers = append(secret.Finalizers, v1beta1.AuthSecretFinalizer)
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		out, err := run(ctx, "uninstall.sh")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(finalizersOf(ctx, secret)()).To(Equal([]string{mine}))
	})

	It("loses the operator's namespace with the last that was in it", func(ctx SpecContext) {
		out, err := run(ctx, "undeploy.sh")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(client.IgnoreNotFound(k8s.Get(ctx, client.ObjectKey{Name: cluster.Namespace}, &corev1.Namespace{}))).To(Succeed())
		Expect(out).NotTo(ContainSubstring("stays"))
	})
})
