// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"net/http"
	"net/http/httptest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// startSlack starts a workspace of Slack, and creates a Receiver with its bot.
func startSlack(ctx SpecContext, namespace, name string) *notifytest.Slack {
	GinkgoHelper()
	const channel = "C0123456789"
	slack := notifytest.NewSlack(notifytest.FixtureSecret, channel, "/services/x")
	server := httptest.NewServer(slack)
	DeferCleanup(server.Close)
	createSecret(ctx, namespace, name, "token", notifytest.FixtureSecret)
	createReceiver(ctx, namespace, name, "", func(r *v1beta1.Receiver) {
		r.Spec.Webhook, r.Spec.Slack = nil, &v1beta1.SlackProvider{URL: server.URL + "/api/", Channel: channel}
		r.Spec.SecretRef = &v1beta1.SecretReference{Name: name}
	})
	return slack
}

// rowOf returns the delivery to a Receiver.
func rowOf(a *v1beta1.Alert, name string) v1beta1.Delivery {
	for _, row := range a.Status.Deliveries {
		if row.Name == name {
			return row
		}
	}
	return v1beta1.Delivery{}
}

var _ = Describe("An Alert with instances", func() {
	var (
		namespace string
		hook      *fakeReceiver
		a         *v1beta1.Alert
		start     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	)
	joined := func(minutes time.Duration) *metav1.Time { return &metav1.Time{Time: start.Add(minutes * time.Minute)} }
	BeforeEach(func(ctx SpecContext) {
		namespace = createNamespace(ctx)
		hook = startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL)
	})

	It("notifies of those that join, and changes a message only where that notifies nobody", func(ctx SpecContext) {
		slack := startSlack(ctx, namespace, "slack")
		a = createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.JoinedTime = "pod-1\npod-2", joined(0) }, "hook", "slack")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		first, sent := slack.Seen(), rowOf(a, "hook").SentTime
		Expect(first).To(HaveLen(1))

		By("removing one that has ended")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "pod-2" })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(slack.Seen()).To(ConsistOf(SatisfyAll(HaveField("ID", first[0].ID), HaveField("Text", Not(ContainSubstring("pod-1"))))))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired"}))
		Expect(rowOf(a, "hook")).To(SatisfyAll(HaveField("SentTime.Time", BeTemporally("==", sent.Time)), HaveField("Message", result.NoteOfKeptBack),
			HaveField("Sequence", BeEquivalentTo(1))))

		By("adding another one")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.JoinedTime = "pod-3\npod-2", joined(5) })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(slack.Seen()).To(HaveLen(2))
		Expect(hook.messagesAbout(a)).To(HaveExactElements(HaveField("Content", "pod-1\npod-2"), HaveField("Content", "pod-3\npod-2")))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "fired"}))
		Expect(rowOf(a, "slack").JoinedTime.Time).To(BeTemporally("==", joined(5).Time))

		By("ending all")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
		Eventually(alertStatus(ctx, a)).Should(haveCondition("Ready", metav1.ConditionTrue, "Resolved"))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "fired", "resolved"}))
	})

	It("says in the former message that it is continued, and ends the newest", func(ctx SpecContext) { // F-P58
		slack := startSlack(ctx, namespace, "slack")
		a = createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.JoinedTime = "pod-1", joined(0) }, "slack")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))

		By("joining another one, and raising the severity")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.JoinedTime = "pod-2\npod-1", joined(5) })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Severity = v1beta1.SeverityCritical })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		isContinued := HaveField("Text", HavePrefix("Continued: "))
		isCurrent := HaveField("Text", SatisfyAll(HavePrefix("[Critical] "), ContainSubstring("pod-2")))
		Expect(slack.Seen()).To(HaveExactElements(isContinued, isContinued, isCurrent))
		Expect(rowOf(a, "slack")).To(SatisfyAll(HaveField("ExternalID", slack.Seen()[2].ID), HaveField("Attempts", BeEquivalentTo(1))))

		By("joining one when Slack edits no message any more")
		slack.Lock()
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.JoinedTime = joined(10) })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(slack.Seen()).To(HaveExactElements(isContinued, isContinued, isCurrent, isCurrent), "the page is neither failed nor repeated")
		Expect(rowOf(a, "slack")).To(SatisfyAll(HaveField("Attempts", BeEquivalentTo(1)), HaveField("Message", ContainSubstring("the former message was not changed"))))

		By("ending it")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
		Eventually(alertStatus(ctx, a)).Should(haveCondition("Ready", metav1.ConditionTrue, "Resolved"))
		Expect(slack.Seen()).To(ContainElement(HaveField("Resolved", true)))
		Expect(slack.Seen()[:2]).To(HaveEach(isContinued))
	})

	It("tells a webhook of nothing while it is away and instances end, and of the join that follows once it is back", func(ctx SpecContext) {
		a = createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.JoinedTime = "pod-1\npod-2", joined(0) }, "hook")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		hook.Respond(respondWith(http.StatusServiceUnavailable))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "pod-2" })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.JoinedTime = "pod-3\npod-2", joined(5) })
		Eventually(alertStatus(ctx, a)).Should(beReconciling("Retrying", "HTTP 503"))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "pod-3" })
		hook.Respond(nil)
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		types := hook.eventTypes(a)()
		Expect(types[len(types)-1]).To(Equal("fired"))
		Expect(types).NotTo(ContainElement("updated"))
	})
})

var _ = Describe("An Alert that fires again", func() {
	It("is another occurrence, from whose beginning its expiry counts", func(ctx SpecContext) {
		namespace := createNamespace(ctx)
		hook := startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](5) }, "hook")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(a.Status).To(SatisfyAll(HaveField("Occurrence", BeEquivalentTo(1)), HaveField("FiringSince.Time", BeTemporally("==", a.CreationTimestamp.Time))))

		By("resolving it, and awaiting the end of its first time")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
		Eventually(alertStatus(ctx, a)).Should(SatisfyAll(haveCondition("Ready", metav1.ConditionTrue, "Resolved"), HaveField("FiringSince", BeNil()), HaveField("Occurrence", BeEquivalentTo(1))))
		expiry := a.CreationTimestamp.Add(5 * time.Second)
		Eventually(time.Now).Should(BeTemporally(">", expiry))

		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring })
		Eventually(alertStatus(ctx, a)).Should(SatisfyAll(beSent(a), HaveField("Occurrence", BeEquivalentTo(2)), HaveField("FiringSince.Time", BeTemporally(">", a.CreationTimestamp.Time))))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "resolved", "fired"}))

		By("changing it after the end of its second time")
		expiry = a.Status.FiringSince.Add(7 * time.Second)
		Eventually(time.Now).Should(BeTemporally(">", expiry))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "too late" })
		Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", ConsistOf(HaveField("State", v1beta1.DeliveryExpired))))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "resolved", "fired"}))
	})
})
