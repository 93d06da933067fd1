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
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// site is a namespace, and a broker that it can use.
type site struct {
	kinds
	*osbtest.Broker
	namespace string
	object    v1beta1.Broker
	// atOnce does everything at once, inTime needs two polls for everything.
	atOnce, inTime osbtest.Service
}

// newSite makes a namespace and a broker with uniqueServices, and waits until the broker
// is Ready. Objects that the spec leaves behind are abandoned.
func newSite(ctx context.Context, k kinds, o osbtest.Options, edits ...func(services []osbtest.Service)) *site {
	GinkgoHelper()
	s := offlineSite(ctx, k, o, edits...)
	s.object = registerBroker(ctx, k, s.namespace, s.Broker)
	return s
}

// offlineSite is newSite, but for the broker's object.
func offlineSite(ctx context.Context, k kinds, o osbtest.Options, edits ...func(services []osbtest.Service)) *site {
	GinkgoHelper()
	services := uniqueServices()
	services[1].Behavior.Polls = 1
	for _, edit := range edits {
		edit(services)
	}
	o.Services = services
	s := &site{kinds: k, Broker: newBroker(o), namespace: newNamespace(ctx), atOnce: services[0], inTime: services[1]}
	DeferCleanup(func(ctx SpecContext) { abandonAll(ctx, s.namespace) })
	return s
}

// abandonAll lets go of what is in a namespace, so that nothing of it is tried for the rest
// of the suite.
func abandonAll(ctx context.Context, namespace string) {
	GinkgoHelper()
	var bindings v1beta1.ServiceBindingList
	Expect(k8s.List(ctx, &bindings, client.InNamespace(namespace))).To(Succeed())
	var instances v1beta1.ServiceInstanceList
	Expect(k8s.List(ctx, &instances, client.InNamespace(namespace))).To(Succeed())
	var all []client.Object
	for i := range bindings.Items {
		all = append(all, &bindings.Items[i])
	}
	for i := range instances.Items {
		all = append(all, &instances.Items[i])
	}
	inParallel(len(all), func(i int) { abandon(ctx, all[i]) })
}

// abandon removes the finalizer, as svcat --abandon does, and the object.
func abandon(ctx context.Context, o client.Object) {
	GinkgoHelper()
	letGo(ctx, o)
	Expect(client.IgnoreNotFound(k8s.Delete(ctx, o))).To(Succeed())
}

// letGo removes the finalizer.
func letGo(ctx context.Context, o client.Object) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	Expect(client.IgnoreNotFound(k8s.Patch(ctx, o, patch))).To(Succeed())
}

// inParallel does something for each of n, a few at a time.
func inParallel(n int, do func(i int)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		slots <- struct{}{}
		wait.Go(func() {
			defer GinkgoRecover()
			defer func() { <-slots }()
			do(i)
		})
	}
	wait.Wait()
}

// provisioned makes an instance of the service that does all at once.
func (s *site) provisioned(ctx context.Context, name string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	GinkgoHelper()
	si := s.instance(ctx, name, edits...)
	Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
	return si
}

func (s *site) instance(ctx context.Context, name string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	GinkgoHelper()
	return s.newInstance(ctx, s.namespace, name, s.atOnce.Name, s.atOnce.Plans[0].Name, edits...)
}

// never has the service that takes its time end an operation only when it is told to (Finish).
func never(services []osbtest.Service) { services[1].Behavior.Never = true }

// slowInstance makes one of the service that takes its time.
func (s *site) slowInstance(ctx context.Context, name string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	GinkgoHelper()
	return s.newInstance(ctx, s.namespace, name, s.inTime.Name, s.inTime.Plans[0].Name, edits...)
}

// named is an instance of a name and a service, for who makes it in a way of their own.
func (s *site) named(name string, service osbtest.Service) *v1beta1.ServiceInstance {
	si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	if s.isNamespaced() {
		si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = service.Name, service.Plans[0].Name
	} else {
		si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = service.Name, service.Plans[0].Name
	}
	return si
}

