// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/load"
)

const (
	stormAlerts    = 300
	stormInstances = 100
	// inFlight is the number of requests that the operator sends to one receiver or broker at the same time.
	inFlight = 4
	// manager is the Deployment of an operator that serves both API groups.
	manager = "bellhop-controller-manager"
)

// itSurvivesRestarts restarts and kills the operator while it works.
func itSurvivesRestarts() {
	It("refuses no request and repeats none in rolling restarts", func(ctx SpecContext) {
		requests := load.Start(ctx, kube, 40, load.Receiver())
		storm(ctx, "restarts", func() int {
			restart(ctx, manager)
			return 0 // nothing is in flight when a process ends in good order
		})
		expectNoRefusal(requests)
	})

	It("loses nothing when its leader is killed", func(ctx SpecContext) {
		var kills, losses []time.Duration
		storm(ctx, "kills", func() int {
			if len(kills) > 0 { // otherwise the kubelet would wait longer and longer before it starts a container again
				restart(ctx, manager)
				waitForNewLeader(ctx)
			}
			repeats := inFlight
			kills = append(kills, timeToPage(ctx, "kill", len(kills), killLeader))
			if len(kills)%5 == 1 {
				losses = append(losses, timeToPage(ctx, "loss", len(losses), loseLeader))
				repeats += inFlight
			}
			return repeats
		})
		slices.Sort(kills)
		slices.Sort(losses)
		AddReportEntry("time from the kill of a leader's process to the first page", fmt.Sprintf("median %s, %s", kills[len(kills)/2], kills))
		AddReportEntry("time from the loss of a leader's Pod to the first page", fmt.Sprintf("median %s, %s", losses[len(losses)/2], losses))
	})
}

// expectNoRefusal ends the requests, none of which may have been refused.
func expectNoRefusal(l *load.Load) {
	GinkgoHelper()
	accepted := l.Stop()
	AddReportEntry("admission requests", fmt.Sprintf("%d accepted, %d refused", accepted, len(l.Refused())))
	Expect(l.Refused()).To(BeEmpty(), "%d were accepted", accepted)
	Expect(accepted).To(BeNumerically(">", 100))
}

// restart replaces the Pods of a Deployment, one after the other.
func restart(ctx context.Context, deployment string) {
	GinkgoHelper()
	kubectl(ctx, "rollout restart --namespace "+system+" deployment/"+deployment)
	waitForRollout(ctx, deployment)
}

func waitForRollout(ctx context.Context, deployment string) {
	GinkgoHelper()
	kubectl(ctx, "rollout status --timeout=3m --namespace "+system+" deployment/"+deployment)
}

// waitForNewLeader waits until the Pods that a restart has replaced have ended. One of them leads until then, and the kubelet would not start it again.
func waitForNewLeader(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		pods := strings.Fields(kubectl(ctx, "get pods --namespace "+system+" --selector control-plane=controller-manager -o jsonpath={.items[*].metadata.name}"))
		g.Expect(pods).To(HaveLen(2))
		pod, _, _ := strings.Cut(leaseHolder(ctx), "_")
		g.Expect(pods).To(ContainElement(pod))
	}, time.Minute, 500*time.Millisecond).Should(Succeed())
}

// timeToPage returns how long after an incident the next Alert is sent.
func timeToPage(ctx context.Context, kind string, n int, incident func(context.Context)) time.Duration {
	GinkgoHelper()
	incident(ctx)
	since := time.Now()
	name := fmt.Sprintf("%s-%d", kind, n)
	createAlert(ctx, "kills", name)
	Eventually(func() []string {
		var names []string
		for _, m := range messagesAbout(ctx, "kills") {
			names = append(names, m.Name)
		}
		return names
	}, 2*time.Minute, 100*time.Millisecond).Should(ContainElement(name))
	return time.Since(since).Round(100 * time.Millisecond)
}

