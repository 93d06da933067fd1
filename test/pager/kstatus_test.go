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
)

// holdRequests lets all requests wait until the spec ends; arrived reports whether there was one.
func holdRequests(hook *receiverServer) (arrived func() bool) {
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

// observed is an object in a phase, and what tells that the phase is reached.
type observed struct {
	object  client.Object
	reached func() bool
}

// atOnce is for a phase that an object is in once it was made.
func atOnce() bool { return true }

// alertHas and receiverHas are for a phase that a condition tells.
func alertHas(ctx context.Context, a *v1beta1.Alert, kind, reason string) func() bool {
	return func() bool {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		return isTrue(a.Status.Conditions, kind, reason)
	}
}

func receiverHas(ctx context.Context, r v1beta1.ReceiverObject, kind, reason string) func() bool {
	return func() bool {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(r), r)).To(Succeed())
		return isTrue(r.CommonStatus().Conditions, kind, reason)
	}
}

func isTrue(conditions []metav1.Condition, kind, reason string) bool {
	c := meta.FindStatusCondition(conditions, kind)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == reason
}

// The verdicts of kstatus on an object, in turn since it was made.
const (
	inProgress      = "InProgress"
	thenCurrent     = inProgress + " Current"
	thenFailed      = inProgress + " Failed"
	againInProgress = thenCurrent + " InProgress"
	thenTerminating = thenCurrent + " Terminating"
)