// hurried reads an instance's status again, and has made at once what waits for its time, unless its attempts are as they should be.
func hurried(ctx context.Context, si *v1beta1.ServiceInstance, unless ...func(*v1beta1.Attempts) bool) func() (v1beta1.ServiceInstanceStatus, error) {
	return func() (v1beta1.ServiceInstanceStatus, error) {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(si), si); err != nil {
			return si.Status, err
		}
		status := si.Status
		if a := status.Attempts; a == nil || a.NextTime == nil || slices.ContainsFunc(unless, func(is func(*v1beta1.Attempts) bool) bool { return is(a) }) {
			return status, nil
		}
		patch := fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q},"status":{"attempts":{"nextTime":null}}}`, si.ResourceVersion)
		err := k8s.Status().Patch(ctx, si.DeepCopy(), client.RawPatch("application/merge-patch+json", patch))
		if apierrors.IsConflict(err) {
			err = nil
		}
		return status, err
	}
}

// setPlan names another plan.
func (s *site) setPlan(name string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		if s.isNamespaced() {
			si.Spec.ServicePlanExternalName = name
		} else {
			si.Spec.ClusterServicePlanExternalName = name
		}
	}
}

// heldPlan is the plan that a status says that the broker has.
func heldPlan(props *v1beta1.ServiceInstancePropertiesState) string {
	return props.ClusterServicePlanExternalID + props.ServicePlanExternalID
}

// sent are the requests about an id so far, in words, but for polls.
func (s *site) sent(id string) func() []string {
	return func() []string {
		var words []string
		for _, c := range s.about(id) {
			if c.Operation != osb.PollLastOperation && c.Operation != osb.PollBindingLastOperation {
				words = append(words, string(c.Operation))
			}
		}
		return words
	}
}

// about are the calls about an id.
func (s *site) about(id string, of ...osb.Operation) []osbtest.Call {
	return slices.DeleteFunc(s.Calls(of...), func(c osbtest.Call) bool { return c.ID() != id })
}

// held is what the broker has under an id.
func (s *site) held(id string) osbtest.Instance { return s.Holds().Instances[id] }

// bodyOf is what a request said.
func bodyOf(c osbtest.Call) map[string]any {
	GinkgoHelper()
	body := map[string]any{}
	Expect(json.Unmarshal(c.Body, &body)).To(Succeed())
	return body
}

// bePresent matches the status of an instance that the broker has as the spec says.
func bePresent(si *v1beta1.ServiceInstance) OmegaMatcher {
	return SatisfyAll(
		HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Status", v1beta1.ConditionTrue)))),
		WithTransform(func(s v1beta1.ServiceInstanceStatus) bool {
			return s.ReconciledGeneration == si.Generation && s.ObservedGeneration == si.Generation && s.CurrentOperation == ""
		}, BeTrue()))
}

// conditions are a status's as "Type=Status/Reason".
func conditions(list []v1beta1.Condition) []string {
	var words []string
	for _, c := range list {
		words = append(words, c.Type+"="+string(c.Status)+"/"+c.Reason)
	}
	return words
}

// settled are the conditions of something that is ready for this reason.
func settled(reason string) []string {
	return []string{"Reconciling=False/" + reason, "Stalled=False/" + reason, "Ready=True/" + reason}
}

func parameters(text string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = &runtime.RawExtension{Raw: []byte(text)} }
}

// parametersFrom are those in the key "json" of a Secret.
func parametersFrom(secret string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		si.Spec.ParametersFrom = append(si.Spec.ParametersFrom, v1beta1.ParametersFromSource{SecretKeyRef: &v1beta1.SecretKeyReference{Name: secret, Key: "json"}})
	}
}

func annotated(key, value string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		if si.Annotations == nil {
			si.Annotations = map[string]string{}
		}
		si.Annotations[key] = value
	}
}

func withID(id string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) { si.Spec.ExternalID = id }
}

func touch(si *v1beta1.ServiceInstance) { si.Spec.UpdateRequests++ }

// impersonating is a client of a user who may do everything.
func impersonating(user rest.ImpersonationConfig) client.Client {
	GinkgoHelper()
	config := rest.CopyConfig(cluster.Config)
	user.Groups = append([]string{"system:masters"}, user.Groups...)
	config.Impersonate = user
	as, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return as
}

var _ = Describe("An instance", func() {
	describeInstance(clusterWide)
	describeInstance(namespaced)
})

// describeInstance has what is the same in both scopes.
func describeInstance(k kinds) {
	Describe("of a "+k.class, func() {
		// conformance: P03 P04 P05 P07 P08 I05 D02
		It("is provisioned at once, and deprovisioned", func(ctx SpecContext) {
			s := newSite(ctx, k, osbtest.Options{})
			si := s.provisioned(ctx, "db", parameters(`{"location":"eastus","size":1.50,"big":9007199254740993}`))
			id := si.Spec.ExternalID
			Expect(id).NotTo(BeEmpty())
			Expect(si.Generation).To(Equal(int64(1)), "nothing of ours is written into the spec")
			Expect(si.Finalizers).To(Equal([]string{v1beta1.Finalizer}))

			status := si.Status
			Expect(conditions(status.Conditions)).To(Equal(settled("ProvisionedSuccessfully")))
			Expect(status.LastConditionState).To(Equal("Ready"))
			Expect(status.ProvisionStatus).To(Equal(v1beta1.Provisioned))
			Expect(status.DeprovisionStatus).To(Equal(v1beta1.DeprovisionRequired))
			Expect(status.ReconciledGeneration).To(Equal(int64(1)))
			Expect(status.ObservedGeneration).To(Equal(int64(1)))
			Expect(*status.DashboardURL).To(Equal("https://dashboard.example.com/" + id))
			Expect(status.Broker).To(HaveValue(Equal(v1beta1.BrokerReference{Kind: k.broker, Name: s.object.GetName(), ServiceID: s.atOnce.ID})))
			Expect(heldPlan(status.ExternalProperties)).To(Equal(s.atOnce.Plans[0].ID))
			Expect(status.ExternalProperties.Parameters.Raw).To(MatchJSON(`{"location":"eastus","size":1.50,"big":9007199254740993}`))
			Expect(status.UserSpecifiedClassName).To(Equal(k.class + "/" + s.atOnce.Name))
			Expect(status.UserSpecifiedPlanName).To(Equal("small"))

			put := s.about(id)[0]
			Expect(put.Query).To(HaveKeyWithValue("accepts_incomplete", []string{"true"}))
			Expect(put.Identity).To(HaveField("Username", "admin"))
			Expect(string(put.Body)).To(ContainSubstring(`"big":9007199254740993`), "no digit is lost")
			var namespace corev1.Namespace
			Expect(k8s.Get(ctx, client.ObjectKey{Name: s.namespace}, &namespace)).To(Succeed())
			var config corev1.ConfigMap
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: "cluster-info"}, &config)).To(Succeed())
			Expect(bodyOf(put)).To(SatisfyAll(
				HaveKeyWithValue("service_id", s.atOnce.ID), HaveKeyWithValue("plan_id", s.atOnce.Plans[0].ID),
				HaveKeyWithValue("organization_guid", config.Data["id"]), HaveKeyWithValue("space_guid", string(namespace.UID)),
				HaveKeyWithValue("context", map[string]any{"platform": "kubernetes", "namespace": s.namespace, "clusterid": config.Data["id"], "instance_name": "db"})))

			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
			remove := s.about(id)[1]
			Expect(remove.Query).To(SatisfyAll(HaveKeyWithValue("service_id", []string{s.atOnce.ID}), HaveKeyWithValue("plan_id", []string{s.atOnce.Plans[0].ID}),
				HaveKeyWithValue("accepts_incomplete", []string{"true"})))
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
			Expect(eventsAbout(ctx, si)()).To(BeEmpty(), "all went as asked")
		})

		// conformance: P16 P09 D06 L01 L02 L03 L04 L05 L15
		It("is provisioned, changed and deprovisioned in the broker's own time", func(ctx SpecContext) {
			s := newSite(ctx, k, osbtest.Options{}, never)
			si := s.slowInstance(ctx, "db")
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("AsyncOpInProgress", true), saying("asynchronously (working on it, poll "),
				HaveField("LastOperation", HaveValue(HavePrefix("ProvisionInstance "))), HaveField("DashboardURL", Not(BeNil())),
				HaveField("CurrentOperation", v1beta1.OperationProvision), HaveField("LastConditionState", "Provisioning")))
			Expect(conditions(si.Status.Conditions)).To(Equal([]string{"Reconciling=True/Provisioning", "Stalled=False/Provisioning", "Ready=False/Provisioning"}))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(si.Status.LastOperation).To(BeNil())

			former, next := s.inTime.Plans[0], s.inTime.Plans[1]
			update(ctx, si, s.setPlan(next.Name))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "UpdatingInstance"), HaveField("CurrentOperation", v1beta1.OperationUpdate)))
			Expect(heldPlan(si.Status.ExternalProperties)).To(Equal(former.ID), "until the broker says otherwise")
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(conditions(si.Status.Conditions)).To(Equal(settled("InstanceUpdatedSuccessfully")))
			Expect(heldPlan(si.Status.ExternalProperties)).To(Equal(next.ID))

			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Deprovisioning"), HaveField("CurrentOperation", v1beta1.OperationDeprovision)))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance", "UpdateInstance", "DeprovisionInstance"}))
			for _, change := range s.about(id, osb.ProvisionInstance, osb.UpdateInstance, osb.DeprovisionInstance) {
				Expect(change.Query).To(HaveKeyWithValue("accepts_incomplete", []string{"true"}), "else such a broker says AsyncRequired")
			}
			var plans []string
			for _, poll := range s.about(id, osb.PollLastOperation) {
				Expect(poll.Query).To(SatisfyAll(HaveKeyWithValue("service_id", []string{s.inTime.ID}), HaveKey("operation")))
				plans = append(plans, poll.Query.Get("plan_id"))
			}
			Expect(slices.Compact(plans)).To(Equal([]string{former.ID, next.ID}), "each operation is polled for with the plan before it")
			Eventually(eventsAbout(ctx, si)).Should(ConsistOf(HavePrefix("Normal Provisioning: "), HavePrefix("Normal ProvisionedSuccessfully: "), HavePrefix("Normal UpdatingInstance: "),
				HavePrefix("Normal InstanceUpdatedSuccessfully: "), HavePrefix("Normal Deprovisioning: "), HavePrefix("Normal DeprovisionedSuccessfully: ")))
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: U01 U02 U04 U05 U06 U07 U08
		It("is changed as the spec is, and the broker hears of nothing else", func(ctx SpecContext) {
			s := newSite(ctx, k, osbtest.Options{}, func(services []osbtest.Service) { services[0].Plans[1].PlanUpdateable = new(false) })
			si := s.provisioned(ctx, "db", parameters(`{"a":1}`))
			id, dashboard := si.Spec.ExternalID, *si.Status.DashboardURL
			change := func(edit func(*v1beta1.ServiceInstance)) map[string]any {
				GinkgoHelper()
				before := len(s.about(id))
				update(ctx, si, edit)
				Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
				Expect(s.about(id)).To(HaveLen(before + 1))
				body := bodyOf(s.about(id)[before])
				Expect(body).To(HaveKeyWithValue("service_id", s.atOnce.ID))
				delete(body, "service_id")
				delete(body, "context")
				return body
			}
			small, large := s.atOnce.Plans[0], s.atOnce.Plans[1]
			previous := func(plan string) map[string]any { return map[string]any{"plan_id": plan} }
			Expect(change(parameters(`{"a":2,"b":{"c":[]}}`))).To(Equal(map[string]any{
				"parameters": map[string]any{"a": 2.0, "b": map[string]any{"c": []any{}}}, "previous_values": previous(small.ID)}))
			Expect(change(s.setPlan(large.Name))).To(Equal(map[string]any{"plan_id": large.ID, "previous_values": previous(small.ID)}))
			Expect(heldPlan(si.Status.ExternalProperties)).To(Equal(large.ID))
			Expect(change(touch)).To(Equal(map[string]any{"previous_values": previous(large.ID)}))
			Expect(change(func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = nil })).To(Equal(map[string]any{
				"parameters": map[string]any{}, "previous_values": previous(large.ID)}), "all were removed")
			Expect(si.Status.ExternalProperties.ParameterChecksum).To(BeEmpty())
			Expect(s.held(id)).To(SatisfyAll(HaveField("PlanID", large.ID), HaveField("Parameters", MatchJSON(`{}`))))
			Expect(*si.Status.DashboardURL).To(Equal(dashboard))

			By("refusing what the present plan does not permit")
			err := k8s.Get(ctx, client.ObjectKeyFromObject(si), si)
			Expect(err).NotTo(HaveOccurred())
			s.setPlan(small.Name)(si)
			Expect(k8s.Update(ctx, si)).To(MatchError(ContainSubstring("cannot change their plan")))
			Expect(change(parameters(`{"a":3}`))).To(HaveKey("parameters"))

			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Violations()).To(BeEmpty())
		})

		It("gets parameters from Secrets, and others when these change", func(ctx SpecContext) {
			s := newSite(ctx, k, osbtest.Options{})
			secret := newSecret(ctx, s.namespace, "params", "json", `{"password":"open-sesame","port":3306}`)
			si := s.provisioned(ctx, "db", parameters(`{"a":1}`), parametersFrom("params"))
			id := si.Spec.ExternalID
			Expect(s.held(id).Parameters).To(MatchJSON(`{"a":1,"password":"open-sesame","port":3306}`))
			Expect(si.Status.ExternalProperties.Parameters.Raw).To(MatchJSON(`{"a":1,"password":"<redacted>","port":"<redacted>"}`))

			By("changing nothing that matters")
			start, generation := now(), si.Generation
			update(ctx, secret, func(secret *corev1.Secret) { secret.Labels = map[string]string{"a": "b"} })
			Eventually(func() []string { return requestsFor(start, s.namespace, []string{"db"}, "serviceinstances") }).Should(Equal([]string{"patch serviceinstances/status"}), "the new version is on record")
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance"}))

			By("changing a value")
			update(ctx, secret, func(secret *corev1.Secret) { secret.Data["json"] = []byte(`{"password":"another","port":3306}`) })
			Eventually(s.sent(id)).Should(Equal([]string{"ProvisionInstance", "UpdateInstance"}))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(bePresent(si), haveCondition("Ready", "True", "InstanceUpdatedSuccessfully")))
			Expect(s.held(id).Parameters).To(MatchJSON(`{"a":1,"password":"another","port":3306}`))
			Expect(si.Generation).To(Equal(generation))

			By("making a mess of it")
			update(ctx, secret, func(secret *corev1.Secret) { secret.Data["json"] = []byte(`{"a":2}`) })
			update(ctx, si, touch)
			Eventually(instanceStatus(ctx, si)).Should(stalled("ErrorWithParameters", `the parameter "a", which is also in`))
			update(ctx, secret, func(secret *corev1.Secret) { secret.Data["json"] = []byte(`{}`) })
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(s.held(id).Parameters).To(MatchJSON(`{"a":1}`))

			By("losing the Secret before the instance")
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Violations()).To(BeEmpty())
		})

		It("is accepted though nobody offers it, and provisioned once somebody does", func(ctx SpecContext) {
			s := offlineSite(ctx, k, osbtest.Options{})
			si := s.instance(ctx, "db")
			Eventually(instanceStatus(ctx, si)).Should(waiting("ReferencesNonexistentServiceClass", s.atOnce.Name))
			Expect(si.Status.DeprovisionStatus).To(Equal(v1beta1.DeprovisionNotRequired))
			registerBroker(ctx, k, s.namespace, s.Broker)
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(si.Labels).NotTo(BeEmpty())
			Expect(si.Spec.UserInfo).To(HaveField("Username", "admin"), "who asked, and not who wrote the references")
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})
	})
}

// What follows does not depend on the scope.
var _ = Describe("An instance", func() {
	unsure := func(status int, body string) osbtest.Fault {
		return osbtest.Fault{On: osb.ProvisionInstance, Acts: true, Answer: osbtest.Status(status, body)}
	}

	Describe("that the broker refuses to provision", func() {
		// conformance: P12 O07
		It("is not asked for again until the spec changes, and costs nothing to delete", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			lift := s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Answer: osbtest.Error(http.StatusBadRequest, "", "the \x1b[31mregion\x00 is\nnot known "+strings.Repeat("x", 5000))})
			si, other := s.instance(ctx, "db", parameters(`{"region":"nowhere"}`)), s.instance(ctx, "other")
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Failed"), saying("increase spec.updateRequests to repeat it unchanged")))
			Expect(conditions(si.Status.Conditions)).To(Equal([]string{"Reconciling=False/ProvisionCallFailed", "Stalled=True/ProvisionCallFailed",
				"Ready=False/ProvisionCallFailed", "Failed=True/ClusterServiceBrokerReturnedFailure"}))
			for _, c := range si.Status.Conditions[1:] { // what does not go on has nothing to say
				Expect(c.Message).To(And(HavePrefix("Provision call failed: HTTP 400: the "), ContainSubstring("region"), ContainSubstring("not known xxxx"), Not(ContainSubstring("\x1b")), Not(ContainSubstring("\x00"))))
				Expect(len(c.Message)).To(BeNumerically("<", 1500))
			}
			Expect(si.Status.DeprovisionStatus).To(Equal(v1beta1.DeprovisionNotRequired))
			Eventually(eventsAbout(ctx, si)).Should(ContainElement(ContainSubstring("Warning ProvisionCallFailed: Provision call failed: HTTP 400")))

			lift()
			update(ctx, si, parameters(`{"region":"here"}`))
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance"}))
			Expect(conditions(si.Status.Conditions)).To(Equal(settled("ProvisionedSuccessfully")))
			Eventually(eventsAbout(ctx, si)).Should(ConsistOf(HavePrefix("Warning ProvisionCallFailed: "), HavePrefix("Normal ProvisionedSuccessfully: ")), "it is over")

			Eventually(instanceStatus(ctx, other)).Should(HaveField("LastConditionState", "Failed"))
			Expect(k8s.Delete(ctx, other)).To(Succeed())
			Eventually(gone(ctx, other)).Should(Succeed())
			Expect(s.sent(other.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
		})

		// conformance: T13 T14 P10 O11 P15
		It("is asked for again where it may only be a matter of time, and nothing is removed", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			answers := map[string]osbtest.Answer{
				"401": osbtest.Error(http.StatusUnauthorized, "", "who are you"), "408": osbtest.Error(http.StatusRequestTimeout, "", "too slow"),
				"429":  osbtest.Error(http.StatusTooManyRequests, "", "too many", "Retry-After", "2"),
				"busy": osbtest.Error(http.StatusUnprocessableEntity, "ConcurrencyError", "busy"),
			}
			waiting := map[string]*v1beta1.ServiceInstance{}
			for name, answer := range answers {
				name := "i" + name
				s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Answer: answer,
					Match: func(c osbtest.Call) bool { return strings.Contains(string(c.Body), `"instance_name":"`+name+`"`) }})
				waiting[name] = s.instance(ctx, name)
			}
			for _, si := range waiting {
				Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
				Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance"}))
				Expect(s.about(si.Spec.ExternalID)[0].Body).To(Equal(s.about(si.Spec.ExternalID)[1].Body))
				Eventually(eventsAbout(ctx, si)).Should(ContainElement(ContainSubstring("Warning ProvisionCallFailed")))
			}
			By("saying that the version is not right")
			lift := s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Answer: osbtest.Error(http.StatusPreconditionFailed, "", "use 3.0")})
			old := s.instance(ctx, "old")
			Eventually(instanceStatus(ctx, old)).Should(saying("the broker refuses version 2.17 of the API: use 3.0"))
			lift()
			Eventually(instanceStatus(ctx, old)).Should(bePresent(old))
			Expect(s.Counts()[osb.DeprovisionInstance]).To(BeZero())
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: T14
		It("is asked for in another version where the broker takes the former one no more, as its bindings are", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			s.Change(func(o *osbtest.Options) { o.Versions = []string{"2.16"} })
			si := s.provisioned(ctx, "db")
			s.Change(func(o *osbtest.Options) { o.Versions = []string{"2.15"} })
			s.bound(ctx, "access", si.Name)
			s.Change(func(o *osbtest.Options) { o.Versions = []string{"2.14"} })
			update(ctx, si, s.setPlan("large"))
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(s.held(si.Spec.ExternalID).PlanID).To(Equal(s.atOnce.Plans[1].ID))
			Eventually(brokerStatus(ctx, s.object)).Should(HaveField("APIVersion", "2.14"))
		})

		It("waits for a broker that is down, and says how long it has tried", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			s.Close()
			si := s.instance(ctx, "db")
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorCallingProvision"),
				haveCondition("Reconciling", "True", "ErrorCallingProvision"), saying("attempt 2 failed, the next is at ")))
			Expect(si.Status.DeprovisionStatus).To(Equal(v1beta1.DeprovisionNotRequired), "nothing has arrived")
			Expect(s.Listen()).To(Succeed())
			DeferCleanup(s.Close)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(bePresent(si), HaveField("Attempts", BeNil())))
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})
	})

	Describe("at a broker that fails at all it is asked for", func() {
		It("is asked for although many are asked for again, and with them once it does better", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			lift := s.Inject(osbtest.Fault{Answer: osbtest.Error(500, "", "out of order")})
			instances := make([]*v1beta1.ServiceInstance, 200) // whose retries take longer than they wait in silence
			inParallel(len(instances), func(i int) { instances[i] = s.instance(ctx, fmt.Sprint("db", i)) })
			Eventually(func() (all []v1beta1.ServiceInstanceStatus, err error) {
				var list v1beta1.ServiceInstanceList
				err = k8s.List(ctx, &list, client.InNamespace(s.namespace))
				for i := range list.Items {
					all = append(all, list.Items[i].Status)
				}
				return all, err
			}).WithTimeout(time.Minute).Should(ContainElement(SatisfyAll(haveCondition("Ready", "False", "Queued"), saying("keep failing"))))
			latest := s.instance(ctx, "latest")
			Eventually(func() int { return s.History(latest.Spec.ExternalID).Puts }).Should(BeNumerically(">", 0))
			lift()
			for _, si := range append(instances, latest) {
				Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
				Expect(s.History(idOf(si)).Creations).To(Equal(1))
			}
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	Describe("of which it is not known what came of its provisioning", func() {
		// conformance: P18
		It("is asked for again by the same request, and that is all", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			faults := map[string]osbtest.Fault{
				"e500": unsure(500, `{"description":"oops"}`), "e204": unsure(204, ""), "cut201": unsure(201, "{"), "cut202": unsure(202, "["), "cut200": unsure(200, `{"dashboard_url":7}`),
				"dropped": {On: osb.ProvisionInstance, Acts: true, Answer: osbtest.Drop},
			}
			unsure := map[string]*v1beta1.ServiceInstance{}
			for name, fault := range faults {
				fault.Times, fault.Match = 1, isAbout(name)
				s.Inject(fault)
				unsure[name] = s.instance(ctx, name)
			}
			for name, si := range unsure {
				Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
				Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance"}), name)
				puts := s.about(si.Spec.ExternalID)
				Expect(puts[1].Body).To(Equal(puts[0].Body))
				Expect(s.History(si.Spec.ExternalID).Creations).To(Equal(1))
				Expect(k8s.Delete(ctx, si)).To(Succeed())
				Eventually(gone(ctx, si)).Should(Succeed())
			}
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: O06
		It("is never removed for a 200 that cannot be read, however often", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Acts: true, Times: 2, Answer: osbtest.Status(200, `{"dashboard_url":7}`)})
			si := s.instance(ctx, "db")
			Eventually(hurried(ctx, si)).Should(bePresent(si))
			Expect(s.sent(si.Spec.ExternalID)()).To(SatisfyAll(HaveLen(2+1), HaveEach("ProvisionInstance")))
			Expect(s.History(si.Spec.ExternalID).Creations).To(Equal(1))
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: O01 O02 O03 O04 O10 I02
		It("F-S5: is removed after a few times, and asked for anew under a new id", func(ctx SpecContext) {
			s, picky := newSite(ctx, namespaced, osbtest.Options{}), newSite(ctx, namespaced, osbtest.Options{RefusesReuse: http.StatusConflict})
			picky.Inject(osbtest.Fault{On: osb.ProvisionInstance, Acts: true, Times: 4, Answer: osbtest.Error(500, "", "oops")})
			refused := picky.instance(ctx, "db")
			faults := map[string]osbtest.Fault{
				"e500": unsure(500, ""), "e204": unsure(204, ""), "cut201": unsure(201, "{"), "cut202": unsure(202, "["),
				"dropped": {On: osb.ProvisionInstance, Acts: true, Answer: osbtest.Drop},
			}
			unsure := map[string]*v1beta1.ServiceInstance{}
			for name, fault := range faults {
				fault.Times, fault.Match = 4, isAbout(name)
				s.Inject(fault)
				unsure[name] = s.instance(ctx, name)
				s.Inject(osbtest.Fault{On: osb.DeprovisionInstance, ID: unsure[name].Spec.ExternalID, Times: 1, Answer: osbtest.Error(500, "", "not now")})
			}
			seen := unsure["e500"]
			Eventually(hurried(ctx, seen)).Should(SatisfyAll(HaveField("OrphanMitigationInProgress", true), haveCondition("Ready", "Unknown", "DeprovisionCallFailed"),
				haveCondition("OrphanMitigation", "True", "StartingInstanceOrphanMitigation"), saying("What may have been left at the broker is being removed: Deprovision call failed: HTTP 500")))
			for name, si := range unsure {
				Eventually(hurried(ctx, si)).Should(bePresent(si))
				Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance", "ProvisionInstance", "ProvisionInstance",
					"DeprovisionInstance", "DeprovisionInstance"}), name)
				Expect(s.sent(si.Status.ExternalID)()).To(Equal([]string{"ProvisionInstance"}), name)
				for _, c := range s.about(si.Spec.ExternalID, osb.DeprovisionInstance) {
					Expect(c.Identity).To(BeNil(), "nobody has asked for that")
				}
				Expect(s.History(si.Spec.ExternalID)).To(SatisfyAll(HaveField("Creations", 1), HaveField("Removals", 1)))
			}
			Expect(s.Violations()).To(BeEmpty())

			By("asking no broker to make anew what it has removed, which some refuse")
			Eventually(hurried(ctx, refused)).Should(bePresent(refused))
			Expect(picky.Holds().Instances).To(SatisfyAll(HaveLen(1), HaveKey(refused.Status.ExternalID)))
			Expect(kubectl(ctx, "", "get", "serviceinstance", refused.Name, "-n", refused.Namespace, "-o", "wide")).To(And(ContainSubstring(refused.Spec.ExternalID), ContainSubstring(refused.Status.ExternalID)))
			Expect(k8s.Delete(ctx, refused)).To(Succeed())
			Eventually(gone(ctx, refused)).Should(Succeed())
			Expect(picky.Holds().Instances).To(BeEmpty())
		})

		It("F-JS4: is provisioned anew seldom in the end, or as soon as the spec changes", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			lift := s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Answer: osbtest.Error(500, "", "oops")})
			si := s.instance(ctx, "db")
			thrice := func(a *v1beta1.Attempts) bool { return a.Removals >= 3 }
			Eventually(hurried(ctx, si, thrice)).Should(SatisfyAll(haveCondition("Failed", "True", "ErrorReconciliationRetryTimeout"), haveCondition("Stalled", "True", "OrphanMitigationSuccessful"), saying("oops"),
				HaveField("Attempts.Removals", int32(3)), HaveField("DeprovisionStatus", v1beta1.DeprovisionSucceeded)))
			Expect(instanceStatus(ctx, si)()).To(HaveField("Attempts.NextTime.Time", BeTemporally("~", time.Now().Add(time.Hour), 20*time.Minute)))
			Expect(s.Counts()).To(SatisfyAll(HaveKeyWithValue(osb.ProvisionInstance, 3*4), HaveKeyWithValue(osb.DeprovisionInstance, 3)), "three times four times, and a removal each")
			lift()
			update(ctx, si, touch)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(bePresent(si), HaveField("Attempts", BeNil())))
			Expect(s.Counts()).To(SatisfyAll(HaveKeyWithValue(osb.ProvisionInstance, 3*4+1), HaveKeyWithValue(osb.DeprovisionInstance, 3)))
		})

		// conformance: O12
		It("is left as it is where its owner says so", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Failure: &osbtest.Failure{Description: "no more room"}})
			si := s.slowInstance(ctx, "db", annotated(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Failed"), saying("no more room")))
			Expect(s.held(si.Spec.ExternalID).State).To(Equal(osbtest.Remains), "there is something to look into")
			update(ctx, si, func(si *v1beta1.ServiceInstance) { delete(si.Annotations, v1beta1.DeletionPolicyAnnotation) })
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
			Expect(s.Holds().Instances).To(BeEmpty())
		})

		// conformance: O05 O15
		It("is removed when the broker has failed in its own time, and provisioned anew", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[1].Behavior.Polls = 0 })
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 2, Failure: &osbtest.Failure{Description: "no more room"}})
			si, deleted := s.slowInstance(ctx, "db"), s.slowInstance(ctx, "deleted")
			Eventually(instanceStatus(ctx, deleted)).Should(HaveField("OrphanMitigationInProgress", true))
			Expect(conditions(deleted.Status.Conditions)).To(Equal([]string{"Reconciling=True/" + deleted.Status.Conditions[2].Reason, "Stalled=False/" + deleted.Status.Conditions[2].Reason,
				"Ready=False/" + deleted.Status.Conditions[2].Reason, "OrphanMitigation=True/ProvisionCallFailed"}))
			Expect(deleted.Status.Attempts.LastError).To(ContainSubstring("no more room"))
			Expect(k8s.Delete(ctx, deleted)).To(Succeed())
			Eventually(gone(ctx, deleted)).Should(Succeed())

			Eventually(hurried(ctx, si)).Should(bePresent(si))
			Expect(s.History(si.Spec.ExternalID).Removals).To(BeNumerically("<=", 1))
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	Describe("while the broker works on it", func() {
		// conformance: I06 I08
		It("can be changed, which is done afterwards and in the name of who wrote last", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{}, never)
			si := s.slowInstance(ctx, "db", parameters(`{"a":1}`))
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
			changed := func(name, text string, user rest.ImpersonationConfig) {
				GinkgoHelper()
				user.UserName, user.UID = name, "uid-"+name
				as := impersonating(user)
				Eventually(func() error { // the operator may write to it at the same time
					if err := as.Get(ctx, client.ObjectKeyFromObject(si), si); err != nil {
						return err
					}
					parameters(text)(si)
					return as.Update(ctx, si)
				}).Should(Succeed())
			}
			changed("alice", `{"a":2}`, rest.ImpersonationConfig{})
			changed("bob", `{"a":3}`, rest.ImpersonationConfig{Groups: []string{"team"}, Extra: map[string][]string{"scopes": {"x"}}})
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Answer: osbtest.Error(500, "", "oops")})
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(func() bool { return s.Finish(id, nil) }).Should(BeTrue(), "the update is accepted")
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance", "UpdateInstance", "UpdateInstance"}))
			Expect(s.held(id).Parameters).To(MatchJSON(`{"a":3}`))
			calls := s.about(id, osb.ProvisionInstance, osb.UpdateInstance)
			Expect(calls[0].Identity.Username).To(Equal("admin"))
			for _, c := range calls[1:] {
				Expect(c.Identity).To(HaveValue(Equal(osb.Identity{Username: "bob", UID: "uid-bob", Groups: []string{"system:masters", "team", "system:authenticated"}, Extra: map[string][]string{"scopes": {"x"}}})))
			}
			Expect(si.Spec.UserInfo.Username).To(Equal("bob"))
			changed("alice", `{"a":4}`, rest.ImpersonationConfig{})
			Eventually(s.sent(id)).Should(HaveLen(4))
			Expect(s.about(id, osb.UpdateInstance)[2].Identity).To(HaveField("Username", "alice"))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(s.sent(id)).Should(HaveLen(5))
		})

		// conformance: D10
		It("can be deleted, which is acted on at once", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{}, never)
			si := s.slowInstance(ctx, "db")
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "False", "Deprovisioning"), saying("to let go and leave everything at the broker as it is, annotate the object")))
			Expect(s.held(id).State).To(Equal(osbtest.Removing))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.sent(id)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: D07
		It("can be deleted, and waits where the broker first ends what it has begun", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{Blocking: true}, never)
			si := s.slowInstance(ctx, "db")
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			update(ctx, si, s.setPlan(s.inTime.Plans[1].Name))
			Eventually(instanceStatus(ctx, si)).Should(HaveField("LastConditionState", "UpdatingInstance"))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(s.sent(id)).Should(ContainElement("DeprovisionInstance"))
			polls := len(s.about(id, osb.PollLastOperation))
			Eventually(func() int { return len(s.about(id, osb.PollLastOperation)) }).Should(BeNumerically(">", polls), "how far the change is decides about the plan")
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "False", "UpdatingInstance"), saying("is being updated asynchronously"), saying("to let go")))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(func() bool { return s.Finish(id, nil) }).Should(BeTrue(), "the removal is accepted")
			Eventually(gone(ctx, si)).Should(Succeed())
			removals := s.about(id, osb.DeprovisionInstance)
			Expect(removals[len(removals)-1].Query.Get("plan_id")).To(Equal(s.inTime.Plans[1].ID))
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: L09 L10 P17
		It("is asked for when the broker wishes, and else ever more seldom", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{}, never, func(services []osbtest.Service) { services[1].Behavior.Nameless = true })
			plain, asked := s.slowInstance(ctx, "plain"), s.slowInstance(ctx, "asked")
			s.Inject(osbtest.Fault{On: osb.PollLastOperation, ID: asked.Spec.ExternalID, Answer: osbtest.InOrder(
				osbtest.Status(200, `{"state":"in progress"}`, "Retry-After", "3"),
				func(w http.ResponseWriter, r *http.Request, c osbtest.Call) {
					osbtest.Status(200, `{"state":"in progress"}`, "Retry-After", time.Now().Add(4*time.Second).UTC().Format(http.TimeFormat))(w, r, c)
				},
				osbtest.Status(200, `{"state":"succeeded"}`))})
			Eventually(instanceStatus(ctx, asked)).Should(bePresent(asked))
			gaps := gapsBetween(s.about(asked.Spec.ExternalID, osb.PollLastOperation))
			Expect(gaps).To(HaveLen(2))
			Expect(gaps[0]).To(BeNumerically(">=", 3*time.Second))
			Expect(gaps[1]).To(BeNumerically(">=", 3*time.Second), "the date has whole seconds")
			polls := s.about(plain.Spec.ExternalID, osb.PollLastOperation)
			for _, poll := range polls {
				Expect(poll.Query).NotTo(HaveKey("operation"))
			}
			gaps = gapsBetween(polls)
			Expect(len(gaps)).To(BeNumerically(">=", 3))
			for i, gap := range gaps {
				running := polls[i].At.Sub(polls[0].At) // at least
				Expect(gap).To(BeNumerically(">=", max(running/4, time.Second)*9/10), "poll %d", i)
			}
			s.Finish(plain.Spec.ExternalID, nil)
			Eventually(instanceStatus(ctx, plain)).Should(bePresent(plain))
		})

		// conformance: L06 L07 L08
		It("is asked for again whatever is wrong with an answer", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[1].Behavior.Forgetful = true })
			wrong := []osbtest.Answer{osbtest.Error(500, "", "oops"), osbtest.Status(502, "<html>"), osbtest.Error(410, "", "gone"), osbtest.Error(404, "", "not found"),
				osbtest.Status(200, "{"), osbtest.Status(200, `{"state":"almost"}`), osbtest.Error(400, "", "what?")}
			waiting := make([]*v1beta1.ServiceInstance, len(wrong))
			for i, answer := range wrong {
				waiting[i] = s.slowInstance(ctx, "db"+string(rune('a'+i)))
				s.Inject(osbtest.Fault{On: osb.PollLastOperation, ID: waiting[i].Spec.ExternalID, Times: 1, Answer: answer})
			}
			for _, si := range waiting {
				Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
				Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
				Eventually(eventsAbout(ctx, si)).Should(ContainElement(ContainSubstring("Warning ErrorPollingLastOperation")))
			}
			for _, si := range waiting {
				Expect(k8s.Delete(ctx, si)).To(Succeed())
			}
			for _, si := range waiting { // of what is gone, such a broker says 410
				Eventually(gone(ctx, si)).Should(Succeed())
				Expect(s.sent(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
			}
		})

		// conformance: L11 L14
		It("is given up when it takes longer than the plan says, and removed", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
				services[1].Plans[0].MaximumPollingDuration = 2
				services[1].Plans[0].Behavior = &osbtest.Behavior{Async: true, Never: true}
			})
			si := s.slowInstance(ctx, "db")
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(HaveField("OrphanMitigationInProgress", true))
			Expect(si.Status.Attempts.LastError).To(ContainSubstring("it was not finished within 2s"))

			By("asking anew for a removal that takes too long, but not all the time")
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "False", "Deprovisioning"))
			before := len(s.about(id, osb.DeprovisionInstance))
			Eventually(func() int { return len(s.about(id, osb.DeprovisionInstance)) }).Should(BeNumerically(">=", before+2))
			for _, gap := range gapsBetween(s.about(id, osb.DeprovisionInstance))[before:] {
				Expect(gap).To(BeNumerically(">=", time.Second))
			}
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(gone(ctx, si)).Should(Succeed())
		})
	})

	Describe("that the broker does not change", func() {
		// conformance: U09 U15 U12 U13 U14 U11 D12
		It("is as it was, and can be changed otherwise", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			si := s.provisioned(ctx, "db", parameters(`{"a":1}`))
			id, before := si.Spec.ExternalID, si.Status.ExternalProperties
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Answer: osbtest.Status(422, `{"description":"no","update_repeatable":false,"instance_usable":false}`)})
			update(ctx, si, func(si *v1beta1.ServiceInstance) { s.setPlan("large")(si); parameters(`{"a":2}`)(si) })
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Failed"), HaveField("Unusable", true), HaveField("CurrentOperation", BeEmpty())))
			Expect(conditions(si.Status.Conditions)).To(Equal([]string{"Reconciling=False/UpdateInstanceCallFailed", "Stalled=True/UpdateInstanceCallFailed", "Ready=False/UpdateInstanceCallFailed", "Failed=True/UpdateInstanceCallFailed"}))
			Expect(si.Status.ExternalProperties).To(Equal(before))
			Expect(si.Status.ProvisionStatus).To(Equal(v1beta1.Provisioned))

			By("not repeating what the broker does not want to see again")
			update(ctx, si, touch)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("ObservedGeneration", si.Generation), stalled("UpdateInstanceCallFailed", "said not to send it again: change plan or parameters")))
			Expect(s.about(id, osb.UpdateInstance)).To(HaveLen(1))

			By("changing it otherwise")
			update(ctx, si, parameters(`{"a":3}`))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(bePresent(si), HaveField("Unusable", false)))
			Expect(s.held(id)).To(SatisfyAll(HaveField("PlanID", s.atOnce.Plans[1].ID), HaveField("Parameters", MatchJSON(`{"a":3}`))))

			By("trying again where that may help")
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 4, Acts: true,
				Answer: osbtest.InOrder(osbtest.Error(500, "", "oops"), osbtest.Drop, osbtest.Status(204, ""), osbtest.Status(202, "["))})
			update(ctx, si, parameters(`{"a":4}`))
			Eventually(hurried(ctx, si)).Should(SatisfyAll(bePresent(si), HaveField("Attempts", BeNil())))
			Expect(s.held(id).Parameters).To(MatchJSON(`{"a":4}`))
			Expect(s.about(id, osb.UpdateInstance)).To(HaveLen(2 + 5))
			Expect(s.about(id, osb.DeprovisionInstance)).To(BeEmpty())

			By("removing it with the plan that it has")
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Answer: osbtest.Error(400, "", "no")})
			update(ctx, si, s.setPlan("small"))
			Eventually(instanceStatus(ctx, si)).Should(HaveField("LastConditionState", "Failed"))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(gone(ctx, si)).Should(Succeed())
			Expect(s.about(id, osb.DeprovisionInstance)[0].Query.Get("plan_id")).To(Equal(s.atOnce.Plans[1].ID))
			Expect(s.Violations()).To(BeEmpty())
		})

		It("in its own time is as it was", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{})
			si := s.slowInstance(ctx, "db", parameters(`{"a":1}`))
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			before := si.Status.ExternalProperties
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Failure: &osbtest.Failure{Description: "no more room", Unusable: true}})
			update(ctx, si, parameters(`{"a":2}`))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Failed", "True", "UpdateInstanceCallFailed"), HaveField("Unusable", true), saying("no more room")))
			Expect(si.Status.ExternalProperties).To(Equal(before))
			update(ctx, si, touch)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(bePresent(si), HaveField("Unusable", false)))
			Expect(s.held(si.Spec.ExternalID).Parameters).To(MatchJSON(`{"a":2}`))
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	Describe("of a plan with maintenance", func() {
		version := func(s *site, version string) {
			s.Change(func(o *osbtest.Options) {
				services := slices.Clone(o.Services)
				services[0].Plans = slices.Clone(services[0].Plans)
				services[0].Plans[0].MaintenanceInfo = &osbtest.MaintenanceInfo{Version: version}
				o.Services = services
			})
		}

		// conformance: P06 P11 U16 U17
		It("gets the version that the catalog has, when somebody asks", func(ctx SpecContext) {
			s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
				services[0].Plans[0].MaintenanceInfo = &osbtest.MaintenanceInfo{Version: "1.0.0"}
			})
			update(ctx, s.object, func(b v1beta1.Broker) { b.Common().RelistBehavior = v1beta1.RelistManual })
			Eventually(brokerStatus(ctx, s.object)).Should(beReady(s.object))
			// A catalog that was just read is not read again.
			readBefore := func() {
				GinkgoHelper()
				patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"lastCatalogRetrievalTime":"2001-01-01T00:00:00Z"}}`))
				Expect(k8s.Status().Patch(ctx, s.object, patch)).To(Succeed())
			}
			// Until the catalog is read, a request may be repeated.
			versions := func(calls []osbtest.Call) (inTurn []any) {
				GinkgoHelper()
				for _, c := range calls {
					info := bodyOf(c)["maintenance_info"].(map[string]any)
					inTurn = append(inTurn, info["version"])
				}
				return slices.Compact(inTurn)
			}
			readBefore()
			version(s, "2.0.0")
			si := s.provisioned(ctx, "db")
			id := si.Spec.ExternalID
			Expect(s.sent(id)()).To(HaveEach("ProvisionInstance"))
			Expect(versions(s.about(id))).To(Equal([]any{"1.0.0", "2.0.0"}), "the first one has told that the catalog has changed")
			Expect(s.held(id).MaintenanceVersion).To(Equal("2.0.0"))
			Expect(si.Status.ExternalProperties.MaintenanceVersion).To(Equal("2.0.0"))

			version(s, "3.0.0")
			update(ctx, s.object, func(b v1beta1.Broker) { b.Common().RelistRequests++ })
			Eventually(s.plans(ctx, s.object)).Should(HaveKeyWithValue(s.atOnce.Plans[0].ID, HaveField("Spec.MaintenanceInfo.Version", "3.0.0")))
			Eventually(brokerStatus(ctx, s.object)).Should(beReady(s.object))
			s.provisioned(ctx, "later") // and what came before that has been looked at
			Expect(s.sent(id)()).To(HaveEach("ProvisionInstance"), "nobody has asked for that")
			readBefore()
			version(s, "4.0.0")
			update(ctx, si, touch)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(bePresent(si), HaveField("ExternalProperties.MaintenanceVersion", "4.0.0")))
			calls := s.about(id, osb.UpdateInstance)
			Expect(versions(calls)).To(Equal([]any{"3.0.0", "4.0.0"}))
			Expect(bodyOf(calls[len(calls)-1])).To(SatisfyAll(Not(HaveKey("plan_id")), Not(HaveKey("parameters"))))
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	// conformance: U03
	It("has the broker told of its context by itself only where the broker takes that", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[1].AllowContextUpdates, services[1].Behavior = true, osbtest.Behavior{}
		})
		for i, si := range []*v1beta1.ServiceInstance{s.instance(ctx, "a"), s.slowInstance(ctx, "b")} {
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			update(ctx, si, touch)
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			_, has := bodyOf(s.about(si.Spec.ExternalID, osb.UpdateInstance)[0])["context"]
			Expect(has).To(Equal(i == 1))
		}
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: C15
	It("can be changed and removed though its plan is not offered any more", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		si := s.provisioned(ctx, "db")
		bindings := []*v1beta1.ServiceBinding{s.bound(ctx, "first", "db"), s.bound(ctx, "second", "db")}
		unbound := func() {
			GinkgoHelper()
			Expect(k8s.Delete(ctx, bindings[0])).To(Succeed())
			Eventually(gone(ctx, bindings[0])).Should(Succeed())
			Expect(s.History(bindings[0].Spec.ExternalID).Removals).To(Equal(1))
			bindings = bindings[1:]
		}
		s.Change(func(o *osbtest.Options) {
			services := slices.Clone(o.Services)
			services[0].Plans = services[0].Plans[1:]
			o.Services = services
		})
		update(ctx, s.object, func(b v1beta1.Broker) { b.Common().RelistRequests++ })
		Eventually(s.plans(ctx, s.object)).Should(haveRemoved[v1beta1.Plan](s.atOnce.Plans[0].ID))
		late := s.instance(ctx, "late")
		Eventually(instanceStatus(ctx, late)).Should(stalled("ReferencesDeletedServicePlan", "does not offer plan \"small\" any more"))
		Expect(k8s.Delete(ctx, late)).To(Succeed())
		Eventually(gone(ctx, late)).Should(Succeed())
		Expect(s.sent(late.Spec.ExternalID)()).To(BeEmpty())
		unbound()

		By("changing to a plan that is offered")
		update(ctx, si, s.setPlan("large"))
		Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
		Expect(s.held(si.Spec.ExternalID).PlanID).To(Equal(s.atOnce.Plans[1].ID))
		s.Change(func(o *osbtest.Options) { o.Services = o.Services[1:] })
		update(ctx, s.object, func(b v1beta1.Broker) { b.Common().RelistRequests++ })
		Eventually(s.classes(ctx, s.object)).Should(haveRemoved[v1beta1.Class](s.atOnce.Name))
		unbound()
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(gone(ctx, si)).Should(Succeed())
		Expect(s.Holds().Instances).To(BeEmpty())
	})

	// conformance: C03 C17
	It("can be of a plan with any name", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Name, services[1].Name = "A Database / with ümlauts", "a database / with ümlauts"
			services[0].Plans[0].Name = strings.Repeat("Größe 50/", 33)
			services[1].Behavior = osbtest.Behavior{}
		})
		upper, lower := s.provisioned(ctx, "upper"), s.slowInstance(ctx, "lower")
		Eventually(instanceStatus(ctx, lower)).Should(bePresent(lower))
		Expect(s.held(upper.Spec.ExternalID).ServiceID).To(Equal(s.atOnce.ID))
		Expect(s.held(lower.Spec.ExternalID).ServiceID).To(Equal(s.inTime.ID))
	})

	It("keeps its dashboard's address until there is another", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Acts: true, Answer: osbtest.Status(201, `{"dashboard_url":null}`)})
		si := s.provisioned(ctx, "db")
		Expect(si.Status.DashboardURL).To(BeNil())
		s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 2, Acts: true, Answer: osbtest.InOrder(osbtest.Status(200, `{"dashboard_url":"https://a.example.com/"}`), osbtest.Status(200, `{"dashboard_url":null}`))})
		for range 2 {
			update(ctx, si, touch)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(bePresent(si), HaveField("DashboardURL", HaveValue(Equal("https://a.example.com/")))))
		}
	})

	// conformance: I01
	It("names to the broker who asked for it, whatever we write", func(ctx SpecContext) {
		s := offlineSite(ctx, namespaced, osbtest.Options{})
		as := impersonating(rest.ImpersonationConfig{UserName: "alice", UID: "uid-alice", Extra: map[string][]string{"a.example.com/scopes": {"x", "y"}}})
		si := s.named("db", s.atOnce)
		si.Spec.UserInfo = &v1beta1.UserInfo{Username: "mallory"}
		Expect(as.Create(ctx, si)).To(Succeed())
		registerBroker(ctx, namespaced, s.namespace, s.Broker) // whereupon references are written into the spec
		Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
		Expect(si.Generation).To(BeNumerically(">", 1))
		touch(si)
		Expect(as.Update(ctx, si)).To(Succeed())
		Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
		b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "access"}}
		b.Spec.InstanceRef.Name = si.Name
		Expect(as.Create(ctx, b)).To(Succeed())
		Eventually(bindingOf(ctx, b)).Should(beBound(b))
		for _, o := range []client.Object{b, si} { // who deletes is not known
			Expect(k8s.Delete(ctx, o)).To(Succeed())
			Eventually(gone(ctx, o)).Should(Succeed())
		}
		for _, verb := range []osb.Operation{osb.ProvisionInstance, osb.UpdateInstance, osb.Bind, osb.Unbind, osb.DeprovisionInstance} {
			Expect(s.Calls(verb)).To(ConsistOf(HaveField("Identity", HaveValue(Equal(osb.Identity{Username: "alice", UID: "uid-alice",
				Groups: []string{"system:masters", "system:authenticated"}, Extra: map[string][]string{"a.example.com/scopes": {"x", "y"}}})))), string(verb))
		}
	})

	It("is what the samples ask for, and looks as it always has", func(ctx SpecContext) {
		services := []osbtest.Service{{ID: "class-1", Name: "azure-mysql", Description: "MySQL", Bindable: true, Plans: []osbtest.Plan{{ID: "plan-1-id", Name: "basic50", Description: "50 units"}}}}
		registerBroker(ctx, clusterWide, "", newBroker(osbtest.Options{Services: services}))
		repo, err := local.FindRepo()
		Expect(err).NotTo(HaveOccurred())
		manifest, err := os.ReadFile(filepath.Join(repo, "config", "samples", "servicecatalog_v1beta1_serviceinstance.yaml"))
		Expect(err).NotTo(HaveOccurred())
		si := &v1beta1.ServiceInstance{}
		Expect(yaml.UnmarshalStrict(manifest, si)).To(Succeed())
		Expect(kubectl(ctx, string(manifest), "apply", "-f", "-")).To(ContainSubstring("serviceinstance.servicecatalog.k8s.io/example-mysql-instance created"))
		DeferCleanup(func(ctx SpecContext) { abandonAll(ctx, si.Namespace) })
		Expect(kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=20s", "-n", si.Namespace, "serviceinstance", si.Name)).To(ContainSubstring("condition met"))
		Expect(kubectl(ctx, "", "get", "serviceinstances", "-n", si.Namespace)).To(MatchRegexp(
			`(?s)^NAME +CLASS +PLAN +STATUS +AGE\nexample-mysql-instance +ClusterServiceClass/azure-mysql +basic50 +Ready +\d+s`))
		Expect(kubectl(ctx, "", "get", "svcat", "-n", si.Namespace)).To(ContainSubstring("example-mysql-instance"))
		Expect(kubectl(ctx, string(manifest), "apply", "-f", "-")).To(ContainSubstring("unchanged"))
		Expect(kubectl(ctx, "", "delete", "--timeout=20s", "-n", si.Namespace, "serviceinstance", si.Name)).To(ContainSubstring("deleted"))
	})
})

// isAbout matches a provisioning of an instance of this name.
func isAbout(name string) func(osbtest.Call) bool {
	return func(c osbtest.Call) bool { return strings.Contains(string(c.Body), `"instance_name":"`+name+`"`) }
}

// gapsBetween is how far requests are apart.
func gapsBetween(calls []osbtest.Call) (gaps []time.Duration) {
	for i := 1; i < len(calls); i++ {
		gaps = append(gaps, calls[i].At.Sub(calls[i-1].At))
	}
	return gaps
}
