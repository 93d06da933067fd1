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
		hook      *receiverServer
	)
	BeforeEach(func(ctx SpecContext) {
		namespace, hook = newNamespace(ctx), newInbox()
	})

	It("lose and double nothing in 8 kills during 200 Alerts", serial, func(ctx SpecContext) {
		const n, kills = 200, 8
		// An answer takes a while, so that kills find requests under way.
		hook.Respond(func(r *http.Request) (int, http.Header, string) {
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
			return http.StatusOK, nil, ""
		})
		// underWay are the Alerts that this operator requested and did not record:
		// their requests, and no others, may be repeated.
		earlier := map[string]int{}
		underWay := func() int {
			GinkgoHelper()
			recorded := map[string]bool{}
			var list v1beta1.AlertList
			Expect(k8s.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
			for _, a := range list.Items {
				recorded[a.Name] = a.Status.Sent
			}
			n := 0
			for _, m := range hook.Messages() {
				if m.Attempts > earlier[m.Name] && !recorded[m.Name] {
					n++
				}
				earlier[m.Name] = m.Attempts
			}
			return n
		}
		newReceiver(ctx, namespace, "hook", hook.URL)
		awaitReceiver(ctx, namespace, "hook")

		alerts := make([]*v1beta1.Alert, n)
		created := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(created)
			for i := range n {
				alerts[i] = newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook")
			}
		}()
		interrupted := 0
		rnd := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 1))
		for kill := range kills {
			// At a random moment of the work, measured in deliveries rather than time.
			target := len(hook.Messages()) + 1 + rnd.IntN(2*n/kills)
			Eventually(func() bool { return len(hook.Messages()) >= min(target, n-kills+kill) }).
				WithPolling(time.Millisecond).WithTimeout(time.Minute).Should(BeTrue())
			operator.Kill()
			interrupted += underWay()
			startOperator(context.WithoutCancel(ctx))
		}
		<-created
		for _, a := range alerts {
			Eventually(status(ctx, a)).WithTimeout(2 * time.Minute).Should(sent(a))
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
	})

	It("deliver 200 of 200 that were accepted while the receiver was down and the operator was killed", serial, func(ctx SpecContext) {
		const n = 200
		hook.refuse()
		newReceiver(ctx, namespace, "hook", hook.URL)
		alerts := make([]*v1beta1.Alert, n)
		inParallel(n, func(i int) { alerts[i] = newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		Eventually(status(ctx, alerts[n-1])).WithTimeout(time.Minute).Should(haveCondition("Reconciling", metav1.ConditionTrue, "Queued"))
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
		back := listenAgain(hook)
		DeferCleanup(back.Close)
		for _, a := range alerts {
			Eventually(status(ctx, a)).WithTimeout(2 * time.Minute).Should(sent(a))
		}
		Expect(hook.Messages()).To(HaveLen(n))
	})

	It("F-P1, F-JP1: deliver 500 of 500 after an outage with kills, in which a proxy answers 401, 403, 404 and 409, too", serial, func(ctx SpecContext) {
		const n, kills = 500, 3
		outage := []int{http.StatusServiceUnavailable, http.StatusForbidden, http.StatusBadGateway, http.StatusNotFound,
			http.StatusUnauthorized, http.StatusInternalServerError, http.StatusConflict}
		var asked atomic.Int32
		hook.Respond(func(*http.Request) (int, http.Header, string) { return outage[int(asked.Add(1))%len(outage)], nil, "" })
		newReceiver(ctx, namespace, "hook", hook.URL)
		alerts := make([]*v1beta1.Alert, n)
		inParallel(n, func(i int) { alerts[i] = newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		before := int32(0)
		for range kills {
			Eventually(func() int32 { return asked.Load() - before }).WithTimeout(2 * time.Minute).Should(BeNumerically(">=", 4))
			operator.Kill()
			before = asked.Load()
			startOperator(context.WithoutCancel(ctx))
		}
		hook.Respond(nil)
		for _, a := range alerts {
			Eventually(status(ctx, a)).WithTimeout(6 * time.Minute).Should(sent(a)) // the last probe before may have found it slow
			Expect(a.Generation).To(BeEquivalentTo(1), "nobody touched it")
		}
		Expect(hook.Messages()).To(HaveLen(n))
		for _, m := range hook.Messages() {
			Expect(m.Accepted).To(Equal(1), "%s was delivered %d times", m.Name, m.Accepted)
		}
	})

	It("of a receiver that hangs hold at most its few", func(ctx SpecContext) {
		const n = 60
		slow, release := newInbox(), make(chan struct{})
		slow.Respond(func(r *http.Request) (int, http.Header, string) {
			select {
			case <-r.Context().Done():
			case <-release:
			}
			return http.StatusOK, nil, ""
		})
		elsewhere := newNamespace(ctx)
		newReceiver(ctx, elsewhere, "slow", slow.URL, func(r *v1beta1.Receiver) { r.Spec.TimeoutSeconds = 30 })
		newReceiver(ctx, namespace, "hook", hook.URL)
		stuck := make([]*v1beta1.Alert, n)
		inParallel(n, func(i int) { stuck[i] = newAlert(ctx, elsewhere, fmt.Sprintf("a%d", i), nil, "slow") })
		Eventually(slow.InFlight).Should(Equal(4))
		for i := range 20 {
			a := newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook")
			Eventually(status(ctx, a)).WithTimeout(10 * time.Second).Should(sent(a)) // a slot of the other is held for 30
		}
		Expect(slow.InFlight()).To(Equal(4))
		By("saying to those who wait long why")
		Eventually(status(ctx, stuck[n-1])).Should(SatisfyAll(
			haveCondition("Reconciling", metav1.ConditionTrue, "Queued"),
			HaveField("Deliveries", ConsistOf(HaveField("Reason", "Queued")))))
		By("delivering all once it answers")
		close(release)
		for _, a := range stuck {
			Eventually(status(ctx, a)).WithTimeout(time.Minute).Should(sent(a))
		}
		Expect(slow.Messages()).To(HaveLen(n))
	})

	It("record what was sent before a graceful stop ends the process", serial, func(ctx SpecContext) {
		arrived, release := make(chan struct{}), make(chan struct{})
		first := sync.OnceFunc(func() { close(arrived) })
		hook.Respond(func(*http.Request) (int, http.Header, string) {
			first()
			<-release
			return http.StatusOK, nil, ""
		})
		newReceiver(ctx, namespace, "hook", hook.URL)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(arrived).Should(BeClosed())
		stopped, before := make(chan error), len(logs.String())
		go func() { stopped <- operator.Stop() }()
		Eventually(func() string { return logs.String()[before:] }).Should(ContainSubstring("Stopping and waiting for leader election runnables"))
		close(release)
		Eventually(stopped).Should(Receive(Succeed()))
		Expect(status(ctx, a)()).To(sent(a))
		startOperator(context.WithoutCancel(ctx))
		b := newAlert(ctx, namespace, "b", nil, "hook")
		Eventually(status(ctx, b)).Should(sent(b))
		Expect(hook.types(a)()).To(Equal([]string{"fired"}))
		Expect(hook.about(a)[0].Attempts).To(Equal(1))
	})

	It("record what was sent on an Alert that was edited meanwhile", func(ctx SpecContext) {
		arrived, release := make(chan struct{}), make(chan struct{})
		first := sync.OnceFunc(func() { close(arrived) })
		hook.Respond(func(*http.Request) (int, http.Header, string) {
			first()
			<-release
			return http.StatusOK, nil, ""
		})
		newReceiver(ctx, namespace, "hook", hook.URL)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(arrived).Should(BeClosed())
		update(ctx, a, func(a *v1beta1.Alert) { a.Labels = map[string]string{"edited": "meanwhile"} })
		close(release)
		Eventually(status(ctx, a)).Should(sent(a))
		Expect(a.Labels).To(HaveKey("edited"))
		b := newAlert(ctx, namespace, "b", nil, "hook")
		Eventually(status(ctx, b)).Should(sent(b))
		Expect(hook.types(a)()).To(Equal([]string{"fired"}))
		Expect(hook.about(a)[0].Attempts).To(Equal(1))
	})

	It("leave nothing behind on an Alert of the same name that was made meanwhile", func(ctx SpecContext) {
		arrived, held := make(chan struct{}, 2), make(chan struct{})
		release := sync.OnceFunc(func() { close(held) })
		DeferCleanup(release)
		hook.Respond(func(*http.Request) (int, http.Header, string) {
			arrived <- struct{}{}
			<-held
			return http.StatusOK, nil, ""
		})
		newReceiver(ctx, namespace, "hook", hook.URL)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(arrived).Should(Receive())
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		update(ctx, a, func(a *v1beta1.Alert) { a.Finalizers = nil })
		again := newAlert(ctx, namespace, "a", nil, "hook")
		release()
		Eventually(status(ctx, again)).Should(sent(again))
		events := map[types.UID][]string{}
		for _, m := range hook.about(again) { // by name, of both
			events[types.UID(m.UID)] = append(events[types.UID(m.UID)], m.Event)
		}
		// The operator may see that a was deleted before it sees that a is gone, and tells the receiver that it is over.
		Expect(events).To(SatisfyAll(
			HaveKeyWithValue(a.UID, Or(Equal([]string{"alert.fired"}), Equal([]string{"alert.fired", "alert.resolved"}))),
			HaveKeyWithValue(again.UID, []string{"alert.fired"}),
		), "each has its page under its own key")
	})

	It("leave nothing out when a warm standby takes over", serial, func(ctx SpecContext) {
		const n = 100
		elect := []string{"--leader-elect"}
		Expect(operator.Stop()).To(Succeed())
		startOperator(context.WithoutCancel(ctx), elect...)
		leader := operator
		port, err := local.FreePort()
		Expect(err).NotTo(HaveOccurred())
		standby, err := cluster.StartOperator(context.WithoutCancel(ctx), local.OperatorOptions{
			Binary: its.Binary, Log: logs, WebhookPort: port, Args: append([]string{"--allow-outbound=127.0.0.1"}, elect...)})
		Expect(err).NotTo(HaveOccurred())
		newReceiver(ctx, namespace, "hook", hook.URL)
		alerts := make([]*v1beta1.Alert, n)
		created := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(created)
			inParallel(n, func(i int) { alerts[i] = newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		}()
		Eventually(func() int { return len(hook.Messages()) }).Should(BeNumerically(">", n/4))
		Expect(leader.Stop()).To(Succeed(), "the lease is released")
		<-created
		for _, a := range alerts {
			Eventually(status(ctx, a)).WithTimeout(time.Minute).Should(sent(a))
		}
		Expect(hook.Messages()).To(HaveLen(n))
		for _, m := range hook.Messages() {
			Expect(m.Attempts).To(Equal(1), "%s", m.Name)
		}
		Expect(standby.Stop()).To(Succeed())
		startOperator(context.WithoutCancel(ctx))
	})
})
