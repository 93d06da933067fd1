// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

func inNamespace(namespace string) client.DeleteAllOfOption { return client.InNamespace(namespace) }

// setSecretName sets the name of a binding's Secret.
func setSecretName(name string) func(*v1beta1.ServiceBinding) {
	return func(b *v1beta1.ServiceBinding) { b.Spec.SecretName = name }
}

// bindingStatus reads the binding, and returns its status.
func bindingStatus(ctx context.Context, b *v1beta1.ServiceBinding) func() (v1beta1.ServiceBindingStatus, error) {
	return func() (v1beta1.ServiceBindingStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(b), b)
		return b.Status, err
	}
}

// beBound matches the status of a binding whose Secret has the credentials.
func beBound(b *v1beta1.ServiceBinding) OmegaMatcher {
	return SatisfyAll(haveCondition("Ready", "True", "InjectedBindResult"),
		WithTransform(func(s v1beta1.ServiceBindingStatus) bool { return s.ReconciledGeneration == b.Generation }, BeTrue()))
}

// patchBroker changes a broker.
func patchBroker(ctx context.Context, b v1beta1.Broker, change func()) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
	before := b.DeepCopyObject().(client.Object)
	change()
	Expect(k8s.Patch(ctx, b, client.MergeFrom(before))).To(Succeed())
}

