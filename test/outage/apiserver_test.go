// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package outage_test takes the API server away from a running operator, as docs/explanation/api-server-away.md describes.
package outage_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/log"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var env = &suite.Suite{}

// deadline of operations at the broker. The API server is away for longer, as it would be in an hour for a longer one.
const deadline = 10 * time.Second

func TestOutage(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "outage")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	env.Join(env.Start(ctx, "--leader-elect", "--leader-elect-lease-duration=3s"), pagerv1beta1.AddToScheme, v1beta1.AddToScheme)
})

var _ = Describe("What happens when the API server is away for an hour?", func() {
	It("sends nothing meanwhile, repeats nothing afterwards, and believes the broker, whose deadline is over", func(ctx SpecContext) {
		received := inbox.New(inbox.Options{})
		receiver := httptest.NewServer(received.Handler())
		DeferCleanup(receiver.Close)
		slow := osbtest.DefaultServices()[1]
		slow.Behavior = osbtest.Behavior{Async: true, Never: true, RetryAfter: "1"}
		slow.Plans[0].MaximumPollingDuration = int(deadline.Seconds())
		broker := osbtest.Start(GinkgoT(), osbtest.Options{Services: []osbtest.Service{osbtest.DefaultServices()[0], slow}})
		env.Apply(ctx, `
{apiVersion: v1, kind: Secret, metadata: {name: inbox, namespace: default}, stringData: {url: "`+receiver.URL+`"}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Receiver, metadata: {name: inbox, namespace: default}, spec: {secretRef: {name: inbox}, webhook: {}}}
---
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: before, namespace: default}, spec: {content: Disk is full, receiverRefs: [{kind: Receiver, name: inbox}]}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ClusterServiceBroker, metadata: {name: own}, spec: {url: "`+broker.URL+`"}}
`)
		env.Wait(ctx, "--timeout=30s --for=condition=Ready receiver/inbox alert/before clusterservicebroker/own")
		release := make(chan struct{})
		received.Respond(func(*http.Request) (int, http.Header, string) {
			<-release
			return http.StatusOK, nil, ""
		})
		env.Apply(ctx, `
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: in-flight, namespace: default}, spec: {content: Disk is full, receiverRefs: [{kind: Receiver, name: inbox}]}}
---
{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: slow, namespace: default}, spec: {clusterServiceClassExternalName: cluster, clusterServicePlanExternalName: three}}
`)
		begun := time.Now()
		Eventually(received.InFlight).Should(Equal(1))
		Eventually(broker.Counts).Should(HaveKeyWithValue(osb.ProvisionInstance, 1))
		env.Wait(ctx, "--timeout=30s --for=jsonpath={.status.asyncOpInProgress}=true serviceinstance/slow")

		By("taking the API server away")
		Expect(env.Cluster.KillAPIServer(ctx)).To(Succeed())
		close(release)
		Eventually(env.Operator.Ended()).Should(BeClosed(), "it leads no more")
		env.Operator.Kill() // so that the suite does not stop it, and find that it has failed
		_, err := env.Cluster.StartOperator(ctx, local.OperatorOptions{Binary: env.Binary, Log: &env.Logs, Args: []string{"--allow-outbound=127.0.0.1"}})
		Expect(err).To(MatchError(ContainSubstring("connection refused")), "a restart of the kubelet")
		Expect(broker.Finish(broker.Calls(osb.ProvisionInstance)[0].ID(), nil)).To(BeTrue())

		Eventually(time.Now).Should(BeTemporally(">", begun.Add(deadline)))

		By("bringing it back")
		Expect(env.Cluster.RestartAPIServer(ctx)).To(Succeed())
		env.StartOperator(ctx)
		env.Apply(ctx, `
{apiVersion: pager.k8s.co/v1beta1, kind: Alert, metadata: {name: after, namespace: default}, spec: {content: Disk is full, receiverRefs: [{kind: Receiver, name: inbox}]}}
`)
		env.Wait(ctx, "--timeout=30s --for=condition=Ready serviceinstance/slow alert/in-flight alert/after")
		Expect(broker.Counts()).To(And(HaveKeyWithValue(osb.ProvisionInstance, 1), Not(HaveKey(osb.DeprovisionInstance))))
		attempts := map[string]int{}
		for _, m := range received.Messages() {
			attempts[m.Name] += m.Attempts
		}
		Expect(attempts).To(And(HaveKeyWithValue("before", 1), HaveKeyWithValue("in-flight", BeElementOf(1, 2)), HaveKeyWithValue("after", 1)))
	})
})
