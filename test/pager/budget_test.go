// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/audit"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// alertRequests returns the operator's requests about objects of a namespace since a mark, without events, and without those about
// receivers, which have a budget of their own.
func alertRequests(namespace string, since suite.AuditMark) []audit.Event {
	GinkgoHelper()
	return slices.DeleteFunc(namespaceRequests(namespace, since), func(e audit.Event) bool { return e.ObjectRef.Resource == "receivers" })
}

// namespaceRequests is alertRequests with the requests about receivers.
func namespaceRequests(namespace string, since suite.AuditMark) []audit.Event {
	GinkgoHelper()
	return slices.DeleteFunc(env.RequestsSince(since), func(e audit.Event) bool {
		return e.ObjectRef.Namespace != namespace || e.ObjectRef.Resource == "events"
	})
}

var _ = Describe("The budget of API requests", serial, func() {
	const n = 100

	// isSecretGet matches the only read that is allowed: one for each version of the Secret.
	isSecretGet := func(e audit.Event) bool { return e.Verb == "get" && e.ObjectRef.Resource == "secrets" }

	It("is 2 writes and no read for an Alert, 2 more for other content, 1 for any other edit, and none at rest", func(ctx SpecContext) {
		namespace, hook := createNamespace(ctx), startFakeReceiver()
		createSecret(ctx, namespace, "token", "token", "abcdefgh")
		began, reasons := time.Now(), recordReadyReasons(ctx, namespace)
		receiver := createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"} })
		waitForReceiver(ctx, namespace, "hook")

		start := markAudit()
		alerts := make([]*v1beta1.Alert, n)
		runInParallel(n, func(i int) { alerts[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		// The API server skips the webhook when it is too slow, as on an overloaded machine. Then the finalizer costs the operator a
		// write.
		unadmitted := map[string]bool{}
		for _, a := range alerts {
			if len(a.Finalizers) == 0 {
				unadmitted[a.Name] = true
			}
		}
		Expect(len(unadmitted)).To(BeNumerically("<=", n/10))
		for _, a := range alerts {
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
		}
		runInParallel(n, func(i int) { Expect(k8s.Delete(ctx, alerts[i])).To(Succeed()) })
		for _, a := range alerts {
			Eventually(checkGone(ctx, a)).Should(Succeed())
		}
		want := map[string][]string{}
		for _, a := range alerts {
			want[a.Name] = []string{"patch status", "patch "}
			if unadmitted[a.Name] {
				want[a.Name] = append([]string{"patch "}, want[a.Name]...)
			}
		}
		Eventually(func() map[string][]string { // the API server may log a request after its effect was seen
			requests := map[string][]string{}
			for _, e := range alertRequests(namespace, start) {
				if !isSecretGet(e) {
					requests[e.ObjectRef.Name] = append(requests[e.ObjectRef.Name], e.Verb+" "+e.ObjectRef.Subresource)
				}
			}
			return requests
		}).Should(Equal(want), "one status patch, one finalizer removal")
		Expect(alertRequests(namespace, suite.AuditMark{})).To(WithTransform(func(all []audit.Event) int {
			return len(slices.DeleteFunc(all, func(e audit.Event) bool { return !isSecretGet(e) }))
		}, Equal(1)), "one get for one version of the Secret, probes included")
		Expect(hook.Messages()).To(HaveLen(2*n), "fired and resolved")
		// The receiver's status is written when its reason changes, and otherwise at most once in 10 s.
		writes := func() int {
			return len(namespaceRequests(namespace, suite.AuditMark{})) - len(alertRequests(namespace, suite.AuditMark{}))
		}
		Eventually(func() int { return len(reasons()) - writes() }).Should(BeZero())
		writtenReasons, maxRefreshes := reasons(), int(time.Since(began)/(10*time.Second))
		reasonChanges := slices.Compact(slices.Clone(writtenReasons))
		expectedOrder := []string{"Probing", "NotProbed", "Reachable"} // a reason that holds for less than a second is not written
		Expect(reasonChanges).To(Equal(slices.DeleteFunc(expectedOrder, func(reason string) bool { return !slices.Contains(reasonChanges, reason) })))
		Expect(reasonChanges).To(ContainElement("Reachable"))
		Expect(len(writtenReasons)-len(reasonChanges)).To(BeNumerically("<=", maxRefreshes), "status writes that do not change the reason")

		By("editing the Alert")
		about := func() []string {
			var requests []string
			for _, e := range alertRequests(namespace, start) {
				if e.ObjectRef.Name == "edited" {
					requests = append(requests, e.Verb+" "+e.ObjectRef.Subresource)
				}
			}
			return requests
		}
		a := createAlert(ctx, namespace, "edited", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		for _, edit := range []struct {
			edit   func(*v1beta1.Alert)
			writes int // in total since the creation
		}{
			{func(a *v1beta1.Alert) { a.Spec.Content = "edited" }, 3}, // the intent before the request, and the outcome after it
			{func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = ptr.To[int32](3600) }, 4},
		} {
			update(ctx, a, edit.edit)
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
			Eventually(about).Should(HaveLen(edit.writes))
		}
		Expect(hook.eventTypes(a)()).To(Equal([]string{"fired", "updated"}))

		By("leaving the objects alone")
		Eventually(receiverStatus(ctx, receiver)).Should(SatisfyAll(HaveField("Waiting", BeZero()),
			WithTransform(func(s v1beta1.ReceiverStatus) bool {
				return !s.LastDeliveryTime.Before(a.Status.Deliveries[0].SentTime)
			}, BeTrue())))
		Expect(about()).To(HaveLen(4), "as many as after the last edit")
		start = markAudit()
		before := len(hook.Messages())
		Consistently(func() []audit.Event { return namespaceRequests(namespace, start) }).Should(BeEmpty())
		Expect(hook.Messages()).To(HaveLen(before))
	})

	It("is 0 for finished Alerts when the operator restarts", func(ctx SpecContext) {
		namespace, hook := createNamespace(ctx), startFakeReceiver()
		createReceiver(ctx, namespace, "hook", hook.URL)
		alerts := make([]*v1beta1.Alert, n)
		runInParallel(n, func(i int) { alerts[i] = createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		for _, a := range alerts {
			Eventually(alertStatus(ctx, a)).Should(beSent(a))
		}
		operator.Kill()
		start := markAudit()
		startOperator(context.WithoutCancel(ctx))
		last := createAlert(ctx, namespace, "last", nil, "hook")
		Eventually(alertStatus(ctx, last)).Should(beSent(last))
		Eventually(func() []audit.Event { return alertRequests(namespace, start) }).Should(HaveLen(1))
		Expect(hook.Messages()).To(HaveLen(n + 1))
	})
})

// waitForReceiver returns once the operator's caches have a receiver, so that Alerts which are created next are delivered
// immediately.
func waitForReceiver(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	manifest := fmt.Sprintf("apiVersion: pager.k8s.co/v1beta1\nkind: Alert\nmetadata: {name: x}\nspec: {content: x, receiverRefs: [{kind: Receiver, name: %s}]}", name)
	Eventually(func() (string, error) {
		return kubectl(ctx, manifest, "create", "--dry-run=server", "-n", namespace, "-f", "-")
	}).ShouldNot(ContainSubstring("Warning"))
}

// recordReadyReasons watches the receivers of a namespace until the spec ends. It records the reason of Ready after each write of a
// status.
func recordReadyReasons(ctx context.Context, namespace string) func() []string {
	GinkgoHelper()
	_, changes := env.Watch(ctx, namespace, &v1beta1.Receiver{})
	DeferCleanup(changes.Stop)
	var mu sync.Mutex
	var reasons []string
	go func() {
		defer GinkgoRecover()
		for change := range changes.ResultChan() {
			Expect(change.Type).NotTo(Equal(watch.Error), "the watch has missed changes: %v", change.Object)
			if change.Type != watch.Modified {
				continue
			}
			var receiver v1beta1.Receiver
			Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(change.Object.(*unstructured.Unstructured).Object, &receiver)).To(Succeed())
			reason := ""
			if ready := meta.FindStatusCondition(receiver.Status.Conditions, v1beta1.ConditionReady); ready != nil {
				reason = ready.Reason
			}
			mu.Lock()
			reasons = append(reasons, reason)
			mu.Unlock()
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(reasons)
	}
}
