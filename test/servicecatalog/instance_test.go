// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

var _ = Describe("An instance", func() {
	describeInstance(clusterWide)
	describeInstance(namespaced)
})

// describeInstance has what is the same in both scopes.
func describeInstance(k kindSet) {
	Describe("of a "+k.class, func() {
		// conformance: P03 P04 P05 P07 P08 I05 D02
		It("is provisioned synchronously, and deprovisioned", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, k, osbtest.Options{})
			si := s.createReadyInstance(ctx, "db", setParameters(`{"location":"eastus","size":1.50,"big":9007199254740993}`))
			id := si.Spec.ExternalID
			Expect(id).NotTo(BeEmpty())
			Expect(si.Generation).To(Equal(int64(1)), "the operator writes nothing into the spec")
			Expect(si.Finalizers).To(Equal([]string{v1beta1.Finalizer}))

			status := si.Status
			Expect(describeConditions(status.Conditions)).To(Equal(readyConditions("ProvisionedSuccessfully")))
			Expect(status.LastConditionState).To(Equal("Ready"))
			Expect(status.ProvisionStatus).To(Equal(v1beta1.Provisioned))
			Expect(status.DeprovisionStatus).To(Equal(v1beta1.DeprovisionRequired))
			Expect(status.ReconciledGeneration).To(Equal(int64(1)))
			Expect(status.ObservedGeneration).To(Equal(int64(1)))
			Expect(*status.DashboardURL).To(Equal("https://dashboard.example.com/" + id))
			Expect(status.Broker).To(HaveValue(Equal(v1beta1.BrokerReference{Kind: k.broker, Name: s.object.GetName(), ServiceID: s.syncService.ID})))
			Expect(planAtBroker(status.ExternalProperties)).To(Equal(s.syncService.Plans[0].ID))
			Expect(status.ExternalProperties.Parameters.Raw).To(MatchJSON(`{"location":"eastus","size":1.50,"big":9007199254740993}`))
			Expect(status.UserSpecifiedClassName).To(Equal(k.class + "/" + s.syncService.Name))
			Expect(status.UserSpecifiedPlanName).To(Equal("small"))

			put := s.callsAbout(id)[0]
			Expect(put.Query).To(HaveKeyWithValue("accepts_incomplete", []string{"true"}))
			Expect(put.Identity).To(HaveField("Username", "admin"))
			Expect(string(put.Body)).To(ContainSubstring(`"big":9007199254740993`), "large numbers keep all digits")
			var namespace corev1.Namespace
			Expect(k8s.Get(ctx, client.ObjectKey{Name: s.namespace}, &namespace)).To(Succeed())
			var config corev1.ConfigMap
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: "cluster-info"}, &config)).To(Succeed())
			Expect(decodeBody(put)).To(SatisfyAll(
				HaveKeyWithValue("service_id", s.syncService.ID), HaveKeyWithValue("plan_id", s.syncService.Plans[0].ID),
				HaveKeyWithValue("organization_guid", config.Data["id"]), HaveKeyWithValue("space_guid", string(namespace.UID)),
				HaveKeyWithValue("context", map[string]any{"platform": "kubernetes", "namespace": s.namespace, "clusterid": config.Data["id"], "instance_name": "db"})))

			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
			remove := s.callsAbout(id)[1]
			Expect(remove.Query).To(SatisfyAll(HaveKeyWithValue("service_id", []string{s.syncService.ID}), HaveKeyWithValue("plan_id", []string{s.syncService.Plans[0].ID}),
				HaveKeyWithValue("accepts_incomplete", []string{"true"})))
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
			Eventually(readEvents(ctx, si)).Should(ConsistOf(fmt.Sprintf("Normal DeletedAtBroker: Deleted at the broker (ObjectDeleted): id %q at %s, last changed by %q", si.Spec.ExternalID, s.URL, si.Spec.UserInfo.Username)),
				"there are events only about problems and deletions")
			Expect(logs.String()).To(MatchRegexp(`Deleted at the broker.*"id":"%s","broker":"%s","user":"%s","rule":"ObjectDeleted"`, si.Spec.ExternalID, s.URL, si.Spec.UserInfo.Username))
		})

		// conformance: P16 P09 D06 L01 L02 L03 L04 L05 L15
		It("is provisioned, updated and deprovisioned asynchronously", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, k, osbtest.Options{}, neverFinish)
			si := s.createAsyncInstance(ctx, "db")
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("AsyncOpInProgress", true), haveReadyMessage("asynchronously (working on it, poll "),
				HaveField("LastOperation", HaveValue(HavePrefix("ProvisionInstance "))), HaveField("DashboardURL", Not(BeNil())),
				HaveField("CurrentOperation", v1beta1.OperationProvision), HaveField("LastConditionState", "Provisioning")))
			Expect(describeConditions(si.Status.Conditions)).To(Equal([]string{"Reconciling=True/Provisioning", "Stalled=False/Provisioning", "Ready=False/Provisioning"}))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(si.Status.LastOperation).To(BeNil())

			former, next := s.asyncService.Plans[0], s.asyncService.Plans[1]
			update(ctx, si, s.setPlan(next.Name))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "UpdatingInstance"), HaveField("CurrentOperation", v1beta1.OperationUpdate)))
			Expect(planAtBroker(si.Status.ExternalProperties)).To(Equal(former.ID), "until the update succeeded")
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(describeConditions(si.Status.Conditions)).To(Equal(readyConditions("InstanceUpdatedSuccessfully")))
			Expect(planAtBroker(si.Status.ExternalProperties)).To(Equal(next.ID))

			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Deprovisioning"), HaveField("CurrentOperation", v1beta1.OperationDeprovision)))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance", "UpdateInstance", "DeprovisionInstance"}))
			for _, change := range s.callsAbout(id, osb.ProvisionInstance, osb.UpdateInstance, osb.DeprovisionInstance) {
				Expect(change.Query).To(HaveKeyWithValue("accepts_incomplete", []string{"true"}), "an asynchronous broker would answer AsyncRequired")
			}
			var plans []string
			for _, poll := range s.callsAbout(id, osb.PollLastOperation) {
				Expect(poll.Query).To(SatisfyAll(HaveKeyWithValue("service_id", []string{s.asyncService.ID}), HaveKey("operation")))
				plans = append(plans, poll.Query.Get("plan_id"))
			}
			Expect(slices.Compact(plans)).To(Equal([]string{former.ID, next.ID}), "an operation is polled with the plan that the instance had before it")
			Eventually(readEvents(ctx, si)).Should(ConsistOf(HavePrefix("Normal Provisioning: "), HavePrefix("Normal ProvisionedSuccessfully: "), HavePrefix("Normal UpdatingInstance: "),
				HavePrefix("Normal InstanceUpdatedSuccessfully: "), HavePrefix("Normal DeletedAtBroker: ")))
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: U01 U02 U04 U05 U06 U07 U08
		// F-B3: steady operation makes no Warning event.
		It("is updated as the spec changes, with exactly those changes", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, k, osbtest.Options{}, func(services []osbtest.Service) { services[0].Plans[1].PlanUpdateable = new(false) })
			si := s.createReadyInstance(ctx, "db", setParameters(`{"a":1}`))
			id, dashboard := si.Spec.ExternalID, *si.Status.DashboardURL
			change := func(edit func(*v1beta1.ServiceInstance)) map[string]any {
				GinkgoHelper()
				before := len(s.callsAbout(id))
				update(ctx, si, edit)
				Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
				Expect(s.callsAbout(id)).To(HaveLen(before + 1))
				body := decodeBody(s.callsAbout(id)[before])
				Expect(body).To(HaveKeyWithValue("service_id", s.syncService.ID))
				delete(body, "service_id")
				delete(body, "context")
				return body
			}
			small, large := s.syncService.Plans[0], s.syncService.Plans[1]
			previous := func(plan string) map[string]any { return map[string]any{"plan_id": plan} }
			Expect(change(setParameters(`{"a":2,"b":{"c":[]}}`))).To(Equal(map[string]any{
				"parameters": map[string]any{"a": 2.0, "b": map[string]any{"c": []any{}}}, "previous_values": previous(small.ID)}))
			Expect(change(s.setPlan(large.Name))).To(Equal(map[string]any{"plan_id": large.ID, "previous_values": previous(small.ID)}))
			Expect(planAtBroker(si.Status.ExternalProperties)).To(Equal(large.ID))
			Expect(change(requestUpdate)).To(Equal(map[string]any{"previous_values": previous(large.ID)}))
			Expect(change(func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = nil })).To(Equal(map[string]any{
				"parameters": map[string]any{}, "previous_values": previous(large.ID)}), "an empty object removes all parameters")
			Expect(si.Status.ExternalProperties.ParameterChecksum).To(BeEmpty())
			Expect(s.instanceAtBroker(id)).To(SatisfyAll(HaveField("PlanID", large.ID), HaveField("Parameters", MatchJSON(`{}`))))
			Expect(*si.Status.DashboardURL).To(Equal(dashboard))

			By("refusing a change that the present plan does not allow")
			err := k8s.Get(ctx, client.ObjectKeyFromObject(si), si)
			Expect(err).NotTo(HaveOccurred())
			s.setPlan(small.Name)(si)
			Expect(k8s.Update(ctx, si)).To(MatchError(ContainSubstring("cannot change their plan")))
			Expect(change(setParameters(`{"a":3}`))).To(HaveKey("parameters"))

			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Violations()).To(BeEmpty())
			expectNoWarnings(ctx, s)
		})

		// F-S28: a label on the Secret sends and records nothing.
		It("has parameters from Secrets, and is updated when these change", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, k, osbtest.Options{})
			secret := createSecret(ctx, s.namespace, "params", "json", `{"password":"open-sesame","port":3306}`)
			si := s.createReadyInstance(ctx, "db", setParameters(`{"a":1}`), addParametersFrom("params"))
			id := si.Spec.ExternalID
			Expect(s.instanceAtBroker(id).Parameters).To(MatchJSON(`{"a":1,"password":"open-sesame","port":3306}`))
			Expect(si.Status.ExternalProperties.Parameters.Raw).To(MatchJSON(`{"a":1,"password":"<redacted>","port":"<redacted>"}`))

			By("changing only labels of the Secret")
			start, generation := markAudit(), si.Generation
			update(ctx, secret, func(secret *corev1.Secret) { secret.Labels = map[string]string{"a": "b"} })

			By("changing a value")
			update(ctx, secret, func(secret *corev1.Secret) { secret.Data["json"] = []byte(`{"password":"another","port":3306}`) })
			Eventually(s.requestsAbout(id)).Should(Equal([]string{"ProvisionInstance", "UpdateInstance"}))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beProvisioned(si), haveCondition("Ready", "True", "InstanceUpdatedSuccessfully")))
			Expect(s.instanceAtBroker(id).Parameters).To(MatchJSON(`{"a":1,"password":"another","port":3306}`))
			about := func() []string { return requestsFor(start, s.namespace, []string{"db"}, "serviceinstances") }
			Eventually(about).Should(HaveLen(2), "the API server may log a request after its effect was seen")
			Expect(about()).To(HaveEach("patch serviceinstances/status"), "a label of the Secret is not recorded")
			Expect(si.Status.ExternalProperties.ParametersDigest).NotTo(BeEmpty())
			Expect(si.Generation).To(Equal(generation))

			By("using a parameter twice")
			update(ctx, secret, func(secret *corev1.Secret) { secret.Data["json"] = []byte(`{"a":2}`) })
			update(ctx, si, requestUpdate)
			Eventually(instanceStatus(ctx, si)).Should(beStalled("ErrorWithParameters", `the parameter "a", which is also in`))
			update(ctx, secret, func(secret *corev1.Secret) { secret.Data["json"] = []byte(`{}`) })
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(s.instanceAtBroker(id).Parameters).To(MatchJSON(`{"a":1}`))

			By("deleting the Secret before the instance")
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Violations()).To(BeEmpty())
		})

		It("is accepted before a broker offers its class, and provisioned afterwards", func(ctx SpecContext) {
			s := newNamespaceWithoutBroker(ctx, k, osbtest.Options{})
			si := s.createSyncInstance(ctx, "db")
			Eventually(instanceStatus(ctx, si)).Should(beReconciling("ReferencesNonexistentServiceClass", s.syncService.Name))
			Expect(si.Status.DeprovisionStatus).To(Equal(v1beta1.DeprovisionNotRequired))
			createReadyBroker(ctx, k, s.namespace, s.Broker)
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(si.Labels).NotTo(BeEmpty())
			Expect(si.Spec.UserInfo).To(HaveField("Username", "admin"), "the user who created it, not the operator that wrote the references")
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
			expectNoWarnings(ctx, s)
		})
	})
}

