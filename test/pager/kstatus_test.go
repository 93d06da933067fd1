// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// blockRequests holds all requests until the spec ends. arrived reports whether the receiver got one.
func blockRequests(hook *fakeReceiver) (arrived func() bool) {
	var requests atomic.Int32
	held := make(chan struct{})
	DeferCleanup(sync.OnceFunc(func() { close(held) }))
	hook.Respond(func(*http.Request) (int, http.Header, string) {
		requests.Add(1)
		<-held
		return http.StatusServiceUnavailable, nil, ""
	})
	return func() bool { return requests.Load() > 0 }
}

// alertHasCondition and receiverHasCondition are for a phase that begins with a condition.
func alertHasCondition(ctx context.Context, a *v1beta1.Alert, kind, reason string) func() bool {
	return func() bool {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		return isConditionTrue(a.Status.Conditions, kind, reason)
	}
}

func receiverHasCondition(ctx context.Context, r v1beta1.ReceiverObject, kind, reason string) func() bool {
	return func() bool {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(r), r)).To(Succeed())
		return isConditionTrue(r.CommonStatus().Conditions, kind, reason)
	}
}

func isConditionTrue(conditions []metav1.Condition, kind, reason string) bool {
	c := meta.FindStatusCondition(conditions, kind)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == reason
}

