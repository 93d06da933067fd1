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
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

func atMostOnce(r *v1beta1.Receiver) { r.Spec.DeliveryPolicy = v1beta1.AtMostOnce }

// unknown is a status of which one delivery is not known to have arrived.
func unknown() OmegaMatcher {
	return SatisfyAll(stalled("OutcomeUnknown", "AtMostOnce does not repeat it"), HaveField("Sent", false),
		HaveField("Deliveries", ConsistOf(SatisfyAll(HaveField("State", v1beta1.DeliveryUnknown), HaveField("AnswerLost", true)))))
}

var _ = Describe("AtMostOnce", func() {
	var namespace string
	var hook *receiverServer
	BeforeEach(func(ctx SpecContext) { namespace, hook = newNamespace(ctx), newInbox() })

	It("does not repeat what may have arrived, until a person asks for it", func(ctx SpecContext) {
		hook.Respond(answer(http.StatusBadGateway))
		r := newReceiver(ctx, namespace, "hook", hook.URL, atMostOnce)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(status(ctx, a)).Should(unknown())
		hook.Respond(nil)
		update(ctx, r, func(r *v1beta1.Receiver) { r.Spec.TimeoutSeconds = 5 })
		b := newAlert(ctx, namespace, "b", nil, "hook")
		Eventually(status(ctx, b)).Should(sent(b))
		Expect(hook.Started()).To(Equal(2), "one each")
		Expect(status(ctx, a)()).To(unknown())

		By("changing the content")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
		Eventually(status(ctx, a)).Should(sent(a))
		Expect(hook.Started()).To(Equal(3))

		By("changing the policy")
		hook.Respond(answer(http.StatusBadGateway))
		again := newAlert(ctx, namespace, "again", nil, "hook")
		Eventually(status(ctx, again)).Should(unknown())
		hook.Respond(nil)
		update(ctx, r, func(r *v1beta1.Receiver) { r.Spec.DeliveryPolicy = v1beta1.AtLeastOnce })
		Eventually(status(ctx, again)).Should(sent(again))
		Expect(hook.Started()).To(Equal(5))
	})

	It("repeats what was not accepted", func(ctx SpecContext) {
		hook.refuse()
		newReceiver(ctx, namespace, "hook", hook.URL, atMostOnce)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(status(ctx, a)).Should(haveCondition("Reconciling", metav1.ConditionTrue, "Retrying"))
		DeferCleanup(listenAgain(hook).Close)
		Eventually(status(ctx, a)).Should(sent(a))
		Expect(hook.about(a)[0].Attempts).To(Equal(1))
	})

	It("survives a kill between the request and its record", serial, func(ctx SpecContext) {
		const n = 20
		hook.Respond(inbox.Hang)
		newReceiver(ctx, namespace, "hook", hook.URL, atMostOnce)
		alerts := make([]*v1beta1.Alert, n)
		inParallel(n, func(i int) { alerts[i] = newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		Eventually(hook.InFlight).Should(Equal(4))
		Eventually(func() (said int) {
			for _, a := range alerts {
				if s, err := status(ctx, a)(); err == nil && len(s.Deliveries) == 1 && s.Deliveries[0].Reason == "Sending" {
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
			Eventually(status(ctx, a)).Should(Or(sent(a), unknown()))
			if !a.Status.Sent {
				lost++
			}
		}
		Expect(lost).To(Equal(4), "those that were under way")
		for _, a := range alerts {
			Expect(hook.about(a)).To(HaveLen(1))
			Expect(hook.about(a)[0].Attempts).To(Equal(1))
		}

		By("telling those who may have been paged that it is over")
		for _, a := range alerts {
			if !a.Status.Sent {
				update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
				Eventually(hook.types(a)).Should(Equal([]string{"fired", "resolved"}))
			}
		}
	})
})

var _ = Describe("A rate limit", func() {
	It("holds whatever is asked for, and says what waits", func(ctx SpecContext) {
		const n, period = 4, 3 * time.Second
		namespace, hook := newNamespace(ctx), newInbox()
		newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) {
			r.Spec.RateLimit = &v1beta1.RateLimit{Count: 2, PeriodSeconds: int32(period / time.Second)}
		})
		alerts := make([]*v1beta1.Alert, n)
		inParallel(n, func(i int) { alerts[i] = newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		for _, a := range alerts {
			Eventually(status(ctx, a)).WithTimeout(time.Minute).Should(sent(a))
		}
		messages := hook.Messages()
		Expect(messages).To(HaveLen(n))
		for i := 2; i < n; i++ { // the two clocks are one; the way here is shorter than a second and a half
			Expect(messages[i].ReceivedAt.Sub(messages[i-2].ReceivedAt)).To(BeNumerically(">", period-3*time.Second/2))
		}
	})

	It("of a namespace leaves the others theirs", func(ctx SpecContext) {
		const n = 30
		hook := newInbox()
		shared := &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
		shared.Spec.Webhook = &v1beta1.WebhookProvider{URL: hook.URL}
		shared.Spec.NamespaceSelector = &metav1.LabelSelector{}
		shared.Spec.NamespaceRateLimit = &v1beta1.RateLimit{Count: 3, PeriodSeconds: 86400}
		Expect(k8s.Create(ctx, shared)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, shared)).To(Succeed()) })
		page := func(namespace, name string) *v1beta1.Alert {
			return newAlert(ctx, namespace, name, func(a *v1beta1.Alert) {
				a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindClusterReceiver, Name: shared.Name}}
			})
		}
		stormy, calm := newNamespace(ctx), newNamespace(ctx)
		storm := make([]*v1beta1.Alert, n)
		inParallel(n, func(i int) { storm[i] = page(stormy, fmt.Sprintf("a%d", i)) })
		Eventually(func() int { return len(hook.Messages()) }).Should(Equal(3))
		a := page(calm, "a")
		Eventually(status(ctx, a)).Should(sent(a))
		throttled := 0
		for _, a := range storm {
			Eventually(status(ctx, a)).Should(Or(sent(a), haveCondition("Reconciling", metav1.ConditionTrue, "Throttled")))
			if !a.Status.Sent {
				throttled++
			}
		}
		Expect(throttled).To(Equal(n - 3))
		Expect(hook.Messages()).To(HaveLen(4))
	})
})

