// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

var _ = Describe("A retry on request", func() {
	waitLong := HaveField("Attempts", PointTo(HaveField("NextTime.Time", WithTransform(time.Until, BeNumerically(">", 5*time.Minute)))))
	// fail lets all requests of an operation fail, with a Retry-After that is longer than the spec.
	fail := func(s *serviceNamespace, on osb.Operation) (lift func()) {
		return s.Inject(osbtest.Fault{On: on, Answer: osbtest.Error(http.StatusUnprocessableEntity, "ConcurrencyError", "busy", "Retry-After", "3600")})
	}
	increaseUpdateRequests := func(ctx context.Context, si *v1beta1.ServiceInstance) {
		GinkgoHelper()
		update(ctx, si, func(si *v1beta1.ServiceInstance) { si.Spec.UpdateRequests++ })
	}

	It("of an instance does not wait for the time of the next attempt", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		lift := fail(s, osb.ProvisionInstance)
		si := s.createSyncInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(waitLong)
		increaseUpdateRequests(ctx, si)
		Eventually(s.requestsAbout(si.Spec.ExternalID)).Should(HaveLen(2))
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(waitLong, HaveField("ObservedGeneration", si.Generation)))
		Consistently(s.requestsAbout(si.Spec.ExternalID)).Should(HaveLen(2), "one request for each retry")
		lift()
		increaseUpdateRequests(ctx, si)
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))

		By("retrying the deletion")
		lift = fail(s, osb.DeprovisionInstance)
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(instanceStatus(ctx, si)).Should(waitLong)
		lift()
		increaseUpdateRequests(ctx, si)
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance", "ProvisionInstance", "DeprovisionInstance", "DeprovisionInstance"}))
		Expect(s.Violations()).To(BeEmpty())
	})

	It("of a binding does not wait for the time of the next attempt", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		lift := fail(s, osb.Bind)
		b := s.createBinding(ctx, "access", "db")
		Eventually(bindingStatus(ctx, b)).Should(waitLong)
		requestRebind(ctx, b, "1")
		Eventually(s.requestsAbout(b.Spec.ExternalID)).Should(HaveLen(2))
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(waitLong, HaveField("Rebind", "1")))
		Consistently(s.requestsAbout(b.Spec.ExternalID)).Should(HaveLen(2), "one request for each retry")
		lift()
		requestRebind(ctx, b, "2")
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("ExternalID", ""), HaveField("Predecessors", BeEmpty())), "the binding is not replaced")

		By("retrying the deletion")
		lift = fail(s, osb.Unbind)
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(bindingStatus(ctx, b)).Should(waitLong)
		lift()
		requestRebind(ctx, b, "3")
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(s.requestsAbout(b.Spec.ExternalID)()).To(Equal([]string{"Bind", "Bind", "Bind", "Unbind", "Unbind"}))
		Expect(s.Violations()).To(BeEmpty())
	})

	// F-JS12
	It("provisions under another id once the clean-up has failed for an hour", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		lift := s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, Answer: osbtest.Error(http.StatusInternalServerError, "", "no such instance")})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 4, Answer: osbtest.Error(http.StatusInternalServerError, "", "oops")})
		si := s.createSyncInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).WithTimeout(3 * time.Minute).Should(SatisfyAll(HaveField("OrphanMitigationInProgress", true), HaveField("Attempts", PointTo(HaveField("UnremovedSince", Not(BeNil()))))))

		By("recording that it has failed for an hour")
		hourAgo := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
		Eventually(func() (v1beta1.ServiceInstanceStatus, error) {
			status, err := instanceStatus(ctx, si)()
			if err != nil || status.Attempts == nil || status.Attempts.UnremovedSince == nil || !hourAgo.Before(status.Attempts.UnremovedSince) {
				return status, err
			}
			return status, patchStatus(ctx, si, func(s *v1beta1.ServiceInstanceStatus) { s.Attempts.UnremovedSince, s.Attempts.NextTime = &hourAgo, nil })
		}).WithTimeout(3 * time.Minute).Should(SatisfyAll(beProvisioned(si), HaveField("ExternalID", Not(BeEmpty())),
			HaveField("LeftBehind", ConsistOf(SatisfyAll(HaveField("ID", si.Spec.ExternalID), HaveField("LastError", ContainSubstring("no such instance")))))))

		By("deleting it, which ends once the broker confirms both removals")
		id := si.Status.ExternalID
		liftLong := s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, ID: id, Answer: osbtest.Error(http.StatusInternalServerError, "", "busy", "Retry-After", "3600")})
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(waitLong, haveCondition("Ready", "Unknown", "DeprovisionCallFailed")), func() string {
			events, err := env.ReadEvents(ctx, si)()
			return fmt.Sprintf("requests %v and, under the former id, %v; events %q, %v; status %+v", s.requestsAbout(id)(), s.requestsAbout(si.Spec.ExternalID)(), events, err, si.Status)
		})
		lift()
		liftLong()
		increaseUpdateRequests(ctx, si) // the removal under the former id may have failed already, and is then requested again in an hour, too
		Eventually(checkGone(ctx, si)).WithTimeout(3 * time.Minute).Should(Succeed())
		Expect(s.requestsAbout(si.Spec.ExternalID)()).To(ContainElement("DeprovisionInstance"))
		Expect(s.Violations()).To(BeEmpty())
	})

	It("cleans up first, at once, what a request with an unknown outcome may have left", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "other")
		lift := fail(s, osb.DeprovisionInstance)
		liftUnbind := fail(s, osb.Unbind)
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 4, Acts: true, Answer: osbtest.Error(http.StatusInternalServerError, "", "oops")})
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 4, Acts: true, Answer: osbtest.Error(http.StatusInternalServerError, "", "oops")})
		si, b := s.createSyncInstance(ctx, "db"), s.createBinding(ctx, "access", "other")
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("OrphanMitigationInProgress", true), waitLong))
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(HaveField("OrphanMitigationInProgress", true), waitLong))
		for i, retried := range []bool{false, true} { // the broker still fails at first
			if retried {
				lift()
				liftUnbind()
			}
			increaseUpdateRequests(ctx, si)
			requestRebind(ctx, b, strconv.Itoa(i))
			Eventually(func() int { return len(s.callsAbout(si.Spec.ExternalID, osb.DeprovisionInstance)) }).Should(Equal(i + 2))
			Eventually(func() int { return len(s.callsAbout(b.Spec.ExternalID, osb.Unbind)) }).Should(Equal(i + 2))
		}
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))
		Expect(si.Status.ExternalID).NotTo(BeEmpty(), "another id")
		Expect(b.Status.ExternalID).NotTo(BeEmpty(), "another id")
		Expect(s.Violations()).To(BeEmpty())
	})
})