// storm creates Alerts and instances in a namespace while it does something in rounds, and expects that each is sent and provisioned, under
// one id. disturb returns how many requests to each endpoint it may have interrupted, which are then repeated.
func storm(ctx context.Context, namespace string, disturb func() int) {
	GinkgoHelper()
	kubectl(ctx, "create namespace "+namespace)
	before, repeats := readBrokerLog(ctx), 0
	for round := range rounds {
		for i := range stormAlerts / rounds {
			createAlert(ctx, namespace, fmt.Sprintf("a-%d-%d", round, i))
		}
		for i := range stormInstances / rounds {
			createInstance(ctx, namespace, fmt.Sprintf("i-%d-%d", round, i))
		}
		repeats += disturb()
	}
	kubectl(ctx, "wait --for=jsonpath={.status.sent}=true --timeout=3m --all alerts --namespace "+namespace)
	kubectl(ctx, "wait --for=condition=Ready --timeout=3m --all serviceinstances --namespace "+namespace)

	keys := map[string][]string{} // by Alert
	attempts := 0
	for _, m := range messagesAbout(ctx, namespace) {
		keys[m.Name] = append(keys[m.Name], m.WebhookID)
		attempts += m.Attempts
	}
	alerts := len(keys)
	for name, ids := range keys {
		Expect(ids).To(HaveLen(1), "the keys of %s", name)
	}
	Expect(alerts).To(BeNumerically(">=", stormAlerts/rounds*rounds))
	Expect(attempts-alerts).To(BeNumerically("<=", repeats), "messages were repeated")
	after, instances := readBrokerLog(ctx), stormInstances/rounds*rounds
	Expect(after.made()-before.made()).To(Equal(instances), "databases were made")
	provisions := after.requests("provision") - before.requests("provision")
	Expect(provisions-instances).To(BeNumerically("<=", repeats), "requests to provision were repeated")
	AddReportEntry(namespace, fmt.Sprintf("%d rounds: %d Alerts with %d messages, %d instances with %d requests", rounds, alerts, attempts, instances, provisions))

	kubectl(ctx, "delete namespace --timeout=3m "+namespace)
	last := readBrokerLog(ctx)
	Expect(last.removed()-before.removed()).To(Equal(instances), "databases were removed")
}

func createAlert(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	a := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	a.Spec.Content = "the disk of " + name + " is full"
	Expect(kube.Create(ctx, a)).To(Succeed())
}

func createInstance(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	i := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	i.Spec.ClusterServiceClassExternalName, i.Spec.ClusterServicePlanExternalName = "azure-mysql", "basic50"
	// A killed leader may leave the webhooks without an endpoint for a moment.
	Eventually(func() error { return kube.Create(ctx, i.DeepCopy()) }).Should(Succeed())
}

// loseLeader takes the leader away together with its Pod, as if its node were lost: another one leads once the lease is over.
func loseLeader(ctx context.Context) {
	GinkgoHelper()
	pod, uid := leader(ctx)
	kubectl(ctx, "delete pod --namespace "+system+" --grace-period=0 --force "+pod)
	killProcesses(uid)
}

// leader returns name and UID of the Pod that holds the lease.
func leader(ctx context.Context) (pod, uid string) {
	GinkgoHelper()
	holder := leaseHolder(ctx)
	pod, uid, ok := strings.Cut(holder, "_")
	Expect(ok).To(BeTrue(), "the lease is held by %q", holder)
	return pod, uid
}

// leaseHolder returns the identity that holds the lease; "": none.
func leaseHolder(ctx context.Context) string {
	GinkgoHelper()
	return kubectl(ctx, "get lease --namespace "+system+" bellhop.gophernetes.io -o jsonpath={.spec.holderIdentity}")
}

// killLeader kills the leader's process with SIGKILL, so that it completes nothing, and the kubelet starts it again in its Pod. On a node that is not
// this machine it deletes the Pod at once.
func killLeader(ctx context.Context) {
	GinkgoHelper()
	pod, uid := leader(ctx)
	if killProcesses(uid) == 0 {
		kubectl(ctx, "delete pod --namespace "+system+" --grace-period=0 --force "+pod)
	}
}

// killProcesses kills the processes of a Pod's containers on this machine, and returns how many there were.
func killProcesses(uid string) (killed int) {
	GinkgoHelper()
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(content, []byte("pod"+uid)) {
			continue // it may have ended
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		Expect(err).NotTo(HaveOccurred())
		if name, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "comm")); strings.TrimSpace(string(name)) == "pause" {
			continue // the Pod's own process
		}
		if syscall.Kill(id, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}
