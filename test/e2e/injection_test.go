// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// injected is the namespace of Pods that get credentials by an annotation.
const injected = "injected"

// itInjectsCredentials gives Pods the credentials of a binding by an annotation.
func itInjectsCredentials() {
	Describe("injects credentials into Pods", Ordered, func() {
		const running = "get pods --namespace " + system + " --selector control-plane=controller-manager -o name"

		BeforeAll(func(ctx SpecContext) {
			apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: "+injected+", labels: {pod-security.kubernetes.io/enforce: restricted, "+v1beta1.InjectionLabel+": enabled}}}")
		})

		It("starts a Pod that was created before the binding, and that logs in", func(ctx SpecContext) {
			createBoundDeployment(ctx, "before", 1, "$(SERVICE_BINDING_ROOT)")
			Eventually(func() (string, error) {
				return try(ctx, "", "kubectl", "get", "events", "--namespace="+injected, "--field-selector=reason=FailedMount", "-o=jsonpath={.items[*].message}")
			}).Should(ContainSubstring(`secret "orders" not found`))
			createInstance(ctx, injected, "orders")
			apply(ctx, "{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: orders, namespace: "+injected+"}, spec: {instanceRef: {name: orders}}}")
			kubectl(ctx, "rollout status --timeout=4m --namespace "+injected+" deployment/before") // the kubelet waits up to 2 minutes between its attempts
			Eventually(func() string { return kubectl(ctx, "logs --namespace "+injected+" deployment/before") }).Should(ContainSubstring("orders: logged in as "))
			user := strings.TrimSpace(kubectl(ctx, "get secret orders --namespace "+injected+" -o go-template={{.data.username|base64decode}}"))
			Expect(kubectl(ctx, "logs --namespace "+injected+" deployment/before")).To(ContainSubstring("orders: logged in as " + user))
			kubectl(ctx, "delete --namespace "+injected+" deployment/before")
		})

		It("starts 40 Pods while no operator runs", func(ctx SpecContext) {
			replicas := kubectl(ctx, "get deployment bellhop-controller-manager --namespace "+system+" -o jsonpath={.spec.replicas}")
			kubectl(ctx, "scale --replicas=0 --namespace "+system+" deployment/bellhop-controller-manager")
			defer func() {
				kubectl(ctx, "scale --replicas="+replicas+" --namespace "+system+" deployment/bellhop-controller-manager")
				kubectl(ctx, "rollout status --timeout=2m --namespace "+system+" deployment/bellhop-controller-manager")
			}()
			Eventually(func() string { return kubectl(ctx, running) }).Should(BeEmpty())
			createBoundDeployment(ctx, "many", 40, "/none") // 40 logins in a second would load the machine
			kubectl(ctx, "rollout status --timeout=6m --namespace "+injected+" deployment/many")
			Expect(kubectl(ctx, running)).To(BeEmpty())
			kubectl(ctx, "delete --namespace "+injected+" --timeout=3m --cascade=foreground deployment/many")
		})

		It("says in the Deployment what was refused", func(ctx SpecContext) {
			createBoundDeployment(ctx, "wrong", 1, "/none", "DB_URL=customers/uri")
			Eventually(func() (string, error) {
				return try(ctx, "", "kubectl", "get", "deployment", "wrong", "--namespace="+injected, `-o=jsonpath={.status.conditions[?(@.type=="ReplicaFailure")].message}`)
			}).WithTimeout(30 * time.Second).Should(ContainSubstring(`bellhop.gophernetes.io/env has the entry "DB_URL=customers/uri": it has to be VARIABLE=BINDING/KEY`))
			kubectl(ctx, "delete namespace --timeout=2m "+injected)
		})
	})
}

// createBoundDeployment creates a Deployment whose Pods request the credentials of the binding orders, and log in each second with those in a
// directory.
func createBoundDeployment(ctx context.Context, name string, replicas int, directory string, env ...string) {
	GinkgoHelper()
	apply(ctx, strings.NewReplacer(
		"NAMESPACE", injected, "NAME", name, "REPLICAS", strconv.Itoa(replicas), "IMAGE", imageOf("demo-login"), "DIRECTORY", directory,
		"LABEL", v1beta1.InjectLabel, "BINDINGS", v1beta1.InjectBindingsAnnotation, "VARIABLES", v1beta1.InjectEnvAnnotation, "ENV", strings.Join(append(env, "DB_HOST=orders/host"), ","),
	).Replace(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  replicas: REPLICAS
  progressDeadlineSeconds: 600
  selector: {matchLabels: {app: NAME}}
  template:
    metadata:
      labels: {app: NAME, LABEL: "true"}
      annotations: {BINDINGS: orders, VARIABLES: "ENV"}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: app
        image: IMAGE
        args: ["-secrets=DIRECTORY"]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`))
}
