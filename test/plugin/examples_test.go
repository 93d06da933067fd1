// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var _ = Describe("The example", func() {
	It("apply-alert builds outside of the repository, and creates and changes an Alert by server-side apply", func(ctx SpecContext) {
		namespace := createNamespace(ctx)
		in := startInbox(ctx, namespace, "team")
		program := buildExample(ctx, "apply-alert")
		apply := func(args ...string) *gexec.Session {
			return startExample(program, append([]string{"-namespace", namespace, "-name", "disk-full", "-receivers", "team"}, args...)...)
		}

		Eventually(apply("-content", "node-7 has 3 % left")).Should(gexec.Exit(0))
		Expect(in.Messages()).To(ConsistOf(HaveField("Content", "node-7 has 3 % left")))

		By("changing it, and giving up a field")
		alert := &pagerv1beta1.Alert{}
		alert.Namespace, alert.Name = namespace, "disk-full"
		suite.Update(ctx, env, alert, func(a *pagerv1beta1.Alert) { a.Spec.Title = "Disk" }) // of another field manager
		changed := apply("-content", "node-7 has 2 % left", "-severity", "Critical")
		Eventually(changed).Should(gexec.Exit(0))
		Expect(string(changed.Out.Contents())).To(HaveSuffix("Receiver team: Sent\n"))
		Expect(env.Client.Get(ctx, client.ObjectKeyFromObject(alert), alert)).To(Succeed())
		Expect(alert.Spec).To(SatisfyAll(HaveField("Content", "node-7 has 2 % left"), HaveField("Severity", pagerv1beta1.SeverityCritical),
			HaveField("Title", "Disk")))
		Expect(alert.ManagedFields).To(ContainElement(SatisfyAll(HaveField("Manager", "apply-alert"), HaveField("Operation", metav1.ManagedFieldsOperationApply))))

		By("saying what a person has to change")
		refused := startExample(program, "-namespace", namespace, "-name", "lost", "-content", "hello")
		Eventually(refused).Should(gexec.Exit(1))
		Expect(string(refused.Err.Contents())).To(ContainSubstring("apply-alert: NoReceiver: "))
	})

	It("watch-alerts builds outside of the repository, and goes on after a restart of the API server", suite.Serial, func(ctx SpecContext) {
		namespace := createNamespace(ctx)
		startInbox(ctx, namespace, "team")
		session := startExample(buildExample(ctx, "watch-alerts"), "-namespace", namespace)
		printed := func() string { return string(session.Out.Contents()) }
		Eventually(printed).Should(Equal("watching, and there are 0 alerts\n"))

		createExampleAlert(ctx, namespace, "before", "team")
		Eventually(printed).Should(ContainSubstring("alert/before in " + namespace + ": Sent, 1/1 receivers\n"))
		instance := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "jobs"}}
		instance.Spec.ClusterServiceClassExternalName, instance.Spec.ClusterServicePlanExternalName = "queue", "standard"
		Expect(env.Client.Create(ctx, instance)).To(Succeed())
		Eventually(printed).Should(ContainSubstring("serviceinstance/jobs in " + namespace + ": ProvisionedSuccessfully\n"))

		Expect(env.Cluster.RestartAPIServer(ctx)).To(Succeed())
		createExampleAlert(ctx, namespace, "after", "team")
		Eventually(printed).Should(ContainSubstring("alert/after in " + namespace + ": Sent, 1/1 receivers\n"))
		Expect(env.Client.Delete(ctx, instance)).To(Succeed())
		Eventually(printed).Should(ContainSubstring("serviceinstance/jobs in " + namespace + ": deleted\n"))

		session.Interrupt()
		Eventually(session).Should(gexec.Exit(0))
	})
})

// buildExample builds a program of examples/ in a folder outside of the repository, as another project would.
func buildExample(ctx context.Context, name string) string {
	GinkgoHelper()
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	dir := filepath.Join(GinkgoT().TempDir(), "examples")
	Expect(os.CopyFS(dir, os.DirFS(filepath.Join(repo, "examples")))).To(Succeed())
	for _, args := range [][]string{
		{"mod", "edit", "-replace=github.com/gophernetes/bellhop=" + repo},
		{"build", "-trimpath", "-o", dir + string(filepath.Separator) + "bin" + string(filepath.Separator), "./" + name},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
	}
	return filepath.Join(dir, "bin", name)
}

// startExample starts a program as administrator of the cluster. It ends with the spec.
func startExample(program string, args ...string) *gexec.Session {
	GinkgoHelper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+env.Cluster.Kubeconfig)
	session, err := gexec.Start(cmd, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait() })
	return session
}

// createExampleAlert creates an Alert for a Receiver. The API server may have been restarted just now.
func createExampleAlert(ctx context.Context, namespace, name, receiver string) {
	GinkgoHelper()
	alert := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	alert.Spec.Content = name
	alert.Spec.ReceiverRefs = []pagerv1beta1.ReceiverRef{{Kind: pagerv1beta1.KindReceiver, Name: receiver}}
	Eventually(ctx, func() error { return env.Client.Create(ctx, alert.DeepCopy()) }).Should(Succeed())
}
