// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
)

var _ = Describe("Faults", func() {
	var (
		namespace string
		hook      *fakeReceiver
	)
	BeforeEach(func(ctx SpecContext) {
		namespace, hook = createNamespace(ctx), startFakeReceiver()
	})

	// What differs between a webhook and a notifier is the request alone, so that few Alerts show it.
	DescribeTable("lose and duplicate no message in kills during many Alerts", serial, func(
		ctx SpecContext, n, kills int, start func() *fakeReceiver, edits ...func(*v1beta1.Receiver),
	) {
		hook = start()
		// Answers are delayed, so that kills interrupt requests that are in flight.
		hook.Respond(func(r *http.Request) (int, http.Header, string) {
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
			return http.StatusOK, nil, ""
		})
		// countInFlight counts the Alerts that this operator sent and did not record. Only their requests may be repeated.
		attemptsBefore := map[string]int{}
		countInFlight := func() int {
			GinkgoHelper()
			recorded := map[string]bool{}
			var list v1beta1.AlertList
			Expect(k8s.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
			for _, a := range list.Items {
				recorded[a.Name] = a.Status.Sent
			}
			n := 0
			for _, m := range hook.Messages() {
				if m.Attempts > attemptsBefore[m.Name] && !recorded[m.Name] {
					n++
				}
				attemptsBefore[m.Name] = m.Attempts
			}
			return n
		}
		createReceiver(ctx, namespace, "hook", hook.URL, edits...)
		waitForReceiver(ctx, namespace, "hook")

		alerts := make([]*v1beta1.Alert, n)
		created := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(created)
			for i := range n {
				alerts[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook")
			}
		}()
		interrupted := 0
		rnd := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 1))
		for kill := range kills {
			// The moment of the kill depends on a random number of deliveries, not on time.
			target := len(hook.Messages()) + 1 + rnd.IntN(2*n/kills)
			Eventually(func() bool { return len(hook.Messages()) >= min(target, n-kills+kill) }).
				WithPolling(time.Millisecond).WithTimeout(time.Minute).Should(BeTrue())
			operator.Kill()
			interrupted += countInFlight()
			startOperator(context.WithoutCancel(ctx))
		}
		<-created
		for _, a := range alerts {
			Eventually(alertStatus(ctx, a)).WithTimeout(2 * time.Minute).Should(beSent(a))
		}
		keys, requests := map[string]string{}, 0
		for _, m := range hook.Messages() {
			Expect(keys).NotTo(HaveKey(m.Name), "%s was delivered under two keys", m.Name)
			keys[m.Name] = m.WebhookID
			requests += m.Attempts
		}
		Expect(keys).To(HaveLen(n), "no key is missing")
		repeated := requests - n
		AddReportEntry("kills", fmt.Sprintf("%d kills, %d requests under way at them, %d repeated", kills, interrupted, repeated))
		Expect(repeated).To(BeNumerically("<=", interrupted))
	},
		Entry("to a webhook", 100, 5, startFakeReceiver),
		Entry("to a notifier", 60, 3, startNotifier, callNotifier))

	It("lose none of many Alerts that were created while the receiver was down, although the operator is killed", serial, func(ctx SpecContext) {
		const n = 80
		hook.refuseConnections()
		createReceiver(ctx, namespace, "hook", hook.URL)
		alerts := make([]*v1beta1.Alert, n)
		runInParallel(n, func(i int) { alerts[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		Eventually(alertStatus(ctx, alerts[n-1])).WithTimeout(time.Minute).Should(haveCondition("Reconciling", metav1.ConditionTrue, "Queued"))
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
		back := listenAgain(hook)
		DeferCleanup(back.Close)
		for _, a := range alerts {
			Eventually(alertStatus(ctx, a)).WithTimeout(2 * time.Minute).Should(beSent(a))
		}
		Expect(hook.Messages()).To(HaveLen(n))
	})

	DescribeTable("F-P1, F-JP1: lose none of many Alerts in an outage with kills, in which a proxy also answers 401, 403, 404 and 409", serial, func(
		ctx SpecContext, n, kills int, start func() *fakeReceiver, edits ...func(*v1beta1.Receiver),
	) {
		hook = start()
		outage := []int{http.StatusServiceUnavailable, http.StatusForbidden, http.StatusBadGateway, http.StatusNotFound,
			http.StatusUnauthorized, http.StatusInternalServerError, http.StatusConflict}
		var asked atomic.Int32
		hook.Respond(func(*http.Request) (int, http.Header, string) { return outage[int(asked.Add(1))%len(outage)], nil, "" })
		createReceiver(ctx, namespace, "hook", hook.URL, edits...)
		alerts := make([]*v1beta1.Alert, n)
		runInParallel(n, func(i int) { alerts[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		before := int32(0)
		for range kills {
			Eventually(func() int32 { return asked.Load() - before }).WithTimeout(2 * time.Minute).Should(BeNumerically(">=", 4))
			operator.Kill()
			before = asked.Load()
			startOperator(context.WithoutCancel(ctx))
		}
		hook.Respond(nil)
		for _, a := range alerts {
			Eventually(alertStatus(ctx, a)).WithTimeout(6 * time.Minute).Should(beSent(a)) // the last probe during the outage may have found the receiver slow
			Expect(a.Generation).To(BeEquivalentTo(1), "the operator does not edit the spec")
		}
		Expect(hook.Messages()).To(HaveLen(n))
		for _, m := range hook.Messages() {
			Expect(m.Accepted).To(Equal(1), "%s was delivered %d times", m.Name, m.Accepted)
		}
	},
		Entry("to a webhook", 150, 3, startFakeReceiver),
		Entry("to a notifier, with the codes of gRPC that mean the same", 60, 3, startNotifier, callNotifier))

	It("of a receiver that hangs occupy only the slots of that receiver", func(ctx SpecContext) {
		const n = 60
		slow, release := startFakeReceiver(), make(chan struct{})
		slow.Respond(func(r *http.Request) (int, http.Header, string) {
			select {
			case <-r.Context().Done():
			case <-release:
			}
			return http.StatusOK, nil, ""
		})
		elsewhere := createNamespace(ctx)
		createReceiver(ctx, elsewhere, "slow", slow.URL, func(r *v1beta1.Receiver) { r.Spec.TimeoutSeconds = 30 })
		createReceiver(ctx, namespace, "hook", hook.URL)
		stuck := make([]*v1beta1.Alert, n)
		runInParallel(n, func(i int) { stuck[i] = createAlert(ctx, elsewhere, fmt.Sprintf("a%d", i), nil, "slow") })
		Eventually(slow.InFlight).Should(Equal(4))
		quick := make([]*v1beta1.Alert, 20)
		runInParallel(len(quick), func(i int) { quick[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") }) // all before the first request times out
		for _, a := range quick {
			Eventually(alertStatus(ctx, a)).WithTimeout(10 * time.Second).Should(beSent(a)) // a request to the other receiver holds its slot for 30 s
		}
		Expect(slow.InFlight()).To(Equal(4))
		By("reporting to Alerts that wait long what they wait for")
		Eventually(alertStatus(ctx, stuck[n-1])).Should(SatisfyAll(
			haveCondition("Reconciling", metav1.ConditionTrue, "Queued"),
			HaveField("Deliveries", ConsistOf(HaveField("Reason", "Queued")))))
		By("delivering all of them once the receiver answers")
		close(release)
		for _, a := range stuck {
			Eventually(alertStatus(ctx, a)).WithTimeout(time.Minute).Should(beSent(a))
		}
		Expect(slow.Messages()).To(HaveLen(n))
	})

	It("do not lose the outcome of a request when the operator is stopped gracefully", serial, func(ctx SpecContext) {
		arrived, release := make(chan struct{}), make(chan struct{})
		first := sync.OnceFunc(func() { close(arrived) })
		hook.Respond(func(*http.Request) (int, http.Header, string) {
			first()
			<-release
			return http.StatusOK, nil, ""
		})
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(arrived).Should(BeClosed())
		stopped, before := make(chan error), len(logs.String())
		go func() { stopped <- operator.Stop() }()
		Eventually(func() string { return logs.String()[before:] }).Should(ContainSubstring("Stopping and waiting for leader election runnables"))
		close(release)
		Eventually(stopped).Should(Receive(Succeed()))
		Expect(alertStatus(ctx, a)()).To(beSent(a))
		startOperator(context.WithoutCancel(ctx))
		b := createAlert(ctx, namespace, "b", nil, "hook")
		Eventually(alertStatus(ctx, b)).Should(beSent(b))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired"}))
		Expect(hook.messagesAbout(a)[0].Attempts).To(Equal(1))
	})

	It("do not lose the outcome of a request when the Alert is edited meanwhile", func(ctx SpecContext) {
		arrived, release := make(chan struct{}), make(chan struct{})
		first := sync.OnceFunc(func() { close(arrived) })
		hook.Respond(func(*http.Request) (int, http.Header, string) {
			first()
			<-release
			return http.StatusOK, nil, ""
		})
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(arrived).Should(BeClosed())
		update(ctx, a, func(a *v1beta1.Alert) { a.Labels = map[string]string{"edited": "meanwhile"} })
		close(release)
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(a.Labels).To(HaveKey("edited"))
		b := createAlert(ctx, namespace, "b", nil, "hook")
		Eventually(alertStatus(ctx, b)).Should(beSent(b))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired"}))
		Expect(hook.messagesAbout(a)[0].Attempts).To(Equal(1))
	})

	It("do not leave a record on a new Alert of the same name", func(ctx SpecContext) {
		arrived, held := make(chan struct{}, 2), make(chan struct{})
		release := sync.OnceFunc(func() { close(held) })
		DeferCleanup(release)
		hook.Respond(func(*http.Request) (int, http.Header, string) {
			arrived <- struct{}{}
			<-held
			return http.StatusOK, nil, ""
		})
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(arrived).Should(Receive())
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		update(ctx, a, func(a *v1beta1.Alert) { a.Finalizers = nil })
		again := createAlert(ctx, namespace, "a", nil, "hook")
		release()
		Eventually(alertStatus(ctx, again)).Should(beSent(again))
		events := map[types.UID][]string{}
		for _, m := range hook.messagesAbout(again) { // of both Alerts, which have the same name
			events[types.UID(m.UID)] = append(events[types.UID(m.UID)], m.Event)
		}
		// If the operator sees the deletion of the first Alert before it sees that the Alert is gone, it sends alert.resolved.
		Expect(events).To(SatisfyAll(
			HaveKeyWithValue(a.UID, Or(Equal([]string{"alert.fired"}), Equal([]string{"alert.fired", "alert.resolved"}))),
			HaveKeyWithValue(again.UID, []string{"alert.fired"}),
		), "each Alert has one page, under its own key")
	})

	It("lose and repeat no message when a warm standby becomes the leader", serial, func(ctx SpecContext) {
		const n = 100
		elect := []string{"--leader-elect"}
		Expect(operator.Stop()).To(Succeed())
		startOperator(context.WithoutCancel(ctx), elect...)
		leader := operator
		port, err := local.FreePort()
		Expect(err).NotTo(HaveOccurred())
		standby, err := cluster.StartOperator(context.WithoutCancel(ctx), local.OperatorOptions{
			Binary: env.Binary, Log: logs, WebhookPort: port, Args: append([]string{"--allow-outbound=127.0.0.1"}, elect...)})
		Expect(err).NotTo(HaveOccurred())
		createReceiver(ctx, namespace, "hook", hook.URL)
		alerts := make([]*v1beta1.Alert, n)
		created := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(created)
			runInParallel(n, func(i int) { alerts[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		}()
		Eventually(func() int { return len(hook.Messages()) }).Should(BeNumerically(">", n/4))
		Expect(leader.Stop()).To(Succeed(), "the lease is released")
		<-created
		for _, a := range alerts {
			Eventually(alertStatus(ctx, a)).WithTimeout(time.Minute).Should(beSent(a))
		}
		Expect(hook.Messages()).To(HaveLen(n))
		for _, m := range hook.Messages() {
			Expect(m.Attempts).To(Equal(1), "%s", m.Name)
		}
		Expect(standby.Stop()).To(Succeed())
		startOperator(context.WithoutCancel(ctx))
	})
})
