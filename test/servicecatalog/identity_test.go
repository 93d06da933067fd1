// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

var _ = Describe("The external id of an instance", func() {
	// expectRetained deletes an object, and expects that the broker keeps what it has and gets no request.
	expectRetained := func(ctx context.Context, s *serviceNamespace, si *v1beta1.ServiceInstance, id, why string) {
		GinkgoHelper()
		before := s.History(id)
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Expect(s.Holds().Instances).To(HaveKeyWithValue(id, HaveField("State", osbtest.Ready)))
		Expect(s.History(id).Deletes).To(Equal(before.Deletes))
		Eventually(readEvents(ctx, si)).Should(ContainElement(And(HavePrefix("Warning Retained: "), ContainSubstring(why))))
	}
	const suppliedIDKept = "was supplied in spec.externalID, and this object did not create"

	// leaveAtBroker creates an instance, and removes only the object.
	leaveAtBroker := func(ctx context.Context, s *serviceNamespace, name string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
		GinkgoHelper()
		si := s.createReadyInstance(ctx, name, edits...)
		abandonAndDelete(ctx, si)
		Eventually(checkGone(ctx, si)).Should(Succeed())
		return si
	}

	Describe("that the user supplied", func() {
		It("is used, and its instance is left at the broker, if the broker has exactly that instance already", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			id := leaveAtBroker(ctx, s, "db").Spec.ExternalID
			si := s.createReadyInstance(ctx, "db", setExternalID(id), setAnnotation(v1beta1.MadeIDAnnotation, id+" "+time.Now().UTC().Format(time.RFC3339)))
			Expect(si.Annotations).NotTo(HaveKey(v1beta1.MadeIDAnnotation), "only admission can set the annotation")
			Expect(si.Status.CreatedForUID).To(BeEmpty())
			Expect(si.Status).To(haveReadyMessage("is retained when this object is deleted"))
			update(ctx, si, setAnnotation(v1beta1.MadeIDAnnotation, id+" "+si.CreationTimestamp.UTC().Format(time.RFC3339)))
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(si), si)).To(Succeed())
			Expect(si.Annotations).NotTo(HaveKey(v1beta1.MadeIDAnnotation))
			expectRetained(ctx, s, si, id, suppliedIDKept)
		})

		It("is not used if the broker has another instance under it", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			id := leaveAtBroker(ctx, s, "theirs").Spec.ExternalID
			si := s.createSyncInstance(ctx, "ours", setExternalID(id))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beReconciling("Conflict", "The broker has another service instance under the id \""+id+"\", which was supplied"),
				HaveField("DeprovisionStatus", v1beta1.DeprovisionNotRequired)))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.instanceAtBroker(id).State).To(Equal(osbtest.Ready))
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance"}), "one of the other object, one of this object")
		})

		It("is left at the broker if the broker fails, as an instance may have existed before", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			id := leaveAtBroker(ctx, s, "db").Spec.ExternalID
			s.Inject(osbtest.Fault{On: "ProvisionInstance", Answer: osbtest.Error(500, "", "oops")})
			si := s.createSyncInstance(ctx, "db", setExternalID(id))
			Eventually(func() (int, error) {
				_, err := statusWithoutBackoff(ctx, si)()
				return s.History(id).Puts, err
			}).Should(BeNumerically(">=", 1+6), "more than before orphan mitigation")
			Expect(si.Status.OrphanMitigationInProgress).To(BeFalse())
			// F-S47: a 500 does not tell whether the request has created it, so a person decides.
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(haveReadyMessage("bellhop.gophernetes.io/deletion-policy=Retain\" retains it"))
			update(ctx, si, setAnnotation(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain))
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.History(id).Deletes).To(BeZero())
			Expect(s.Holds().Instances).To(HaveKey(id))
		})

		It("is deprovisioned if the object created the instance", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			syncService := s.createReadyInstance(ctx, "db", setExternalID("my-own-id"))
			asyncService := s.createAsyncInstance(ctx, "slow", setExternalID("my-other-id"))
			Eventually(instanceStatus(ctx, asyncService)).Should(beProvisioned(asyncService))
			Expect(syncService.Status.CreatedForUID).To(Equal(syncService.UID))
			Expect(asyncService.Status.CreatedForUID).To(BeEmpty())
			Expect(k8s.Delete(ctx, syncService)).To(Succeed())
			Expect(k8s.Delete(ctx, asyncService)).To(Succeed())
			// F-S25: 202 does not tell whose request has created it, so a person decides.
			Eventually(instanceStatus(ctx, asyncService)).Should(haveReadyMessage("bellhop.gophernetes.io/deletion-policy=Delete\" removes it with this object"))
			Expect(s.History("my-other-id").Deletes).To(BeZero())
			update(ctx, asyncService, setAnnotation(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete))
			for _, si := range []*v1beta1.ServiceInstance{syncService, asyncService} {
				Eventually(checkGone(ctx, si)).Should(Succeed())
			}
			Expect(s.Holds().Instances).To(BeEmpty())
		})

		It("is refused if another object has it", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, clusterWide, osbtest.Options{})
			si := s.createReadyInstance(ctx, "db")
			twin := si.DeepCopy()
			twin.ObjectMeta = metav1.ObjectMeta{Namespace: createNamespace(ctx), Name: "db", Annotations: si.Annotations}
			Expect(k8s.Create(ctx, twin)).To(MatchError(ContainSubstring("is the id of an object in another namespace: leave it out for a new one")))
			twin.Namespace, twin.Name = si.Namespace, "twin"
			Expect(k8s.Create(ctx, twin)).To(MatchError(ContainSubstring(`is the id of "db"`)))
			By("copying the object once it is gone, as one with a supplied id")
			abandonAndDelete(ctx, si)
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Eventually(func() error { return k8s.Create(ctx, twin) }).Should(Succeed())
			Eventually(instanceStatus(ctx, twin)).Should(beReconciling("Conflict", "which was supplied"))
			Expect(s.instanceAtBroker(si.Spec.ExternalID).State).To(Equal(osbtest.Ready))
		})
	})

	Describe("that admission made", func() {
		It("is not that of a former object with the same name", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			former := leaveAtBroker(ctx, s, "db").Spec.ExternalID
			si := s.createReadyInstance(ctx, "db")
			Expect(si.Spec.ExternalID).NotTo(Equal(former))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(SatisfyAll(HaveLen(1), HaveKey(former)))
			Expect(s.History(former).Deletes).To(BeZero())
		})
	})

	Describe("with a deletion policy", func() {
		It("is left or deprovisioned as the policy says", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			kept := s.createReadyInstance(ctx, "kept", setAnnotation(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain))
			expectRetained(ctx, s, kept, kept.Spec.ExternalID, "The deletion policy is Retain")

			id := leaveAtBroker(ctx, s, "db").Spec.ExternalID
			si := s.createReadyInstance(ctx, "db", setExternalID(id), setAnnotation(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete))
			Expect(si.Status.CreatedForUID).To(BeEmpty())
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).NotTo(HaveKey(id))
		})
	})

	Describe("whose object loses its finalizer", func() {
		It("is left at the broker, if nothing else changes, and no more requests are sent", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			si := s.createReadyInstance(ctx, "db")
			id := si.Spec.ExternalID
			removeFinalizers(ctx, si)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "Abandoned"), haveReadyMessage("no more requests are sent to the broker")))
			update(ctx, si, setParameters(`{"a":1}`))
			s.createReadyInstance(ctx, "later") // so that the operator has reconciled the edit before
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(s.instanceAtBroker(id).State).To(Equal(osbtest.Ready))
		})

		It("is used again, and finalizer and annotations come back, if the spec changes", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			si := s.createReadyInstance(ctx, "db", setAnnotation(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete))
			before := si.DeepCopy()
			update(ctx, si, func(si *v1beta1.ServiceInstance) {
				si.Finalizers, si.Annotations, si.Labels = nil, nil, nil
				si.Spec = v1beta1.ServiceInstanceSpec{PlanReference: si.Spec.PlanReference}
				setParameters(`{"a":1}`)(si)
			})
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(si.Finalizers).To(Equal(before.Finalizers))
			Expect(si.Annotations).To(Equal(before.Annotations))
			Expect(si.Spec.ExternalID).To(Equal(before.Spec.ExternalID))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})
	})

	Describe("of an object that bypassed admission", serial, func() {
		It("is left at the broker if the record of its creation is older than the object", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			backup := s.createReadyInstance(ctx, "db")
			id := backup.Spec.ExternalID
			abandonAndDelete(ctx, backup)
			Eventually(checkGone(ctx, backup)).Should(Succeed())
			bypassAdmission(ctx, s.namespace)
			si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "db", Finalizers: []string{v1beta1.Finalizer},
				Annotations: map[string]string{v1beta1.MadeIDAnnotation: id + " " + backup.CreationTimestamp.Add(-10*time.Minute).UTC().Format(time.RFC3339)}}, Spec: backup.Spec}
			Expect(k8s.Create(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(si.Annotations).To(HaveKey(v1beta1.MadeIDAnnotation))
			Expect(si.Status).To(haveReadyMessage("is retained when this object is deleted"))
			expectRetained(ctx, s, si, id, suppliedIDKept)
		})

		It("is left at the broker if the status was restored", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			backup := s.createReadyInstance(ctx, "db", setExternalID("first-"+string(uuid.NewUUID())))
			id := backup.Spec.ExternalID
			Expect(backup.Status.CreatedForUID).To(Equal(backup.UID))
			abandonAndDelete(ctx, backup)
			Eventually(checkGone(ctx, backup)).Should(Succeed())
			si := s.createReadyInstance(ctx, "db", setExternalID(id))
			status, err := json.Marshal(map[string]any{"status": backup.Status})
			Expect(err).NotTo(HaveOccurred())
			Expect(k8s.Status().Patch(ctx, si, client.RawPatch("application/merge-patch+json", status))).To(Succeed())
			Expect(si.Status.CreatedForUID).To(Equal(backup.UID))
			expectRetained(ctx, s, si, id, suppliedIDKept)
		})

		It("F-S4: is owned by the first of two objects that have it; the second can neither block its removal nor take it over", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			si := s.createReadyInstance(ctx, "first")
			id := si.Spec.ExternalID
			bypassAdmission(ctx, s.namespace)
			twin := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "second", Finalizers: []string{v1beta1.Finalizer}}, Spec: *si.Spec.DeepCopy()}
			Expect(k8s.Create(ctx, twin)).To(Succeed())
			Eventually(instanceStatus(ctx, twin)).Should(beStalled("ExternalIDInUse", fmt.Sprintf("spec.externalID is %q, and ServiceInstance \"first\" owns it", id)))
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Eventually(instanceStatus(ctx, twin)).Should(beProvisioned(twin))
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance", "ProvisionInstance"}), "the twin has one of its own")
			Expect(twin.Status.CreatedForUID).To(Equal(twin.UID))
			Expect(k8s.Delete(ctx, twin)).To(Succeed())
			Eventually(checkGone(ctx, twin)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})

		It("F-JS5: is owned by one of many objects that have it; the others report that they created and removed nothing", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			bypassAdmission(ctx, s.namespace)
			id := "supplied-" + string(uuid.NewUUID())
			all := make([]*v1beta1.ServiceInstance, 16)
			runInParallel(len(all), func(i int) {
				all[i] = s.newInstanceObject(fmt.Sprint("db-", i), s.syncService)
				all[i].Finalizers, all[i].Spec.ExternalID = []string{v1beta1.Finalizer}, id
				Expect(k8s.Create(ctx, all[i])).To(Succeed())
			})
			var creator *v1beta1.ServiceInstance
			var others []*v1beta1.ServiceInstance
			for _, si := range all {
				Eventually(instanceStatus(ctx, si)).Should(Or(beProvisioned(si), HaveField("CreatedForUID", Not(BeEmpty()))))
				if si.Status.CreatedForUID == si.UID {
					creator = si
				} else {
					others = append(others, si)
				}
			}
			Expect(others).To(HaveLen(len(all) - 1))
			for _, si := range others {
				Expect(si.Status).To(beStalled("ExternalIDInUse", fmt.Sprintf("ServiceInstance %q owns it", creator.Name)))
			}
			refused := others[:len(others)-1]
			for _, si := range refused {
				Expect(k8s.Delete(ctx, si)).To(Succeed())
			}
			for _, si := range refused {
				Eventually(checkGone(ctx, si)).Should(Succeed())
				Eventually(readEvents(ctx, si)).Should(ContainElement(And(HavePrefix("Warning Retained: "), ContainSubstring("The broker has created nothing for this object"))))
			}
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance"}))
			for _, si := range []*v1beta1.ServiceInstance{creator, others[len(others)-1]} {
				Expect(k8s.Delete(ctx, si)).To(Succeed())
				Eventually(checkGone(ctx, si)).Should(Succeed())
			}
			Expect(s.Holds().Instances).To(BeEmpty())
		})

		It("is set together with the finalizer before the first request", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			bypassAdmission(ctx, s.namespace)
			si := s.createReadyInstance(ctx, "db")
			Expect(si.Finalizers).To(Equal([]string{v1beta1.Finalizer}))
			Expect(si.Spec.ExternalID).NotTo(BeEmpty())
			Expect(si.Annotations).To(HaveKeyWithValue(v1beta1.MadeIDAnnotation, HavePrefix(si.Spec.ExternalID)))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})
	})

	Describe("whose CustomResourceDefinition is deleted", serial, func() {
		It("is left at the broker, and the objects report that", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			si := s.createReadyInstance(ctx, "db")
			crd := &unstructured.Unstructured{}
			crd.SetAPIVersion("apiextensions.k8s.io/v1")
			crd.SetKind("CustomResourceDefinition")
			Expect(k8s.Get(ctx, client.ObjectKey{Name: "serviceinstances.servicecatalog.k8s.io"}, crd)).To(Succeed())
			back := crd.DeepCopy()
			back.Object["metadata"] = map[string]any{"name": crd.GetName()}
			back.SetAnnotations(crd.GetAnnotations())
			back.SetLabels(crd.GetLabels())
			delete(back.Object, "status")
			DeferCleanup(func(ctx SpecContext) { restoreCRD(ctx, back) })

			Expect(k8s.Delete(ctx, crd)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "DefinitionTerminating"), haveCondition("Stalled", "True", "DefinitionTerminating"),
				haveReadyMessage("The CustomResourceDefinition is being deleted: resources at brokers are retained"), haveReadyMessage(v1beta1.DeletionPolicyAnnotation+"=Retain")))
			Expect(si.DeletionTimestamp).NotTo(BeNil())

			By("setting the deletion policy Retain")
			patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"Retain"}}}`, v1beta1.DeletionPolicyAnnotation))
			Expect(k8s.Patch(ctx, si, patch)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.instanceAtBroker(si.Spec.ExternalID).State).To(Equal(osbtest.Ready))
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
		})
	})
})

// bypassAdmission excludes a namespace from the webhooks until the spec ends.
func bypassAdmission(ctx context.Context, namespace string) {
	GinkgoHelper()
	around := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{namespace}}}}
	set := func(ctx context.Context, selector *metav1.LabelSelector) {
		GinkgoHelper()
		var mutating admissionregistrationv1.MutatingWebhookConfigurationList
		Expect(k8s.List(ctx, &mutating)).To(Succeed())
		for i := range mutating.Items {
			update(ctx, &mutating.Items[i], func(c *admissionregistrationv1.MutatingWebhookConfiguration) {
				for j := range c.Webhooks {
					c.Webhooks[j].NamespaceSelector = selector
				}
			})
		}
		var validating admissionregistrationv1.ValidatingWebhookConfigurationList
		Expect(k8s.List(ctx, &validating)).To(Succeed())
		for i := range validating.Items {
			update(ctx, &validating.Items[i], func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
				for j := range c.Webhooks {
					c.Webhooks[j].NamespaceSelector = selector
				}
			})
		}
	}
	// hooksCalled returns whether the mutating and the validating webhook are called for an object. The API server learns
	// of the two configurations independently.
	hooksCalled := func(ctx context.Context) func() ([]bool, error) {
		try := func(policy string) (*v1beta1.ServiceInstance, error) {
			si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "try-"}}
			si.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: policy}
			si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = "x", "y"
			return si, k8s.Create(ctx, si, client.DryRunAll)
		}
		return func() ([]bool, error) {
			si, err := try(v1beta1.DeletionPolicyRetain)
			if err != nil {
				return nil, err
			}
			_, refused := try("no such policy")
			if refused != nil && !apierrors.IsInvalid(refused) {
				return nil, refused
			}
			return []bool{len(si.Finalizers) > 0, refused != nil}, nil
		}
	}
	set(ctx, around)
	DeferCleanup(func(ctx SpecContext) {
		set(ctx, nil)
		Eventually(hooksCalled(ctx)).Should(HaveEach(BeTrue()))
	})
	Eventually(hooksCalled(ctx)).Should(HaveEach(BeFalse()))
}

// restoreCRD creates a CustomResourceDefinition again, once the deleted one is gone.
func restoreCRD(ctx context.Context, crd *unstructured.Unstructured) {
	GinkgoHelper()
	Eventually(func() error {
		var left v1beta1.ServiceInstanceList
		if err := k8s.List(ctx, &left); err == nil {
			for i := range left.Items {
				removeFinalizers(ctx, &left.Items[i])
			}
		}
		return k8s.Create(ctx, crd.DeepCopy())
	}).Should(Succeed())
	Eventually(func() error {
		var list v1beta1.ServiceInstanceList
		return k8s.List(ctx, &list)
	}).Should(Succeed())
	operator.Kill() // a restarted operator lists the kind immediately
	startOperator(context.WithoutCancel(ctx))
	namespace := createNamespace(ctx)
	Eventually(func() error {
		si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "db"}}
		si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = "x", "y"
		err := k8s.Create(ctx, si, client.DryRunAll)
		if err == nil && len(si.Finalizers) == 0 {
			err = errors.New("it came around admission")
		}
		return err
	}).Should(Succeed())
}
