// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	gomegatypes "github.com/onsi/gomega/types"

	"github.com/gophernetes/bellhop/test/internal/load"
)

// itRotatesCertificates replaces certificate and authority of the webhooks under load.
func itRotatesCertificates() {
	It("refuses no request when the Secret of its certificate is deleted or loses its certificate", func(ctx SpecContext) {
		secret := "secret/bellhop-webhook-server-cert --namespace " + system
		serial := func() string { return kubectl(ctx, "get "+secret+" -o jsonpath={.data.tls\\.crt}") }
		requests := load.Start(ctx, kube, 50, load.Receiver())
		for _, change := range []string{
			"delete secret --namespace bellhop-system bellhop-webhook-server-cert",                // another authority
			"patch " + secret + " --type=merge -p {\"data\":{\"tls.crt\":null,\"tls.key\":null}}", // another certificate of the authority
		} {
			before := serial()
			kubectl(ctx, change)
			Eventually(func() (string, error) {
				return try(ctx, "", "kubectl", "get", "secret", "bellhop-webhook-server-cert", "--namespace="+system, "-o=jsonpath={.data.tls\\.crt}")
			}).ShouldNot(SatisfyAny(BeEmpty(), Equal(before)))
		}
		// Replicas serve a new certificate once API servers trust it.
		Consistently(requests.Refused, 20*time.Second, time.Second).Should(BeEmpty())
		pods := strings.Fields(kubectl(ctx, "get pods --namespace "+system+" --selector control-plane=controller-manager -o name"))
		kubectl(ctx, "delete --namespace "+system+" "+pods[0]) // another one comes up with the new certificate
		expectNoRefusal(requests)
		kubectl(ctx, "rollout status --timeout=2m --namespace "+system+" deployment/bellhop-controller-manager")
	})
}

// itServesMetrics reads the metrics as Prometheus does, with the token of an account that may.
func itServesMetrics() {
	It("serves metrics to an account with the role for that", func(ctx SpecContext) {
		apply(ctx, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: prometheus, namespace: default}}\n---\n"+
			"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: e2e-prometheus}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bellhop-metrics-reader}, "+
			"subjects: [{kind: ServiceAccount, name: prometheus, namespace: default}]}")
		defer kubectl(ctx, "delete clusterrolebinding/e2e-prometheus")
		token := strings.TrimSpace(kubectl(ctx, "create token prometheus --namespace default"))

		port := forwardTo(ctx, "bellhop-controller-manager-metrics-service", 8443)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/metrics", port), http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Authorization", "Bearer "+token)
		ca, err := base64.StdEncoding.DecodeString(kubectl(ctx, "get secret/bellhop-webhook-server-cert --namespace "+system+" -o jsonpath={.data.ca\\.crt}"))
		Expect(err).NotTo(HaveOccurred())
		pool := x509.NewCertPool()
		Expect(pool.AppendCertsFromPEM(ca)).To(BeTrue())
		prometheus := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "bellhop-controller-manager-metrics-service." + system + ".svc"}}}
		resp, err := prometheus.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(resp.StatusCode).To(Equal(http.StatusOK), string(body))
		Expect(string(body)).To(ContainSubstring("bellhop_build_info{"))
	})
}

