// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

func setAtMostOnce(r *v1beta1.Receiver) { r.Spec.DeliveryPolicy = v1beta1.AtMostOnce }

// haveUnknownOutcome matches a status with one delivery of which no answer arrived.
func haveUnknownOutcome() OmegaMatcher {
	return SatisfyAll(beStalled("OutcomeUnknown", "AtMostOnce does not repeat it"), HaveField("Sent", false),
		HaveField("Deliveries", ConsistOf(SatisfyAll(HaveField("State", v1beta1.DeliveryUnknown), HaveField("AnswerLost", true)))))
}

var _ = Describe("AtMostOnce", func() {
	var namespace string
	var hook *fakeReceiver
	BeforeEach(func(ctx SpecContext) { namespace, hook = createNamespace(ctx), startFakeReceiver() })

	It("does not repeat a message that may have arrived until the user changes the Alert or the policy", func(ctx SpecContext) {
		hook.Respond(respondWith(http.StatusBadGateway))
		r := createReceiver(ctx, namespace, "hook", hook.URL, setAtMostOnce)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(haveUnknownOutcome())
		hook.Respond(nil)
		update(ctx, r, func(r *v1beta1.Receiver) { r.Spec.TimeoutSeconds = 5 })
		b := createAlert(ctx, namespace, "b", nil, "hook")
		Eventually(alertStatus(ctx, b)).Should(beSent(b))
		Expect(hook.Started()).To(Equal(2), "one for each Alert")
		Expect(alertStatus(ctx, a)()).To(haveUnknownOutcome())

		By("changing the content")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(hook.Started()).To(Equal(3))

		By("changing the policy")
		hook.Respond(respondWith(http.StatusBadGateway))
		again := createAlert(ctx, namespace, "again", nil, "hook")
		Eventually(alertStatus(ctx, again)).Should(haveUnknownOutcome())
		hook.Respond(nil)
		update(ctx, r, func(r *v1beta1.Receiver) { r.Spec.DeliveryPolicy = v1beta1.AtLeastOnce })
		Eventually(alertStatus(ctx, again)).Should(beSent(again))
		Expect(hook.Started()).To(Equal(5))
	})

	It("repeats a message that the receiver did not accept", func(ctx SpecContext) {
		hook.refuseConnections()
		createReceiver(ctx, namespace, "hook", hook.URL, setAtMostOnce)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(haveCondition("Reconciling", metav1.ConditionTrue, "Retrying"))
		DeferCleanup(listenAgain(hook).Close)
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(hook.messagesAbout(a)[0].Attempts).To(Equal(1))
	})

	It("repeats no message after a kill between the request and its record", serial, func(ctx SpecContext) {
		const n = 20
		hook.Respond(inbox.Hang)
		createReceiver(ctx, namespace, "hook", hook.URL, setAtMostOnce)
		alerts := make([]*v1beta1.Alert, n)
		runInParallel(n, func(i int) { alerts[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		Eventually(hook.InFlight).Should(Equal(4))
		Eventually(func() (said int) {
			for _, a := range alerts {
				if s, err := alertStatus(ctx, a)(); err == nil && len(s.Deliveries) == 1 && s.Deliveries[0].Reason == "Sending" {
					said++
				}
			}
			return said
		}).Should(Equal(4), "the intent is on record before the request")
		operator.Kill()
		hook.Respond(nil)
		startOperator(context.WithoutCancel(ctx))
		lost := 0
		for _, a := range alerts {
			Eventually(alertStatus(ctx, a)).Should(Or(beSent(a), haveUnknownOutcome()))
			if !a.Status.Sent {
				lost++
			}
		}
		Expect(lost).To(Equal(4), "the requests that were in flight")
		for _, a := range alerts {
			Expect(hook.messagesAbout(a)).To(HaveLen(1))
			Expect(hook.messagesAbout(a)[0].Attempts).To(Equal(1))
		}

		By("resolving the Alerts whose page may have arrived")
		for _, a := range alerts {
			if !a.Status.Sent {
				update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
				Eventually(hook.eventTypes(a)).Should(Equal([]string{"fired", "resolved"}))
			}
		}
	})
})

var _ = Describe("A rate limit", func() {
	It("delays all messages of a receiver", func(ctx SpecContext) {
		const n, period = 4, 3 * time.Second
		namespace, hook := createNamespace(ctx), startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) {
			r.Spec.RateLimit = &v1beta1.RateLimit{Count: 2, PeriodSeconds: int32(period / time.Second)}
		})
		alerts := make([]*v1beta1.Alert, n)
		runInParallel(n, func(i int) { alerts[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		for _, a := range alerts {
			Eventually(alertStatus(ctx, a)).WithTimeout(time.Minute).Should(beSent(a))
		}
		messages := hook.Messages()
		Expect(messages).To(HaveLen(n))
		for i := 2; i < n; i++ { // receiver and operator use the same clock, and a message takes less than 1.5 s
			Expect(messages[i].ReceivedAt.Sub(messages[i-2].ReceivedAt)).To(BeNumerically(">", period-3*time.Second/2))
		}
	})

	It("of one namespace does not delay the messages of another", func(ctx SpecContext) {
		const n = 30
		hook := startFakeReceiver()
		shared := &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
		shared.Spec.Webhook = &v1beta1.WebhookProvider{URL: hook.URL}
		shared.Spec.NamespaceSelector = &metav1.LabelSelector{}
		shared.Spec.NamespaceRateLimit = &v1beta1.RateLimit{Count: 3, PeriodSeconds: 86400}
		Expect(k8s.Create(ctx, shared)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, shared)).To(Succeed()) })
		page := func(namespace, name string) *v1beta1.Alert {
			return createAlert(ctx, namespace, name, func(a *v1beta1.Alert) {
				a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindClusterReceiver, Name: shared.Name}}
			})
		}
		stormy, calm := createNamespace(ctx), createNamespace(ctx)
		storm := make([]*v1beta1.Alert, n)
		runInParallel(n, func(i int) { storm[i] = page(stormy, fmt.Sprintf("a%d", i)) })
		Eventually(func() int { return len(hook.Messages()) }).Should(Equal(3))
		a := page(calm, "a")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		throttled := 0
		for _, a := range storm {
			Eventually(alertStatus(ctx, a)).Should(Or(beSent(a), haveCondition("Reconciling", metav1.ConditionTrue, "Throttled")))
			if !a.Status.Sent {
				throttled++
			}
		}
		Expect(throttled).To(Equal(n - 3))
		Expect(hook.Messages()).To(HaveLen(4))
	})
})