// These specs do not depend on the scope.
var _ = Describe("An instance", func() {
	uncertain := func(status int, body string) osbtest.Fault {
		return osbtest.Fault{On: osb.ProvisionInstance, Acts: true, Answer: osbtest.Status(status, body)}
	}

	Describe("that the broker refuses to provision", func() {
		// conformance: P12 O07
		It("is not retried until the spec changes, and is deleted without a request", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			lift := s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Answer: osbtest.Error(http.StatusBadRequest, "", "the \x1b[31mregion\x00 is\nnot known "+strings.Repeat("x", 5000))})
			si, other := s.createSyncInstance(ctx, "db", setParameters(`{"region":"nowhere"}`)), s.createSyncInstance(ctx, "other")
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Failed"), haveReadyMessage("increase spec.updateRequests to repeat it unchanged")))
			Expect(describeConditions(si.Status.Conditions)).To(Equal([]string{"Reconciling=False/ProvisionCallFailed", "Stalled=True/ProvisionCallFailed",
				"Ready=False/ProvisionCallFailed", "Failed=True/ClusterServiceBrokerReturnedFailure"}))
			for _, c := range si.Status.Conditions[1:] { // Reconciling, the first condition, is False and has no message
				Expect(c.Message).To(And(HavePrefix("Provision call failed: HTTP 400: the "), ContainSubstring("region"), ContainSubstring("not known xxxx"), Not(ContainSubstring("\x1b")), Not(ContainSubstring("\x00"))))
				Expect(len(c.Message)).To(BeNumerically("<", 1500))
			}
			Expect(si.Status.DeprovisionStatus).To(Equal(v1beta1.DeprovisionNotRequired))
			Eventually(readEvents(ctx, si)).Should(ContainElement(ContainSubstring("Warning ProvisionCallFailed: Provision call failed: HTTP 400")))

			lift()
			update(ctx, si, setParameters(`{"region":"here"}`))
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance"}))
			Expect(describeConditions(si.Status.Conditions)).To(Equal(readyConditions("ProvisionedSuccessfully")))
			Eventually(readEvents(ctx, si)).Should(ConsistOf(HavePrefix("Warning ProvisionCallFailed: "), HavePrefix("Normal ProvisionedSuccessfully: ")), "the success is reported, too")

			Eventually(instanceStatus(ctx, other)).Should(HaveField("LastConditionState", "Failed"))
			Expect(k8s.Delete(ctx, other)).To(Succeed())
			Eventually(checkGone(ctx, other)).Should(Succeed())
			Expect(s.requestsAbout(other.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
		})

		// conformance: T13 T14 P10 O11 P15
		It("is retried after temporary errors, without orphan mitigation", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
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
				waiting[name] = s.createSyncInstance(ctx, name)
			}
			for _, si := range waiting {
				Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
				Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance"}))
				Expect(s.callsAbout(si.Spec.ExternalID)[0].Body).To(Equal(s.callsAbout(si.Spec.ExternalID)[1].Body))
				Eventually(readEvents(ctx, si)).Should(ContainElement(ContainSubstring("Warning ProvisionCallFailed")))
			}
			By("refusing the version of the API")
			lift := s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Answer: osbtest.Error(http.StatusPreconditionFailed, "", "use 3.0")})
			old := s.createSyncInstance(ctx, "old")
			Eventually(instanceStatus(ctx, old)).Should(haveReadyMessage("the broker refuses version 2.17 of the API: use 3.0"))
			lift()
			Eventually(instanceStatus(ctx, old)).Should(beProvisioned(old))
			Expect(s.Counts()[osb.DeprovisionInstance]).To(BeZero())
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: T14
		It("is requested in another version of the API where the broker stops supporting the former one, and so are its bindings", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			s.Change(func(o *osbtest.Options) { o.Versions = []string{"2.16"} })
			si := s.createReadyInstance(ctx, "db")
			s.Change(func(o *osbtest.Options) { o.Versions = []string{"2.15"} })
			s.createReadyBinding(ctx, "access", si.Name)
			s.Change(func(o *osbtest.Options) { o.Versions = []string{"2.14"} })
			update(ctx, si, s.setPlan("large"))
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(s.instanceAtBroker(si.Spec.ExternalID).PlanID).To(Equal(s.syncService.Plans[1].ID))
			Eventually(brokerStatus(ctx, s.object)).Should(HaveField("APIVersion", "2.14"))
		})

		It("waits for a broker that is down, and reports the number of attempts", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			s.Close()
			si := s.createSyncInstance(ctx, "db")
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "False", "ErrorCallingProvision"),
				haveCondition("Reconciling", "True", "ErrorCallingProvision"), haveReadyMessage("attempt 2 failed, the next is at ")))
			Expect(si.Status.DeprovisionStatus).To(Equal(v1beta1.DeprovisionNotRequired), "no request arrived at the broker")
			Expect(s.Listen()).To(Succeed())
			DeferCleanup(s.Close)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beProvisioned(si), HaveField("Attempts", BeNil())))
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.Holds().Instances).To(BeEmpty())
		})
	})

	Describe("at a broker that fails every request", func() {
		It("is requested although many others are retried, and all succeed once the broker works", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			lift := s.Inject(osbtest.Fault{Answer: osbtest.Error(500, "", "out of order")})
			instances := make([]*v1beta1.ServiceInstance, 200) // their retries take longer than the delay after which a status reports that its object is queued
			runInParallel(len(instances), func(i int) { instances[i] = s.createSyncInstance(ctx, fmt.Sprint("db", i)) })
			Eventually(func() (messages map[string]int, err error) {
				var list v1beta1.ServiceInstanceList
				err = k8s.List(ctx, &list, client.InNamespace(s.namespace))
				messages = map[string]int{}
				for _, si := range list.Items {
					for _, c := range si.Status.Conditions {
						if c.Type == v1beta1.ConditionReady {
							messages[digits.ReplaceAllString(c.Reason+": "+c.Message, "0")]++
						}
					}
				}
				return messages, err
			}).WithTimeout(time.Minute).Should(HaveKey(MatchRegexp("^Queued: .*keep failing")))
			latest := s.createSyncInstance(ctx, "latest")
			Eventually(func() int { return s.History(latest.Spec.ExternalID).Puts }).Should(BeNumerically(">", 0))
			lift()
			for _, si := range append(instances, latest) {
				Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
				Expect(s.History(instanceIDAtBroker(si)).Creations).To(Equal(1))
			}
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	Describe("of which the outcome of the provision request is unknown", func() {
		// conformance: P18
		It("is provisioned by a repetition of the same request", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			faults := map[string]osbtest.Fault{
				"e500": uncertain(500, `{"description":"oops"}`), "e204": uncertain(204, ""), "cut201": uncertain(201, "{"), "cut202": uncertain(202, "["), "cut200": uncertain(200, `{"dashboard_url":7}`),
				"dropped": {On: osb.ProvisionInstance, Acts: true, Answer: osbtest.Drop},
			}
			uncertain := map[string]*v1beta1.ServiceInstance{}
			for name, fault := range faults {
				fault.Times, fault.Match = 1, matchInstanceName(name)
				s.Inject(fault)
				uncertain[name] = s.createSyncInstance(ctx, name)
			}
			for name, si := range uncertain {
				Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
				Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "ProvisionInstance"}), name)
				puts := s.callsAbout(si.Spec.ExternalID)
				Expect(puts[1].Body).To(Equal(puts[0].Body))
				Expect(s.History(si.Spec.ExternalID).Creations).To(Equal(1))
				Expect(k8s.Delete(ctx, si)).To(Succeed())
				Eventually(checkGone(ctx, si)).Should(Succeed())
			}
			Expect(s.Holds().Instances).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: O06
		It("is not removed after malformed answers with status 200", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Acts: true, Times: 2, Answer: osbtest.Status(200, `{"dashboard_url":7}`)})
			si := s.createSyncInstance(ctx, "db")
			Eventually(statusWithoutBackoff(ctx, si)).Should(beProvisioned(si))
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(SatisfyAll(HaveLen(2+1), HaveEach("ProvisionInstance")))
			Expect(s.History(si.Spec.ExternalID).Creations).To(Equal(1))
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: O01 O02 O03 O04 O10 I02
		It("F-S5: is removed after some attempts, and provisioned under a new id", func(ctx SpecContext) {
			s, strict := newServiceNamespace(ctx, namespaced, osbtest.Options{}), newServiceNamespace(ctx, namespaced, osbtest.Options{RefusesReuse: http.StatusConflict})
			strict.Inject(osbtest.Fault{On: osb.ProvisionInstance, Acts: true, Times: 4, Answer: osbtest.Error(500, "", "oops")})
			refused := strict.createSyncInstance(ctx, "db")
			faults := map[string]osbtest.Fault{
				"e500": uncertain(500, ""), "e204": uncertain(204, ""), "cut201": uncertain(201, "{"), "cut202": uncertain(202, "["),
				"dropped": {On: osb.ProvisionInstance, Acts: true, Answer: osbtest.Drop},
			}
			uncertain, relent := map[string]*v1beta1.ServiceInstance{}, map[string]func(){}
			for name, fault := range faults {
				fault.Times, fault.Match = 4, matchInstanceName(name)
				s.Inject(fault)
				uncertain[name] = s.createSyncInstance(ctx, name)
				refusal := osbtest.Fault{On: osb.DeprovisionInstance, ID: uncertain[name].Spec.ExternalID, Times: 1, Answer: osbtest.Error(500, "", "not now")}
				if name == "e500" {
					refusal.Times = 0 // for as long as the spec needs to see the condition
				}
				relent[name] = s.Inject(refusal)
			}
			seen := uncertain["e500"]
			Eventually(statusWithoutBackoff(ctx, seen)).Should(SatisfyAll(HaveField("OrphanMitigationInProgress", true), haveCondition("Ready", "Unknown", "DeprovisionCallFailed"),
				haveCondition("OrphanMitigation", "True", "StartingInstanceOrphanMitigation"), haveReadyMessage("What may have been left at the broker is being removed: Deprovision call failed: HTTP 500")))
			relent["e500"]()
			for name, si := range uncertain {
				Eventually(statusWithoutBackoff(ctx, si)).Should(beProvisioned(si))
				requests := s.requestsAbout(si.Spec.ExternalID)()
				want := []string{"ProvisionInstance", "ProvisionInstance", "ProvisionInstance", "ProvisionInstance", "DeprovisionInstance", "DeprovisionInstance"}
				if name == "e500" { // its removal may have been refused more than once
					requests, want = slices.Compact(requests), slices.Compact(want)
				}
				Expect(requests).To(Equal(want), name)
				Expect(s.requestsAbout(si.Status.ExternalID)()).To(Equal([]string{"ProvisionInstance"}), name)
				for _, c := range s.callsAbout(si.Spec.ExternalID, osb.DeprovisionInstance) {
					Expect(c.Identity).To(BeNil(), "orphan mitigation has no originating identity")
				}
				Expect(s.History(si.Spec.ExternalID)).To(SatisfyAll(HaveField("Creations", 1), HaveField("Removals", 1)))
			}
			Expect(s.Violations()).To(BeEmpty())

			By("using a new id, since some brokers refuse one that was removed")
			Eventually(statusWithoutBackoff(ctx, refused)).Should(beProvisioned(refused))
			Expect(strict.Holds().Instances).To(SatisfyAll(HaveLen(1), HaveKey(refused.Status.ExternalID)))
			Expect(kubectl(ctx, "", "get", "serviceinstance", refused.Name, "-n", refused.Namespace, "-o", "wide")).To(And(ContainSubstring(refused.Spec.ExternalID), ContainSubstring(refused.Status.ExternalID)))
			Expect(k8s.Delete(ctx, refused)).To(Succeed())
			Eventually(checkGone(ctx, refused)).Should(Succeed())
			Expect(strict.Holds().Instances).To(BeEmpty())
		})

		It("F-JS4: is finally provisioned again only once an hour, or as soon as the spec changes", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			lift := s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Acts: true, Answer: osbtest.Error(500, "", "oops")})
			si := s.createSyncInstance(ctx, "db")
			thrice := func(a *v1beta1.Attempts) bool { return a.Removals >= 3 }
			Eventually(statusWithoutBackoff(ctx, si, thrice)).WithTimeout(3 * time.Minute).Should(SatisfyAll(haveCondition("Failed", "True", "ErrorReconciliationRetryTimeout"), haveCondition("Stalled", "True", "OrphanMitigationSuccessful"), haveReadyMessage("oops"),
				HaveField("Attempts.Removals", int32(3)), HaveField("DeprovisionStatus", v1beta1.DeprovisionSucceeded)))
			Expect(instanceStatus(ctx, si)()).To(HaveField("Attempts.NextTime.Time", BeTemporally("~", time.Now().Add(time.Hour), 20*time.Minute)))
			Expect(s.Counts()).To(SatisfyAll(HaveKeyWithValue(osb.ProvisionInstance, 3*4), HaveKeyWithValue(osb.DeprovisionInstance, 3)), "three rounds of four attempts and one removal")
			lift()
			update(ctx, si, requestUpdate)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beProvisioned(si), HaveField("Attempts", BeNil())))
			Expect(s.Counts()).To(SatisfyAll(HaveKeyWithValue(osb.ProvisionInstance, 3*4+1), HaveKeyWithValue(osb.DeprovisionInstance, 3)))
		})

		// conformance: O12
		It("is not removed where the deletion policy is Retain", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Failure: &osbtest.Failure{Description: "no more room"}})
			si := s.createAsyncInstance(ctx, "db", setAnnotation(v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Failed"), haveReadyMessage("no more room")))
			Expect(s.instanceAtBroker(si.Spec.ExternalID).State).To(Equal(osbtest.Remains), "it stays for a diagnosis")
			update(ctx, si, func(si *v1beta1.ServiceInstance) { delete(si.Annotations, v1beta1.DeletionPolicyAnnotation) })
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
			Expect(s.Holds().Instances).To(BeEmpty())
		})

		// conformance: O05 O15
		It("is removed and provisioned again where the broker failed asynchronously", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[1].Behavior.Polls = 0 })
			s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 2, Failure: &osbtest.Failure{Description: "no more room"}})
			si, deleted := s.createAsyncInstance(ctx, "db"), s.createAsyncInstance(ctx, "deleted")
			Eventually(instanceStatus(ctx, deleted)).Should(HaveField("OrphanMitigationInProgress", true))
			Expect(describeConditions(deleted.Status.Conditions)).To(Equal([]string{"Reconciling=True/" + deleted.Status.Conditions[2].Reason, "Stalled=False/" + deleted.Status.Conditions[2].Reason,
				"Ready=False/" + deleted.Status.Conditions[2].Reason, "OrphanMitigation=True/ProvisionCallFailed"}))
			Expect(deleted.Status.Attempts.LastError).To(ContainSubstring("no more room"))
			Expect(k8s.Delete(ctx, deleted)).To(Succeed())
			Eventually(checkGone(ctx, deleted)).Should(Succeed())

			Eventually(statusWithoutBackoff(ctx, si)).Should(beProvisioned(si))
			Expect(s.History(si.Spec.ExternalID).Removals).To(BeNumerically("<=", 1))
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	Describe("during an asynchronous operation", func() {
		// conformance: I06 I08
		It("can be updated, which happens afterwards, with the identity of the last user who edited it", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, neverFinish)
			si := s.createAsyncInstance(ctx, "db", setParameters(`{"a":1}`))
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
			changed := func(name, text string, user rest.ImpersonationConfig) {
				GinkgoHelper()
				user.UserName, user.UID = name, "uid-"+name
				as := newImpersonatingClient(user)
				Eventually(func() error { // the operator may write to the object at the same time
					if err := as.Get(ctx, client.ObjectKeyFromObject(si), si); err != nil {
						return err
					}
					setParameters(text)(si)
					return as.Update(ctx, si)
				}).Should(Succeed())
			}
			changed("alice", `{"a":2}`, rest.ImpersonationConfig{})
			changed("bob", `{"a":3}`, rest.ImpersonationConfig{Groups: []string{"team"}, Extra: map[string][]string{"scopes": {"x"}}})
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Answer: osbtest.Error(500, "", "oops")})
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(func() bool { return s.Finish(id, nil) }).Should(BeTrue(), "the broker accepted the update")
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance", "UpdateInstance", "UpdateInstance"}))
			Expect(s.instanceAtBroker(id).Parameters).To(MatchJSON(`{"a":3}`))
			calls := s.callsAbout(id, osb.ProvisionInstance, osb.UpdateInstance)
			Expect(calls[0].Identity.Username).To(Equal("admin"))
			for _, c := range calls[1:] {
				Expect(c.Identity).To(HaveValue(Equal(osb.Identity{Username: "bob", UID: "uid-bob", Groups: []string{"system:masters", "team", "system:authenticated"}, Extra: map[string][]string{"scopes": {"x"}}})))
			}
			Expect(si.Spec.UserInfo.Username).To(Equal("bob"))
			changed("alice", `{"a":4}`, rest.ImpersonationConfig{})
			Eventually(s.requestsAbout(id)).Should(HaveLen(4))
			Expect(s.callsAbout(id, osb.UpdateInstance)[2].Identity).To(HaveField("Username", "alice"))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(s.requestsAbout(id)).Should(HaveLen(5))
		})

		// conformance: D10
		It("can be deleted, and is deprovisioned immediately", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, neverFinish)
			si := s.createAsyncInstance(ctx, "db")
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "False", "Deprovisioning"), haveReadyMessage("to release the object without a request to the broker, annotate it")))
			Expect(s.instanceAtBroker(id).State).To(Equal(osbtest.Removing))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.requestsAbout(id)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance"}))
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: D07
		It("can be deleted, and waits where the broker finishes the operation first", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{Blocking: true}, neverFinish)
			si := s.createAsyncInstance(ctx, "db")
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(HaveField("AsyncOpInProgress", true))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			update(ctx, si, s.setPlan(s.asyncService.Plans[1].Name))
			Eventually(instanceStatus(ctx, si)).Should(HaveField("LastConditionState", "UpdatingInstance"))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(s.requestsAbout(id)).Should(ContainElement("DeprovisionInstance"))
			polls := len(s.callsAbout(id, osb.PollLastOperation))
			Eventually(func() int { return len(s.callsAbout(id, osb.PollLastOperation)) }).Should(BeNumerically(">", polls), "the plan of the deprovision request depends on the outcome of the update")
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Ready", "False", "UpdatingInstance"), haveReadyMessage("is being updated asynchronously"), haveReadyMessage("to release the object")))
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(func() bool { return s.Finish(id, nil) }).Should(BeTrue(), "the broker accepted the deprovisioning")
			Eventually(checkGone(ctx, si)).Should(Succeed())
			removals := s.callsAbout(id, osb.DeprovisionInstance)
			Expect(removals[len(removals)-1].Query.Get("plan_id")).To(Equal(s.asyncService.Plans[1].ID))
			Expect(s.Violations()).To(BeEmpty())
		})

		// conformance: L09 L10 P17
		It("is polled as Retry-After says, and otherwise at increasing intervals", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, neverFinish, func(services []osbtest.Service) { services[1].Behavior.Nameless = true })
			plain, asked := s.createAsyncInstance(ctx, "plain"), s.createAsyncInstance(ctx, "asked")
			s.Inject(osbtest.Fault{On: osb.PollLastOperation, ID: asked.Spec.ExternalID, Answer: osbtest.InOrder(
				osbtest.Status(200, `{"state":"in progress"}`, "Retry-After", "3"),
				func(w http.ResponseWriter, r *http.Request, c osbtest.Call) {
					osbtest.Status(200, `{"state":"in progress"}`, "Retry-After", time.Now().Add(4*time.Second).UTC().Format(http.TimeFormat))(w, r, c)
				},
				osbtest.Status(200, `{"state":"succeeded"}`))})
			Eventually(instanceStatus(ctx, asked)).Should(beProvisioned(asked))
			gaps := gapsBetweenCalls(s.callsAbout(asked.Spec.ExternalID, osb.PollLastOperation))
			Expect(gaps).To(HaveLen(2))
			Expect(gaps[0]).To(BeNumerically(">=", 3*time.Second))
			Expect(gaps[1]).To(BeNumerically(">=", 3*time.Second), "an HTTP date has a precision of one second")
			polls := s.callsAbout(plain.Spec.ExternalID, osb.PollLastOperation)
			for _, poll := range polls {
				Expect(poll.Query).NotTo(HaveKey("operation"))
			}
			gaps = gapsBetweenCalls(polls)
			Expect(len(gaps)).To(BeNumerically(">=", 3))
			for i, gap := range gaps {
				running := polls[i].At.Sub(polls[0].At) // at least
				Expect(gap).To(BeNumerically(">=", max(running/4, time.Second)*9/10), "poll %d", i)
			}
			s.Finish(plain.Spec.ExternalID, nil)
			Eventually(instanceStatus(ctx, plain)).Should(beProvisioned(plain))
		})

		// conformance: L06 L07 L08
		It("is polled again after invalid answers", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[1].Behavior.Forgetful = true })
			wrong := []osbtest.Answer{osbtest.Error(500, "", "oops"), osbtest.Status(502, "<html>"), osbtest.Error(410, "", "gone"), osbtest.Error(404, "", "not found"),
				osbtest.Status(200, "{"), osbtest.Status(200, `{"state":"almost"}`), osbtest.Error(400, "", "what?")}
			waiting := make([]*v1beta1.ServiceInstance, len(wrong))
			for i, answer := range wrong {
				waiting[i] = s.createAsyncInstance(ctx, "db"+string(rune('a'+i)))
				s.Inject(osbtest.Fault{On: osb.PollLastOperation, ID: waiting[i].Spec.ExternalID, Times: 1, Answer: answer})
			}
			for _, si := range waiting {
				Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
				Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance"}))
				Eventually(readEvents(ctx, si)).Should(ContainElement(ContainSubstring("Warning ErrorPollingLastOperation")))
			}
			for _, si := range waiting {
				Expect(k8s.Delete(ctx, si)).To(Succeed())
			}
			for _, si := range waiting { // this broker answers 410 to polls for an instance that is gone
				Eventually(checkGone(ctx, si)).WithTimeout(2 * time.Minute).Should(Succeed())
				// The second request confirms that the instance is gone (F-JS14).
				Expect(s.requestsAbout(si.Spec.ExternalID)()).To(Equal([]string{"ProvisionInstance", "DeprovisionInstance", "DeprovisionInstance"}))
			}
		})

		// conformance: L11 L14
		It("is given up after the maximum polling duration, and removed", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
				services[1].Plans[0].MaximumPollingDuration = 2
				services[1].Plans[0].Behavior = &osbtest.Behavior{Async: true, Never: true}
			})
			si := s.createAsyncInstance(ctx, "db")
			id := si.Spec.ExternalID
			Eventually(instanceStatus(ctx, si)).Should(HaveField("OrphanMitigationInProgress", true))
			Expect(si.Status.Attempts.LastError).To(ContainSubstring("timed out after 2s"))

			By("repeating a deprovisioning that takes too long, at intervals")
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(instanceStatus(ctx, si)).Should(haveCondition("Ready", "False", "Deprovisioning"))
			before := len(s.callsAbout(id, osb.DeprovisionInstance))
			Eventually(func() int { return len(s.callsAbout(id, osb.DeprovisionInstance)) }).Should(BeNumerically(">=", before+2))
			for _, gap := range gapsBetweenCalls(s.callsAbout(id, osb.DeprovisionInstance))[before:] {
				Expect(gap).To(BeNumerically(">=", time.Second))
			}
			Expect(s.Finish(id, nil)).To(BeTrue())
			Eventually(checkGone(ctx, si)).Should(Succeed())
		})
	})

	Describe("whose update the broker refuses", func() {
		// conformance: U09 U15 U12 U13 U14 U11 D12
		It("keeps its plan and parameters, and can be updated otherwise", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			si := s.createReadyInstance(ctx, "db", setParameters(`{"a":1}`))
			id, before := si.Spec.ExternalID, si.Status.ExternalProperties
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Answer: osbtest.Status(422, `{"description":"no","update_repeatable":false,"instance_usable":false}`)})
			update(ctx, si, func(si *v1beta1.ServiceInstance) { s.setPlan("large")(si); setParameters(`{"a":2}`)(si) })
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("LastConditionState", "Failed"), HaveField("Unusable", true), HaveField("CurrentOperation", BeEmpty())))
			Expect(describeConditions(si.Status.Conditions)).To(Equal([]string{"Reconciling=False/UpdateInstanceCallFailed", "Stalled=True/UpdateInstanceCallFailed", "Ready=False/UpdateInstanceCallFailed", "Failed=True/UpdateInstanceCallFailed"}))
			Expect(si.Status.ExternalProperties).To(Equal(before))
			Expect(si.Status.ProvisionStatus).To(Equal(v1beta1.Provisioned))

			By("not repeating an update with update_repeatable: false")
			update(ctx, si, requestUpdate)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(HaveField("ObservedGeneration", si.Generation), beStalled("UpdateInstanceCallFailed", "must not be repeated: change plan or parameters")))
			Expect(s.callsAbout(id, osb.UpdateInstance)).To(HaveLen(1))

			By("sending another update")
			update(ctx, si, setParameters(`{"a":3}`))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beProvisioned(si), HaveField("Unusable", false)))
			Expect(s.instanceAtBroker(id)).To(SatisfyAll(HaveField("PlanID", s.syncService.Plans[1].ID), HaveField("Parameters", MatchJSON(`{"a":3}`))))

			By("retrying after temporary errors")
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 4, Acts: true,
				Answer: osbtest.InOrder(osbtest.Error(500, "", "oops"), osbtest.Drop, osbtest.Status(204, ""), osbtest.Status(202, "["))})
			update(ctx, si, setParameters(`{"a":4}`))
			Eventually(statusWithoutBackoff(ctx, si)).Should(SatisfyAll(beProvisioned(si), HaveField("Attempts", BeNil())))
			Expect(s.instanceAtBroker(id).Parameters).To(MatchJSON(`{"a":4}`))
			Expect(s.callsAbout(id, osb.UpdateInstance)).To(HaveLen(2 + 5))
			Expect(s.callsAbout(id, osb.DeprovisionInstance)).To(BeEmpty())

			By("deprovisioning with the plan that the broker has")
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Answer: osbtest.Error(400, "", "no")})
			update(ctx, si, s.setPlan("small"))
			Eventually(instanceStatus(ctx, si)).Should(HaveField("LastConditionState", "Failed"))
			Expect(k8s.Delete(ctx, si)).To(Succeed())
			Eventually(checkGone(ctx, si)).Should(Succeed())
			Expect(s.callsAbout(id, osb.DeprovisionInstance)[0].Query.Get("plan_id")).To(Equal(s.syncService.Plans[1].ID))
			Expect(s.Violations()).To(BeEmpty())
		})

		It("asynchronously keeps its parameters", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
			si := s.createAsyncInstance(ctx, "db", setParameters(`{"a":1}`))
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			before := si.Status.ExternalProperties
			s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Failure: &osbtest.Failure{Description: "no more room", Unusable: true}})
			update(ctx, si, setParameters(`{"a":2}`))
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(haveCondition("Failed", "True", "UpdateInstanceCallFailed"), HaveField("Unusable", true), haveReadyMessage("no more room")))
			Expect(si.Status.ExternalProperties).To(Equal(before))
			update(ctx, si, requestUpdate)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beProvisioned(si), HaveField("Unusable", false)))
			Expect(s.instanceAtBroker(si.Spec.ExternalID).Parameters).To(MatchJSON(`{"a":2}`))
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	Describe("of a plan with maintenance information", func() {
		version := func(s *serviceNamespace, version string) {
			s.Change(func(o *osbtest.Options) {
				services := slices.Clone(o.Services)
				services[0].Plans = slices.Clone(services[0].Plans)
				services[0].Plans[0].MaintenanceInfo = &osbtest.MaintenanceInfo{Version: version}
				o.Services = services
			})
		}

		// conformance: P06 P11 U16 U17
		It("gets the maintenance version of the catalog on request", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
				services[0].Plans[0].MaintenanceInfo = &osbtest.MaintenanceInfo{Version: "1.0.0"}
			})
			update(ctx, s.object, func(b v1beta1.Broker) { b.Common().RelistBehavior = v1beta1.RelistManual })
			Eventually(brokerStatus(ctx, s.object)).Should(beReady(s.object))
			// The operator does not read a catalog again that it has just read, so the spec sets the time back.
			backdateCatalogRead := func() {
				GinkgoHelper()
				patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"lastCatalogRetrievalTime":"2001-01-01T00:00:00Z"}}`))
				Expect(k8s.Status().Patch(ctx, s.object, patch)).To(Succeed())
			}
			// A request may be repeated until the catalog is read.
			versions := func(calls []osbtest.Call) (sequence []any) {
				GinkgoHelper()
				for _, c := range calls {
					info := decodeBody(c)["maintenance_info"].(map[string]any)
					sequence = append(sequence, info["version"])
				}
				return slices.Compact(sequence)
			}
			backdateCatalogRead()
			version(s, "2.0.0")
			si := s.createReadyInstance(ctx, "db")
			id := si.Spec.ExternalID
			Expect(s.requestsAbout(id)()).To(HaveEach("ProvisionInstance"))
			Expect(versions(s.callsAbout(id))).To(Equal([]any{"1.0.0", "2.0.0"}), "the error after the first request made the operator read the catalog")
			Expect(s.instanceAtBroker(id).MaintenanceVersion).To(Equal("2.0.0"))
			Expect(si.Status.ExternalProperties.MaintenanceVersion).To(Equal("2.0.0"))

			version(s, "3.0.0")
			update(ctx, s.object, func(b v1beta1.Broker) { b.Common().RelistRequests++ })
			Eventually(s.plans(ctx, s.object)).Should(HaveKeyWithValue(s.syncService.Plans[0].ID, HaveField("Spec.MaintenanceInfo.Version", "3.0.0")))
			Eventually(brokerStatus(ctx, s.object)).Should(beReady(s.object))
			s.createReadyInstance(ctx, "later") // so that the operator has reconciled the instance before
			Expect(s.requestsAbout(id)()).To(HaveEach("ProvisionInstance"), "the user did not ask for it")
			backdateCatalogRead()
			version(s, "4.0.0")
			update(ctx, si, requestUpdate)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beProvisioned(si), HaveField("ExternalProperties.MaintenanceVersion", "4.0.0")))
			calls := s.callsAbout(id, osb.UpdateInstance)
			Expect(versions(calls)).To(Equal([]any{"3.0.0", "4.0.0"}))
			Expect(decodeBody(calls[len(calls)-1])).To(SatisfyAll(Not(HaveKey("plan_id")), Not(HaveKey("parameters"))))
			Expect(s.Violations()).To(BeEmpty())
		})
	})

	// conformance: U03
	It("has its context updated only where the service allows context updates", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[1].AllowContextUpdates, services[1].Behavior = true, osbtest.Behavior{}
		})
		for i, si := range []*v1beta1.ServiceInstance{s.createSyncInstance(ctx, "a"), s.createAsyncInstance(ctx, "b")} {
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			update(ctx, si, requestUpdate)
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			_, has := decodeBody(s.callsAbout(si.Spec.ExternalID, osb.UpdateInstance)[0])["context"]
			Expect(has).To(Equal(i == 1))
		}
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: C15
	It("can be updated and deprovisioned although its plan is not in the catalog any more", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si := s.createReadyInstance(ctx, "db")
		bindings := []*v1beta1.ServiceBinding{s.createReadyBinding(ctx, "first", "db"), s.createReadyBinding(ctx, "second", "db")}
		unbound := func() {
			GinkgoHelper()
			Expect(k8s.Delete(ctx, bindings[0])).To(Succeed())
			Eventually(checkGone(ctx, bindings[0])).Should(Succeed())
			Expect(s.History(bindings[0].Spec.ExternalID).Removals).To(Equal(1))
			bindings = bindings[1:]
		}
		s.Change(func(o *osbtest.Options) {
			services := slices.Clone(o.Services)
			services[0].Plans = services[0].Plans[1:]
			o.Services = services
		})
		update(ctx, s.object, func(b v1beta1.Broker) { b.Common().RelistRequests++ })
		Eventually(s.plans(ctx, s.object)).Should(haveRemoved[v1beta1.Plan](s.syncService.Plans[0].ID))
		late := s.createSyncInstance(ctx, "late")
		Eventually(instanceStatus(ctx, late)).Should(beStalled("ReferencesDeletedServicePlan", "does not offer plan \"small\" any more"))
		Expect(k8s.Delete(ctx, late)).To(Succeed())
		Eventually(checkGone(ctx, late)).Should(Succeed())
		Expect(s.requestsAbout(late.Spec.ExternalID)()).To(BeEmpty())
		unbound()

		By("changing to a plan of the catalog")
		update(ctx, si, s.setPlan("large"))
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Expect(s.instanceAtBroker(si.Spec.ExternalID).PlanID).To(Equal(s.syncService.Plans[1].ID))
		s.Change(func(o *osbtest.Options) { o.Services = o.Services[1:] })
		update(ctx, s.object, func(b v1beta1.Broker) { b.Common().RelistRequests++ })
		Eventually(s.classes(ctx, s.object)).Should(haveRemoved[v1beta1.Class](s.syncService.Name))
		unbound()
		Expect(k8s.Delete(ctx, si)).To(Succeed())
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Expect(s.Holds().Instances).To(BeEmpty())
	})

	// conformance: C03 C17
	It("can have a plan with any name", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Name, services[1].Name = "A Database / with ümlauts", "a database / with ümlauts"
			services[0].Plans[0].Name = strings.Repeat("Größe 50/", 33)
			services[1].Behavior = osbtest.Behavior{}
		})
		upper, lower := s.createReadyInstance(ctx, "upper"), s.createAsyncInstance(ctx, "lower")
		Eventually(instanceStatus(ctx, lower)).Should(beProvisioned(lower))
		Expect(s.instanceAtBroker(upper.Spec.ExternalID).ServiceID).To(Equal(s.syncService.ID))
		Expect(s.instanceAtBroker(lower.Spec.ExternalID).ServiceID).To(Equal(s.asyncService.ID))
	})

	It("keeps the URL of its dashboard until the broker returns another", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Times: 1, Acts: true, Answer: osbtest.Status(201, `{"dashboard_url":null}`)})
		si := s.createReadyInstance(ctx, "db")
		Expect(si.Status.DashboardURL).To(BeNil())
		s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 2, Acts: true, Answer: osbtest.InOrder(osbtest.Status(200, `{"dashboard_url":"https://a.example.com/"}`), osbtest.Status(200, `{"dashboard_url":null}`))})
		for range 2 {
			update(ctx, si, requestUpdate)
			Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beProvisioned(si), HaveField("DashboardURL", HaveValue(Equal("https://a.example.com/")))))
		}
	})

	// F-B23
	It("shows the URL of a dashboard that the broker has only after an asynchronous operation", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[1].Behavior.LateDashboard = true })
		si := s.createAsyncInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(SatisfyAll(beProvisioned(si), HaveField("DashboardURL", HaveValue(Equal("https://dashboard.example.com/"+si.Spec.ExternalID)))))
		Expect(s.callsAbout(si.Spec.ExternalID, osb.GetInstance)).To(HaveLen(1))

		By("provisioning where it cannot be fetched, and updating where it can")
		lift := s.Inject(osbtest.Fault{On: osb.GetInstance, Answer: osbtest.Error(http.StatusInternalServerError, "", "oops")})
		other := s.createAsyncInstance(ctx, "other")
		Eventually(instanceStatus(ctx, other)).Should(SatisfyAll(beProvisioned(other), HaveField("DashboardURL", BeNil())))
		Expect(s.callsAbout(other.Spec.ExternalID, osb.GetInstance)).To(HaveLen(1))
		lift()
		update(ctx, other, setParameters(`{"size":2}`))
		Eventually(instanceStatus(ctx, other)).Should(SatisfyAll(beProvisioned(other), HaveField("DashboardURL", Not(BeNil()))))
		expectNoWarnings(ctx, s)
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: I01
	It("sends the identity of the user who wrote the spec, also after writes of the operator", func(ctx SpecContext) {
		s := newNamespaceWithoutBroker(ctx, namespaced, osbtest.Options{})
		as := newImpersonatingClient(rest.ImpersonationConfig{UserName: "alice", UID: "uid-alice", Extra: map[string][]string{"a.example.com/scopes": {"x", "y"}}})
		si := s.newInstanceObject("db", s.syncService)
		si.Spec.UserInfo = &v1beta1.UserInfo{Username: "mallory"}
		Expect(as.Create(ctx, si)).To(Succeed())
		createReadyBroker(ctx, namespaced, s.namespace, s.Broker) // then the operator writes references into the spec
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		Expect(si.Generation).To(BeNumerically(">", 1))
		requestUpdate(si)
		Expect(as.Update(ctx, si)).To(Succeed())
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "access"}}
		b.Spec.InstanceRef.Name = si.Name
		Expect(as.Create(ctx, b)).To(Succeed())
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))
		for _, o := range []client.Object{b, si} {
			Expect(k8s.Delete(ctx, o)).To(Succeed())
			Eventually(checkGone(ctx, o)).Should(Succeed())
		}
		for _, verb := range []osb.Operation{osb.ProvisionInstance, osb.UpdateInstance, osb.Bind} {
			Expect(s.Calls(verb)).To(ConsistOf(HaveField("Identity", HaveValue(Equal(osb.Identity{Username: "alice", UID: "uid-alice",
				Groups: []string{"system:masters", "system:authenticated"}, Extra: map[string][]string{"a.example.com/scopes": {"x", "y"}}})))), string(verb))
		}
		// F-S22: the API server does not tell who deletes an object, and the last editor is not the one.
		for _, verb := range []osb.Operation{osb.Unbind, osb.DeprovisionInstance} {
			Expect(s.Calls(verb)).To(ConsistOf(HaveField("Identity", BeNil())), string(verb))
		}
	})

	It("matches the samples, and has the columns of the former service-catalog", func(ctx SpecContext) {
		services := []osbtest.Service{{ID: "class-1", Name: "azure-mysql", Description: "MySQL", Bindable: true, Plans: []osbtest.Plan{{ID: "plan-1-id", Name: "basic50", Description: "50 units"}}}}
		createReadyBroker(ctx, clusterWide, "", startBroker(osbtest.Options{Services: services}))
		repo, err := local.FindRepo()
		Expect(err).NotTo(HaveOccurred())
		manifest, err := os.ReadFile(filepath.Join(repo, "config", "samples", "servicecatalog_v1beta1_serviceinstance.yaml"))
		Expect(err).NotTo(HaveOccurred())
		si := &v1beta1.ServiceInstance{}
		Expect(yaml.UnmarshalStrict(manifest, si)).To(Succeed())
		Expect(kubectl(ctx, string(manifest), "apply", "-f", "-")).To(ContainSubstring("serviceinstance.servicecatalog.k8s.io/example-mysql-instance created"))
		DeferCleanup(func(ctx SpecContext) { abandonObjects(ctx, si.Namespace) })
		Expect(kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=20s", "-n", si.Namespace, "serviceinstance", si.Name)).To(ContainSubstring("condition met"))
		Expect(kubectl(ctx, "", "get", "serviceinstances", "-n", si.Namespace)).To(MatchRegexp(
			`(?s)^NAME +CLASS +PLAN +STATUS +AGE\nexample-mysql-instance +ClusterServiceClass/azure-mysql +basic50 +Ready +\d+s`))
		Expect(kubectl(ctx, "", "get", "svcat", "-n", si.Namespace)).To(ContainSubstring("example-mysql-instance"))
		Expect(kubectl(ctx, string(manifest), "apply", "-f", "-")).To(ContainSubstring("unchanged"))
		Expect(kubectl(ctx, "", "delete", "--timeout=20s", "-n", si.Namespace, "serviceinstance", si.Name)).To(ContainSubstring("deleted"))
	})
})

// digits are the parts of a message that differ between objects.
var digits = regexp.MustCompile(`[0-9]+`)
