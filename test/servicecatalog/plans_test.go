// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

var _ = Describe("The sample policy on plans", func() {
	for _, k := range []kindSet{clusterWide, namespaced} {
		It("refuses a "+k.plan+" that a Namespace is not offered, and leaves instances that have one", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, k, osbtest.Options{})
			small, large := s.syncService.Plans[0], s.syncService.Plans[1]
			has := s.createReadyInstance(ctx, "has", s.setPlan(large.Name))
			offer := createPlanPolicy(ctx, s)
			refuses := fmt.Sprintf(`plan %q is not offered in Namespace %q, whose label %s is "small": use basic50 of azure-mysql`, large.ID, s.namespace, offer.label)
			offer.set(ctx, "small")
			denied := s.newInstanceObject("denied", s.syncService)
			s.setPlan(large.Name)(denied)
			Eventually(func() error { return k8s.Create(ctx, denied.DeepCopy(), client.DryRunAll) }).Should(MatchError(ContainSubstring(refuses)))
			Expect(k8s.Create(ctx, denied)).To(MatchError(ContainSubstring(refuses)))

			By("deciding on the plan that the operator resolves, and not on the references that a user writes")
			forged := s.newInstanceObject("forged", s.syncService)
			s.setPlan(large.Name)(forged)
			setPlanRef(forged, k, small.ID)
			Expect(k8s.Create(ctx, forged)).To(MatchError(ContainSubstring(refuses)))

			By("refusing a change of the plan")
			changes := s.createReadyInstance(ctx, "changes")
			for _, edit := range []func(*v1beta1.ServiceInstance){
				s.setPlan(large.Name),
				func(si *v1beta1.ServiceInstance) { s.setPlan(large.Name)(si); setPlanRef(si, k, small.ID) },
			} {
				edited := changes.DeepCopy()
				edit(edited)
				Expect(k8s.Update(ctx, edited)).To(MatchError(ContainSubstring(refuses)))
			}
			Expect(s.instanceAtBroker(changes.Spec.ExternalID).PlanID).To(Equal(small.ID))

			By("leaving an instance that has another plan")
			update(ctx, has, func(si *v1beta1.ServiceInstance) { si.Labels["team"], si.Spec.UpdateRequests = "shop", 1 })
			Eventually(instanceStatus(ctx, has)).Should(beProvisioned(has))
			Expect(k8s.Delete(ctx, has)).To(Succeed())
			Eventually(checkGone(ctx, has)).Should(Succeed())
			Expect(s.requestsAbout(has.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "UpdateInstance", "DeprovisionInstance"}))
		})
	}

	It("refuses a plan that the operator resolves later, before a request to the broker", func(ctx SpecContext) {
		s := newNamespaceWithoutBroker(ctx, namespaced, osbtest.Options{})
		small, large := s.syncService.Plans[0], s.syncService.Plans[1]
		offer := createPlanPolicy(ctx, s)
		offer.set(ctx, "small")
		later, edited := s.createSyncInstance(ctx, "later", s.setPlan(large.Name)), s.createSyncInstance(ctx, "edited", s.setPlan(large.Name))
		probe := newProbeOfPolicy(ctx, s)
		Eventually(func() error { return k8s.Create(ctx, probe.DeepCopy(), client.DryRunAll) }).Should(MatchError(ContainSubstring("is not offered")))
		createReadyBroker(ctx, s.kindSet, s.namespace, s.Broker)
		says := fmt.Sprintf(`The API server refused the reference to ServicePlan %q, and the operator sends no request before it accepts it: `, large.ID)
		for _, si := range []*v1beta1.ServiceInstance{later, edited} {
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beStalled(v1beta1.ReasonErrorWritingReferences, says),
				haveReadyMessage(`is "small": use basic50 of azure-mysql`), HaveField("ObservedGeneration", si.Generation)))
		}
		Expect(s.Calls(osb.ProvisionInstance)).To(BeEmpty())

		expectProvisioned := func(si *v1beta1.ServiceInstance) {
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
		}
		By("using another plan, before a retry may find that the former one is offered")
		update(ctx, edited, s.setPlan(small.Name))
		expectProvisioned(edited)

		By("retrying")
		offer.set(ctx, "large")
		expectProvisioned(later)
	})
})

// newProbeOfPolicy returns an instance that is refused as soon as the API server knows the policy: of a plan that no broker offers.
func newProbeOfPolicy(ctx context.Context, s *serviceNamespace) *v1beta1.ServiceInstance {
	GinkgoHelper()
	class, plan := &v1beta1.ServiceClass{}, &v1beta1.ServicePlan{}
	class.Namespace, class.Name, class.Spec.ServiceBrokerName = s.namespace, "probe", "none"
	class.Spec.ExternalName, class.Spec.ExternalID, class.Spec.Description = "probe", "probe", "a class without a broker"
	plan.Namespace, plan.Name, plan.Spec.ExternalName, plan.Spec.ExternalID, plan.Spec.Description = s.namespace, "probe", "probe", "probe", "its plan"
	plan.SetOwners("none", class.Name)
	for _, o := range []client.Object{class, plan} {
		Expect(k8s.Create(ctx, o)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, o))).To(Succeed()) })
	}
	probe := &v1beta1.ServiceInstance{}
	probe.Namespace, probe.Name = s.namespace, "probe"
	probe.Spec.ServiceClassName, probe.Spec.ServicePlanName = class.Name, plan.Name
	return probe
}

// setPlanRef writes the reference that the operator would.
func setPlanRef(si *v1beta1.ServiceInstance, k kindSet, name string) {
	if k.isNamespaced() {
		si.Spec.ServicePlanRef = &v1beta1.LocalObjectReference{Name: name}
	} else {
		si.Spec.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: name}
	}
}

// planPolicy is the sample policy, for one namespace.
type planPolicy struct{ namespace, label string }

// createPlanPolicy creates the sample policy with the plans of syncService, under a label of its own.
func createPlanPolicy(ctx context.Context, s *serviceNamespace) planPolicy {
	GinkgoHelper()
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	sample, err := os.ReadFile(filepath.Join(repo, "config", "samples", "admissionregistration_v1_validatingadmissionpolicy.yaml"))
	Expect(err).NotTo(HaveOccurred())
	p := planPolicy{s.namespace, "bellhop.example/plans-" + s.namespace}
	manifest := strings.NewReplacer("bellhop.example/plans", p.label, "bellhop-plans", "plans-"+s.namespace,
		"438d65fd-9c12-4093-9e29-3753109aa78a", s.syncService.Plans[0].ID, "2416f930-65e8-4f84-81a6-0ebf2dfa837f", s.syncService.Plans[1].ID).Replace(string(sample))
	Expect(kubectl(ctx, manifest, "create", "-f", "-")).To(ContainSubstring("plans-" + s.namespace + " created"))
	DeferCleanup(func(ctx SpecContext) {
		Expect(kubectl(ctx, manifest, "delete", "-f", "-")).To(ContainSubstring("deleted"))
	})
	return p
}

// set labels the namespace.
func (p planPolicy) set(ctx context.Context, value string) {
	GinkgoHelper()
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, p.label, value)
	Expect(k8s.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}