var _ = Describe("The failure of one receiver", func() {
	It("does not affect the others", func(ctx SpecContext) {
		namespace, healthy, failing := createNamespace(ctx), startFakeReceiver(), startFakeReceiver()
		hanging := startFakeReceiver()
		hanging.Respond(inbox.Hang)
		failing.Respond(respondWith(http.StatusInternalServerError))
		createReceiver(ctx, namespace, "healthy", healthy.URL)
		createReceiver(ctx, namespace, "failing", failing.URL)
		createReceiver(ctx, namespace, "hanging", hanging.URL, func(r *v1beta1.Receiver) { r.Spec.TimeoutSeconds = 30 })
		healthyRow := func(state v1beta1.DeliveryState) OmegaMatcher {
			return HaveField("Deliveries", ContainElement(SatisfyAll(HaveField("Name", "healthy"), HaveField("State", state))))
		}
		a := createAlert(ctx, namespace, "a", nil, "healthy", "failing", "hanging")
		Eventually(alertStatus(ctx, a)).Should(healthyRow(v1beta1.DeliverySent))

		By("editing the Alert while a request hangs")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
		Eventually(healthy.eventTypes(a)).Should(Equal([]string{"fired", "updated"}))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
		Eventually(healthy.eventTypes(a)).Should(Equal([]string{"fired", "updated", "resolved"}))
		Eventually(alertStatus(ctx, a)).Should(healthyRow(v1beta1.DeliveryResolved))
		Expect(alertStatus(ctx, a)()).To(HaveField("Conditions", ContainElement(SatisfyAll(
			HaveField("Type", "Reconciling"), HaveField("Message", ContainSubstring("Receiver/hanging: being sent"))))))
	})

	It("does not lead to a page after the Alert was resolved", func(ctx SpecContext) {
		namespace, hook := createNamespace(ctx), startFakeReceiver()
		hook.Respond(respondWith(http.StatusServiceUnavailable, "Retry-After", "10")) // the edit comes before the retry, also on a slow machine
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(hook.eventTypes(a)).Should(Equal([]string{"fired"}))
		hook.Respond(nil)
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
		Eventually(alertStatus(ctx, a)).Should(haveCondition("Ready", metav1.ConditionTrue, "Resolved"))
		b := createAlert(ctx, namespace, "b", nil, "hook")
		Eventually(alertStatus(ctx, b)).Should(beSent(b))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "resolved"}))
		Expect(hook.messagesAbout(a)[0].Attempts).To(Equal(1), "the page was not retried")
	})
})
