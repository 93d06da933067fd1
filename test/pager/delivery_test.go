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
)

// answer makes every answer the same.
func answer(code int, header ...string) func(*http.Request) (int, http.Header, string) {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return func(*http.Request) (int, http.Header, string) { return code, h, "" }
}

var _ = Describe("Alert", func() {
	var (
		namespace string
		hook      *receiverServer
	)
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx)
		hook = newInbox()
	})

	It("delivers the seed's manifest verbatim through the default ClusterReceiver", func(ctx SpecContext) {
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
		Eventually(status(ctx, a)).Should(sent(a))
		Expect(hook.about(a)).To(ConsistOf(SatisfyAll(
			HaveField("Content", "Hello KubeCon \U0001f44b"),
			HaveField("Title", "Kubernetes alert for "+namespace+"/kubecon-alert"))))
		Expect(a.Status.Receivers).To(Equal("1/1"))
		Expect(a.Spec.Title).To(BeEmpty(), "the computed title is not stored")
		Expect(kubectl(ctx, "", "get", "alerts.v1alpha1.pager.k8s.co", "-n", namespace)).To(MatchRegexp(`kubecon-alert\s+Info\s+true\s+1/1`))
		Expect(kubectl(ctx, "", "get", "alerts", "-n", namespace, "-o", "wide")).To(ContainSubstring("Sent to 1/1 receivers"))
	})

	When("content changes", func() {
		It("sends the new content under a new key, and A again after A, B, A", func(ctx SpecContext) {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.Content = "A" }, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			for _, content := range []string{"B", "A"} {
				update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = content })
				Eventually(status(ctx, a)).Should(sent(a))
			}
			Eventually(hook.types(a)).Should(Equal([]string{"fired", "updated", "updated"}))
			keys := map[string]bool{}
			for _, m := range hook.about(a) {
				keys[m.WebhookID] = true
				Expect(m.Incident).To(Equal(hook.about(a)[0].Incident))
			}
			Expect(keys).To(HaveLen(3))
			Expect(a.Status.Deliveries[0].Sequence).To(BeEquivalentTo(3))
		})

		It("sends nothing for what is no content", func(ctx SpecContext) {
			other := newInbox()
			newReceiver(ctx, namespace, "hook", hook.URL)
			newReceiver(ctx, namespace, "other", other.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = ptr.To[int32](3600) })
			Eventually(status(ctx, a)).Should(sent(a))
			update(ctx, a, func(a *v1beta1.Alert) {
				a.Spec.ReceiverRefs = append(a.Spec.ReceiverRefs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "other"})
			})
			Eventually(status(ctx, a)).Should(sent(a))
			Expect(a.Status.Receivers).To(Equal("2/2"))
			Expect(other.types(a)()).To(Equal([]string{"fired"}))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
			Eventually(status(ctx, a)).Should(sent(a))
			Expect(hook.types(a)()).To(Equal([]string{"fired", "updated"}), "the next message is about the content")
		})
	})

	When("it is over", func() {
		It("tells the receivers with state Resolved and pages anew when it fires again", func(ctx SpecContext) {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
			Eventually(status(ctx, a)).Should(haveCondition("Ready", metav1.ConditionTrue, "Resolved"))
			Expect(a.Status.Deliveries[0].State).To(Equal(v1beta1.DeliveryResolved))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring })
			Eventually(status(ctx, a)).Should(sent(a))
			Expect(hook.types(a)()).To(Equal([]string{"fired", "resolved", "fired"}))
		})

		It("tells the receivers when it is deleted", func(ctx SpecContext) {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			Eventually(gone(ctx, a)).Should(Succeed())
			Expect(hook.types(a)()).To(Equal([]string{"fired", "resolved"}))
		})

		It("says what holds a deletion, until when, and how to let go", func(ctx SpecContext) {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			hook.Respond(answer(http.StatusInternalServerError))
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			Eventually(status(ctx, a)).Should(SatisfyAll(
				haveCondition("Ready", metav1.ConditionFalse, "Resolving"),
				haveCondition("Reconciling", metav1.ConditionTrue, "Resolving"),
				HaveField("Conditions", ContainElement(HaveField("Message", SatisfyAll(
					ContainSubstring("Being deleted since"), ContainSubstring("HTTP 500"), ContainSubstring("next at"),
					ContainSubstring("bellhop.gophernetes.io/deletion-policy: Retain")))))))
			update(ctx, a, func(a *v1beta1.Alert) {
				a.Annotations = map[string]string{"bellhop.gophernetes.io/deletion-policy": "Retain"}
			})
			Eventually(gone(ctx, a)).Should(Succeed())
		})

		It("gives up telling after resolveTimeoutSeconds", func(ctx SpecContext) {
			newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.ResolveTimeoutSeconds = ptr.To[int32](3) })
			a := newAlert(ctx, namespace, "a", nil, "hook")
			b := newAlert(ctx, namespace, "b", nil, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			Eventually(status(ctx, b)).Should(sent(b))
			hook.Respond(answer(http.StatusBadGateway))
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			update(ctx, b, func(b *v1beta1.Alert) { b.Spec.State = v1beta1.AlertResolved })
			Eventually(gone(ctx, a)).Should(Succeed())
			Eventually(status(ctx, b)).Should(SatisfyAll(stalled("ResolveTimedOut", "HTTP 502"), HaveField("Sent", true)), "the page did arrive")
		})
	})

	When("it is deleted before it was delivered", func() {
		It("makes one attempt if it is very young", func(ctx SpecContext) {
			hook.Respond(answer(http.StatusInternalServerError))
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			Eventually(gone(ctx, a)).Should(Succeed())
			Expect(hook.about(a)).To(HaveLen(1))
		})

		It("is cancelled after a failed attempt", func(ctx SpecContext) {
			hook.Respond(answer(http.StatusServiceUnavailable, "Retry-After", "3600"))
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(haveCondition("Reconciling", metav1.ConditionTrue, "Retrying"))
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			Eventually(gone(ctx, a)).Should(Succeed())
			Expect(hook.about(a)).To(HaveLen(1))
			Expect(hook.about(a)[0].Attempts).To(Equal(1))
		})
	})

	When("a receiver fails for a while", func() {
		It("retries with the same key, and counts", func(ctx SpecContext) {
			hook.Respond(answer(http.StatusBadGateway))
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(HaveField("Deliveries", ConsistOf(SatisfyAll(
				HaveField("State", v1beta1.DeliveryPending), HaveField("Attempts", BeNumerically(">=", 2)),
				HaveField("Reason", "ServerError"), HaveField("Message", "HTTP 502 Bad Gateway"), HaveField("NextAttemptTime", Not(BeNil()))))))
			hook.Respond(nil)
			Eventually(status(ctx, a)).Should(sent(a))
			Expect(hook.about(a)).To(HaveLen(1), "every attempt has the same key")
			Expect(hook.about(a)[0].Attempts).To(BeNumerically(">=", 3))
			Expect(a.Status.Deliveries[0].NextAttemptTime).To(BeNil())
			Expect(a.Status.Deliveries[0].LastAttemptedReceiver).To(BeEmpty())
		})

		It("waits as long as Retry-After says", func(ctx SpecContext) {
			hook.Respond(answer(http.StatusTooManyRequests, "Retry-After", "600"))
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(HaveField("Deliveries", ConsistOf(HaveField("Reason", "RateLimited"))))
			row := a.Status.Deliveries[0]
			Expect(row.NextAttemptTime.Sub(row.LastAttemptTime.Time)).To(BeNumerically("~", 600*time.Second, 2*time.Second))
		})

		It("expires, and pages nobody about yesterday", func(ctx SpecContext) {
			hook.Respond(answer(http.StatusServiceUnavailable))
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](3) }, "hook")
			Eventually(status(ctx, a)).Should(SatisfyAll(
				haveCondition("Stalled", metav1.ConditionTrue, "Expired"),
				haveCondition("Reconciling", metav1.ConditionFalse, "Expired"),
				HaveField("Deliveries", ConsistOf(HaveField("State", v1beta1.DeliveryExpired)))))
			hook.Respond(nil)
			before := hook.about(a)[0].Attempts
			Eventually(status(ctx, newAlert(ctx, namespace, "later", nil, "hook"))).Should(HaveField("Sent", true))
			Expect(hook.about(a)[0].Attempts).To(Equal(before))
		})
	})

	When("a receiver answers as one that is misconfigured", func() {
		It("F-P1, F-JP2: sends what waits as soon as the receiver takes another Alert, without anybody touching an object", func(ctx SpecContext) {
			hook.Respond(answer(http.StatusForbidden))
			newReceiver(ctx, namespace, "hook", hook.URL)
			var waiting []*v1beta1.Alert
			for i := range 5 {
				waiting = append(waiting, newAlert(ctx, namespace, fmt.Sprint("a", i), nil, "hook"))
			}
			for _, a := range waiting {
				Eventually(status(ctx, a)).Should(Or(reconciling("Retrying", "HTTP 403"), reconciling("Queued", "")))
			}
			hook.Respond(nil)
			for _, a := range waiting {
				Eventually(status(ctx, a)).WithTimeout(time.Minute).Should(sent(a)) // the first one with a quick retry
				Expect(hook.types(a)()).To(Equal([]string{"fired"}))
			}
		})
	})

	When("a receiver refuses for good", func() {
		It("stalls in the receiver's words and tries again once the Alert changes", func(ctx SpecContext) {
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
			newReceiver(ctx, namespace, "hook", "", func(r *v1beta1.Receiver) {
				r.Spec.Provider = v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{URL: ntfy.URL, Topic: "disks"}}
			})
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(stalled("Failed", "HTTP 400 Bad Request (ntfy's error 40001)"))
			welcome.Store(true)
			Eventually(status(ctx, newAlert(ctx, namespace, "later", nil, "hook"))).Should(HaveField("Sent", true))
			Expect(status(ctx, a)()).To(HaveField("Sent", false))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "the floppy is full" })
			Eventually(status(ctx, a)).Should(sent(a))
		})

		It("tries again once the receiver changes", func(ctx SpecContext) {
			hook.Respond(answer(http.StatusNotFound))
			r := newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(reconciling("Retrying", "HTTP 404"))
			hook.Respond(nil)
			update(ctx, r, func(r *v1beta1.Receiver) { r.Spec.Webhook.Method = "PUT" })
			Eventually(status(ctx, a)).Should(sent(a))
		})

		It("tries again once its Secret changes, with the new one", func(ctx SpecContext) {
			hook.Respond(func(r *http.Request) (int, http.Header, string) {
				if r.Header.Get("Authorization") != "Bearer right" {
					return http.StatusUnauthorized, nil, ""
				}
				return http.StatusOK, nil, ""
			})
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "token"}, StringData: map[string]string{"token": "wrong"}}
			Expect(k8s.Create(ctx, secret)).To(Succeed())
			newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"} })
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(reconciling("Retrying", "HTTP 401"))
			update(ctx, secret, func(s *corev1.Secret) { s.Data["token"] = []byte("right") })
			Eventually(status(ctx, a)).Should(sent(a))
		})
	})

	When("there is nobody to send it to yet", func() {
		It("is picked up as soon as there is a default receiver", func(ctx SpecContext) {
			a := newAlert(ctx, namespace, "a", nil)
			Eventually(status(ctx, a)).Should(stalled("NoReceiver", v1beta1.DefaultReceiverAnnotation))
			Expect(a.Status.Sent).To(BeFalse())
			older := newInbox()
			newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) {
				r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
			})
			Eventually(status(ctx, a)).Should(sent(a))
			By("not sending again for a later default")
			newReceiver(ctx, namespace, "before-hook", older.URL, func(r *v1beta1.Receiver) { // the name counts within a second
				r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
			})
			b := newAlert(ctx, namespace, "b", nil)
			Eventually(older.types(b)).Should(Equal([]string{"fired"}))
			Expect(older.about(a)).To(BeEmpty())
		})

		It("goes to the default once it names nobody any more, and not to whom it named before", func(ctx SpecContext) {
			named := newInbox()
			newReceiver(ctx, namespace, "named", named.URL)
			newReceiver(ctx, namespace, "default", hook.URL, func(r *v1beta1.Receiver) {
				r.Annotations = map[string]string{v1beta1.DefaultReceiverAnnotation: "true"}
			})
			a := newAlert(ctx, namespace, "a", nil, "named")
			Eventually(status(ctx, a)).Should(sent(a))
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.ReceiverRefs, a.Spec.Content = nil, "news" })
			Eventually(status(ctx, a)).Should(SatisfyAll(sent(a), HaveField("Receivers", "1/1")))
			Expect(hook.types(a)()).To(Equal([]string{"fired"}))
			Expect(named.types(a)()).To(Equal([]string{"fired"}))
		})

		It("says so also where there is much to say", func(ctx SpecContext) {
			var refs []v1beta1.ReceiverRef
			for i := range 4 {
				r := &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("a", 200) + namespace + fmt.Sprint(i)}}
				r.Spec.Webhook = &v1beta1.WebhookProvider{URL: hook.URL}
				Expect(k8s.Create(ctx, r)).To(Succeed())
				DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, r)).To(Succeed()) })
				refs = append(refs, v1beta1.ReceiverRef{Kind: v1beta1.KindClusterReceiver, Name: r.Name})
			}
			newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.ReceiverRefs = refs })
			Eventually(func() (string, error) {
				return kubectl(ctx, "", "get", "events", "-n", namespace, "-o", "custom-columns=R:.reason", "--no-headers")
			}).Should(ContainSubstring("NamespaceNotSelected"))
		})

		It("waits for a receiver and for its Secret", func(ctx SpecContext) {
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(reconciling("ReceiverNotFound", `Receiver "hook" does not exist`))
			newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"} })
			Eventually(status(ctx, a)).Should(reconciling("SecretNotFound", `Secret "token" of Receiver "hook" does not exist`))
			Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "token"}})).To(Succeed())
			Eventually(status(ctx, a)).Should(sent(a))
		})

		It("waits until the namespaceSelector selects its namespace", func(ctx SpecContext) {
			shared := &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: "shared-" + namespace}}
			shared.Spec.Webhook = &v1beta1.WebhookProvider{URL: hook.URL}
			shared.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"pager": namespace}}
			Expect(k8s.Create(ctx, shared)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) error { return k8s.Delete(ctx, shared) })
			a := newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) {
				a.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindClusterReceiver, Name: shared.Name}}
			})
			Eventually(status(ctx, a)).Should(stalled("NamespaceNotSelected", "does not select namespace"))
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
			update(ctx, ns, func(ns *corev1.Namespace) { ns.Labels["pager"] = namespace })
			Eventually(status(ctx, a)).Should(sent(a))
		})

		It("waits while a receiver is suspended, and is filtered below its minSeverity", func(ctx SpecContext) {
			r := newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.Suspend = true })
			loud := newInbox()
			newReceiver(ctx, namespace, "loud", loud.URL, func(r *v1beta1.Receiver) { r.Spec.MinSeverity = v1beta1.SeverityCritical })
			a := newAlert(ctx, namespace, "a", nil, "hook", "loud")
			Eventually(status(ctx, a)).Should(stalled("Suspended", "is suspended"))
			update(ctx, r, func(r *v1beta1.Receiver) { r.Spec.Suspend = false })
			Eventually(status(ctx, a)).Should(sent(a))
			Expect(a.Status.Receivers).To(Equal("1/1"))
			Expect(a.Status.Deliveries).To(ContainElement(SatisfyAll(HaveField("Name", "loud"), HaveField("State", v1beta1.DeliveryFiltered))))
			Expect(loud.Messages()).To(BeEmpty())

			By("not paging about what was filtered once the filter is edited")
			filter := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "loud"}}
			update(ctx, filter, func(r *v1beta1.Receiver) { r.Spec.MinSeverity = v1beta1.SeverityInfo })
			update(ctx, a, func(a *v1beta1.Alert) { a.Labels = map[string]string{"looked": "at"} })
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "news" })
			Eventually(status(ctx, a)).Should(SatisfyAll(sent(a), HaveField("Receivers", "2/2")))
			Expect(loud.about(a)).To(ConsistOf(HaveField("Content", "news")))
		})
	})

	It("says in each condition what is its own", func(ctx SpecContext) {
		hook.Respond(answer(http.StatusServiceUnavailable, "Retry-After", "600"))
		newReceiver(ctx, namespace, "hook", hook.URL)
		newReceiver(ctx, namespace, "idle", hook.URL, func(r *v1beta1.Receiver) { r.Spec.Suspend = true })
		a := newAlert(ctx, namespace, "a", nil, "hook", "idle")
		message := func(kind, reason string, want OmegaMatcher) OmegaMatcher {
			return HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", kind), HaveField("Reason", reason), HaveField("Message", want))))
		}
		Eventually(status(ctx, a)).Should(SatisfyAll(
			message("Ready", "Suspended", SatisfyAll(ContainSubstring("idle"), ContainSubstring("HTTP 503"))),
			message("Reconciling", "Retrying", SatisfyAll(Not(ContainSubstring("idle")), ContainSubstring("HTTP 503"))),
			message("Stalled", "Suspended", SatisfyAll(ContainSubstring("idle"), Not(ContainSubstring("HTTP 503"))))))
	})

	It("records each receiver's result as it comes, not after the slowest", func(ctx SpecContext) {
		slow := newInbox()
		slow.Respond(func(r *http.Request) (int, http.Header, string) {
			<-r.Context().Done()
			return http.StatusOK, nil, ""
		})
		newReceiver(ctx, namespace, "hook", hook.URL)
		newReceiver(ctx, namespace, "slow", slow.URL)
		a := newAlert(ctx, namespace, "a", nil, "slow", "hook")
		Eventually(status(ctx, a)).WithTimeout(5 * time.Second).Should(SatisfyAll(
			HaveField("Receivers", "1/2"),
			HaveField("Deliveries", ContainElement(SatisfyAll(HaveField("Name", "hook"), HaveField("State", v1beta1.DeliverySent))))))
	})

	When("it has a time to live", func() {
		It("deletes itself, which resolves nothing", func(ctx SpecContext) {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = ptr.To[int32](1) }, "hook")
			Eventually(hook.types(a)).Should(Equal([]string{"fired"}))
			Eventually(gone(ctx, a)).Should(Succeed())
			Expect(hook.types(a)()).To(Equal([]string{"fired"}))
		})

		It("counts it from the last delivery, not from one before", func(ctx SpecContext) {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			Eventually(func() time.Duration { return time.Since(a.Status.FinishedTime.Time) }).Should(BeNumerically(">", 3*time.Second))
			update(ctx, a, func(a *v1beta1.Alert) {
				a.Spec.Content, a.Spec.TTLSecondsAfterFinished = "news", ptr.To[int32](3)
			})
			Eventually(status(ctx, a)).Should(sent(a))
			Eventually(gone(ctx, a)).Should(Succeed())
			Expect(hook.types(a)()).To(Equal([]string{"fired", "updated"}))
		})

		It("is kept where a GitOps tool would make and page it again", func(ctx SpecContext) {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) {
				a.Spec.TTLSecondsAfterFinished = ptr.To[int32](0)
				a.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "x"}
			}, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			b := newAlert(ctx, namespace, "b", func(b *v1beta1.Alert) { b.Spec.TTLSecondsAfterFinished = ptr.To[int32](0) }, "hook")
			Eventually(gone(ctx, b)).Should(Succeed())
			Expect(status(ctx, a)()).To(sent(a))
		})
	})

	It("holds what came back from a backup until a person resends it", func(ctx SpecContext) {
		newReceiver(ctx, namespace, "hook", hook.URL)
		a := newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Labels = map[string]string{"velero.io/restore-name": "r"} }, "hook")
		Eventually(status(ctx, a)).Should(stalled("Restored", "remove the label"))
		Eventually(status(ctx, newAlert(ctx, namespace, "later", nil, "hook"))).Should(HaveField("Sent", true))
		Expect(hook.about(a)).To(BeEmpty())
		update(ctx, a, func(a *v1beta1.Alert) { a.Labels = nil })
		Eventually(status(ctx, a)).Should(sent(a))
	})

	It("goes with its namespace, whatever goes first", func(ctx SpecContext) {
		newReceiver(ctx, namespace, "hook", hook.URL)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		waiting := newAlert(ctx, namespace, "waiting", nil, "nobody")
		Eventually(status(ctx, a)).Should(sent(a))
		Eventually(status(ctx, waiting)).Should(reconciling("ReceiverNotFound", "nobody"))
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		Expect(k8s.Delete(ctx, ns)).To(Succeed())
		Eventually(gone(ctx, ns)).WithTimeout(2 * time.Minute).Should(Succeed())
	})

	It("gets its finalizer also where the webhook did not put one", func(ctx SpecContext) {
		newReceiver(ctx, namespace, "hook", hook.URL)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Expect(a.Finalizers).To(ConsistOf(v1beta1.AlertFinalizer), "put there at admission")
		Eventually(status(ctx, a)).Should(sent(a))
		update(ctx, a, func(a *v1beta1.Alert) { a.Finalizers = nil })
		Eventually(func() ([]string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(a), a)
			return a.Finalizers, err
		}).Should(ConsistOf(v1beta1.AlertFinalizer))
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
		Eventually(status(ctx, a)).Should(sent(a))
		Expect(hook.types(a)()).To(Equal([]string{"fired", "updated"}), "the next message is about the content")
	})

	It("refuses addresses that are nobody's business", func(ctx SpecContext) {
		r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "metadata"}}
		r.Spec.Webhook = &v1beta1.WebhookProvider{URL: "http://169.254.169.254/latest"}
		Expect(k8s.Create(ctx, r)).To(MatchError(SatisfyAll(ContainSubstring("spec.webhook.url"), ContainSubstring("--allow-outbound"))))
	})
})