// forwardTo forwards a port of this machine, which it returns, to a Service of the operator until the spec ends.
func forwardTo(ctx context.Context, service string, to int) (port int) {
	GinkgoHelper()
	forward := exec.CommandContext(ctx, "kubectl", "port-forward", "--namespace="+system, "service/"+service, fmt.Sprintf(":%d", to))
	out, err := forward.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(forward.Start()).To(Succeed())
	DeferCleanup(func() { _, _ = forward.Process.Kill(), forward.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	Expect(err).NotTo(HaveOccurred())
	_, err = fmt.Sscanf(line, "Forwarding from 127.0.0.1:%d", &port)
	Expect(err).NotTo(HaveOccurred(), line)
	return port
}

// itConnects reaches a database that only Pods reach, with the plugin.
func itConnects() {
	It("gives the plugin a tunnel to the database", func(ctx SpecContext) {
		const namespace = "tunnel"
		deploy(ctx, namespace, brokerIn(namespace))
		_, err := try(ctx, brokerPassword, "kubectl", "bellhop", "register", "mysql-pod", "--url=http://mysql."+namespace+".svc", "--username=bellhop", "--password-stdin", "--wait", "--timeout=60s")
		Expect(err).NotTo(HaveOccurred())
		kubectl(ctx, "bellhop provision orders --namespace default --class azure-mysql --plan basic50 --wait --timeout 60s")
		kubectl(ctx, "bellhop bind orders --namespace default --wait --timeout 60s")
		_, err = try(ctx, "", "kubectl", "bellhop", "exec", "orders", "--namespace=default", "--prefix=DB_", "--", "login")
		Expect(err).To(HaveOccurred(), "the database is reachable without a tunnel")
		Expect(kubectl(ctx, "bellhop connect orders --namespace default --prefix DB_ -- login")).To(ContainSubstring("Logged in as"))
		_, err = try(ctx, "", "kubectl", "bellhop", "connect", "orders", "--namespace=default", "--", "sh", "-c", "exit 7")
		Expect(err).To(haveExitCode(7))

		tunnel := exec.CommandContext(ctx, "kubectl", "bellhop", "connect", "orders", "--namespace=default")
		printed := gbytes.NewBuffer()
		tunnel.Stdout, tunnel.Stderr = printed, printed
		Expect(tunnel.Start()).To(Succeed())
		Eventually(printed).WithTimeout(30 * time.Second).Should(gbytes.Say("export uri='mysql://.*@127.0.0.1:"))
		kubectl(ctx, "delete pod --namespace "+namespace+" --selector app=mysql")
		Expect(tunnel.Wait()).To(haveExitCode(1))
		Expect(string(printed.Contents())).To(MatchRegexp("the connection to Pod " + namespace + "/mysql-.* was lost"))

		kubectl(ctx, "rollout status --timeout=60s --namespace "+namespace+" deployment/mysql")
		kubectl(ctx, "bellhop unbind orders --namespace default --wait --timeout 60s") // the new Pod knows nothing of it, which is as good
		kubectl(ctx, "bellhop deprovision orders --namespace default --wait --timeout 60s")
		kubectl(ctx, "bellhop deregister mysql-pod --wait --timeout 60s")
		Expect(kubectl(ctx, "get secrets --namespace "+system+" --output name")).NotTo(ContainSubstring("mysql-pod"), "deregister deletes the Secret of register")
		kubectl(ctx, "delete --timeout=60s namespace/"+namespace)
	})
}

// haveExitCode matches the error of a program that ended with an exit code.
func haveExitCode(code int) gomegatypes.GomegaMatcher {
	return WithTransform(func(err error) int {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		}
		return 0
	}, Equal(code))
}

// itCompletesOperations kills the operator while a broker works.
func itCompletesOperations() {
	It("completes operations of a broker after it was killed, and repeats none", func(ctx SpecContext) {
		before := readBrokerLog(ctx)
		apply(ctx, `
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: flexible, namespace: default}, spec: {clusterServiceClassExternalName: azure-mysql-flexible, clusterServicePlanExternalName: burstable10}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: flexible, namespace: default}, spec: {instanceRef: {name: flexible}}}
`)
		inProgress := "wait --namespace default --for=jsonpath={.status.asyncOpInProgress}=true --timeout=60s serviceinstance/flexible"
		kubectl(ctx, inProgress)
		killLeader(ctx)
		kubectl(ctx, "wait --namespace default --for=condition=Ready --timeout=120s serviceinstance/flexible servicebinding/flexible")
		logIn(ctx, "flexible")
		kubectl(ctx, "delete --namespace default --wait=false servicebinding/flexible serviceinstance/flexible")
		kubectl(ctx, inProgress)
		killLeader(ctx)
		kubectl(ctx, "wait --namespace default --for=delete --timeout=120s servicebinding/flexible serviceinstance/flexible")
		after := readBrokerLog(ctx)
		for _, request := range []string{"provision", "bind", "unbind", "deprovision"} {
			Expect(after.carriedOut(request)-before.carriedOut(request)).To(Equal(1), request)
		}
	})
}

// itDeletesNamespaces deletes a namespace with all that is in it.
func itDeletesNamespaces() {
	It("removes everything outside when a namespace is deleted", func(ctx SpecContext) {
		before := readBrokerLog(ctx)
		kubectl(ctx, "create namespace team")
		createAlert(ctx, "team", "disk")
		createInstance(ctx, "team", "orders")
		apply(ctx, "{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: orders, namespace: team}, spec: {instanceRef: {name: orders}}}")
		kubectl(ctx, "wait --namespace team --for=condition=Ready --timeout=60s serviceinstance/orders servicebinding/orders alert/disk")
		kubectl(ctx, "delete namespace --timeout=2m team")
		after := readBrokerLog(ctx)
		Expect(after.removed() - before.removed()).To(Equal(after.made() - before.made()))
		Expect(messagesAbout(ctx, "team")).To(ContainElement(HaveField("Event", "alert.resolved")))
	})
}

// itServesTenants serves what a namespace defines itself, and keeps what users or brokers change as the catalog says.
func itServesTenants() {
	It("serves the receivers and brokers of a namespace", func(ctx SpecContext) {
		apply(ctx, strings.NewReplacer("OUTSIDE", outside).Replace(`
apiVersion: v1
kind: Namespace
metadata: {name: tenant}
---
apiVersion: pager.k8s.co/v1beta1
kind: Receiver
metadata: {name: inbox, namespace: tenant}
spec: {webhook: {url: "http://inbox.OUTSIDE.svc/"}}
---
apiVersion: pager.k8s.co/v1beta1
kind: Alert
metadata: {name: disk, namespace: tenant}
spec: {content: Disk is full, receiverRefs: [{kind: Receiver, name: inbox}]}
---
apiVersion: v1
kind: Secret
metadata: {name: broker, namespace: tenant}
stringData: {username: bellhop, password: change-me}
---
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceBroker
metadata: {name: own, namespace: tenant}
spec: {url: "http://mysql.OUTSIDE.svc", authInfo: {basic: {secretRef: {name: broker}}}}
`))
		kubectl(ctx, "wait --namespace tenant --for=condition=Ready --timeout=60s receiver/inbox servicebroker/own alert/disk")
		for _, content := range []string{"Disk-is-still-full", "Disk-is-full-again"} { // the second event about it adds to the first
			kubectl(ctx, `patch alert disk --namespace tenant --type=merge -p {"spec":{"content":"`+content+`"}}`)
			Eventually(func() []string { return contents(ctx, "tenant") }).Should(ContainElement(content))
		}
		kubectl(ctx, `patch alert disk --namespace tenant --type=merge -p {"spec":{"state":"Resolved","ttlSecondsAfterFinished":1}}`)
		kubectl(ctx, "wait --namespace tenant --for=delete --timeout=60s alert/disk")

		apply(ctx, "{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: orders, namespace: tenant}, spec: {serviceClassExternalName: azure-mysql, servicePlanExternalName: basic50}}")
		kubectl(ctx, "wait --namespace tenant --for=condition=Ready --timeout=60s serviceinstance/orders")
		for _, of := range []struct{ broker, class, plan string }{
			{"servicebroker/own --namespace tenant", "serviceclasses --namespace tenant", "serviceplans --namespace tenant"},
			{"clusterservicebroker/mysql", "clusterserviceclasses", "clusterserviceplans"},
		} {
			relist := func(n int) {
				kubectl(ctx, fmt.Sprintf(`patch %s --type=merge -p {"spec":{"relistRequests":%d}}`, of.broker, n))
			}
			for n, kind := range []string{of.class, of.plan} {
				before := kubectl(ctx, "get "+kind+" -o jsonpath={.items[*].spec.description}")
				name := strings.Fields(kubectl(ctx, "get "+kind+" -o jsonpath={.items[*].metadata.name}"))[0]
				kubectl(ctx, "patch "+kind+" "+name+` --type=merge -p {"spec":{"description":"edited"}}`)
				relist(n + 1)
				Eventually(func() string { return kubectl(ctx, "get "+kind+" -o jsonpath={.items[*].spec.description}") }).Should(Equal(before))
			}
			kubectl(ctx, `patch `+of.broker+` --type=merge -p {"spec":{"catalogRestrictions":{"serviceClass":["spec.externalName==none"]}}}`)
			for _, kind := range []string{of.class, of.plan} { // an instance uses them
				Eventually(func() string {
					return kubectl(ctx, "get "+kind+" -o jsonpath={.items[*].status.removedFromBrokerCatalog}")
				}).Should(ContainSubstring("true"))
			}
			kubectl(ctx, `patch `+of.broker+` --type=merge -p {"spec":{"catalogRestrictions":null}}`)
			Eventually(func() string {
				return kubectl(ctx, "get "+of.class+" -o jsonpath={.items[*].status.removedFromBrokerCatalog}")
			}).ShouldNot(ContainSubstring("true"))
		}
		kubectl(ctx, "delete --namespace tenant --timeout=60s serviceinstance/orders")
		kubectl(ctx, "delete --namespace tenant --timeout=60s servicebroker/own")
		kubectl(ctx, "delete --timeout=60s namespace/tenant")
	})
}

// contents returns the texts of the messages about a namespace.
func contents(ctx context.Context, namespace string) (texts []string) {
	GinkgoHelper()
	for _, m := range messagesAbout(ctx, namespace) {
		texts = append(texts, m.Content)
	}
	return texts
}
