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
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// binding makes a binding to an instance, with a Secret of its own name.
func (s *site) binding(ctx context.Context, name, instance string, edits ...func(*v1beta1.ServiceBinding)) *v1beta1.ServiceBinding {
	GinkgoHelper()
	b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	b.Spec.InstanceRef.Name = instance
	for _, edit := range edits {
		edit(b)
	}
	Eventually(func() error { return k8s.Create(ctx, b) }).Should(Succeed())
	return b
}

// bound makes one and waits until it is Ready.
func (s *site) bound(ctx context.Context, name, instance string, edits ...func(*v1beta1.ServiceBinding)) *v1beta1.ServiceBinding {
	GinkgoHelper()
	b := s.binding(ctx, name, instance, edits...)
	Eventually(bindingOf(ctx, b)).Should(beBound(b))
	return b
}

// brokersBinding is what the broker has under an id.
func (s *site) brokersBinding(id string) osbtest.Binding { return s.Holds().Bindings[id] }

// currentID is the id under which the broker knows a binding.
func currentID(b *v1beta1.ServiceBinding) string {
	if b.Status.ExternalID != "" {
		return b.Status.ExternalID
	}
	return b.Spec.ExternalID
}

// keysOf reads the data of a binding's Secret, nil if there is none.
func keysOf(ctx context.Context, b *v1beta1.ServiceBinding) func() (map[string]string, error) {
	return func() (map[string]string, error) {
		secret, err := secretOf(ctx, b)
		if err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		keys := map[string]string{}
		for key, value := range secret.Data {
			keys[key] = string(value)
		}
		return keys, nil
	}
}

func secretOf(ctx context.Context, b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	name := b.Spec.SecretName
	if name == "" {
		name = b.Name
	}
	secret := &corev1.Secret{}
	return secret, k8s.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: name}, secret)
}

// editSecret edits a binding's Secret as it is now.
func editSecret(ctx context.Context, b *v1beta1.ServiceBinding, edit func(*corev1.Secret)) {
	GinkgoHelper()
	secret, err := secretOf(ctx, b)
	Expect(err).NotTo(HaveOccurred())
	update(ctx, secret, edit)
}

func deleteSecret(ctx context.Context, b *v1beta1.ServiceBinding) {
	GinkgoHelper()
	secret, err := secretOf(ctx, b)
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Delete(ctx, secret)).To(Succeed())
}

// passwordOf is the password that the broker gave out last under a binding's id.
func (s *site) passwordOf(id string) string {
	var credentials struct{ Password string }
	_ = json.Unmarshal(s.brokersBinding(id).Credentials, &credentials) // there is none if there is nothing
	return credentials.Password
}

// rebind asks for other credentials.
func rebind(ctx context.Context, b *v1beta1.ServiceBinding, value string) {
	GinkgoHelper()
	update(ctx, b, func(b *v1beta1.ServiceBinding) {
		metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.RebindAnnotation, value)
	})
}

// The edits of catalogs.
func notRetrievable(services []osbtest.Service) {
	for i := range services {
		services[i].BindingsRetrievable = false
	}
}

func notRotatable(services []osbtest.Service) {
	for i := range services {
		for j := range services[i].Plans {
			services[i].Plans[j].BindingRotatable = false
		}
	}
}

func toldOnce(services []osbtest.Service) {
	for i := range services {
		services[i].Behavior.RevealOnce = true
	}
}

var _ = Describe("A binding", func() {
	for _, k := range []kinds{clusterWide, namespaced} {
		describeBinding(k)
	}
})

