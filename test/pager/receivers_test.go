// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
)

var _ = Describe("The status of a receiver", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	useMatrix := func(url string) func(*v1beta1.Receiver) {
		return func(r *v1beta1.Receiver) {
			r.Spec.Webhook, r.Spec.Matrix = nil, &v1beta1.MatrixProvider{URL: url, RoomID: "!room:example.com"}
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "secret"}
		}
	}

	It("is Ready once a probe succeeded, and changes with the Secret", func(ctx SpecContext) {
		matrix := notifytest.NewMatrix("!room:example.com", "good")
		server := httptest.NewServer(matrix)
		DeferCleanup(server.Close)
		secret := createSecret(ctx, namespace, "secret", "token", "bad")
		r := createReceiver(ctx, namespace, "room", "", useMatrix(server.URL))
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(
			haveCondition("Ready", metav1.ConditionFalse, "Unauthorized"), haveCondition("Reconciling", metav1.ConditionTrue, "Unauthorized"),
			HaveField("LastError", ContainSubstring("HTTP 401")), HaveField("ObservedGeneration", BeEquivalentTo(1))))
		update(ctx, secret, func(s *corev1.Secret) { s.Data["token"] = []byte("good") })
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(
			haveCondition("Ready", metav1.ConditionTrue, "Reachable"), haveCondition("Stalled", metav1.ConditionFalse, "Reachable")))
		Expect(matrix.Seen()).To(BeEmpty(), "a probe sends no message")
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionFalse, "SecretNotFound"))
	})

	It("is probed again until a probe succeeds, and not any more afterwards", func(ctx SpecContext) {
		var asked, away atomic.Int32
		away.Store(2)
		matrix := notifytest.NewMatrix("!room:example.com", "good")
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if away.Add(-1) >= 0 {
				http.Error(w, "", http.StatusBadGateway)
				return
			}
			matrix.ServeHTTP(w, r)
		}))
		DeferCleanup(server.Close)
		createSecret(ctx, namespace, "secret", "token", "good")
		r := createReceiver(ctx, namespace, "room", "", useMatrix(server.URL))
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(haveCondition("Ready", metav1.ConditionFalse, "ServerError"), haveCondition("Reconciling", metav1.ConditionTrue, "ServerError")))
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
		enough := asked.Load()
		other := createReceiver(ctx, namespace, "later", "", useMatrix(server.URL))
		Eventually(receiverStatus(ctx, other)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
		Expect(asked.Load()).To(Equal(enough+enough-2), "the first receiver needed two more probes")
	})

	DescribeTable("F-P66: follows a Secret that was wrong, missing, and then right, and delays no other receiver", func(ctx SpecContext, newService func() (http.Handler, func() int), settings func(url string) v1beta1.Provider, key, right, wrong string) {
		handler, seen := newService()
		server := notifytest.Serve(handler)
		DeferCleanup(server.Close)
		hook := startFakeReceiver()
		if right == "" {
			right = server.URL + "/hook"
		}
		secret := createSecret(ctx, namespace, "secret", key, wrong)
		r := createReceiver(ctx, namespace, "changing", "", func(r *v1beta1.Receiver) {
			r.Spec.Provider, r.Spec.SecretRef = settings(server.URL), &v1beta1.SecretReference{Name: "secret"}
		})
		createReceiver(ctx, namespace, "working", hook.URL)
		var alerts []*v1beta1.Alert
		send := func() {
			GinkgoHelper()
			alerts = append(alerts, createAlert(ctx, namespace, fmt.Sprintf("a%d", len(alerts)), nil, "changing", "working"))
			Eventually(hook.Messages).Should(HaveLen(len(alerts)), "the other receiver gets each Alert at once")
		}
		for range 2 {
			send()
			Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionFalse, "InvalidReceiver"))
			update(ctx, secret, func(s *corev1.Secret) { s.Data = nil })
			send()
			update(ctx, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{key: []byte(right)} })
			send()
			for _, a := range alerts {
				Eventually(alertStatus(ctx, a)).Should(beSent(a))
			}
			Expect(seen()).To(Equal(len(alerts)))
			Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
			update(ctx, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{key: []byte(wrong)} })
		}
	},
		Entry("of a webhook", func() (http.Handler, func() int) {
			in := inbox.New(inbox.Options{})
			return in.Handler(), func() int { return len(in.Messages()) }
		}, func(string) v1beta1.Provider { return v1beta1.Provider{Webhook: &v1beta1.WebhookProvider{}} }, "url", "", `"https://hooks.example.com"`),
		Entry("of Matrix", func() (http.Handler, func() int) {
			matrix := notifytest.NewMatrix("!room:example.com", "good")
			return matrix, func() int { return len(matrix.Seen()) }
		}, func(url string) v1beta1.Provider {
			return v1beta1.Provider{Matrix: &v1beta1.MatrixProvider{URL: url, RoomID: "!room:example.com"}}
		}, "token", "good", "go od"),
		Entry("of Gotify", func() (http.Handler, func() int) {
			gotify := notifytest.NewGotify("good")
			return gotify, func() int { return len(gotify.Seen()) }
		}, func(url string) v1beta1.Provider { return v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: url}} }, "token", "good", "go od"),
		Entry("of a notifier with gRPC", func() (http.Handler, func() int) {
			notifier := notifytest.NewGRPC("good")
			return notifier, func() int { return len(notifier.Seen()) }
		}, func(url string) v1beta1.Provider { return v1beta1.Provider{GRPC: &v1beta1.GRPCProvider{Address: url}} }, "token", "good", "go od"),
	)

	It("F-P9: is Ready with the reason NotProbed where the provider cannot be probed, until the first delivery", func(ctx SpecContext) {
		hook := startFakeReceiver()
		hook.Respond(respondWith(http.StatusServiceUnavailable))
		r := createReceiver(ctx, namespace, "hook", hook.URL)
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "NotProbed"))
		Expect(hook.Started()).To(BeZero())

		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(
			haveCondition("Ready", metav1.ConditionFalse, "ServerError"), HaveField("Waiting", BeEquivalentTo(1)), HaveField("LastError", "HTTP 503 Service Unavailable")))
		Expect(kubectl(ctx, "", "get", "receivers", "-n", namespace)).To(MatchRegexp(`(?s)NAME +DEFAULT +READY +REASON +WAITING +LAST DELIVERY +AGE.*hook +False +ServerError +1`))

		hook.Respond(nil)
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(haveCondition("Ready", metav1.ConditionTrue, "Reachable"),
			HaveField("Waiting", BeZero()), HaveField("LastDeliveryTime.Time", BeTemporally(">=", a.CreationTimestamp.Time))))
		Expect(r.Status.LastError).NotTo(BeEmpty(), "the last error and its time stay on record")
		Expect(r.Status.LastErrorTime.Time).To(BeTemporally("~", time.Now(), time.Minute))
	})

	It("is not Ready if the guard refuses the address in the Secret, in the words of a delivery", func(ctx SpecContext) {
		secret := createSecret(ctx, namespace, "hook", "url", "http://[::1]:8080/hook")
		r := createReceiver(ctx, namespace, "hook", "", func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: secret.Name} })
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(
			haveCondition("Ready", metav1.ConditionFalse, "AddressRefused"), haveCondition("Reconciling", metav1.ConditionTrue, "AddressRefused"),
			HaveField("LastError", ContainSubstring("a loopback address, which is in the operator's own Pod, and the operator's --allow-outbound does not list it"))))
		Expect(meta.FindStatusCondition(r.Status.Conditions, "Ready").Message).To(HavePrefix("The address is a loopback address"))
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", ConsistOf(SatisfyAll(
			HaveField("Reason", "AddressRefused"), HaveField("Message", r.Status.LastError)))))

		By("correcting the address")
		hook := startFakeReceiver() // at 127.0.0.1, which the operator's --allow-outbound lists
		update(ctx, secret, func(s *corev1.Secret) { s.Data["url"] = []byte(hook.URL) })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
	})

	It("has the warning about an address in the Secret that admission has about one in the spec", func(ctx SpecContext) {
		secret := createSecret(ctx, namespace, "hook", "url", "http://hooks.example.com/")
		r := createReceiver(ctx, namespace, "hook", "", func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: secret.Name} })
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "NotProbed"))
		Expect(meta.FindStatusCondition(r.Status.Conditions, "Ready").Message).To(ContainSubstring("The Secret's key url: the connection is not encrypted"))
	})

	Describe("that reports a failure and a retry", func() {
		var r *v1beta1.Receiver
		BeforeEach(func(ctx SpecContext) {
			r = createReceiver(ctx, namespace, "hook", startFakeReceiver().URL)
			Eventually(alertStatus(ctx, createAlert(ctx, namespace, "a", nil, "hook"))).Should(haveCondition("Ready", metav1.ConditionTrue, "Sent"))
			Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
		})
		overwrite := func(ctx SpecContext) {
			GinkgoHelper()
			before := r.DeepCopy()
			for _, c := range []metav1.Condition{{Type: "Ready", Status: metav1.ConditionFalse}, {Type: "Reconciling", Status: metav1.ConditionTrue}} {
				c.Reason = "ServerError"
				meta.SetStatusCondition(&r.Status.Conditions, c)
			}
			Expect(k8s.Status().Patch(ctx, r, client.MergeFrom(before))).To(Succeed())
		}

		It("is corrected by the operator that knows of a success", func(ctx SpecContext) {
			overwrite(ctx)
			Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
		})

		It("is reset to NotProbed by an operator that knows nothing of it", serial, func(ctx SpecContext) {
			operator.Kill()
			overwrite(ctx)
			startOperator(context.WithoutCancel(ctx))
			Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(
				haveCondition("Ready", metav1.ConditionTrue, "NotProbed"), haveCondition("Reconciling", metav1.ConditionFalse, "NotProbed")))
		})
	})

	It("of a ClusterReceiver is the same, also where no namespace may use it", func(ctx SpecContext) {
		r := &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
		r.Spec.Webhook, r.Spec.Suspend = &v1beta1.WebhookProvider{URL: "https://example.com"}, true
		Expect(k8s.Create(ctx, r)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, r)).To(Succeed()) })
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Stalled", metav1.ConditionTrue, "Suspended"))
		update(ctx, r, func(r *v1beta1.ClusterReceiver) { r.Spec.Suspend = false })
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "NotProbed"))
	})
})
