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
	"github.com/gophernetes/bellhop/internal/notify/notifytest"
)

var _ = Describe("A receiver's status", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	newSecret := func(ctx SpecContext, data map[string]string) *corev1.Secret {
		GinkgoHelper()
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "secret"}, StringData: data}
		Expect(k8s.Create(ctx, s)).To(Succeed())
		return s
	}
	gotoMatrix := func(url string) func(*v1beta1.Receiver) {
		return func(r *v1beta1.Receiver) {
			r.Spec.Webhook, r.Spec.Matrix = nil, &v1beta1.MatrixProvider{URL: url, RoomID: "!room:example.com"}
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "secret"}
		}
	}

	It("is Ready once a harmless call was answered, and follows the Secret", func(ctx SpecContext) {
		matrix := notifytest.NewMatrix("!room:example.com", "good")
		server := httptest.NewServer(matrix)
		DeferCleanup(server.Close)
		secret := newSecret(ctx, map[string]string{"token": "bad"})
		r := newReceiver(ctx, namespace, "room", "", gotoMatrix(server.URL))
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(
			haveCondition("Ready", metav1.ConditionFalse, "Unauthorized"), haveCondition("Reconciling", metav1.ConditionTrue, "Unauthorized"),
			HaveField("LastError", ContainSubstring("HTTP 401")), HaveField("ObservedGeneration", BeEquivalentTo(1))))
		update(ctx, secret, func(s *corev1.Secret) { s.Data["token"] = []byte("good") })
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(
			haveCondition("Ready", metav1.ConditionTrue, "Reachable"), haveCondition("Stalled", metav1.ConditionFalse, "Reachable")))
		Expect(matrix.Seen()).To(BeEmpty(), "nothing was sent")
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionFalse, "SecretNotFound"))
	})

	It("is asked again until it answers, and then not any more", func(ctx SpecContext) {
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
		newSecret(ctx, map[string]string{"token": "good"})
		r := newReceiver(ctx, namespace, "room", "", gotoMatrix(server.URL))
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(haveCondition("Ready", metav1.ConditionFalse, "ServerError"), haveCondition("Reconciling", metav1.ConditionTrue, "ServerError")))
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
		enough := asked.Load()
		other := newReceiver(ctx, namespace, "later", "", gotoMatrix(server.URL))
		Eventually(receiverStatus(ctx, other)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
		Expect(asked.Load()).To(Equal(enough+enough-2), "the first one took two attempts more, each a request")
	})

	It("F-P9: is Ready, but not probed, where a provider can be asked nothing, until a delivery tells", func(ctx SpecContext) {
		hook := newInbox()
		hook.Respond(answer(http.StatusServiceUnavailable))
		r := newReceiver(ctx, namespace, "hook", hook.URL)
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "NotProbed"))
		Expect(hook.Started()).To(BeZero())

		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(
			haveCondition("Ready", metav1.ConditionFalse, "ServerError"), HaveField("Waiting", BeEquivalentTo(1)), HaveField("LastError", "HTTP 503 Service Unavailable")))
		Expect(kubectl(ctx, "", "get", "receivers", "-n", namespace)).To(MatchRegexp(`(?s)NAME +DEFAULT +READY +REASON +WAITING +LAST DELIVERY +AGE.*hook +False +ServerError +1`))

		hook.Respond(nil)
		Eventually(status(ctx, a)).Should(sent(a))
		Eventually(receiverStatus(ctx, r)).Should(SatisfyAll(haveCondition("Ready", metav1.ConditionTrue, "Reachable"),
			HaveField("Waiting", BeZero()), HaveField("LastDeliveryTime.Time", BeTemporally(">=", a.CreationTimestamp.Time))))
		Expect(r.Status.LastError).NotTo(BeEmpty(), "it stays on record, with its time")
		Expect(r.Status.LastErrorTime.Time).To(BeTemporally("~", time.Now(), time.Minute))
	})

	Describe("that says it fails and is being tried", func() {
		var r *v1beta1.Receiver
		BeforeEach(func(ctx SpecContext) {
			r = newReceiver(ctx, namespace, "hook", newInbox().URL)
			Eventually(status(ctx, newAlert(ctx, namespace, "a", nil, "hook"))).Should(haveCondition("Ready", metav1.ConditionTrue, "Sent"))
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

		It("is put right by who knows better", func(ctx SpecContext) {
			overwrite(ctx)
			Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
		})

		It("is as if it was never probed where nobody tries it", serial, func(ctx SpecContext) {
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
