// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
)

// respondWith gives all requests the same answer.
func respondWith(code int, header ...string) func(*http.Request) (int, http.Header, string) {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return func(*http.Request) (int, http.Header, string) { return code, h, "" }
}

var _ = Describe("An Alert", func() {
	var (
		namespace string
		hook      *fakeReceiver
	)
	BeforeEach(func(ctx SpecContext) {
		namespace = createNamespace(ctx)
		hook = startFakeReceiver()
	})

	It("is delivered through the default ClusterReceiver when it is applied as in the sample of v1alpha1", func(ctx SpecContext) {
		shared := &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{
			Name: "oncall-" + namespace, Annotations: map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}}}
		shared.Spec.Webhook = &v1beta1.WebhookProvider{URL: hook.URL}
		shared.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}}
		Expect(k8s.Create(ctx, shared)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) error { return k8s.Delete(ctx, shared) })

		seed, err := os.ReadFile("../../config/samples/pager_v1alpha1_alert.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(kubectl(ctx, string(seed), "apply", "-n", namespace, "-f", "-")).To(ContainSubstring("kubecon-alert created"))

		a := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kubecon-alert"}}
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(hook.messagesAbout(a)).To(ConsistOf(SatisfyAll(
			HaveField("Content", "Hello KubeCon \U0001f44b"),
			HaveField("Title", "Kubernetes alert for "+namespace+"/kubecon-alert"))))
		Expect(a.Status.Receivers).To(Equal("1/1"))
		Expect(a.Spec.Title).To(BeEmpty(), "the computed title is not stored")
		Expect(kubectl(ctx, "", "get", "alerts.v1alpha1.pager.k8s.co", "-n", namespace)).To(MatchRegexp(`kubecon-alert\s+Info\s+true\s+1/1`))
		Expect(kubectl(ctx, "", "get", "alerts", "-n", namespace, "-o", "wide")).To(ContainSubstring("Sent to 1/1 receivers"))
	})

	Describe("that is edited", func() {
		It("is sent again under a new key, also if an earlier message had the same content", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.Content = "A" }, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			for _, content := range []string{"B", "A"} {
				update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = content })
				Eventually(alertStatus(ctx, a)).Should(beSent(a))
			}
			Eventually(hook.eventTypes(a)).Should(Equal([]string{"fired", "updated", "updated"}))
			keys := map[string]bool{}
			for _, m := range hook.messagesAbout(a) {
				keys[m.WebhookID] = true
				Expect(m.Incident).To(Equal(hook.messagesAbout(a)[0].Incident))
			}
			Expect(keys).To(HaveLen(3))
			Expect(a.Status.Deliveries[0].Sequence).To(BeEquivalentTo(3))
		})

		It("is not sent again where only fields change that are not part of the content", func(ctx SpecContext) {
			other := startFakeReceiver()
			createReceiver(ctx, namespace, "hook", hook.URL)
			createReceiver(ctx, namespace, "other", other.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = ptr.To[int32](3600) })
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			update(ctx, a, func(a *v1beta1.Alert) {
				a.Spec.ReceiverRefs = append(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "other"})
			})
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Expect(a.Status.Receivers).To(Equal("2/2"))
			Expect(other.eventTypes(a)()).To(Equal([]string{"fired"}))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "updated"}), "the next message has the new content")
		})
	})

	Describe("that ends", func() {
		It("notifies the receivers when its state is Resolved, and pages again when it fires again", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
			Eventually(alertStatus(ctx, a)).Should(haveCondition("Ready", metav1.ConditionTrue, "Resolved"))
			Expect(a.Status.Deliveries[0].State).To(Equal(v1beta1.DeliveryResolved))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring })
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "resolved", "fired"}))
		})

		It("notifies the receivers when it is deleted", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			Eventually(checkGone(ctx, a)).Should(Succeed())
			Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "resolved"}))
		})

		It("reports what blocks its deletion, until when, and how to remove it immediately", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			hook.Respond(respondWith(http.StatusInternalServerError))
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			Eventually(alertStatus(ctx, a)).Should(SatisfyAll(
				haveCondition("Ready", metav1.ConditionFalse, "Resolving"),
				haveCondition("Reconciling", metav1.ConditionTrue, "Resolving"),
				HaveField("Conditions", ContainElement(HaveField("Message", SatisfyAll(
					ContainSubstring("Being deleted since"), ContainSubstring("HTTP 500"), ContainSubstring("next at"),
					ContainSubstring("bellhop.gophernetes.io/deletion-policy: Retain")))))))
			update(ctx, a, func(a *v1beta1.Alert) {
				a.Annotations = map[string]string{"bellhop.gophernetes.io/deletion-policy": "Retain"}
			})
			Eventually(checkGone(ctx, a)).Should(Succeed())
		})

		It("notifies again after a failure also when it names no receiver any more", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			hook.Respond(respondWith(http.StatusBadGateway))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State, a.Spec.ReceiverRefs = v1beta1.AlertResolved, nil })
			Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", ConsistOf(HaveField("Message", ContainSubstring("HTTP 502")))))
			hook.Respond(nil)
			Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", ConsistOf(HaveField("State", v1beta1.DeliveryResolved))))
			Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "resolved"}))
		})

		It("stops notifying after resolveTimeoutSeconds", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.ResolveTimeoutSeconds = ptr.To[int32](3) })
			a := createAlert(ctx, namespace, "a", nil, "hook")
			b := createAlert(ctx, namespace, "b", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Eventually(alertStatus(ctx, b)).Should(beSent(b))
			hook.Respond(respondWith(http.StatusBadGateway))
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			update(ctx, b, func(b *v1beta1.Alert) { b.Spec.State = v1beta1.AlertResolved })
			Eventually(checkGone(ctx, a)).Should(Succeed())
			Eventually(alertStatus(ctx, b)).Should(SatisfyAll(beStalled("ResolveTimedOut", "HTTP 502"), HaveField("Sent", true)), "the page was delivered before")
		})
	})

	Describe("that is deleted before it was delivered", func() {
		It("makes one attempt if it was created just before", func(ctx SpecContext) {
			hook.Respond(respondWith(http.StatusLocked)) // certainly not accepted; a resolve follows what may have been
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			Eventually(checkGone(ctx, a)).Should(Succeed())
			Expect(hook.messagesAbout(a)).To(HaveLen(1))
		})

		It("is cancelled after a failed attempt", func(ctx SpecContext) {
			hook.Respond(respondWith(http.StatusTooManyRequests, "Retry-After", "3600"))
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(haveCondition("Reconciling", metav1.ConditionTrue, "Retrying"))
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			Eventually(checkGone(ctx, a)).Should(Succeed())
			Expect(hook.messagesAbout(a)).To(HaveLen(1))
			Expect(hook.messagesAbout(a)[0].Attempts).To(Equal(1))
		})
	})

	Describe("whose receiver fails temporarily", func() {
		It("is retried with the same key, and counts its attempts", func(ctx SpecContext) {
			hook.Respond(respondWith(http.StatusBadGateway))
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", ConsistOf(SatisfyAll(
				HaveField("State", v1beta1.DeliveryPending), HaveField("Attempts", BeNumerically(">=", 2)),
				HaveField("Reason", "ServerError"), HaveField("Message", "HTTP 502 Bad Gateway"), HaveField("NextAttemptTime", Not(BeNil()))))))
			hook.Respond(nil)
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Expect(hook.messagesAbout(a)).To(HaveLen(1), "every attempt has the same key")
			Expect(hook.messagesAbout(a)[0].Attempts).To(BeNumerically(">=", 3))
			Expect(a.Status.Deliveries[0].NextAttemptTime).To(BeNil())
			Expect(a.Status.Deliveries[0].LastAttemptedReceiver).To(BeEmpty())
		})

		It("waits as long as Retry-After says", func(ctx SpecContext) {
			hook.Respond(respondWith(http.StatusTooManyRequests, "Retry-After", "600"))
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", ConsistOf(HaveField("Reason", "RateLimited"))))
			row := a.Status.Deliveries[0]
			Expect(row.NextAttemptTime.Sub(row.LastAttemptTime.Time)).To(BeNumerically("~", 600*time.Second, 2*time.Second))
		})

		It("expires, and is not sent afterwards", func(ctx SpecContext) {
			hook.Respond(respondWith(http.StatusServiceUnavailable))
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](3) }, "hook")
			Eventually(alertStatus(ctx, a)).Should(SatisfyAll(
				haveCondition("Stalled", metav1.ConditionTrue, "Expired"),
				haveCondition("Reconciling", metav1.ConditionFalse, "Expired"),
				HaveField("Deliveries", ConsistOf(HaveField("State", v1beta1.DeliveryExpired)))))
			hook.Respond(nil)
			before := hook.messagesAbout(a)[0].Attempts
			Eventually(alertStatus(ctx, createAlert(ctx, namespace, "later", nil, "hook"))).Should(HaveField("Sent", true))
			Expect(hook.messagesAbout(a)[0].Attempts).To(Equal(before))
		})
	})

	Describe("whose receiver answers as if it was misconfigured", func() {
		It("F-P1, F-JP2: is sent as soon as the receiver accepts another Alert, although no object was edited", func(ctx SpecContext) {
			hook.Respond(respondWith(http.StatusForbidden))
			createReceiver(ctx, namespace, "hook", hook.URL)
			var waiting []*v1beta1.Alert
			for i := range 5 {
				waiting = append(waiting, createAlert(ctx, namespace, fmt.Sprint("a", i), nil, "hook"))
			}
			for _, a := range waiting {
				Eventually(alertStatus(ctx, a)).Should(Or(beReconciling("Retrying", "HTTP 403"), beReconciling("Queued", "")))
			}
			hook.Respond(nil)
			for _, a := range waiting {
				Eventually(alertStatus(ctx, a)).WithTimeout(time.Minute).Should(beSent(a)) // one of them is retried soon
				Expect(hook.eventTypes(a)()).To(Equal([]string{"fired"}))
			}
		})
	})

	Describe("whose receiver refuses it permanently", func() {
		It("stalls with the receiver's message, and is sent again once the Alert changes", func(ctx SpecContext) {
			var welcome atomic.Bool
			ntfy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if !welcome.Load() {
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(w, `{"code":40001,"http":400,"error":"the word disk is not welcome here"}`)
					return
				}
				fmt.Fprint(w, `{"id":"abcdefghijkl","time":1772366400,"event":"message","topic":"disks"}`)
			}))
			DeferCleanup(ntfy.Close)
			createReceiver(ctx, namespace, "hook", "", func(r *v1beta1.Receiver) {
				r.Spec.Provider = v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{URL: ntfy.URL, Topic: "disks"}}
			})
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beStalled("Failed", "HTTP 400 Bad Request (ntfy's error 40001)"))
			welcome.Store(true)
			Eventually(alertStatus(ctx, createAlert(ctx, namespace, "later", nil, "hook"))).Should(HaveField("Sent", true))
			Expect(alertStatus(ctx, a)()).To(HaveField("Sent", false))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "the floppy is full" })
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
		})

		It("is sent again once the receiver changes", func(ctx SpecContext) {
			hook.Respond(respondWith(http.StatusNotFound))
			r := createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beReconciling("Retrying", "HTTP 404"))
			hook.Respond(nil)
			update(ctx, r, func(r *v1beta1.Receiver) { r.Spec.Webhook.Method = "PUT" })
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
		})

		It("is sent again once the receiver's Secret changes, with the new credential", func(ctx SpecContext) {
			hook.Respond(func(r *http.Request) (int, http.Header, string) {
				if r.Header.Get("Authorization") != "Bearer right" {
					return http.StatusUnauthorized, nil, ""
				}
				return http.StatusOK, nil, ""
			})
			secret := createSecret(ctx, namespace, "token", "token", "wrong")
			createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"} })
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beReconciling("Retrying", "HTTP 401"))
			update(ctx, secret, func(s *corev1.Secret) { s.Data["token"] = []byte("right") })
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
		})
	})

	Describe("without a receiver that can be used", func() {
		It("is sent as soon as there is a default receiver", func(ctx SpecContext) {
			a := createAlert(ctx, namespace, "a", nil)
			Eventually(alertStatus(ctx, a)).Should(beStalled("NoReceiver", v1beta1.DefaultReceiverAnnotation))
			Expect(a.Status.Sent).To(BeFalse())
			older := startFakeReceiver()
			createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) {
				r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
			})
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			By("adding another default receiver, which gets only later Alerts")
			createReceiver(ctx, namespace, "before-hook", older.URL, func(r *v1beta1.Receiver) { // of defaults that were created within the same second, the one whose name comes first is used
				r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
			})
			b := createAlert(ctx, namespace, "b", nil)
			Eventually(older.eventTypes(b)).Should(Equal([]string{"fired"}))
			Expect(older.messagesAbout(a)).To(BeEmpty())
		})

		It("goes to the default receiver, and not to the receivers of an earlier spec, once it names no receiver", func(ctx SpecContext) {
			named := startFakeReceiver()
			createReceiver(ctx, namespace, "named", named.URL)
			createReceiver(ctx, namespace, "default", hook.URL, func(r *v1beta1.Receiver) {
				r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
			})
			a := createAlert(ctx, namespace, "a", nil, "named")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.ReceiverRefs, a.Spec.Content = nil, "news" })
			Eventually(alertStatus(ctx, a)).Should(SatisfyAll(beSent(a), HaveField("Receivers", "1/1")))
			Expect(hook.eventTypes(a)()).To(Equal([]string{"fired"}))
			Expect(named.eventTypes(a)()).To(Equal([]string{"fired"}))
		})

		It("has an event, also where its message would be longer than events may be", func(ctx SpecContext) {
			var refs []v1beta1.ReceiverRef
			for i := range 4 {
				r := &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("a", 200) + namespace + fmt.Sprint(i)}}
				r.Spec.Webhook = &v1beta1.WebhookProvider{URL: hook.URL}
				Expect(k8s.Create(ctx, r)).To(Succeed())
				DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, r)).To(Succeed()) })
				refs = append(refs, v1beta1.ReceiverRef{Kind: v1beta1.KindClusterReceiver, Name: r.Name})
			}
			createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.ReceiverRefs = refs })
			Eventually(func() (string, error) {
				return kubectl(ctx, "", "get", "events", "-n", namespace, "-o", "custom-columns=R:.reason", "--no-headers")
			}).Should(ContainSubstring("NamespaceNotSelected"))
		})

		It("waits for a receiver and for its Secret", func(ctx SpecContext) {
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beReconciling("ReceiverNotFound", `Receiver "hook" does not exist`))
			createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"} })
			Eventually(alertStatus(ctx, a)).Should(beReconciling("SecretNotFound", `Secret "token" of Receiver "hook" does not exist`))
			createSecret(ctx, namespace, "token")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
		})

		It("waits until the namespaceSelector selects its namespace", func(ctx SpecContext) {
			shared := &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: "shared-" + namespace}}
			shared.Spec.Webhook = &v1beta1.WebhookProvider{URL: hook.URL}
			shared.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"pager": namespace}}
			Expect(k8s.Create(ctx, shared)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) error { return k8s.Delete(ctx, shared) })
			a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) {
				a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindClusterReceiver, Name: shared.Name}}
			})
			Eventually(alertStatus(ctx, a)).Should(beStalled("NamespaceNotSelected", "The namespaceSelector of ClusterReceiver"))
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
			update(ctx, ns, func(ns *corev1.Namespace) { ns.Labels["pager"] = namespace })
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
		})

		It("waits while a receiver is suspended, and is filtered below the receiver's minSeverity", func(ctx SpecContext) {
			r := createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.Suspend = true })
			loud := startFakeReceiver()
			createReceiver(ctx, namespace, "loud", loud.URL, func(r *v1beta1.Receiver) { r.Spec.MinSeverity = v1beta1.SeverityCritical })
			a := createAlert(ctx, namespace, "a", nil, "hook", "loud")
			Eventually(alertStatus(ctx, a)).Should(beStalled("Suspended", "is suspended"))
			update(ctx, r, func(r *v1beta1.Receiver) { r.Spec.Suspend = false })
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Expect(a.Status.Receivers).To(Equal("1/1"))
			Expect(a.Status.Deliveries).To(ContainElement(SatisfyAll(HaveField("Name", "loud"), HaveField("State", v1beta1.DeliveryFiltered))))
			Expect(loud.Messages()).To(BeEmpty())

			By("lowering minSeverity, which pages only about later content")
			filter := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "loud"}}
			update(ctx, filter, func(r *v1beta1.Receiver) { r.Spec.MinSeverity = v1beta1.SeverityInfo })
			update(ctx, a, func(a *v1beta1.Alert) { a.Labels = map[string]string{"looked": "at"} })
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "news" })
			Eventually(alertStatus(ctx, a)).Should(SatisfyAll(beSent(a), HaveField("Receivers", "2/2")))
			Expect(loud.messagesAbout(a)).To(ConsistOf(HaveField("Content", "news")))
		})
	})

	It("reports in each condition only what concerns that condition", func(ctx SpecContext) {
		hook.Respond(respondWith(http.StatusServiceUnavailable, "Retry-After", "600"))
		createReceiver(ctx, namespace, "hook", hook.URL)
		createReceiver(ctx, namespace, "idle", hook.URL, func(r *v1beta1.Receiver) { r.Spec.Suspend = true })
		a := createAlert(ctx, namespace, "a", nil, "hook", "idle")
		message := func(kind, reason string, want OmegaMatcher) OmegaMatcher {
			return HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", kind), HaveField("Reason", reason), HaveField("Message", want))))
		}
		Eventually(alertStatus(ctx, a)).Should(SatisfyAll(
			message("Ready", "Suspended", SatisfyAll(ContainSubstring("idle"), ContainSubstring("HTTP 503"))),
			message("Reconciling", "Retrying", SatisfyAll(Not(ContainSubstring("idle")), ContainSubstring("HTTP 503"))),
			message("Stalled", "Suspended", SatisfyAll(ContainSubstring("idle"), Not(ContainSubstring("HTTP 503"))))))
	})

	It("records the result of each receiver without waiting for slower receivers", func(ctx SpecContext) {
		slow := startFakeReceiver()
		slow.Respond(func(r *http.Request) (int, http.Header, string) {
			<-r.Context().Done()
			return http.StatusOK, nil, ""
		})
		createReceiver(ctx, namespace, "hook", hook.URL)
		createReceiver(ctx, namespace, "slow", slow.URL)
		a := createAlert(ctx, namespace, "a", nil, "slow", "hook")
		Eventually(alertStatus(ctx, a)).WithTimeout(5 * time.Second).Should(SatisfyAll(
			HaveField("Receivers", "1/2"),
			HaveField("Deliveries", ContainElement(SatisfyAll(HaveField("Name", "hook"), HaveField("State", v1beta1.DeliverySent))))))
	})

	Describe("with a time to live", func() {
		It("deletes itself, and sends no message about that", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = ptr.To[int32](1) }, "hook")
			Eventually(hook.eventTypes(a)).Should(Equal([]string{"fired"}))
			Eventually(checkGone(ctx, a)).Should(Succeed())
			Expect(hook.eventTypes(a)()).To(Equal([]string{"fired"}))
		})

		// F-P8: Alertmanager ends an alert that is not posted again.
		It("leaves the alert at Alertmanager as it is", func(ctx SpecContext) {
			service := notifytest.NewAlertmanager("")
			server := httptest.NewServer(service)
			DeferCleanup(server.Close)
			createReceiver(ctx, namespace, "am", "", func(r *v1beta1.Receiver) {
				r.Spec.Webhook, r.Spec.Alertmanager = nil, &v1beta1.AlertmanagerProvider{URLs: []string{server.URL}}
			})
			a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = ptr.To[int32](1) }, "am")
			Eventually(checkGone(ctx, a)).Should(Succeed())
			service.Now = func() time.Time { return time.Now().Add(6 * 24 * time.Hour) }
			Expect(service.Seen()).To(ConsistOf(HaveField("Resolved", false)))
		})

		It("counts it from the last delivery", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Eventually(func() time.Duration { return time.Since(a.Status.FinishedTime.Time) }).Should(BeNumerically(">", 3*time.Second))
			update(ctx, a, func(a *v1beta1.Alert) {
				a.Spec.Content, a.Spec.TTLSecondsAfterFinished = "news", ptr.To[int32](3)
			})
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Eventually(checkGone(ctx, a)).Should(Succeed())
			Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "updated"}))
		})

		It("stays where a GitOps tool would create and page it again", func(ctx SpecContext) {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) {
				a.Spec.TTLSecondsAfterFinished = ptr.To[int32](0)
				a.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "x"}
			}, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			b := createAlert(ctx, namespace, "b", func(b *v1beta1.Alert) { b.Spec.TTLSecondsAfterFinished = ptr.To[int32](0) }, "hook")
			Eventually(checkGone(ctx, b)).Should(Succeed())
			Expect(alertStatus(ctx, a)()).To(beSent(a))
		})
	})

	It("that was restored from a backup waits until a user resends it", func(ctx SpecContext) {
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Labels = map[string]string{"velero.io/restore-name": "r"} }, "hook")
		Eventually(alertStatus(ctx, a)).Should(beStalled("Restored", "remove the label"))
		Eventually(alertStatus(ctx, createAlert(ctx, namespace, "later", nil, "hook"))).Should(HaveField("Sent", true))
		Expect(hook.messagesAbout(a)).To(BeEmpty())
		update(ctx, a, func(a *v1beta1.Alert) { a.Labels = nil })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
	})

	It("is deleted with its namespace, in whatever order objects are deleted", func(ctx SpecContext) {
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		waiting := createAlert(ctx, namespace, "waiting", nil, "nobody")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Eventually(alertStatus(ctx, waiting)).Should(beReconciling("ReceiverNotFound", "nobody"))
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		Expect(k8s.Delete(ctx, ns)).To(Succeed())
		Eventually(checkGone(ctx, ns)).WithTimeout(2 * time.Minute).Should(Succeed())
	})

	It("gets its finalizer from the operator where the webhook did not set it", func(ctx SpecContext) {
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Expect(a.Finalizers).To(ConsistOf(v1beta1.AlertFinalizer), "set by admission")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		update(ctx, a, func(a *v1beta1.Alert) { a.Finalizers = nil })
		Eventually(func() ([]string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(a), a)
			return a.Finalizers, err
		}).Should(ConsistOf(v1beta1.AlertFinalizer))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "updated"}), "the next message has the new content")
	})

	It("cannot be sent to forbidden addresses", func(ctx SpecContext) {
		r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "metadata"}}
		r.Spec.Webhook = &v1beta1.WebhookProvider{URL: "http://169.254.169.254/latest"}
		Expect(k8s.Create(ctx, r)).To(MatchError(SatisfyAll(ContainSubstring("spec.webhook.url"), ContainSubstring("--allow-outbound"))))
	})
})