func describeBinding(k kinds) {
	Context("to what a "+k.broker+" offers", func() {
		// conformance: B13
		It("puts the credentials into a Secret, and takes them away before the broker is told", func(ctx SpecContext) {
			s := newSite(ctx, k, osbtest.Options{})
			si := s.provisioned(ctx, "db")
			b := s.bound(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
				b.Spec.SecretName = "mysql-secret"
				b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"role":"reader"}`)}
			})
			secret, err := secretOf(ctx, b)
			Expect(err).NotTo(HaveOccurred())
			owner := metav1.GetControllerOf(secret)
			Expect(owner).NotTo(BeNil())
			Expect(owner.UID).To(Equal(b.UID))
			Expect(owner.Kind).To(Equal("ServiceBinding"))
			held := s.brokersBinding(b.Spec.ExternalID)
			Expect(held.State).To(Equal(osbtest.Ready))
			var credentials map[string]any
			Expect(json.Unmarshal(held.Credentials, &credentials)).To(Succeed())
			Expect(keysOf(ctx, b)()).To(Equal(map[string]string{
				"uri": credentials["uri"].(string), "username": credentials["username"].(string), "password": credentials["password"].(string),
				"port": "3306", "ratio": "1.5", "serial": "12345678901234567890", "tls": "true", "replica": "false", "note": "null",
				"hosts": `["a.example.com","b.example.com"]`, "options": `{"ssl":{"depth":3,"mode":"verify"}}`,
			}))
			Expect(b.Spec.ExternalID).To(MatchRegexp("^[0-9a-f-]{36}$"))
			Expect(b.Status.UnbindStatus).To(Equal(v1beta1.UnbindRequired))
			Expect(b.Status.CreatedForUID).To(Equal(b.UID))
			Expect(b.Status.SecretVersion).To(Equal(secret.ResourceVersion))
			Expect(b.Status.ExternalProperties.Parameters.Raw).To(MatchJSON(`{"role":"reader"}`))
			Expect(b.Status.Target.InstanceID).To(Equal(si.Spec.ExternalID))
			Expect(conditions(b.Status.Conditions)).To(Equal(settled("InjectedBindResult")))
			Expect(b.Status.LastConditionState).To(Equal("Ready"))

			By("what the broker was asked for")
			calls := s.about(b.Spec.ExternalID)
			Expect(calls).To(HaveLen(1))
			ns := &corev1.Namespace{}
			Expect(k8s.Get(ctx, client.ObjectKey{Name: s.namespace}, ns)).To(Succeed())
			body := bodyOf(calls[0])
			Expect(body).To(HaveKeyWithValue("service_id", s.atOnce.ID))
			Expect(body).To(HaveKeyWithValue("plan_id", s.atOnce.Plans[0].ID))
			Expect(body).To(HaveKeyWithValue("bind_resource", map[string]any{"app_guid": string(ns.UID)}))
			Expect(body).To(HaveKeyWithValue("parameters", map[string]any{"role": "reader"}))
			Expect(body).To(HaveKeyWithValue("context", SatisfyAll(HaveKeyWithValue("namespace", s.namespace), HaveKeyWithValue("platform", "kubernetes"), HaveKey("clusterid"))))
			Expect(body).NotTo(HaveKey("app_guid"))
			Expect(calls[0].Identity).To(HaveField("Username", b.Spec.UserInfo.Username))

			By("its deletion")
			hold := make(chan struct{})
			s.Inject(osbtest.Fault{On: osb.Unbind, Hold: hold})
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			Eventually(func() int { return s.Counts()[osb.Unbind] }).Should(Equal(1))
			Expect(keysOf(ctx, b)()).To(BeNil())
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed(), "the broker has not confirmed it yet")
			close(hold)
			Eventually(gone(ctx, b)).Should(Succeed())
			Expect(s.about(b.Spec.ExternalID, osb.Unbind)).To(ConsistOf(HaveField("Identity", HaveField("Username", b.Spec.UserInfo.Username))))
			Expect(s.History(b.Spec.ExternalID)).To(Equal(osbtest.History{Puts: 1, Deletes: 1, Creations: 1, Removals: 1, Ready: true}))
			Expect(s.Violations()).To(BeEmpty())
			Expect(eventsAbout(ctx, b)()).To(BeEmpty(), "all went as asked")
		})

		// conformance: L17
		It("takes its time where the broker does, and fetches the credentials then", func(ctx SpecContext) {
			s := newSite(ctx, k, osbtest.Options{}, never)
			si := s.slowInstance(ctx, "db")
			b := s.binding(ctx, "access", "db")
			Eventually(func() bool { return s.Finish(si.Spec.ExternalID, nil) }).Should(BeTrue())
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			Eventually(func() bool { return s.Finish(b.Spec.ExternalID, nil) }).Should(BeTrue())
			Eventually(bindingOf(ctx, b)).Should(beBound(b))
			Expect(s.sent(b.Spec.ExternalID)()).To(Equal([]string{"Bind", "GetBinding"}))
			Expect(b.Status.CreatedForUID).To(Equal(b.UID))
			Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", s.passwordOf(b.Spec.ExternalID)))
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			Eventually(bindingOf(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "Unbinding"), saying("to let go and leave everything at the broker as it is, annotate the object")))
			Expect(s.Finish(b.Spec.ExternalID, nil)).To(BeTrue())
			Eventually(gone(ctx, b)).Should(Succeed())
			Expect(s.Holds().Bindings).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
		})

		It("waits for its instance", func(ctx SpecContext) {
			s := newSite(ctx, k, osbtest.Options{})
			b := s.binding(ctx, "access", "db")
			Eventually(bindingOf(ctx, b)).Should(waiting("ReferencesNonexistentInstance", `ServiceInstance "db" does not exist`))
			s.provisioned(ctx, "db")
			Eventually(bindingOf(ctx, b)).Should(beBound(b))
			Expect(s.sent(b.Spec.ExternalID)()).To(Equal([]string{"Bind"}))
		})
	})
}

var _ = Describe("A binding", func() {
	// conformance: B01 B10 B11
	It("that cannot be made is not asked for", func(ctx SpecContext) {
		plain, drain := offering("plain", "small"), offering("drain", "small")
		plain.Bindable, drain.Requires = false, []string{"syslog_drain"}
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[0], services[1] = plain, drain })
		for class, reason := range map[string]string{plain.Name: "ErrorNonbindableServiceClass", drain.Name: "UnsupportedBinding"} {
			name := strings.ToLower(reason)
			si := s.newInstance(ctx, s.namespace, name, class, "small")
			Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
			b := s.binding(ctx, name, name)
			Eventually(bindingOf(ctx, b)).Should(SatisfyAll(stalled(reason, ""), haveCondition("Failed", "True", reason)))
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			Eventually(gone(ctx, b)).Should(Succeed())
		}
		Expect(s.Counts()[osb.Bind] + s.Counts()[osb.Unbind]).To(BeZero())
	})

	// conformance: B11 B12
	It("that turns out to be of no use here is removed", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Behavior.Binding = map[string]any{"route_service_url": "https://route.example.com"}
		})
		s.provisioned(ctx, "db")
		b := s.binding(ctx, "access", "db")
		Eventually(bindingOf(ctx, b)).Should(SatisfyAll(haveCondition("Failed", "True", "ServiceBindingReturnedFailure"), HaveField("UnbindStatus", v1beta1.UnbindSucceeded)))
		Expect(b.Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring("a route_service_url"))))
		Expect(bodyOf(s.about(b.Spec.ExternalID)[0])["bind_resource"]).NotTo(HaveKey("route"))
		Expect(s.sent(b.Spec.ExternalID)()).To(Equal([]string{"Bind", "Unbind"}))
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(keysOf(ctx, b)()).To(BeNil())
	})

	// conformance: B09
	It("that could not be fetched is made at once, or not at all", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, notRetrievable)
		s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		Expect(s.about(b.Spec.ExternalID)[0].Query.Get("accepts_incomplete")).NotTo(Equal("true"))
		slow := s.slowInstance(ctx, "slow")
		Eventually(instanceStatus(ctx, slow)).Should(bePresent(slow))
		refused := s.binding(ctx, "refused", "slow")
		Eventually(bindingOf(ctx, refused)).Should(SatisfyAll(haveCondition("Failed", "True", "ServiceBindingReturnedFailure"), saying("only asynchronously")))
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: B06 B05
	It("says what it is for twice where the broker wants that", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Answer: osbtest.Error(422, "RequiresApp", "an app, please")})
		b := s.bound(ctx, "access", "db")
		calls := s.about(b.Spec.ExternalID)
		Expect(calls).To(HaveLen(2))
		Expect(bodyOf(calls[0])).NotTo(HaveKey("app_guid"))
		Expect(bodyOf(calls[1])).To(HaveKeyWithValue("app_guid", bodyOf(calls[1])["bind_resource"].(map[string]any)["app_guid"]))
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: B17 U10
	It("is not asked for while its instance cannot be used", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		si := s.provisioned(ctx, "db")
		s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Answer: osbtest.Status(400, `{"description":"broke","instance_usable":false}`)})
		update(ctx, si, touch)
		Eventually(instanceStatus(ctx, si)).Should(HaveField("Unusable", true))
		b := s.binding(ctx, "access", "db")
		Eventually(bindingOf(ctx, b)).Should(stalled("InstanceUnusable", "can no longer be used"))
		Expect(s.Counts()[osb.Bind]).To(BeZero())
		update(ctx, si, touch)
		Eventually(bindingOf(ctx, b)).Should(beBound(b))
	})

	It("checks its parameters, and tells no values of those from Secrets", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Plans[0].Schemas = json.RawMessage(`{"service_binding":{"create":{"parameters":{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"role":{"enum":["reader"]}}}}}}`)
		})
		s.provisioned(ctx, "db")
		b := s.binding(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "input", Key: "json"}}}
		})
		Eventually(bindingOf(ctx, b)).Should(waiting("ErrorWithParameters", `"input"`))
		secret := newSecret(ctx, s.namespace, "input", "json", `{"role":"canary-0ne"}`)
		Eventually(bindingOf(ctx, b)).Should(stalled("ErrorWithParameters", "spec.parameters.role"))
		Expect(b.Status.Conditions).NotTo(ContainElement(HaveField("Message", ContainSubstring("canary"))))
		Expect(s.Counts()[osb.Bind]).To(BeZero())
		update(ctx, secret, func(o *corev1.Secret) { o.Data["json"] = []byte(`{"role":"reader"}`) })
		Eventually(bindingOf(ctx, b)).Should(beBound(b))
		Expect(b.Status.ExternalProperties.Parameters.Raw).To(MatchJSON(`{"role":"<redacted>"}`))
	})

	It("transforms what goes into its Secret", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		text, expression := "10", "jdbc:{.hosts[0]}:{.port}"
		b := s.binding(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{
				{RenameKey: &v1beta1.RenameKeyTransform{From: "username", To: "DB_USER"}},
				{AddKey: &v1beta1.AddKeyTransform{Key: "POOL", StringValue: &text}},
				{AddKey: &v1beta1.AddKeyTransform{Key: "URL", JSONPathExpression: &expression}},
				{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Name: "more"}}},
				{RemoveKey: &v1beta1.RemoveKeyTransform{Key: "uri"}},
			}
		})
		Eventually(bindingOf(ctx, b)).Should(stalled("ErrorInjectingBindResult", `Secret "more" does not exist`))
		Expect(b.Status.UnbindStatus).To(Equal(v1beta1.UnbindRequired))
		newSecret(ctx, s.namespace, "more", "EXTRA", "yes")
		Eventually(bindingOf(ctx, b)).Should(beBound(b))
		keys, err := keysOf(ctx, b)()
		Expect(err).NotTo(HaveOccurred())
		Expect(keys).To(SatisfyAll(HaveKey("DB_USER"), HaveKeyWithValue("POOL", "10"), HaveKeyWithValue("URL", "jdbc:a.example.com:3306"), HaveKeyWithValue("EXTRA", "yes")))
		Expect(keys).NotTo(SatisfyAny(HaveKey("uri"), HaveKey("username")))
		Expect(s.sent(b.Spec.ExternalID)()).To(Equal([]string{"Bind"}), "what was told once is kept meanwhile")
	})

	It("says which of the credentials fit into no Secret", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Behavior.Credentials = func(string) any { return map[string]any{"pass word": "canary-tw0"} }
		})
		s.provisioned(ctx, "db")
		b := s.binding(ctx, "access", "db")
		Eventually(bindingOf(ctx, b)).Should(stalled("ErrorInjectingBindResult", `"pass word"`))
		Expect(b.Status.Conditions).NotTo(ContainElement(HaveField("Message", ContainSubstring("canary"))))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(gone(ctx, b)).Should(Succeed())
		Expect(s.sent(b.Spec.ExternalID)()).To(Equal([]string{"Bind", "Unbind"}))
		Expect(s.Holds().Bindings).To(BeEmpty())
	})

	It("leaves a Secret alone that is not its own", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		theirs := newSecret(ctx, s.namespace, "access", "theirs", "yes")
		b := s.binding(ctx, "access", "db")
		Eventually(bindingOf(ctx, b)).Should(stalled("ErrorInjectingBindResult", `Secret "access" is there already`))
		Expect(s.Counts()[osb.Bind]).To(BeZero(), "before the broker is asked")
		other := s.bound(ctx, "other", "db")
		second := s.binding(ctx, "second", "db", func(b *v1beta1.ServiceBinding) { b.Spec.SecretName = "other" })
		Eventually(bindingOf(ctx, second)).Should(stalled("ErrorInjectingBindResult", `Secret "other" is there already`))
		Expect(k8s.Delete(ctx, second)).To(Succeed())
		Eventually(gone(ctx, second)).Should(Succeed())
		Expect(keysOf(ctx, other)()).NotTo(BeEmpty(), "the one that has it keeps it")
		Expect(k8s.Delete(ctx, theirs)).To(Succeed())
		Eventually(bindingOf(ctx, b)).Should(beBound(b))

		By("one that is put in the place of its own")
		editSecret(ctx, b, func(secret *corev1.Secret) { secret.OwnerReferences = nil })
		Eventually(bindingOf(ctx, b)).Should(stalled("ErrorInjectingBindResult", `Secret "access" is there already`))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(gone(ctx, b)).Should(Succeed())
		Expect(keysOf(ctx, b)()).To(HaveKey("password"))
	})

	// conformance: O08
	It("is repeated as it was, and then removed, where it is not known what became of it", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		answers := map[string]osbtest.Fault{
			"e500":    {Answer: osbtest.Error(500, "", "oops")},
			"e204":    {Answer: osbtest.Status(204, "")},
			"cut":     {Answer: osbtest.Status(201, "["), Acts: true},
			"dropped": {Answer: osbtest.Drop, Acts: true},
		}
		bindings := map[string]*v1beta1.ServiceBinding{}
		for name, fault := range answers {
			fault.On, fault.Times = osb.Bind, 4
			fault.Match = func(c osbtest.Call) bool { return strings.Contains(string(c.Body), `"`+name+`"`) }
			s.Inject(fault)
			bindings[name] = s.binding(ctx, name, "db", func(b *v1beta1.ServiceBinding) {
				b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(fmt.Sprintf(`{"who":%q}`, name))}
			})
		}
		first := bindings["e500"]
		Eventually(bindingOf(ctx, first)).Should(SatisfyAll(haveCondition("Ready", "False", "BindCallFailed"), haveCondition("Reconciling", "True", "BindCallFailed"),
			saying("Bind call failed: HTTP 500: oops (attempt "), HaveField("UnbindStatus", v1beta1.UnbindRequired)))
		for name, b := range bindings {
			Eventually(bindingOf(ctx, b)).WithTimeout(time.Minute).Should(beBound(b), name)
			Expect(s.sent(b.Spec.ExternalID)()).To(Equal([]string{"Bind", "Bind", "Bind", "Bind", "Unbind"}), name)
			Expect(s.sent(b.Status.ExternalID)()).To(Equal([]string{"Bind"}), name) // F-S5
			Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", s.passwordOf(b.Status.ExternalID)))
		}
		Expect(s.Holds().Bindings).To(HaveLen(len(bindings)))
		for _, c := range s.Calls(osb.Unbind) {
			Expect(c.Identity).To(BeNil(), "nobody asked for that")
		}
		Expect(s.Violations()).To(BeEmpty())
	})

	It("is removed where the broker has failed to make it, and bound anew", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		si := s.slowInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Failure: &osbtest.Failure{Description: "no more users"}})
		b := s.binding(ctx, "access", "db")
		Eventually(bindingOf(ctx, b)).Should(HaveField("Attempts.LastError", ContainSubstring("no more users")))
		Eventually(bindingOf(ctx, b)).Should(beBound(b))
		Expect(s.Holds().Bindings).To(HaveLen(1))
	})

	// conformance: O09 B15
	It("is not removed where the broker refuses it, or does not say what it has", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		strange := s.bound(ctx, "strange", "db")
		s.Forget()
		other := newSite(ctx, namespaced, osbtest.Options{}) // for what looks like a misconfiguration, which keeps others waiting
		other.provisioned(ctx, "db")
		siteOf := map[string]*site{"e404": other, "cut": other}
		faults := map[string]osbtest.Answer{
			"e400": osbtest.Error(400, "", "bad"), "e404": osbtest.Error(404, "", "what"), "e422": osbtest.Error(422, "", "no"), "e408": osbtest.Error(408, "", "slow"),
			"cut": osbtest.Status(200, "["), "busy": osbtest.Error(422, "ConcurrencyError", "busy"),
		}
		tried := map[string]*v1beta1.ServiceBinding{}
		for name, answer := range faults {
			s := cmp.Or(siteOf[name], s)
			s.Inject(osbtest.Fault{On: osb.Bind, Answer: answer, Match: func(c osbtest.Call) bool { return strings.Contains(string(c.Body), `"`+name+`"`) }})
			b := s.binding(ctx, name, "db", func(b *v1beta1.ServiceBinding) {
				b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(fmt.Sprintf(`{"who":%q}`, name))}
			})
			if name == "e400" || name == "e422" {
				Eventually(bindingOf(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "BindCallFailed"), haveCondition("Failed", "True", "ServiceBindingReturnedFailure"),
					haveCondition("Stalled", "True", "BindCallFailed"), HaveField("UnbindStatus", v1beta1.UnbindNotRequired)))
				continue
			}
			tried[name] = b
		}
		for name, b := range tried { // more often than what may have left something
			s, often := cmp.Or(siteOf[name], s), 4
			if s == other {
				often = 1
			}
			Eventually(func() int { return len(s.about(b.Spec.ExternalID, osb.Bind)) }).WithTimeout(time.Minute).Should(BeNumerically(">", often), name)
		}
		By("a supplied id that is another's at the broker")
		Expect(k8s.Patch(ctx, strange, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
		Expect(k8s.Delete(ctx, strange)).To(Succeed())
		conflict := s.binding(ctx, "conflict", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.ExternalID, b.Spec.Parameters = strange.Spec.ExternalID, &runtime.RawExtension{Raw: []byte(`{"other":1}`)}
		})
		Eventually(bindingOf(ctx, conflict)).Should(waiting("BindCallFailed", "which was supplied"))
		Expect(k8s.Delete(ctx, conflict)).To(Succeed())
		Eventually(gone(ctx, conflict)).Should(Succeed())
		Expect(s.brokersBinding(strange.Spec.ExternalID).State).To(Equal(osbtest.Ready))
		Expect(s.Counts()[osb.Unbind]).To(BeZero())
	})

	It("is found again under its own id when the answer and the parameters are lost", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		input := newSecret(ctx, s.namespace, "input", "json", `{"a":1}`)
		hold := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Acts: true, Hold: hold, Answer: osbtest.Error(429, "", "later")})
		b := s.binding(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "input", Key: "json"}}}
		})
		Eventually(func() int { return s.Counts()[osb.Bind] }).Should(Equal(1))
		update(ctx, input, func(o *corev1.Secret) { o.Data["json"] = []byte(`{"a":2}`) })
		close(hold)
		Eventually(bindingOf(ctx, b)).Should(beBound(b))
		Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", s.passwordOf(currentID(b))))
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Expect(s.brokersBinding(currentID(b)).Parameters).To(MatchJSON(`{"a":2}`), "and not what was asked for before")
	})

	It("is made anew where its instance is by now", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, notRotatable)
		si := s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		abandon(ctx, si)
		Eventually(gone(ctx, si)).Should(Succeed())
		services := uniqueServices()
		other := newBroker(osbtest.Options{Services: services})
		registerBroker(ctx, namespaced, s.namespace, other)
		moved := s.newInstance(ctx, s.namespace, "db", services[0].Name, services[0].Plans[0].Name)
		Eventually(instanceStatus(ctx, moved)).Should(bePresent(moved))
		rebind(ctx, b, "1")
		Eventually(bindingOf(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("ExternalID", Not(BeEmpty()))))
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(other.Holds().Bindings).To(SatisfyAll(HaveLen(1), HaveKey(b.Status.ExternalID)))
		Expect(s.Violations()).To(BeEmpty())
		Expect(other.Violations()).To(BeEmpty())
		for _, c := range other.Calls(osb.Bind) {
			Expect(c.Identity).To(BeNil(), "it is not known who has asked for that")
		}
	})
})

var _ = Describe("The Secret of a binding", func() {
	steal := func(o *corev1.Secret) { o.Data["password"] = []byte("mine") }

	It("is mended, and what is others' in it stays", func(ctx SpecContext) {
		for name, edit := range map[string]func([]osbtest.Service){"fetched": func([]osbtest.Service) {}, "asked for again": notRetrievable} {
			By(name)
			s := newSite(ctx, namespaced, osbtest.Options{}, edit)
			s.provisioned(ctx, "db")
			b := s.bound(ctx, "access", "db")
			before, err := keysOf(ctx, b)()
			Expect(err).NotTo(HaveOccurred())
			calls := len(s.about(b.Spec.ExternalID))
			editSecret(ctx, b, func(o *corev1.Secret) {
				o.Data["theirs"], o.Labels = []byte("stays"), map[string]string{"theirs": "stays"}
				metav1.SetMetaDataAnnotation(&o.ObjectMeta, "theirs", "stays")
			})
			s.bound(ctx, "later", "db") // and what came before that has been looked at
			Expect(s.about(b.Spec.ExternalID)).To(HaveLen(calls), "that is nobody's business")
			editSecret(ctx, b, steal)
			before["theirs"] = "stays"
			Eventually(keysOf(ctx, b)).Should(Equal(before))
			editSecret(ctx, b, func(o *corev1.Secret) { delete(o.Data, "username") })
			Eventually(keysOf(ctx, b)).Should(Equal(before))
			secret, err := secretOf(ctx, b)
			Expect(err).NotTo(HaveOccurred())
			Expect(secret.Labels).To(HaveKey("theirs"))
			Expect(secret.Annotations).To(HaveKey("theirs"))
			deleteSecret(ctx, b)
			delete(before, "theirs")
			Eventually(keysOf(ctx, b)).Should(Equal(before))
			Eventually(bindingOf(ctx, b)).Should(beBound(b))
			Expect(s.Counts()[osb.Unbind]).To(BeZero())
			Expect(s.Holds().Bindings).To(HaveLen(2))
			Expect(s.Violations()).To(BeEmpty())
		}
	})

	// conformance: F03 F07
	It("is not emptied by a broker that does not tell", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, toldOnce, notRotatable)
		s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		before, err := keysOf(ctx, b)()
		Expect(err).NotTo(HaveOccurred())
		lift := s.Inject(osbtest.Fault{On: osb.GetBinding, Answer: osbtest.Error(500, "", "away")})
		editSecret(ctx, b, steal)
		Eventually(bindingOf(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "FetchingBindingFailed"), saying("HTTP 500")))
		lift()
		Eventually(bindingOf(ctx, b)).Should(stalled("SecretEdited", v1beta1.RebindAnnotation))
		Expect(keysOf(ctx, b)()).To(SatisfyAll(HaveKeyWithValue("password", "mine"), HaveLen(len(before))))
		Expect(s.Counts()[osb.Unbind]).To(BeZero(), "nobody has asked to end them")
		By("putting back what was there")
		editSecret(ctx, b, func(o *corev1.Secret) { o.Data["password"] = []byte(before["password"]) })
		Eventually(bindingOf(ctx, b)).Should(beBound(b))
	})

	It("is written anew with what is told under a new id, once the old one is gone", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, toldOnce, notRotatable)
		s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		deleteSecret(ctx, b)
		Eventually(keysOf(ctx, b)).ShouldNot(BeNil())
		Eventually(bindingOf(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("ExternalID", Not(BeEmpty()))))
		Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", s.passwordOf(b.Status.ExternalID)))
		Expect(s.History(b.Spec.ExternalID)).To(SatisfyAll(HaveField("Removals", 1), HaveField("Deletes", 1)))
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(gone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty())
	})

	It("gets what was told once, although the answer was lost", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, toldOnce, notRotatable)
		s.provisioned(ctx, "db")
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Acts: true, Answer: osbtest.Drop})
		b := s.bound(ctx, "access", "db")
		Expect(b.Status.ExternalID).NotTo(BeEmpty())
		Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", s.passwordOf(b.Status.ExternalID)))
		Expect(s.Holds().Bindings).To(HaveLen(1))
	})

	// conformance: R01
	It("gets others when somebody asks, after the old ones have ended", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, notRotatable)
		s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		editSecret(ctx, b, func(o *corev1.Secret) { o.Data["theirs"] = []byte("stays") })
		hold := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Unbind, Hold: hold})
		rebind(ctx, b, "2026-11-20")
		Eventually(func() int { return s.Counts()[osb.Unbind] }).Should(Equal(1))
		Expect(keysOf(ctx, b)()).To(Equal(map[string]string{"theirs": "stays"}), "nobody begins to use what is about to end")
		Expect(bindingOf(ctx, b)()).To(haveCondition("Ready", "False", "Rebinding"))
		close(hold)
		Eventually(bindingOf(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("Rebind", "2026-11-20")))
		Expect(keysOf(ctx, b)()).To(SatisfyAll(HaveKeyWithValue("password", s.passwordOf(b.Status.ExternalID)), HaveKeyWithValue("theirs", "stays")))
		Expect(s.brokersBinding(b.Status.ExternalID).Predecessor).To(BeEmpty())
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: R02 R03 R04 I06
	It("gets others when somebody asks, before the old ones end, where the plan can", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db", func(b *v1beta1.ServiceBinding) { b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"a":1}`)} })
		old, oldPassword := b.Spec.ExternalID, s.passwordOf(b.Spec.ExternalID)
		hold := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Unbind, Hold: hold})
		rebind(ctx, b, "1")
		Eventually(func() int { return s.Counts()[osb.Unbind] }).Should(Equal(1))
		Expect(bindingOf(ctx, b)()).To(SatisfyAll(haveCondition("Ready", "True", "InjectedBindResult"), HaveField("PredecessorID", old)))
		Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", SatisfyAll(Equal(s.passwordOf(b.Status.ExternalID)), Not(Equal(oldPassword)))), "they are there before the old ones end")
		Expect(s.brokersBinding(b.Status.ExternalID).Predecessor).To(Equal(old))
		put := s.about(b.Status.ExternalID, osb.Bind)
		Expect(put).To(HaveLen(1))
		Expect(bodyOf(put[0])).NotTo(HaveKey("parameters"))
		Expect(put[0].Identity).To(BeNil(), "it is not known who has asked for that")
		close(hold)
		Eventually(bindingOf(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("PredecessorID", "")))
		Expect(s.Holds().Bindings).To(SatisfyAll(HaveLen(1), HaveKey(b.Status.ExternalID)))

		By("and again, with the process killed after the broker has acted")
		hold = make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Acts: true, Hold: hold})
		rebind(ctx, b, "2")
		Eventually(func() int { return len(s.Holds().Bindings) }).Should(Equal(2))
		operator.Kill()
		close(hold)
		startOperator(context.WithoutCancel(ctx))
		Eventually(func() int { return len(s.Holds().Bindings) }).Should(Equal(1))
		Eventually(bindingOf(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("Rebind", "2"), HaveField("PredecessorID", "")))
		Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", s.passwordOf(b.Status.ExternalID)))
		Expect(s.Violations()).To(BeEmpty())
	}, serial)

	// conformance: R06
	It("keeps the old ones where others cannot be had", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		password := s.passwordOf(b.Spec.ExternalID)
		s.Inject(osbtest.Fault{On: osb.Bind, Acts: true, Times: 4, Answer: osbtest.Error(500, "", "not now")})
		s.Inject(osbtest.Fault{On: osb.Unbind, ID: b.Spec.ExternalID, Answer: osbtest.Error(500, "", "must not happen")})
		rebind(ctx, b, "1")
		Eventually(bindingOf(ctx, b)).WithTimeout(time.Minute).Should(SatisfyAll(HaveField("Rebind", "1"), HaveField("PredecessorID", ""), HaveField("ExternalID", ""), saying("were to be replaced, and were not")))
		Expect(bindingOf(ctx, b)()).To(haveCondition("Ready", "True", "InjectedBindResult"))
		Expect(keysOf(ctx, b)()).To(HaveKeyWithValue("password", password))
		Expect(s.Holds().Bindings).To(SatisfyAll(HaveLen(1), HaveKey(b.Spec.ExternalID)))
		Expect(s.about(b.Spec.ExternalID, osb.Unbind)).To(BeEmpty())
	})
})