// The first moment is part of every row: verdicts are listed from the version that the API server
// made of the manifest on, before the operator has seen it.
var _ = Describe("kstatus", func() {
	DescribeTable("F-JS1: reads an Alert", func(ctx SpecContext, verdicts string, arrange func(ctx SpecContext, namespace string, hook *receiverServer) observed) {
		namespace, hook := newNamespace(ctx), newInbox()
		seen := its.Verdicts(ctx, namespace, &v1beta1.Alert{})
		o := arrange(ctx, namespace, hook)
		Eventually(o.reached).Should(BeTrue())
		Eventually(seen.On(ctx, o.object)).Should(Equal(verdicts))
	},
		Entry("that is being sent", inProgress, func(ctx SpecContext, namespace string, hook *receiverServer) observed {
			arrived := holdRequests(hook)
			newReceiver(ctx, namespace, "hook", hook.URL)
			return observed{newAlert(ctx, namespace, "a", nil, "hook"), arrived}
		}),
		Entry("that is sent again", inProgress, func(ctx SpecContext, namespace string, hook *receiverServer) observed {
			hook.Respond(answer(http.StatusServiceUnavailable))
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			return observed{a, alertHas(ctx, a, "Reconciling", "Retrying")}
		}),
		Entry("that waits for its turn", inProgress, func(ctx SpecContext, namespace string, hook *receiverServer) observed {
			newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.RateLimit = &v1beta1.RateLimit{Count: 1, PeriodSeconds: 3600} })
			first := newAlert(ctx, namespace, "first", nil, "hook")
			Eventually(status(ctx, first)).Should(sent(first))
			a := newAlert(ctx, namespace, "a", nil, "hook")
			return observed{a, alertHas(ctx, a, "Reconciling", "Throttled")}
		}),
		Entry("whose receiver does not exist yet", inProgress, func(ctx SpecContext, namespace string, _ *receiverServer) observed {
			a := newAlert(ctx, namespace, "a", nil, "hook")
			return observed{a, alertHas(ctx, a, "Reconciling", "ReceiverNotFound")}
		}),
		Entry("that was sent", thenCurrent, func(ctx SpecContext, namespace string, hook *receiverServer) observed {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			return observed{a, alertHas(ctx, a, "Ready", "Sent")}
		}),
		Entry("that was edited", againInProgress, func(ctx SpecContext, namespace string, hook *receiverServer) observed {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			arrived := holdRequests(hook)
			update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "something else" })
			return observed{a, arrived}
		}),
		Entry("whose receiver is suspended", thenFailed, func(ctx SpecContext, namespace string, hook *receiverServer) observed {
			newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.Suspend = true })
			a := newAlert(ctx, namespace, "a", nil, "hook")
			return observed{a, alertHas(ctx, a, "Stalled", "Suspended")}
		}),
		Entry("that has expired", thenFailed, func(ctx SpecContext, namespace string, hook *receiverServer) observed {
			hook.Respond(answer(http.StatusServiceUnavailable))
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](2) }, "hook")
			return observed{a, alertHas(ctx, a, "Stalled", "Expired")}
		}),
		Entry("that is deleted", thenTerminating, func(ctx SpecContext, namespace string, hook *receiverServer) observed {
			newReceiver(ctx, namespace, "hook", hook.URL)
			a := newAlert(ctx, namespace, "a", nil, "hook")
			Eventually(status(ctx, a)).Should(sent(a))
			arrived := holdRequests(hook)
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			return observed{a, arrived}
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
		// probed is a receiver of a provider that has a harmless call.
		probed := func(ctx SpecContext, r v1beta1.ReceiverObject, url string) {
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
		webhook := func(r v1beta1.ReceiverObject) { r.Common().Webhook = &v1beta1.WebhookProvider{URL: newInbox().URL} }

		DescribeTable("F-JS1: reads a "+string(of.kind), func(ctx SpecContext, verdicts string, arrange func(ctx SpecContext, r v1beta1.ReceiverObject) (reached func() bool)) {
			r := of.new(newNamespace(ctx))
			seen := its.Verdicts(ctx, r.GetNamespace(), r)
			DeferCleanup(func(ctx SpecContext) error { return client.IgnoreNotFound(k8s.Delete(ctx, r)) })
			reached := arrange(ctx, r)
			Eventually(reached).Should(BeTrue())
			Eventually(seen.On(ctx, r)).Should(Equal(verdicts))
		},
			Entry("that is being probed", inProgress, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				var asked atomic.Bool
				probed(ctx, r, serve(func(_ http.ResponseWriter, r *http.Request) { asked.Store(true); <-r.Context().Done() }))
				r.Common().TimeoutSeconds = 30
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return asked.Load
			}),
			Entry("that does not work for a while", inProgress, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				probed(ctx, r, serve(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) }))
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return receiverHas(ctx, r, "Reconciling", "ServerError")
			}),
			Entry("whose Secret does not exist yet", inProgress, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				r.Common().Pushbullet = &v1beta1.PushbulletProvider{}
				r.Common().SecretRef = &v1beta1.SecretReference{Name: "none"}
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return receiverHas(ctx, r, "Reconciling", "SecretNotFound")
			}),
			Entry("F-P9: whose provider can be asked nothing", thenCurrent, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				webhook(r)
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return receiverHas(ctx, r, "Ready", "NotProbed")
			}),
			Entry("that was edited", againInProgress, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				webhook(r)
				Expect(k8s.Create(ctx, r)).To(Succeed())
				Eventually(receiverHas(ctx, r, "Ready", "NotProbed")).Should(BeTrue())
				var asked atomic.Bool
				url := serve(func(_ http.ResponseWriter, r *http.Request) { asked.Store(true); <-r.Context().Done() })
				update(ctx, r, func(r v1beta1.ReceiverObject) {
					probed(ctx, r, url)
					r.Common().Webhook, r.Common().TimeoutSeconds = nil, 30
				})
				return asked.Load
			}),
			Entry("that is suspended", thenFailed, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				webhook(r)
				r.Common().Suspend = true
				Expect(k8s.Create(ctx, r)).To(Succeed())
				return receiverHas(ctx, r, "Stalled", "Suspended")
			}),
			Entry("that is deleted", thenTerminating, func(ctx SpecContext, r v1beta1.ReceiverObject) func() bool {
				webhook(r)
				r.SetFinalizers([]string{"example.com/held"})
				Expect(k8s.Create(ctx, r)).To(Succeed())
				Eventually(receiverHas(ctx, r, "Ready", "NotProbed")).Should(BeTrue())
				Expect(k8s.Delete(ctx, r)).To(Succeed())
				DeferCleanup(func(ctx SpecContext) {
					update(ctx, r, func(r v1beta1.ReceiverObject) { r.SetFinalizers(nil) })
				})
				return atOnce
			}),
		)
	}
})