var _ = Describe("One receiver's failure", func() {
	It("stays with that receiver", func(ctx SpecContext) {
		namespace, healthy, failing := newNamespace(ctx), newInbox(), newInbox()
		hanging := newInbox()
		hanging.Respond(inbox.Hang)
		failing.Respond(answer(http.StatusInternalServerError))
		newReceiver(ctx, namespace, "healthy", healthy.URL)
		newReceiver(ctx, namespace, "failing", failing.URL)
		newReceiver(ctx, namespace, "hanging", hanging.URL, func(r *v1beta1.Receiver) { r.Spec.TimeoutSeconds = 30 })
		healthyRow := func(state v1beta1.DeliveryState) OmegaMatcher {
			return HaveField("Deliveries", ContainElement(SatisfyAll(HaveField("Name", "healthy"), HaveField("State", state))))
		}
		a := newAlert(ctx, namespace, "a", nil, "healthy", "failing", "hanging")
		Eventually(status(ctx, a)).Should(healthyRow(v1beta1.DeliverySent))

		By("changing the Alert while a request hangs")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
		Eventually(healthy.types(a)).Should(Equal([]string{"fired", "updated"}))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
		Eventually(healthy.types(a)).Should(Equal([]string{"fired", "updated", "resolved"}))
		Eventually(status(ctx, a)).Should(healthyRow(v1beta1.DeliveryResolved))
		Expect(status(ctx, a)()).To(HaveField("Conditions", ContainElement(SatisfyAll(
			HaveField("Type", "Reconciling"), HaveField("Message", ContainSubstring("Receiver/hanging: being sent"))))))
	})

	It("never reopens what was resolved", func(ctx SpecContext) {
		namespace, hook := newNamespace(ctx), newInbox()
		hook.Respond(answer(http.StatusServiceUnavailable, "Retry-After", "1"))
		newReceiver(ctx, namespace, "hook", hook.URL)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(hook.types(a)).Should(Equal([]string{"fired"}))
		hook.Respond(nil)
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
		Eventually(status(ctx, a)).Should(haveCondition("Ready", metav1.ConditionTrue, "Resolved"))
		b := newAlert(ctx, namespace, "b", nil, "hook")
		Eventually(status(ctx, b)).Should(sent(b))
		Expect(hook.types(a)()).To(Equal([]string{"fired", "resolved"}))
		Expect(hook.about(a)[0].Attempts).To(Equal(1), "the page was not tried again")
	})
})