// Each row begins with the status of the first version, which the API server stored before the operator saw the object. kstatus
// must never report that version as Current.
var _ = Describe("kstatus", func() {
	DescribeTable("F-JS1: computes the status of an Alert", func(ctx SpecContext, want string, arrange func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase) {
		namespace, hook := createNamespace(ctx), startFakeReceiver()
		seen := env.RecordStatuses(ctx, namespace, &v1beta1.Alert{})
		phase := arrange(ctx, namespace, hook)
		Eventually(phase.Reached).Should(BeTrue())
		Eventually(seen.SequenceOf(ctx, phase.Object)).Should(Equal(want))
	},
		Entry("that is being sent as InProgress", suite.InProgress, func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase {
			arrived := blockRequests(hook)
			createReceiver(ctx, namespace, "hook", hook.URL)
			return suite.Phase{Object: createAlert(ctx, namespace, "a", nil, "hook"), Reached: arrived}
		}),
		Entry("that is being retried as InProgress", suite.InProgress, func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase {
			hook.Respond(respondWith(http.StatusServiceUnavailable))
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			return suite.Phase{Object: a, Reached: alertHasCondition(ctx, a, "Reconciling", "Retrying")}
		}),
		Entry("that waits for its rate limit as InProgress", suite.InProgress, func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase {
			createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.RateLimit = &v1beta1.RateLimit{Count: 1, PeriodSeconds: 3600} })
			first := createAlert(ctx, namespace, "first", nil, "hook")
			Eventually(alertStatus(ctx, first)).Should(beSent(first))
			a := createAlert(ctx, namespace, "a", nil, "hook")
			return suite.Phase{Object: a, Reached: alertHasCondition(ctx, a, "Reconciling", "Throttled")}
		}),
		Entry("whose receiver does not exist yet as InProgress", suite.InProgress, func(ctx SpecContext, namespace string, _ *fakeReceiver) suite.Phase {
			a := createAlert(ctx, namespace, "a", nil, "hook")
			return suite.Phase{Object: a, Reached: alertHasCondition(ctx, a, "Reconciling", "ReceiverNotFound")}
		}),
		Entry("that was sent as Current", suite.InProgressCurrent, func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			return suite.Phase{Object: a, Reached: alertHasCondition(ctx, a, "Ready", "Sent")}
		}),
		Entry("that was edited as InProgress again", suite.CurrentThenInProgress, func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			arrived := blockRequests(hook)
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "something else" })
			return suite.Phase{Object: a, Reached: arrived}
		}),
		Entry("whose receiver is suspended as Failed", suite.InProgressFailed, func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase {
			createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.Suspend = true })
			a := createAlert(ctx, namespace, "a", nil, "hook")
			return suite.Phase{Object: a, Reached: alertHasCondition(ctx, a, "Stalled", "Suspended")}
		}),
		Entry("that has expired as Failed", suite.InProgressFailed, func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase {
			hook.Respond(respondWith(http.StatusServiceUnavailable))
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](2) }, "hook")
			return suite.Phase{Object: a, Reached: alertHasCondition(ctx, a, "Stalled", "Expired")}
		}),
		Entry("that is being deleted as Terminating", suite.CurrentThenTerminating, func(ctx SpecContext, namespace string, hook *fakeReceiver) suite.Phase {
			createReceiver(ctx, namespace, "hook", hook.URL)
			a := createAlert(ctx, namespace, "a", nil, "hook")
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			arrived := blockRequests(hook)
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			return suite.Phase{Object: a, Reached: arrived}
		}),
	)

	for _, of := range []struct {
		kind v1beta1.ReceiverKind
		new  func(namespace string) v1beta1.ReceiverObject
	}{
		{v1beta1.KindReceiver, func(namespace string) v1beta1.ReceiverObject {
			return &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "r"}}
		}},
		{v1beta1.KindClusterReceiver, func(string) v1beta1.ReceiverObject {
			return &v1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: "spec-" + rand.String(8)}}
		}},
	} {
		// useProbedProvider sets a provider that the operator can probe.
		useProbedProvider := func(ctx SpecContext, r v1beta1.ReceiverObject, url string) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.GetNamespace(), GenerateName: "matrix-"}, StringData: map[string]string{"token": "good"}}
			if secret.Namespace == "" {
				secret.Namespace = cluster.Namespace
			}
			Expect(k8s.Create(ctx, secret)).To(Succeed())
			r.Common().Matrix = &v1beta1.MatrixProvider{URL: url, RoomID: "!room:example.com"}
			r.Common().SecretRef = &v1beta1.SecretReference{Name: secret.Name}
		}
		serve := func(handler http.HandlerFunc) string {
			server := httptest.NewServer(handler)
			DeferCleanup(func() {
				server.CloseClientConnections()
				server.Close()
			})
			return server.URL
		}
		webhook := func(r v1beta1.ReceiverObject) {
			r.Common().Webhook = &v1beta1.WebhookProvider{URL: startFakeReceiver().URL}
		}

		DescribeTable("F-JS1: computes the status of a "+string(of.kind), func(ctx SpecContext, want string, arrange func(ctx SpecContext, r v1beta1.ReceiverObject) (reached func() bool)) {
			r := of.new(createNamespace(ctx))
			seen := env.RecordStatuses(ctx, r.GetNamespace(), r)
			DeferCleanup(func(ctx SpecContext) error { return client.IgnoreNotFound(k8s.Delete(ctx, r)) })
			reached := arrange(ctx, r)
			Eventually(reached).Should(BeTrue())
			Eventually(seen.SequenceOf(ctx, r)).Should(Equal(want))
		},
			Entry("that is being probed as InProgress", suite.InProgress, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				var asked atomic.Bool
				useProbedProvider(ctx, r, serve(func(_ http.ResponseWriter, r *http.Request) { asked.Store(true); <-r.Context().Done() }))
				r.Common().TimeoutSeconds = 30
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return asked.Load
			}),
			Entry("that fails temporarily as InProgress", suite.InProgress, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				useProbedProvider(ctx, r, serve(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) }))
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return receiverHasCondition(ctx, r, "Reconciling", "ServerError")
			}),
			Entry("whose Secret does not exist yet as InProgress", suite.InProgress, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				r.Common().Pushbullet = &v1beta1.PushbulletProvider{}
				r.Common().SecretRef = &v1beta1.SecretReference{Name: "none"}
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return receiverHasCondition(ctx, r, "Reconciling", "SecretNotFound")
			}),
			Entry("F-P9: whose provider cannot be probed as Current", suite.InProgressCurrent, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				webhook(r)
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return receiverHasCondition(ctx, r, "Ready", "NotProbed")
			}),
			Entry("that was edited as InProgress again", suite.CurrentThenInProgress, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				webhook(r)
				Expect(k8s.Create(ctx, r)).To(Succeed())
				Eventually(receiverHasCondition(ctx, r, "Ready", "NotProbed")).Should(BeTrue())
				var asked atomic.Bool
				url := serve(func(_ http.ResponseWriter, r *http.Request) { asked.Store(true); <-r.Context().Done() })
				update(ctx, r, func(r v1beta1.ReceiverObject) {
					useProbedProvider(ctx, r, url)
					r.Common().Webhook, r.Common().TimeoutSeconds = nil, 30
				})
				return asked.Load
			}),
			Entry("that is suspended as Failed", suite.InProgressFailed, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				webhook(r)
				r.Common().Suspend = true
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return receiverHasCondition(ctx, r, "Stalled", "Suspended")
			}),
			Entry("that is being deleted as Terminating", suite.CurrentThenTerminating, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				webhook(r)
				r.SetFinalizers([]string{"example.com/held"})
				Expect(k8s.Create(ctx, r)).To(Succeed())
				Eventually(receiverHasCondition(ctx, r, "Ready", "NotProbed")).Should(BeTrue())
				Expect(k8s.Delete(ctx, r)).To(Succeed())
				DeferCleanup(func(ctx SpecContext) {
					update(ctx, r, func(r v1beta1.ReceiverObject) { r.SetFinalizers(nil) })
				})
				return suite.Immediately
			}),
		)
	}
})