var _ = Describe("A deletion", func() {
	// conformance: D01
	It("of an instance waits for its bindings, and names them", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si := s.createReadyInstance(ctx, "db")
		first, second := s.createReadyBinding(ctx, "first", "db"), s.createReadyBinding(ctx, "second", "db")
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		blocked := SatisfyAll(haveCondition("Ready", "Unknown", "DeprovisionBlockedByExistingCredentials"), haveCondition("Stalled", "True", "DeprovisionBlockedByExistingCredentials"))
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(blocked, haveReadyMessage("ServiceBindings have to be deleted first: first, second. Deleted at "), haveReadyMessage(v1beta1.DeletionPolicyAnnotation+"=Retain")))
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(blocked, haveReadyMessage("have to be deleted first: second.")))
		Expect(s.Counts()[osb.DeprovisionInstance]).To(BeZero())
		Expect(k8s.Delete(ctx, second)).To(Succeed())
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Expect(s.Holds().Instances).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty(), "deprovisioning an instance with bindings would be a violation")
	})

	It("of an instance for which no request was sent does not involve the broker", func(ctx SpecContext) {
		s := newNamespaceWithoutBroker(ctx, namespaced, osbtest.Options{})
		si := s.createSyncInstance(ctx, "db")
		s.createBinding(ctx, "binding", "db")
		Eventually(instanceStatus(ctx, si)).Should(beReconciling("ReferencesNonexistentServiceClass", ""))
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(checkGone(ctx, si)).Should(Succeed())
		createReadyBroker(ctx, namespaced, s.namespace, s.Broker)
		Expect(s.Counts()).To(Equal(map[osb.Operation]int{osb.GetCatalog: 1}))
	})

	It("right after the creation leaves nothing at the broker", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		instances := make([]*v1beta1.ServiceInstance, 30)
		runInParallel(len(instances), func(i int) {
			instances[i] = s.createSyncInstance(ctx, fmt.Sprint("db", i))
			Expect(k8s.Delete(ctx, instances[i])).To(Succeed())
		})
		for _, si := range instances {
			Eventually(checkGone(ctx, si)).Should(Succeed())
		}
		Expect(s.Holds().Instances).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty())
	})

	// F-JS14: a gateway that is out of service answers 410 to everything, also to the catalog.
	It("is held while the broker answers 410 to everything, and ends once it works", func(ctx SpecContext) {
		for _, isBrokerDeleted := range []bool{false, true} {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			si := s.createReadyInstance(ctx, "db")
			b := s.createReadyBinding(ctx, "binding", "db")
			if isBrokerDeleted { // with all that is in the namespace
				Expect(k8s.DeleteAllOf(ctx, &v1beta1.ServiceBroker{}, inNamespace(s.namespace))).To(Succeed())
			}
			lift := s.Inject(osbtest.Fault{Answer: osbtest.Error(410, "", "out of service")})
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "GoneUnconfirmed"), haveCondition("Reconciling", "True", "GoneUnconfirmed"),
				haveReadyMessage("The broker answered 410 Gone at "), haveReadyMessage("once ServiceBroker "), haveReadyMessage(v1beta1.DeletionPolicyAnnotation+"=Retain")))
			Eventually(func() int { return len(s.Calls(osb.GetCatalog)) }).Should(BeNumerically(">=", 2), "the catalog is requested")
			Expect(s.callsAbout(b.Spec.ExternalID, osb.Unbind)).To(HaveLen(1))
			Expect(s.Holds().Bindings).To(HaveLen(1))
			lift()
			Eventually(checkGone(ctx, b)).WithTimeout(2 * time.Minute).Should(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.Holds().Bindings).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
		}
	})

	// F-JS9: another address may lead to another broker, which answers 410 to the deletion of what it never had.
	DescribeTable("is held at another address of the broker, until a person confirms the move", func(ctx SpecContext, k kindSet) {
		services := uniqueServices()
		s := newNamespaceWithoutBroker(ctx, k, osbtest.Options{}, func(all []osbtest.Service) { copy(all, services) })
		other := startBroker(osbtest.Options{Services: services})
		b := createReadyBroker(ctx, k, s.namespace, s.Broker)
		si := s.createReadyInstance(ctx, "db")
		binding := s.createReadyBinding(ctx, "binding", "db")
		Expect(si.Status.BrokerAddress).To(HavePrefix("v1."))
		patchBroker(ctx, b, func() { b.Common().URL = other.URL })
		Eventually(brokerStatus(ctx, b)).Should(HaveField("ObservedGeneration", b.GetGeneration()), "an operator that has not seen the address removes the binding at the former one")
		Expect(k8s.Delete(ctx, binding)).To(Succeed())
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(bindingStatus(ctx, binding)).Should(SatisfyAll(haveCondition("Stalled", "True", "BrokerMoved"), haveReadyMessage(k.broker+" "), haveReadyMessage(v1beta1.MovedFromAnnotation)))
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Eventually(brokerStatus(ctx, b)).Should(WithTransform(func(status v1beta1.ServiceBrokerStatus) (addresses []string) {
			for _, address := range status.Addresses {
				addresses = append(addresses, address.Address)
			}
			return addresses
		}, Equal([]string{s.URL, other.URL})))

		patchBroker(ctx, b, func() { b.SetAnnotations(map[string]string{v1beta1.MovedFromAnnotation: s.URL}) })
		Eventually(checkGone(ctx, binding)).WithTimeout(2 * time.Minute).Should(Succeed())
		Eventually(checkGone(ctx, si)).WithTimeout(2 * time.Minute).Should(Succeed())
		Expect(other.Counts()[osb.Unbind]).To(Equal(2))
	},
		Entry("of a namespace", namespaced),
		Entry("of the cluster", clusterWide),
	)

	// conformance: D03 D04 D05 D08 D09 D11
	It("is retried until the broker confirms it, and the status reports what it waits for", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		answers := map[string]osbtest.Answer{
			"e500": osbtest.Error(500, "", "oops"), "e404": osbtest.Error(404, "", "what?"),
			"e204": osbtest.Status(204, ""), "cut": osbtest.Status(200, "["), "e409": osbtest.Error(409, "", "no"), "dropped": osbtest.Drop,
		}
		instances := map[string]*v1beta1.ServiceInstance{}
		for name, answer := range answers {
			instances[name] = s.createReadyInstance(ctx, name)
			s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, ID: instances[name].Spec.ExternalID, Times: 1, Answer: answer, Acts: name == "dropped"})
		}
		failed := s.createAsyncInstance(ctx, "failed")
		Eventually(instanceStatus(ctx, failed)).Should(beProvisioned(failed))
		s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, ID: failed.Spec.ExternalID, Times: 1, Failure: &osbtest.Failure{Description: "still in use"}})
		instances["failed"] = failed

		unusable := s.createReadyInstance(ctx, "e400")
		lift := s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, ID: unusable.Spec.ExternalID, Answer: osbtest.Status(400, `{"description":"never","instance_usable":false}`)})
		Expect(k8s.Delete(ctx, unusable)).To(Succeed())
		for _, si := range instances {
			Expect(k8s.Delete(ctx, si)).To(Succeed())
		}
		Eventually(instanceStatus(ctx, unusable)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "DeprovisionCallFailed"), HaveField("Unusable", true),
			haveReadyMessage("Deprovision call failed: HTTP 400: never (attempt "), haveReadyMessage("Deleted at "), haveReadyMessage(v1beta1.DeletionPolicyAnnotation+"=Retain")))
		b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "late"}}
		b.Spec.InstanceRef.Name = unusable.Name
		Expect(k8s.Create(ctx, b)).To(MatchError(ContainSubstring("must not be a ServiceInstance that is being deleted")), "an instance that is being deleted cannot be bound")
		for name, si := range instances {
			Eventually(func() error {
				_, err := statusWithoutBackoff(ctx, si)()
				return err
			}).WithTimeout(2*time.Minute).Should(MatchError(ContainSubstring("not found")), name)
			want := []string{"ProvisionInstance", "DeprovisionInstance", "DeprovisionInstance"}
			if name == "dropped" { // the second request is answered 410, and the third one confirms that
				want = append(want, "DeprovisionInstance")
			}
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal(want), name)
		}
		lift()
		Eventually(func() error {
			_, err := statusWithoutBackoff(ctx, unusable)()
			return err
		}).Should(MatchError(ContainSubstring("not found")))
		Expect(s.Holds().Instances).To(BeEmpty())
	})

	// F-U2: the broker is not Ready while requests to it fail.
	It("while the broker is down reports since when it waits, and how to remove the object immediately", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si, back := s.createReadyInstance(ctx, "db"), s.createReadyInstance(ctx, "back")
		s.Close()
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Expect(k8s.Delete(ctx, back)).To(Succeed())
		for _, si := range []*v1beta1.ServiceInstance{si, back} {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(si), si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "DeprovisionCallFailed"), haveReadyMessage("the next is at "),
				haveReadyMessage("Deleted at "+si.DeletionTimestamp.UTC().Format(time.RFC3339)), haveReadyMessage("annotate it with "+v1beta1.DeletionPolicyAnnotation+"=Retain")))
		}
		Eventually(brokerStatus(ctx, s.object)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorFetchingCatalog"), haveReadyMessage("/v2/catalog: the connection was refused (attempt "), haveReadyMessage("the next is at ")))
		Expect(kubectl(ctx, "", "annotate", "serviceinstance", "-n", s.namespace, "db", v1beta1.DeletionPolicyAnnotation+"=Retain")).To(ContainSubstring("annotated"))
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Eventually(readEvents(ctx, si)).Should(ContainElement(ContainSubstring("Warning Retained: The deletion policy is Retain")))
		Expect(s.Listen()).To(Succeed())
		DeferCleanup(s.Close)
		Eventually(checkGone(ctx, back)).WithTimeout(time.Minute).Should(Succeed())
		Eventually(brokerStatus(ctx, s.object)).Should(beReady(s.object))
		Expect(s.Holds().Instances).To(SatisfyAll(HaveLen(1), HaveKey(si.Spec.ExternalID)))
	})

	// F-JS11: both were on record as Ready for as long as the broker took.
	It("says that a removal is in flight where the broker takes its time", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si := s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "b", "db")
		unbound, deprovisioned := make(chan struct{}), make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Unbind, Hold: unbound})
		s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, Hold: deprovisioned})
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "Unbinding"), haveCondition("Reconciling", "True", "Unbinding"), haveReadyMessage("The unbind request is in flight")))
		close(unbound)
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "False", "Deprovisioning"), haveReadyMessage(v1beta1.DeletionPolicyAnnotation+"=Retain")))
		close(deprovisioned)
		Eventually(checkGone(ctx, si)).Should(Succeed())
	})

	It("of the broker waits for its instances", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si := s.createReadyInstance(ctx, "db")
		Expect(k8s.Delete(ctx, s.object)).To(Succeed())
		Eventually(brokerStatus(ctx, s.object)).Should(SatisfyAll(haveCondition("Ready", "False", "InUse"), haveReadyMessage("1 ServiceInstance")))
		update(ctx, si, setParameters(`{"a":1}`))
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si), "the instance still can be updated")
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Eventually(checkGone(ctx, s.object)).Should(Succeed())
		Expect(s.Holds().Instances).To(BeEmpty())
	})

	It("of a namespace ends, and removes everything at the broker", func(ctx SpecContext) {
		s := newNamespaceWithoutBroker(ctx, namespaced, osbtest.Options{Username: "bell", Password: "hop"})
		createSecret(ctx, s.namespace, "auth", "username", "bell", "password", "hop")
		createReadyBroker(ctx, namespaced, s.namespace, s.Broker, func(b v1beta1.Broker) {
			b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "auth"}}}
		})
		createSecret(ctx, s.namespace, "params", "json", `{"a":1}`)
		const n = 10
		runInParallel(n, func(i int) {
			name := fmt.Sprint("db", i)
			si := s.createSyncInstance(ctx, name, addParametersFrom("params"))
			if i%2 == 0 {
				Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
				s.createReadyBinding(ctx, name, name)
			}
		})
		s.createAsyncInstance(ctx, "slow", addParametersFrom("params"))
		s.createSyncInstance(ctx, "unfinished", addParametersFrom("missing"))
		Eventually(func() int { return len(s.Holds().Instances) }).Should(Equal(n + 1))
		before := s.Counts()
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
		Expect(k8s.Delete(ctx, ns)).To(Succeed())
		Eventually(func() error { // nil, once the namespace is gone, or what is left
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(ns), ns); err != nil {
				return client.IgnoreNotFound(err)
			}
			return fmt.Errorf("namespace %s: %v", ns.Name, ns.Status.Conditions)
		}).WithTimeout(2 * time.Minute).Should(Succeed())
		Expect(s.Holds().Instances).To(BeEmpty())
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty())
		after := s.Counts()
		for _, op := range []osb.Operation{osb.Bind, osb.GetBinding, osb.ProvisionInstance, osb.UpdateInstance} { // F-S56
			Expect(after[op]).To(Equal(before[op]), string(op))
		}
		for id, h := range s.Histories() {
			Expect(h.Creations).To(Equal(1), id)
			Expect(h.Removals).To(Equal(1), id)
		}
	})
})
