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
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/audit"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// requestsAbout are the operator's requests about the objects of a namespace,
// since a moment; events aside, and what is said of receivers,
// which has a budget of its own.
func requestsAbout(namespace string, since suite.Moment) []audit.Event {
	GinkgoHelper()
	return slices.DeleteFunc(allRequestsAbout(namespace, since), func(e audit.Event) bool { return e.ObjectRef.Resource == "receivers" })
}

// allRequestsAbout has these as well.
func allRequestsAbout(namespace string, since suite.Moment) []audit.Event {
	GinkgoHelper()
	return slices.DeleteFunc(its.Requests(since), func(e audit.Event) bool {
		return e.ObjectRef.Namespace != namespace || e.ObjectRef.Resource == "events"
	})
}

// inParallel does something for each of n, a few at a time.
func inParallel(n int, do func(i int)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		wait.Add(1)
		slots <- struct{}{}
		go func() {
			defer GinkgoRecover()
			defer wait.Done()
			defer func() { <-slots }()
			do(i)
		}()
	}
	wait.Wait()
}

var _ = Describe("The budget of API requests", serial, func() {
	const n = 100

	// oncePerSecretVersion is what may be asked for beside the writes.
	isSecretGet := func(e audit.Event) bool { return e.Verb == "get" && e.ObjectRef.Resource == "secrets" }

	It("is 2 writes and no read for an Alert, 2 more for other content, 1 for another edit, and silence at rest", func(ctx SpecContext) {
		namespace, hook := newNamespace(ctx), newInbox()
		Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "token"}, StringData: map[string]string{"token": "abcdefgh"}})).To(Succeed())
		began, reasons := time.Now(), reasonsOf(ctx, namespace)
		receiver := newReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"} })
		awaitReceiver(ctx, namespace, "hook")

		start := now()
		alerts := make([]*v1beta1.Alert, n)
		inParallel(n, func(i int) { alerts[i] = newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		// The API server does without our webhook where it is too slow, as on a
		// machine that is overloaded: then the finalizer costs a write.
		unadmitted := map[string]bool{}
		for _, a := range alerts {
			if len(a.Finalizers) == 0 {
				unadmitted[a.Name] = true
			}
		}
		Expect(len(unadmitted)).To(BeNumerically("<=", n/10))
		for _, a := range alerts {
			Eventually(status(ctx, a)).Should(sent(a))
		}
		inParallel(n, func(i int) { Expect(k8s.Delete(ctx, alerts[i])).To(Succeed()) })
		for _, a := range alerts {
			Eventually(gone(ctx, a)).Should(Succeed())
		}
		want := map[string][]string{}
		for _, a := range alerts {
			want[a.Name] = []string{"patch status", "patch "}
			if unadmitted[a.Name] {
				want[a.Name] = append([]string{"patch "}, want[a.Name]...)
			}
		}
		Eventually(func() map[string][]string { // what is seen may be logged a little later
			requests := map[string][]string{}
			for _, e := range requestsAbout(namespace, start) {
				if !isSecretGet(e) {
					requests[e.ObjectRef.Name] = append(requests[e.ObjectRef.Name], e.Verb+" "+e.ObjectRef.Subresource)
				}
			}
			return requests
		}).Should(Equal(want), "one status patch, one finalizer removal")
		Expect(requestsAbout(namespace, suite.Moment{})).To(WithTransform(func(all []audit.Event) int {
			return len(slices.DeleteFunc(all, func(e audit.Event) bool { return !isSecretGet(e) }))
		}, Equal(1)), "one get for one version of the Secret, also to look whether it is right")
		Expect(hook.Messages()).To(HaveLen(2*n), "fired and resolved")
		// The receiver's status: when there is news of it, and else once in 10 s at most.
		writes := func() int {
			return len(allRequestsAbout(namespace, suite.Moment{})) - len(requestsAbout(namespace, suite.Moment{}))
		}
		Eventually(func() int { return len(reasons()) - writes() }).Should(BeZero())
		said, most := reasons(), int(time.Since(began)/(10*time.Second))
		news := slices.Compact(slices.Clone(said))
		inTurn := []string{"Probing", "NotProbed", "Reachable"} // where the next one comes within a second, it is not said
		Expect(news).To(Equal(slices.DeleteFunc(inTurn, func(reason string) bool { return !slices.Contains(news, reason) })))
		Expect(news).To(ContainElement("Reachable"))
		Expect(len(said)-len(news)).To(BeNumerically("<=", most), "writes that say nothing else of it")

		By("editing")
		about := func() []string {
			var requests []string
			for _, e := range requestsAbout(namespace, start) {
				if e.ObjectRef.Name == "edited" {
					requests = append(requests, e.Verb+" "+e.ObjectRef.Subresource)
				}
			}
			return requests
		}
		a := newAlert(ctx, namespace, "edited", nil, "hook")
		Eventually(status(ctx, a)).Should(sent(a))
		for _, edit := range []struct {
			edit   func(*v1beta1.Alert)
			writes int // in all, since the Alert was created
		}{
			{func(a *v1beta1.Alert) { a.Spec.Content = "edited" }, 3}, // what is about to be sent, and that it was
			{func(a *v1beta1.Alert) { a.Spec.TTLSecondsAfterFinished = ptr.To[int32](3600) }, 4},
		} {
			update(ctx, a, edit.edit)
			Eventually(status(ctx, a)).Should(sent(a))
			Eventually(about).Should(HaveLen(edit.writes))
		}
		Expect(hook.types(a)()).To(Equal([]string{"fired", "updated"}))

		By("being at rest")
		Eventually(receiverStatus(ctx, receiver)).Should(SatisfyAll(HaveField("Waiting", BeZero()),
			WithTransform(func(s v1beta1.ReceiverStatus) bool {
				return !s.LastDeliveryTime.Before(a.Status.Deliveries[0].SentTime)
			}, BeTrue())))
		Expect(about()).To(HaveLen(4), "as many as the last edit made")
		start = now()
		before := len(hook.Messages())
		Consistently(func() []audit.Event { return allRequestsAbout(namespace, start) }).Should(BeEmpty())
		Expect(hook.Messages()).To(HaveLen(before))
	})

	It("is nothing for what is finished when the operator starts again", func(ctx SpecContext) {
		namespace, hook := newNamespace(ctx), newInbox()
		newReceiver(ctx, namespace, "hook", hook.URL)
		alerts := make([]*v1beta1.Alert, n)
		inParallel(n, func(i int) { alerts[i] = newAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
		for _, a := range alerts {
			Eventually(status(ctx, a)).Should(sent(a))
		}
		operator.Kill()
		start := now()
		startOperator(context.WithoutCancel(ctx))
		last := newAlert(ctx, namespace, "last", nil, "hook")
		Eventually(status(ctx, last)).Should(sent(last))
		Eventually(func() []audit.Event { return requestsAbout(namespace, start) }).Should(HaveLen(1))
		Expect(hook.Messages()).To(HaveLen(n + 1))
	})
})

// awaitReceiver returns once the operator knows a receiver, so that what comes
// next is not delivered later than it could be.
func awaitReceiver(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	manifest := fmt.Sprintf("apiVersion: pager.k8s.co/v1beta1\nkind: Alert\nmetadata: {name: x}\nspec: {content: x, receiverRefs: [{kind: Receiver, name: %s}]}", name)
	Eventually(func() (string, error) {
		return kubectl(ctx, manifest, "create", "--dry-run=server", "-n", namespace, "-f", "-")
	}).ShouldNot(ContainSubstring("Warning"))
}

// reasonsOf follows the receivers of a namespace until the spec ends: the reason of Ready as each write of a status left it.
func reasonsOf(ctx context.Context, namespace string) func() []string {
	GinkgoHelper()
	api, err := client.NewWithWatch(cluster.Config, client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	changes, err := api.Watch(ctx, &v1beta1.ReceiverList{}, client.InNamespace(namespace))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(changes.Stop)
	var mu sync.Mutex
	var reasons []string
	go func() {
		for change := range changes.ResultChan() {
			receiver, ok := change.Object.(*v1beta1.Receiver)
			if !ok || change.Type != watch.Modified {
				continue
			}
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