var _ = Describe("The deletion of a binding", func() {
	// conformance: N02 N04
	It("is asked for until the broker confirms it, and says what it waits for", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		answers := map[string]osbtest.Answer{
			"e500": osbtest.Error(500, "", "oops"), "e404": osbtest.Error(404, "", "what?"), "e204": osbtest.Status(204, ""), "cut": osbtest.Status(200, "["),
			"busy": osbtest.Error(422, "ConcurrencyError", "busy"), "dropped": osbtest.Drop, "empty": func(w http.ResponseWriter, _ *http.Request, _ osbtest.Call) { w.WriteHeader(http.StatusGone) },
		}
		bindings := map[string]*v1beta1.ServiceBinding{}
		for name, answer := range answers {
			bindings[name] = s.bound(ctx, name, "db")
			s.Inject(osbtest.Fault{On: osb.Unbind, ID: bindings[name].Spec.ExternalID, Times: 1, Answer: answer, Acts: name == "dropped" || name == "empty"})
		}
		refused := s.bound(ctx, "refused", "db")
		relent := s.Inject(osbtest.Fault{On: osb.Unbind, ID: refused.Spec.ExternalID, Answer: osbtest.Error(500, "", "oops")}) // for as long as it takes to see it
		Expect(k8s.Delete(ctx, refused)).To(Succeed())
		for _, b := range bindings {
			Expect(k8s.Delete(ctx, b)).To(Succeed())
		}
		Eventually(bindingOf(ctx, refused)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "UnbindCallFailed"),
			saying("Unbind call failed: HTTP 500: the broker's description is not shown"), saying("(attempt "), saying("Deleted since "), saying(v1beta1.DeletionPolicyAnnotation+"=Retain")))
		relent()
		for name, b := range bindings {
			Eventually(gone(ctx, b)).Should(Succeed(), name)
			want := []string{"Bind", "Unbind", "Unbind"}
			if name == "empty" {
				want = want[:2]
			}
			Expect(s.sent(b.Spec.ExternalID)()).To(Equal(want), name)
		}
		Eventually(gone(ctx, refused)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty())
	})

	// conformance: N03
	It("is asked for so that the broker may take its time, where it wants that", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, notRetrievable)
		s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		s.Inject(osbtest.Fault{On: osb.Unbind, Times: 1, Answer: osbtest.Error(422, "AsyncRequired", "it takes time")})
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(gone(ctx, b)).Should(Succeed())
		removals := s.about(b.Spec.ExternalID, osb.Unbind)
		Expect(removals).To(HaveLen(2))
		Expect(removals[0].Query.Has("accepts_incomplete")).To(BeFalse())
		Expect(removals[1].Query.Get("accepts_incomplete")).To(Equal("true"))
		Expect(s.Violations()).To(BeEmpty())
	})

	It("needs neither instance nor class, whose ids are on record", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		si := s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		abandon(ctx, si)
		Eventually(gone(ctx, si)).Should(Succeed())
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(gone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty())
	})

	It("without its broker says so, and how to let go", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		b := s.bound(ctx, "access", "db")
		letGo(ctx, s.object)
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, s.object))).To(Succeed())
		Eventually(gone(ctx, s.object)).Should(Succeed())
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(bindingOf(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "ReferencesNonexistentBroker"), saying(v1beta1.DeletionPolicyAnnotation+"=Retain")))
		update(ctx, b, func(b *v1beta1.ServiceBinding) {
			metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
		})
		Eventually(gone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Eventually(eventsAbout(ctx, b)).Should(ContainElement(ContainSubstring("Retained")))
	})

	It("at once after the creation leaves nothing", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		bindings := make([]*v1beta1.ServiceBinding, 30)
		inParallel(len(bindings), func(i int) {
			bindings[i] = s.binding(ctx, fmt.Sprint("access", i), "db")
			Expect(k8s.Delete(ctx, bindings[i])).To(Succeed())
		})
		for _, b := range bindings {
			Eventually(gone(ctx, b)).Should(Succeed())
			Eventually(keysOf(ctx, b)).Should(BeNil())
		}
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty())
	})

	It("of one that was never sent is no business of the broker", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		b := s.binding(ctx, "access", "nothing")
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(gone(ctx, b)).Should(Succeed())
		Expect(s.Counts()[osb.Unbind]).To(BeZero())
	})

	It("by force, before what was made could be recorded, has that removed again", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		hold := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Acts: true, Hold: hold})
		b := s.binding(ctx, "access", "db")
		Eventually(func() int { return len(s.Holds().Bindings) }).Should(Equal(1))
		abandon(ctx, b)
		Eventually(gone(ctx, b)).Should(Succeed())
		close(hold)
		Eventually(func() int { return len(s.Holds().Bindings) }).Should(BeZero())
		Eventually(keysOf(ctx, b)).Should(BeNil())
		Expect(s.Violations()).To(BeEmpty())
	})

	It("while it is being made ends it", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[1].Behavior.Never = true
			services[1].Behavior.Async = false
		})
		si := s.slowInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(bePresent(si))
		b := s.binding(ctx, "access", "db")
		Eventually(bindingOf(ctx, b)).Should(haveCondition("Ready", "False", "Binding"))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(func() bool { return s.Finish(b.Spec.ExternalID, nil) && s.Counts()[osb.Unbind] > 0 }).Should(BeTrue())
		Eventually(gone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty())
	})

	It("leaves what was there before it, and what another object has", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		first := s.bound(ctx, "first", "db")
		abandon(ctx, first)
		Eventually(gone(ctx, first)).Should(Succeed())
		adopted := s.bound(ctx, "adopted", "db", func(b *v1beta1.ServiceBinding) { b.Spec.ExternalID = first.Spec.ExternalID })
		Expect(adopted.Status.CreatedForUID).To(BeEmpty())
		duplicate := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "duplicate"}}
		duplicate.Spec.InstanceRef.Name, duplicate.Spec.ExternalID = "db", first.Spec.ExternalID
		Expect(apierrors.IsInvalid(k8s.Create(ctx, duplicate))).To(BeTrue(), "a living object has the id")
		Expect(k8s.Delete(ctx, adopted)).To(Succeed())
		Eventually(gone(ctx, adopted)).Should(Succeed())
		Expect(s.Counts()[osb.Unbind]).To(BeZero())
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Eventually(eventsAbout(ctx, adopted)).Should(ContainElement(ContainSubstring("Retained")))
	})

	It("repeats nothing that was in the Secret, whatever the broker says", func(ctx SpecContext) {
		s := newSite(ctx, namespaced, osbtest.Options{})
		s.provisioned(ctx, "db")
		known, unknown := s.bound(ctx, "known", "db"), s.bound(ctx, "unknown", "db")
		s.Inject(osbtest.Fault{On: osb.Unbind, Times: 4, Answer: func(w http.ResponseWriter, r *http.Request, c osbtest.Call) {
			osbtest.Error(500, "Cannot", "cannot drop "+s.passwordOf(c.ID())+" oops")(w, r, c)
		}})
		passwords := []string{s.passwordOf(known.Spec.ExternalID), s.passwordOf(unknown.Spec.ExternalID)}
		Expect(k8s.Delete(ctx, known)).To(Succeed())
		Eventually(bindingOf(ctx, known)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "UnbindCallFailed"), saying("HTTP 500 Cannot: the broker's description is not shown")))
		logEverything(ctx)
		Expect(k8s.Delete(ctx, unknown)).To(Succeed())
		Eventually(bindingOf(ctx, unknown)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "UnbindCallFailed"), saying("HTTP 500 Cannot: the broker's description is not shown")))
		for _, b := range []*v1beta1.ServiceBinding{known, unknown} {
			Eventually(gone(ctx, b)).WithTimeout(time.Minute).Should(Succeed())
		}
		for _, password := range passwords {
			Expect(logs.String()).NotTo(ContainSubstring(password))
		}
	}, serial)
})
