// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/internal/version"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// instanceAndBinding returns a manifest of an instance of a service, and of a binding to it.
func instanceAndBinding(service osbtest.Service) string {
	return fmt.Sprintf(`
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceInstance
metadata: {name: db}
spec: {serviceClassExternalName: %s, servicePlanExternalName: %s}
---
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceBinding
metadata: {name: app}
spec: {instanceRef: {name: db}}
`, service.Name, service.Plans[0].Name)
}

// secretExists succeeds if the binding's Secret exists.
func secretExists(ctx context.Context, namespace string) error {
	return k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "app"}, &corev1.Secret{})
}

var _ = Describe("helm install --wait", func() {
	takesTime := func(services []osbtest.Service) { services[1].Behavior.Delay = 2 * time.Second }

	It("F-JS1: ends when the Secret exists, also if the same chart registers the broker", func(ctx SpecContext) {
		s := newNamespaceWithoutBroker(ctx, namespaced, osbtest.Options{}, takesTime)
		out, err := env.HelmInstall(ctx, s.namespace, fmt.Sprintf(`
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceBroker
metadata: {name: broker}
spec: {url: %q}
---%s`, s.URL, instanceAndBinding(s.asyncService)), "--wait", "--timeout=90s")
		Expect(secretExists(ctx, s.namespace)).To(Succeed(), out)
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("STATUS: deployed"))
	})

	It("F-JS1: fails with a broker that never answers", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		holdRequests(s.Broker, osb.ProvisionInstance)
		out, err := env.HelmInstall(ctx, s.namespace, instanceAndBinding(s.syncService), "--wait", "--timeout=3s")
		Expect(err).To(HaveOccurred(), out)
		Expect(out).To(SatisfyAll(ContainSubstring("ServiceInstance/%s/db not ready. status: InProgress", s.namespace),
			ContainSubstring("ServiceBinding/%s/app not ready. status: InProgress", s.namespace)))
	})

	It("F-JS1: fails with the broker's description, long before the timeout, with a broker that refuses", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		injectAnswer(s.Broker, osb.ProvisionInstance, refusal)
		begun := time.Now()
		out, err := env.HelmInstall(ctx, s.namespace, instanceAndBinding(s.syncService), "--wait", "--timeout=5m")
		Expect(err).To(HaveOccurred(), out)
		Expect(time.Since(begun)).To(BeNumerically("<", time.Minute))
		Expect(out).To(SatisfyAll(ContainSubstring("ServiceInstance/%s/db not ready. status: Failed", s.namespace), ContainSubstring("no such size"),
			ContainSubstring("ServiceBinding/%s/app not ready. status: Failed", s.namespace)))
	})
})

// F-U17: no field of an object in the chart is unknown to this version of Kubernetes, and it selects custom resources by fields.
var _ = Describe("The API server", func() {
	It("accepts all objects of Bellhop's chart", func(ctx SpecContext) {
		namespace := env.CreateNamespace(ctx)
		repo, err := local.FindRepo()
		Expect(err).NotTo(HaveOccurred())
		objects, err := exec.CommandContext(ctx, suite.Helm(ctx), "template", "bellhop", filepath.Join(repo, "charts", "bellhop"), "--namespace="+namespace,
			"--kube-version="+version.OldestKubernetes+".0", "--set=ingest.enabled=true,pageByLabel.enabled=true,networkPolicy.enabled=true").Output()
		Expect(err).NotTo(HaveOccurred())
		// The suite has installed those that call the operator with a URL, which a Service may not be added to.
		others := slices.DeleteFunc(strings.Split(string(objects), "\n---\n"), func(object string) bool { return strings.Contains(object, "clientConfig:") })
		out, err := env.Kubectl(ctx, strings.Join(others, "\n---\n"), "apply", "--dry-run=server", "--server-side", "--force-conflicts", "--validate=strict", "--filename=-")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("deployment.apps/bellhop-controller-manager serverside-applied"))
		Expect(env.Kubectl(ctx, "", "get", "clusterserviceplans", "--field-selector=spec.externalName=none", "--output=name")).To(BeEmpty())
	})
})

var _ = Describe("kubectl wait", func() {
	It("F-JS1: waits for the Secret, also right after the creation", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		_, release := holdRequests(s.Broker, osb.ProvisionInstance)
		Expect(kubectl(ctx, instanceAndBinding(s.syncService), "create", "-n", s.namespace, "-f", "-")).To(ContainSubstring("app created"))
		type ended struct {
			out string
			err error
		}
		ends := make(chan ended, 1)
		go func() {
			out, err := kubectl(ctx, "", "wait", "-n", s.namespace, "--for=condition=Ready", "--timeout=60s", "serviceinstance/db", "servicebinding/app")
			ends <- ended{out, err}
		}()
		Eventually(func() []osbtest.Call { return s.Calls(osb.ProvisionInstance) }).ShouldNot(BeEmpty())
		Expect(ends).NotTo(Receive())
		release()
		var end ended
		Eventually(ends).WithTimeout(time.Minute).Should(Receive(&end))
		Expect(secretExists(ctx, s.namespace)).To(Succeed(), end.out)
		Expect(end.err).NotTo(HaveOccurred(), end.out)
	})
})
