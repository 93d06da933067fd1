// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

var _ = Describe("A burst of Alerts", func() {
	const n = 60                     // several times as many as the slots of a receiver
	const patience = 5 * time.Minute // for a machine that is busy with other suites
	var namespace string
	var hook *fakeReceiver
	BeforeEach(func(ctx SpecContext) { namespace, hook = createNamespace(ctx), startFakeReceiver() })

	storm := func(ctx SpecContext) {
		GinkgoHelper()
		runInParallel(n, func(i int) { createAlert(ctx, namespace, fmt.Sprintf("a%d", i), nil, "hook") })
	}
	// left returns the status of each Alert that there still is.
	left := func(ctx SpecContext) func() ([]v1beta1.AlertStatus, error) {
		return func() ([]v1beta1.AlertStatus, error) {
			var alerts v1beta1.AlertList
			err := k8s.List(ctx, &alerts, client.InNamespace(namespace))
			var statuses []v1beta1.AlertStatus
			for _, a := range alerts.Items {
				statuses = append(statuses, a.Status)
			}
			return statuses, err
		}
	}
	deleteAll := func(ctx SpecContext) {
		GinkgoHelper()
		Eventually(func() error { return k8s.DeleteAllOf(ctx, &v1beta1.Alert{}, client.InNamespace(namespace)) }).WithTimeout(patience).Should(Succeed(), "the API server ends a request that takes a minute")
	}
	deleteNamespace := func(ctx SpecContext) {
		GinkgoHelper()
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		Expect(k8s.Delete(ctx, ns)).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(ns), ns))
		}).WithTimeout(patience).Should(BeTrue())
	}

	// F-U43: two requests counted as possibly accepted, which needs a connection.
	It("that could not be delivered is deleted at once, and so is the namespace", func(ctx SpecContext) {
		createReceiver(ctx, namespace, "hook", refusingURL())
		storm(ctx)
		Eventually(func() (map[v1beta1.DeliveryState]int, error) {
			var alerts v1beta1.AlertList
			err := k8s.List(ctx, &alerts, client.InNamespace(namespace))
			states := map[v1beta1.DeliveryState]int{}
			for _, a := range alerts.Items {
				for _, delivery := range a.Status.Deliveries {
					states[delivery.State]++
				}
			}
			return states, err
		}).WithTimeout(patience).Should(Equal(map[v1beta1.DeliveryState]int{v1beta1.DeliveryPending: n}))
		deleteAll(ctx)
		Eventually(left(ctx)).WithTimeout(patience).Should(BeEmpty())
		deleteNamespace(ctx)
	})

	It("that was delivered is deleted within the limit that its conditions report, although the receiver is down", func(ctx SpecContext) {
		const limit = 15 // seconds; longer than an Alert waits for a slot before its status reports that
		createReceiver(ctx, namespace, "hook", hook.URL, func(r *v1beta1.Receiver) { r.Spec.ResolveTimeoutSeconds = ptr.To[int32](limit) })
		storm(ctx)
		Eventually(func() int { return len(hook.Messages()) }).WithTimeout(patience).Should(Equal(n))
		hook.refuseConnections()
		deleteAll(ctx)
		announced := HaveField("Status.Conditions", ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Reason", Or(Equal("Resolving"), Equal("Queued"))))))
		var resolving []v1beta1.Alert
		Eventually(func() ([]v1beta1.Alert, error) {
			var alerts v1beta1.AlertList
			err := k8s.List(ctx, &alerts, client.InNamespace(namespace))
			resolving = slices.DeleteFunc(alerts.Items, func(a v1beta1.Alert) bool {
				is, err := announced.Match(a)
				return err != nil || !is
			})
			return resolving, err
		}).ShouldNot(BeEmpty())
		var last time.Time // time until which some Alert may retry
		for _, a := range resolving {
			ready := meta.FindStatusCondition(a.Status.Conditions, v1beta1.ConditionReady)
			Expect(ready.Message).To(ContainSubstring("To release it now"))
			Expect(ready.Message).To(MatchRegexp(`until at most \S+,`))
			until, err := time.Parse(time.RFC3339, regexp.MustCompile(`until at most (\S+),`).FindStringSubmatch(ready.Message)[1])
			Expect(err).NotTo(HaveOccurred())
			// The limit begins with the first attempt to resolve, which has to be made within the limit after the deletion.
			Expect(until).To(And(BeTemporally(">=", a.DeletionTimestamp.Add(limit*time.Second)), BeTemporally("<=", a.DeletionTimestamp.Add(2*limit*time.Second))))
			if until.After(last) {
				last = until
			}
		}
		Eventually(left(ctx)).WithTimeout(patience).Should(BeEmpty())
		Expect(time.Now()).To(BeTemporally(">=", last), "the operator retries until then")
		deleteNamespace(ctx)
	})

	It("is deleted with its namespace", func(ctx SpecContext) {
		createReceiver(ctx, namespace, "hook", hook.URL)
		storm(ctx)
		deleteNamespace(ctx)
	})
})
