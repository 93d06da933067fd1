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

package servicecatalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

var _ = Describe("Whose an id is", func() {
	// expectLeft deletes an object, and expects that the broker keeps what it has and is not
	// even asked.
	expectLeft := func(ctx context.Context, s *site, si *v1beta1.ServiceInstance, id, why string) {
		GinkgoHelper()
		before := s.History(id)
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(gone(ctx, si)).Should(Succeed())
		Expect(s.Holds().Instances).To(HaveKeyWithValue(id, HaveField("State", osbtest.Ready)))
		Expect(s.History(id).Deletes).To(Equal(before.Deletes))
		Eventually(eventsAbout(ctx, si)).Should(ContainElement(And(HavePrefix("Warning Retained: "), ContainSubstring(why))))
	}
	const broughtAlong = "was supplied in spec.externalID, and this object did not create"

	// stranger has the broker hold something that no object knows.
	stranger := func(ctx context.Context, s *site, name string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
		GinkgoHelper()
		si := s.provisioned(ctx, name, edits...)
		abandon(ctx, si)
		Eventually(gone(ctx, si)).Should(Succeed())
		return si
	}

	When("an object brings one along", func() {
		It("and the broker has just that, it is used and left alone", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			id := stranger(ctx, s, "db").Spec.ExternalID
			si := s.provisioned(ctx, "db", withID(id), annotated(v1beta1.MadeIDAnnotation, id+" "+time.Now().UTC().Format(time.RFC3339)))
			Expect(si.Annotations).NotTo(HaveKey(v1beta1.MadeIDAnnotation), "nobody else can say so")
			Expect(si.Status.CreatedForUID).To(BeEmpty())
			Expect(si.Status).To(saying("will be left as it is when this object is deleted"))
			update(ctx, si, annotated(v1beta1.MadeIDAnnotation, id+" "+si.CreationTimestamp.UTC().Format(time.RFC3339)))
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(si), si)).To(Succeed())
			Expect(si.Annotations).NotTo(HaveKey(v1beta1.MadeIDAnnotation))
			expectLeft(ctx, s, si, id, broughtAlong)
		})

		It("and the broker has something else, nothing is done to that", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			id := stranger(ctx, s, "theirs").Spec.ExternalID
			si := s.instance(ctx, "ours", withID(id))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(waiting("ProvisionCallFailed", "the broker has another service instance under the id \""+id+"\", which was supplied"),
				HaveField("DeprovisionStatus", v1beta1.DeprovisionNotRequired)))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.held(id).State).To(Equal(osbtest.Ready))
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance"}), "theirs and ours")
		})

		It("and the broker fails, what may be there is left alone", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			id := stranger(ctx, s, "db").Spec.ExternalID
			s.Inject(osbtest.Fault{On: "ProvisionInstance", Answer: osbtest.Error(500, "", "oops")})
			si := s.instance(ctx, "db", withID(id))
			Eventually(func() (int, error) {
				_, err := hurried(ctx, si)()
				return s.History(id).Puts, err
			}).Should(BeNumerically(">=", 1+6), "a few more than would be followed by a removal")
			Expect(si.Status.OrphanMitigationInProgress).To(BeFalse())
			expectLeft(ctx, s, si, id, broughtAlong)
		})

		It("and has it created, it is removed with the object", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			atOnce := s.provisioned(ctx, "db", withID("my-own-id"))
			inTime := s.slowInstance(ctx, "slow", withID("my-other-id"))
			Eventually(instanceStatus(ctx, inTime)).Should(bePresent(inTime))
			for _, si := range []*v1beta1.ServiceInstance{atOnce, inTime} {
				Expect(si.Status.CreatedForUID).To(Equal(si.UID))
				Expect(k8s.Delete(ctx, si)).To(Succeed())
			}
			for _, si := range []*v1beta1.ServiceInstance{atOnce, inTime} {
				Eventually(gone(ctx, si)).Should(Succeed())
			}
			Expect(s.Holds().Instances).To(BeEmpty())
		})

		It("that a living object has, it is refused", func(ctx SpecContext) {
			s := newSite(ctx, clusterWide, osbtest.Options{})
			si := s.provisioned(ctx, "db")
			twin := si.DeepCopy()
			twin.ObjectMeta = metav1.ObjectMeta{Namespace: newNamespace(ctx), Name: "db", Annotations: si.Annotations}
			Expect(k8s.Create(ctx, twin)).To(MatchError(ContainSubstring("is the id of an object in another namespace: leave it out for a new one")))
			twin.Namespace, twin.Name = si.Namespace, "twin"
			Expect(k8s.Create(ctx, twin)).To(MatchError(ContainSubstring(`is the id of "db"`)))
			By("taking a copy once the first one is gone, though as one that was brought")
			abandon(ctx, si)
			Eventually(gone(ctx, si)).Should(Succeed())
			Eventually(func() error { return k8s.Create(ctx, twin) }).Should(Succeed())
			Eventually(instanceStatus(ctx, twin)).Should(waiting("ProvisionCallFailed", "which was supplied"))
			Expect(s.held(si.Spec.ExternalID).State).To(Equal(osbtest.Ready))
		})
	})

	When("an object of a name is made anew", func() {
		It("has nothing to do with what the former one had", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			former := stranger(ctx, s, "db").Spec.ExternalID
			si := s.provisioned(ctx, "db")
			Expect(si.Spec.ExternalID).NotTo(Equal(former))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(SatisfyAll(HaveLen(1), HaveKey(former)))
			Expect(s.History(former).Deletes).To(BeZero())
		})
	})

	When("a policy says what is to become of it", func() {
		It("does as it says", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			kept := s.provisioned(ctx, "kept", annotated(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain))
			expectLeft(ctx, s, kept, kept.Spec.ExternalID, "the deletion policy is Retain")

			id := stranger(ctx, s, "db").Spec.ExternalID
			si := s.provisioned(ctx, "db", withID(id), annotated(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete))
			Expect(si.Status.CreatedForUID).To(BeEmpty())
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).NotTo(HaveKey(id))
		})
	})

	When("the finalizer is removed", func() {
		It("and nothing else, the object is let go and nothing is sent any more", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			si := s.provisioned(ctx, "db")
			id := si.Spec.ExternalID
			letGo(ctx, si)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "Abandoned"), saying("nothing is sent to the broker any more")))
			update(ctx, si, parameters(`{"a":1}`))
			s.provisioned(ctx, "later") // and what came before that has been looked at
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(s.held(id).State).To(Equal(osbtest.Ready))
		})

		It("and the spec is changed, it comes back, and so do our annotations", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			si := s.provisioned(ctx, "db", annotated(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete))
			before := si.DeepCopy()
			update(ctx, si, func(si *v1beta1.ServiceInstance) {
				si.Finalizers, si.Annotations, si.Labels = nil, nil, nil
				si.Spec = v1beta1.ServiceInstanceSpec{PlanReference: si.Spec.PlanReference}
				parameters(`{"a":1}`)(si)
			})
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(si.Finalizers).To(Equal(before.Finalizers))
			Expect(si.Annotations).To(Equal(before.Annotations))
			Expect(si.Spec.ExternalID).To(Equal(before.Spec.ExternalID))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})
	})

	When("objects come around admission", serial, func() {
		It("a restored one, whose record is older than itself, leaves the service alone", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			backup := s.provisioned(ctx, "db")
			id := backup.Spec.ExternalID
			abandon(ctx, backup)
			Eventually(gone(ctx, backup)).Should(Succeed())
			passBy(ctx, s.namespace)
			si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "db", Finalizers: []string{v1beta1.Finalizer},
				Annotations: map[string]string{v1beta1.MadeIDAnnotation: id + " " + backup.CreationTimestamp.Add(-10*time.Minute).UTC().Format(time.RFC3339)}}, Spec: backup.Spec}
			Expect(k8s.Create(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(si.Annotations).To(HaveKey(v1beta1.MadeIDAnnotation))
			Expect(si.Status).To(saying("will be left as it is"))
			expectLeft(ctx, s, si, id, broughtAlong)
		})

		It("a restored status is no proof either", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			backup := s.provisioned(ctx, "db", withID("first-"+string(uuid.NewUUID())))
			id := backup.Spec.ExternalID
			Expect(backup.Status.CreatedForUID).To(Equal(backup.UID))
			abandon(ctx, backup)
			Eventually(gone(ctx, backup)).Should(Succeed())
			si := s.provisioned(ctx, "db", withID(id))
			status, err := json.Marshal(map[string]any{"status": backup.Status})
			Expect(err).NotTo(HaveOccurred())
			Expect(k8s.Status().Patch(ctx, si, client.RawPatch("application/merge-patch+json", status))).To(Succeed())
			Expect(si.Status.CreatedForUID).To(Equal(backup.UID))
			expectLeft(ctx, s, si, id, broughtAlong)
		})

		It("F-S4: of two with one id the later one neither keeps the owner from its removal nor inherits", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			si := s.provisioned(ctx, "first")
			id := si.Spec.ExternalID
			passBy(ctx, s.namespace)
			twin := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "second", Finalizers: []string{v1beta1.Finalizer}}, Spec: *si.Spec.DeepCopy()}
			Expect(k8s.Create(ctx, twin)).To(Succeed())
			Eventually(instanceStatus(ctx, twin)).Should(stalled("ExternalIDInUse", fmt.Sprintf("spec.externalID is %q, and ServiceInstance \"first\" owns it", id)))
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Eventually(instanceStatus(ctx, twin)).Should(bePresent(twin))
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance", "ProvisionInstance"}), "the twin has one of its own")
			Expect(twin.Status.CreatedForUID).To(Equal(twin.UID))
			Expect(k8s.Delete(ctx, twin)).To(Succeed())
			Eventually(gone(ctx, twin)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})

		It("F-JS5: of many with one supplied id one creates something and removes it, and the others say that they did neither", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			passBy(ctx, s.namespace)
			id := "supplied-" + string(uuid.NewUUID())
			all := make([]*v1beta1.ServiceInstance, 16)
			inParallel(len(all), func(i int) {
				all[i] = s.named(fmt.Sprint("db-", i), s.atOnce)
				all[i].Finalizers, all[i].Spec.ExternalID = []string{v1beta1.Finalizer}, id
				Expect(k8s.Create(ctx, all[i])).To(Succeed())
			})
			var creator *v1beta1.ServiceInstance
			var others []*v1beta1.ServiceInstance
			for _, si := range all {
				Eventually(instanceStatus(ctx, si)).Should(Or(bePresent(si), HaveField("CreatedForUID", Not(BeEmpty()))))
				if si.Status.CreatedForUID == si.UID {
					creator = si
				} else {
					others = append(others, si)
				}
			}
			Expect(others).To(HaveLen(len(all) - 1))
			for _, si := range others {
				Expect(si.Status).To(stalled("ExternalIDInUse", fmt.Sprintf("ServiceInstance %q owns it", creator.Name)))
			}
			refused := others[:len(others)-1]
			for _, si := range refused {
				Expect(k8s.Delete(ctx, si)).To(Succeed())
			}
			for _, si := range refused {
				Eventually(gone(ctx, si)).Should(Succeed())
				Eventually(eventsAbout(ctx, si)).Should(ContainElement(And(HavePrefix("Warning Retained: "), ContainSubstring("the broker has created nothing for this object"))))
			}
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance"}))
			for _, si := range []*v1beta1.ServiceInstance{creator, others[len(others)-1]} {
				Expect(k8s.Delete(ctx, si)).To(Succeed())
				Eventually(gone(ctx, si)).Should(Succeed())
			}
			Expect(s.Holds().Instances).To(BeEmpty())
		})

		It("one without finalizer and id gets both before anything is sent", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			passBy(ctx, s.namespace)
			si := s.provisioned(ctx, "db")
			Expect(si.Finalizers).To(Equal([]string{v1beta1.Finalizer}))
			Expect(si.Spec.ExternalID).NotTo(BeEmpty())
			Expect(si.Annotations).To(HaveKeyWithValue(v1beta1.MadeIDAnnotation, HavePrefix(si.Spec.ExternalID)))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})
	})

	When("the CustomResourceDefinition is deleted", serial, func() {
		It("nothing is deleted at a broker, and the objects say so", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			si := s.provisioned(ctx, "db")
			crd := &unstructured.Unstructured{}
			crd.SetAPIVersion("apiextensions.k8s.io/v1")
			crd.SetKind("CustomResourceDefinition")
			Expect(k8s.Get(ctx, client.ObjectKey{Name: "serviceinstances.servicecatalog.k8s.io"}, crd)).To(Succeed())
			back := crd.DeepCopy()
			back.Object["metadata"] = map[string]any{"name": crd.GetName()}
			back.SetAnnotations(crd.GetAnnotations())
			back.SetLabels(crd.GetLabels())
			delete(back.Object, "status")
			DeferCleanup(func(ctx SpecContext) { restore(ctx, back) })

			Expect(k8s.Delete(ctx, crd)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "DefinitionTerminating"), haveCondition("Stalled", "True", "DefinitionTerminating"),
				saying("the CustomResourceDefinition is being deleted, and nothing is deleted at a broker for that"), saying(v1beta1.DeletionPolicyAnnotation+"=Retain")))
			Expect(si.DeletionTimestamp).NotTo(BeNil())

			By("letting go of what the person decides about")
			patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"Retain"}}}`, v1beta1.DeletionPolicyAnnotation))
			Expect(k8s.Patch(ctx, si, patch)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.held(si.Spec.ExternalID).State).To(Equal(osbtest.Ready))
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
		})
	})
})

// passBy lets objects of a namespace come around admission until the spec ends.
func passBy(ctx context.Context, namespace string) {
	GinkgoHelper()
	around := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{namespace}}}}
	set := func(ctx context.Context, selector *metav1.LabelSelector) {
		GinkgoHelper()
		var mutating admissionv1.MutatingWebhookConfigurationList
		Expect(k8s.List(ctx, &mutating)).To(Succeed())
		for i := range mutating.Items {
			update(ctx, &mutating.Items[i], func(c *admissionv1.MutatingWebhookConfiguration) {
				for j := range c.Webhooks {
					c.Webhooks[j].NamespaceSelector = selector
				}
			})
		}
		var validating admissionv1.ValidatingWebhookConfigurationList
		Expect(k8s.List(ctx, &validating)).To(Succeed())
		for i := range validating.Items {
			update(ctx, &validating.Items[i], func(c *admissionv1.ValidatingWebhookConfiguration) {
				for j := range c.Webhooks {
					c.Webhooks[j].NamespaceSelector = selector
				}
			})
		}
	}
	// hooks says whether the mutating and the validating webhook are called for an object: the API server learns of each by itself.
	hooks := func(ctx context.Context) func() ([]bool, error) {
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
		Eventually(hooks(ctx)).Should(HaveEach(BeTrue()))
	})
	Eventually(hooks(ctx)).Should(HaveEach(BeFalse()))
}

// restore puts a CustomResourceDefinition back, once what was there is gone.
func restore(ctx context.Context, crd *unstructured.Unstructured) {
	GinkgoHelper()
	Eventually(func() error {
		var left v1beta1.ServiceInstanceList
		if err := k8s.List(ctx, &left); err == nil {
			for i := range left.Items {
				letGo(ctx, &left.Items[i])
			}
		}
		return k8s.Create(ctx, crd.DeepCopy())
	}).Should(Succeed())
	Eventually(func() error {
		var list v1beta1.ServiceInstanceList
		return k8s.List(ctx, &list)
	}).Should(Succeed())
	operator.Kill() // rather than wait until it looks again
	startOperator(context.WithoutCancel(ctx))
	namespace := newNamespace(ctx)
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
