// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// createBinding creates a binding to an instance. The name of its Secret is that of the binding.
func (s *serviceNamespace) createBinding(ctx context.Context, name, instance string, edits ...func(*v1beta1.ServiceBinding)) *v1beta1.ServiceBinding {
	GinkgoHelper()
	b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	b.Spec.InstanceRef.Name = instance
	for _, edit := range edits {
		edit(b)
	}
	Eventually(func() error { return k8s.Create(ctx, b) }).Should(Succeed())
	return b
}

// createReadyBinding creates a binding, and waits until it is Ready.
func (s *serviceNamespace) createReadyBinding(ctx context.Context, name, instance string, edits ...func(*v1beta1.ServiceBinding)) *v1beta1.ServiceBinding {
	GinkgoHelper()
	b := s.createBinding(ctx, name, instance, edits...)
	Eventually(bindingStatus(ctx, b)).Should(beBound(b))
	return b
}

// bindingAtBroker returns what the broker has under an id.
func (s *serviceNamespace) bindingAtBroker(id string) osbtest.Binding { return s.Holds().Bindings[id] }

// bindingIDAtBroker returns the id under which the broker knows a binding.
func bindingIDAtBroker(b *v1beta1.ServiceBinding) string {
	if b.Status.ExternalID != "" {
		return b.Status.ExternalID
	}
	return b.Spec.ExternalID
}

// readSecretKeys reads the data of a binding's Secret. They are nil if there is no Secret.
func readSecretKeys(ctx context.Context, b *v1beta1.ServiceBinding) func() (map[string]string, error) {
	return func() (map[string]string, error) {
		secret, err := getSecret(ctx, b)
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

func getSecret(ctx context.Context, b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	name := b.Spec.SecretName
	if name == "" {
		name = b.Name
	}
	secret := &corev1.Secret{}
	return secret, k8s.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: name}, secret)
}

// editSecret edits the present version of a binding's Secret.
func editSecret(ctx context.Context, b *v1beta1.ServiceBinding, edit func(*corev1.Secret)) {
	GinkgoHelper()
	secret, err := getSecret(ctx, b)
	Expect(err).NotTo(HaveOccurred())
	update(ctx, secret, edit)
}

func deleteSecret(ctx context.Context, b *v1beta1.ServiceBinding) {
	GinkgoHelper()
	secret, err := getSecret(ctx, b)
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Delete(ctx, secret)).To(Succeed())
}

// passwordAtBroker returns the last password that the broker returned for a binding's id.
func (s *serviceNamespace) passwordAtBroker(id string) string {
	var credentials struct{ Password string }
	_ = json.Unmarshal(s.bindingAtBroker(id).Credentials, &credentials) // the password is empty if the broker has no such binding
	return credentials.Password
}

// withoutOverlap has former credentials removed as soon as the new ones are in the Secret.
func withoutOverlap(b *v1beta1.ServiceBinding) {
	metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.RotationOverlapAnnotation, "0")
}

// requestRebind asks for new credentials.
func requestRebind(ctx context.Context, b *v1beta1.ServiceBinding, value string) {
	GinkgoHelper()
	update(ctx, b, func(b *v1beta1.ServiceBinding) {
		metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.RebindAnnotation, value)
	})
}

// These functions edit catalogs.
func disableBindingFetch(services []osbtest.Service) {
	for i := range services {
		services[i].BindingsRetrievable = false
	}
}

func disableRotation(services []osbtest.Service) {
	for i := range services {
		for j := range services[i].Plans {
			services[i].Plans[j].BindingRotatable = false
		}
	}
}

func revealCredentialsOnce(services []osbtest.Service) {
	for i := range services {
		services[i].Behavior.RevealOnce = true
	}
}

var _ = Describe("A binding", func() {
	for _, k := range []kindSet{clusterWide, namespaced} {
		describeBinding(k)
	}
})

func describeBinding(k kindSet) {
	Context("to what a "+k.broker+" offers", func() {
		// conformance: B13
		It("writes the credentials into a Secret, and removes them before it is unbound", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, k, osbtest.Options{})
			si := s.createReadyInstance(ctx, "db")
			b := s.createReadyBinding(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
				b.Spec.SecretName = "mysql-secret"
				b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"role":"reader"}`)}
			})
			secret, err := getSecret(ctx, b)
			Expect(err).NotTo(HaveOccurred())
			owner := metav1.GetControllerOf(secret)
			Expect(owner).NotTo(BeNil())
			Expect(owner.UID).To(Equal(b.UID))
			Expect(owner.Kind).To(Equal("ServiceBinding"))
			held := s.bindingAtBroker(b.Spec.ExternalID)
			Expect(held.State).To(Equal(osbtest.Ready))
			var credentials map[string]any
			Expect(json.Unmarshal(held.Credentials, &credentials)).To(Succeed())
			Expect(readSecretKeys(ctx, b)()).To(Equal(map[string]string{
				"uri": credentials["uri"].(string), "username": credentials["username"].(string), "password": credentials["password"].(string),
				"port": "3306", "ratio": "1.5", "serial": "12345678901234567890", "tls": "true", "replica": "false", "note": "null",
				"hosts": `["a.example.com","b.example.com"]`, "options": `{"ssl":{"depth":3,"mode":"verify"}}`,
				"type": s.syncService.Name, "provider": s.object.GetName(),
			}))
			Expect(b.Spec.ExternalID).To(MatchRegexp("^[0-9a-f-]{36}$"))
			Expect(b.Status.UnbindStatus).To(Equal(v1beta1.UnbindRequired))
			Expect(b.Status.CreatedForUID).To(Equal(b.UID))
			Expect(b.Status.SecretVersion).To(Equal(secret.ResourceVersion))
			Expect(b.Status.ExternalProperties.Parameters.Raw).To(MatchJSON(`{"role":"reader"}`))
			Expect(b.Status.Target.InstanceID).To(Equal(si.Spec.ExternalID))
			Expect(describeConditions(b.Status.Conditions)).To(Equal(readyConditions("InjectedBindResult")))
			Expect(b.Status.LastConditionState).To(Equal("Ready"))

			By("checking the request")
			calls := s.callsAbout(b.Spec.ExternalID)
			Expect(calls).To(HaveLen(1))
			ns := &corev1.Namespace{}
			Expect(k8s.Get(ctx, client.ObjectKey{Name: s.namespace}, ns)).To(Succeed())
			body := decodeBody(calls[0])
			Expect(body).To(HaveKeyWithValue("service_id", s.syncService.ID))
			Expect(body).To(HaveKeyWithValue("plan_id", s.syncService.Plans[0].ID))
			Expect(body).To(HaveKeyWithValue("bind_resource", map[string]any{"app_guid": string(ns.UID)}))
			Expect(body).To(HaveKeyWithValue("parameters", map[string]any{"role": "reader"}))
			Expect(body).To(HaveKeyWithValue("context", SatisfyAll(HaveKeyWithValue("namespace", s.namespace), HaveKeyWithValue("platform", "kubernetes"), HaveKey("clusterid"))))
			Expect(body).NotTo(HaveKey("app_guid"))
			Expect(calls[0].Identity).To(HaveField("Username", b.Spec.UserInfo.Username))

			By("deleting the binding")
			hold := make(chan struct{})
			s.Inject(osbtest.Fault{On: osb.Unbind, Hold: hold})
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			Eventually(func() int { return s.Counts()[osb.Unbind] }).Should(Equal(1))
			Expect(readSecretKeys(ctx, b)()).To(BeNil())
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed(), "the broker has not confirmed it yet")
			close(hold)
			Eventually(checkGone(ctx, b)).Should(Succeed())
			Expect(s.callsAbout(b.Spec.ExternalID, osb.Unbind)).To(ConsistOf(HaveField("Identity", BeNil())), "the user who deletes it is not known")
			Expect(s.History(b.Spec.ExternalID)).To(Equal(osbtest.History{Puts: 1, Deletes: 1, Creations: 1, Removals: 1, Ready: true}))
			Expect(s.Violations()).To(BeEmpty())
			Eventually(readEvents(ctx, b)).Should(ConsistOf(fmt.Sprintf("Normal DeletedAtBroker: Deleted at the broker (ObjectDeleted): id %q at %s, last changed by %q", b.Spec.ExternalID, s.URL, b.Spec.UserInfo.Username)),
				"there are events only about problems and deletions")
		})

		// conformance: L17
		// F-B3: steady operation makes no Warning event.
		It("is bound asynchronously where the broker does that, and fetches the credentials afterwards", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, k, osbtest.Options{}, neverFinish)
			si := s.createAsyncInstance(ctx, "db")
			b := s.createBinding(ctx, "access", "db")
			Eventually(func() bool { return s.Finish(si.Spec.ExternalID, nil) }).Should(BeTrue())
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			Eventually(func() bool { return s.Finish(b.Spec.ExternalID, nil) }).Should(BeTrue())
			Eventually(bindingStatus(ctx, b)).Should(beBound(b))
			Expect(s.requestsAbout(b.Spec.ExternalID)()).To(Equal([]string{"Bind", "GetBinding"}))
			Expect(b.Status.CreatedForUID).To(BeEmpty())
			Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", s.passwordAtBroker(b.Spec.ExternalID)))
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "Unbinding"), haveReadyMessage("to release the object without a request to the broker, annotate it")))
			Expect(s.Finish(b.Spec.ExternalID, nil)).To(BeTrue())
			Eventually(checkGone(ctx, b)).Should(Succeed())
			Expect(s.Holds().Bindings).To(BeEmpty())
			Expect(s.Violations()).To(BeEmpty())
			expectNoWarnings(ctx, s)
		})

		It("waits for its instance", func(ctx SpecContext) {
			s := newServiceNamespace(ctx, k, osbtest.Options{})
			b := s.createBinding(ctx, "access", "db")
			Eventually(bindingStatus(ctx, b)).Should(beReconciling("ReferencesNonexistentInstance", `ServiceInstance "db" does not exist`))
			s.createReadyInstance(ctx, "db")
			Eventually(bindingStatus(ctx, b)).Should(beBound(b))
			Expect(s.requestsAbout(b.Spec.ExternalID)()).To(Equal([]string{"Bind"}))
			expectNoWarnings(ctx, s)
		})
	})
}

var _ = Describe("A binding", func() {
	// conformance: B01 B10 B11
	It("that the service does not support is not requested", func(ctx SpecContext) {
		plain, volume := newService("plain", "small"), newService("volume", "small")
		plain.Bindable, volume.Requires = false, []string{"syslog_drain", "volume_mount"}
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) { services[0], services[1] = plain, volume })
		for class, reason := range map[string]string{plain.Name: "ErrorNonbindableServiceClass", volume.Name: "UnsupportedBinding"} {
			name := strings.ToLower(reason)
			si := s.createInstance(ctx, s.namespace, name, class, "small")
			Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
			b := s.createBinding(ctx, name, name)
			Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(beStalled(reason, ""), haveCondition("Failed", "True", reason)))
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			Eventually(checkGone(ctx, b)).Should(Succeed())
		}
		Expect(s.Counts()[osb.Bind] + s.Counts()[osb.Unbind]).To(BeZero())
	})

	// F-B24: as with the original service-catalog, the credentials are of use without the log drain.
	It("to a service with a log drain has the URL in its Secret", func(ctx SpecContext) {
		const url = "syslog://logs.example.com:514"
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Requires, services[0].Behavior.Binding = []string{"syslog_drain"}, map[string]any{"syslog_drain_url": url}
		})
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{{AddKey: &v1beta1.AddKeyTransform{Key: "DRAIN", JSONPathExpression: new("{.syslog_drain_url}")}}}
		})
		Eventually(readSecretKeys(ctx, b)).Should(SatisfyAll(HaveKey("password"), HaveKeyWithValue("syslog_drain_url", url), HaveKeyWithValue("DRAIN", url)))
		Eventually(readEvents(ctx, b)).Should(ContainElement(ContainSubstring(`Warning UnsupportedBinding: The broker returned the URL of a log drain, to which Kubernetes sends no logs: it is in Secret "access" as syslog_drain_url`)))
		Expect(b.Status.Conditions).NotTo(ContainElement(HaveField("Message", ContainSubstring("logs.example.com"))))
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: B11 B12
	It("with a feature that Kubernetes cannot use is removed again", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Behavior.Binding = map[string]any{"route_service_url": "https://route.example.com"}
		})
		s.createReadyInstance(ctx, "db")
		b := s.createBinding(ctx, "access", "db")
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Failed", "True", "ServiceBindingReturnedFailure"), HaveField("UnbindStatus", v1beta1.UnbindSucceeded)))
		Expect(b.Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring("a route_service_url"))))
		Expect(decodeBody(s.callsAbout(b.Spec.ExternalID)[0])["bind_resource"]).NotTo(HaveKey("route"))
		Expect(s.requestsAbout(b.Spec.ExternalID)()).To(Equal([]string{"Bind", "Unbind"}))
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(readSecretKeys(ctx, b)()).To(BeNil())
	})

	// conformance: B09
	It("is requested synchronously if it could not be fetched afterwards", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, disableBindingFetch)
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db")
		Expect(s.callsAbout(b.Spec.ExternalID)[0].Query.Get("accepts_incomplete")).NotTo(Equal("true"))
		slow := s.createAsyncInstance(ctx, "slow")
		Eventually(instanceStatus(ctx, slow)).Should(beProvisioned(slow))
		refused := s.createBinding(ctx, "refused", "slow")
		Eventually(bindingStatus(ctx, refused)).Should(SatisfyAll(haveCondition("Failed", "True", "ServiceBindingReturnedFailure"), haveReadyMessage("only asynchronously")))
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: B06 B05
	It("repeats app_guid outside of bind_resource where the broker requires it", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Answer: osbtest.Error(422, "RequiresApp", "an app, please")})
		b := s.createReadyBinding(ctx, "access", "db")
		calls := s.callsAbout(b.Spec.ExternalID)
		Expect(calls).To(HaveLen(2))
		Expect(decodeBody(calls[0])).NotTo(HaveKey("app_guid"))
		Expect(decodeBody(calls[1])).To(HaveKeyWithValue("app_guid", decodeBody(calls[1])["bind_resource"].(map[string]any)["app_guid"]))
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: B17 U10
	It("is not requested while its instance is not usable", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si := s.createReadyInstance(ctx, "db")
		s.Inject(osbtest.Fault{On: osb.UpdateInstance, Times: 1, Answer: osbtest.Status(400, `{"description":"broke","instance_usable":false}`)})
		update(ctx, si, requestUpdate)
		Eventually(instanceStatus(ctx, si)).Should(HaveField("Unusable", true))
		b := s.createBinding(ctx, "access", "db")
		Eventually(bindingStatus(ctx, b)).Should(beStalled("InstanceUnusable", "can no longer be used"))
		Expect(s.Counts()[osb.Bind]).To(BeZero())
		update(ctx, si, requestUpdate)
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))
	})

	It("checks its parameters, and shows no values of those from Secrets", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Plans[0].Schemas = json.RawMessage(`{"service_binding":{"create":{"parameters":{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"role":{"enum":["reader"]}}}}}}`)
		})
		s.createReadyInstance(ctx, "db")
		b := s.createBinding(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "input", Key: "json"}}}
		})
		Eventually(bindingStatus(ctx, b)).Should(beReconciling("ErrorWithParameters", `"input"`))
		secret := createSecret(ctx, s.namespace, "input", "json", `{"role":"canary-0ne"}`)
		Eventually(bindingStatus(ctx, b)).Should(beStalled("ErrorWithParameters", `spec.parametersFrom[0] (key "json" of Secret "input").role`))
		Expect(b.Status.Conditions).NotTo(ContainElement(HaveField("Message", ContainSubstring("canary"))))
		Expect(s.Counts()[osb.Bind]).To(BeZero())
		update(ctx, secret, func(o *corev1.Secret) { o.Data["json"] = []byte(`{"role":"reader"}`) })
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))
		Expect(b.Status.ExternalProperties.Parameters.Raw).To(MatchJSON(`{"role":"<redacted>"}`))
	})

	It("transforms what it writes into its Secret", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		text, expression := "10", "jdbc:{.hosts[0]}:{.port}"
		b := s.createBinding(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{
				{RenameKey: &v1beta1.RenameKeyTransform{From: "username", To: "DB_USER"}},
				{AddKey: &v1beta1.AddKeyTransform{Key: "POOL", StringValue: &text}},
				{AddKey: &v1beta1.AddKeyTransform{Key: "URL", JSONPathExpression: &expression}},
				{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Name: "more"}}},
				{RemoveKey: &v1beta1.RemoveKeyTransform{Key: "uri"}},
			}
		})
		Eventually(bindingStatus(ctx, b)).Should(beReconciling("ErrorInjectingBindResult", `Secret "more" does not exist`))
		Expect(s.Counts()[osb.Bind]).To(BeZero(), "the operator reads what the Secret needs before it sends the request")
		createSecret(ctx, s.namespace, "more", "EXTRA", "yes")
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))
		keys, err := readSecretKeys(ctx, b)()
		Expect(err).NotTo(HaveOccurred())
		Expect(keys).To(SatisfyAll(HaveKey("DB_USER"), HaveKeyWithValue("POOL", "10"), HaveKeyWithValue("URL", "jdbc:a.example.com:3306"), HaveKeyWithValue("EXTRA", "yes")))
		Expect(keys).NotTo(SatisfyAny(HaveKey("uri"), HaveKey("username")))
		Expect(s.requestsAbout(b.Spec.ExternalID)()).To(Equal([]string{"Bind"}))
	})

	It("reports which credentials a Secret cannot have", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Behavior.Credentials = func(string) any { return map[string]any{"pass word": "canary-tw0"} }
		})
		s.createReadyInstance(ctx, "db")
		b := s.createBinding(ctx, "access", "db")
		Eventually(bindingStatus(ctx, b)).Should(beStalled("ErrorInjectingBindResult", `"pass word"`))
		Expect(b.Status.Conditions).NotTo(ContainElement(HaveField("Message", ContainSubstring("canary"))))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(s.requestsAbout(b.Spec.ExternalID)()).To(Equal([]string{"Bind", "Unbind"}))
		Expect(s.Holds().Bindings).To(BeEmpty())
	})

	It("does not write into a Secret that it does not own", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		theirs := createSecret(ctx, s.namespace, "access", "theirs", "yes")
		b := s.createBinding(ctx, "access", "db")
		Eventually(bindingStatus(ctx, b)).Should(beStalled("ErrorInjectingBindResult", `Secret "access" already exists`))
		Expect(s.Counts()[osb.Bind]).To(BeZero(), "the operator checks before it sends the request")
		other := s.createReadyBinding(ctx, "other", "db")
		second := s.createBinding(ctx, "second", "db", func(b *v1beta1.ServiceBinding) { b.Spec.SecretName = "other" })
		Eventually(bindingStatus(ctx, second)).Should(beStalled("ErrorInjectingBindResult", `Secret "other" already exists`))
		Expect(k8s.Delete(ctx, second)).To(Succeed())
		Eventually(checkGone(ctx, second)).Should(Succeed())
		Expect(readSecretKeys(ctx, other)()).NotTo(BeEmpty(), "the owner keeps it")
		Expect(k8s.Delete(ctx, theirs)).To(Succeed())
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))

		By("removing the owner reference of its own Secret")
		editSecret(ctx, b, func(secret *corev1.Secret) { secret.OwnerReferences = nil })
		Eventually(bindingStatus(ctx, b)).Should(beStalled("ErrorInjectingBindResult", `Secret "access" already exists`))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(readSecretKeys(ctx, b)()).To(HaveKey("password"))
	})

	// conformance: O08
	It("is repeated unchanged, and then removed, where the outcome of the request is unknown", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
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
			bindings[name] = s.createBinding(ctx, name, "db", func(b *v1beta1.ServiceBinding) {
				b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(fmt.Sprintf(`{"who":%q}`, name))}
			})
		}
		first := bindings["e500"]
		Eventually(bindingStatus(ctx, first)).Should(SatisfyAll(haveCondition("Ready", "False", "BindCallFailed"), haveCondition("Reconciling", "True", "BindCallFailed"),
			haveReadyMessage("Bind call failed: HTTP 500: oops (attempt "), HaveField("UnbindStatus", v1beta1.UnbindRequired)))
		for name, b := range bindings {
			Eventually(bindingStatus(ctx, b)).WithTimeout(2*time.Minute).Should(beBound(b), name) // a 410 is confirmed at most once a minute
			requests := []string{"Bind", "Bind", "Bind", "Bind", "Unbind"}
			if !answers[name].Acts { // the broker has nothing, and answers 410
				requests = append(requests, "Unbind")
			}
			Expect(s.requestsAbout(b.Spec.ExternalID)()).To(Equal(requests), name)
			Expect(s.requestsAbout(b.Status.ExternalID)()).To(Equal([]string{"Bind"}), name) // a new id (F-S5)
			Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", s.passwordAtBroker(b.Status.ExternalID)))
		}
		Expect(s.Holds().Bindings).To(HaveLen(len(bindings)))
		for _, c := range s.Calls(osb.Unbind) {
			Expect(c.Identity).To(BeNil(), "orphan mitigation has no originating identity")
		}
		Expect(s.Violations()).To(BeEmpty())
	})

	It("is removed and requested again where the broker failed asynchronously", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si := s.createAsyncInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Failure: &osbtest.Failure{Description: "no more users"}})
		b := s.createBinding(ctx, "access", "db")
		Eventually(bindingStatus(ctx, b)).Should(HaveField("Attempts.LastError", ContainSubstring("no more users")))
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))
		Expect(s.Holds().Bindings).To(HaveLen(1))
	})

	// conformance: O09 B15
	It("is not removed where the broker refuses the request, or its answer is malformed", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		existing := s.createReadyBinding(ctx, "strange", "db")
		s.Forget()
		other := newServiceNamespace(ctx, namespaced, osbtest.Options{}) // a broker of its own, since these answers look like a misconfiguration, which delays all other requests
		other.createReadyInstance(ctx, "db")
		namespaceOf := map[string]*serviceNamespace{"e404": other, "cut": other}
		faults := map[string]osbtest.Answer{
			"e400": osbtest.Error(400, "", "bad"), "e404": osbtest.Error(404, "", "what"), "e422": osbtest.Error(422, "", "no"), "e408": osbtest.Error(408, "", "slow"),
			"cut": osbtest.Status(200, "["), "busy": osbtest.Error(422, "ConcurrencyError", "busy"),
		}
		tried := map[string]*v1beta1.ServiceBinding{}
		for name, answer := range faults {
			s := cmp.Or(namespaceOf[name], s)
			s.Inject(osbtest.Fault{On: osb.Bind, Answer: answer, Match: func(c osbtest.Call) bool { return strings.Contains(string(c.Body), `"`+name+`"`) }})
			b := s.createBinding(ctx, name, "db", func(b *v1beta1.ServiceBinding) {
				b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(fmt.Sprintf(`{"who":%q}`, name))}
			})
			if name == "e400" || name == "e422" {
				Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "BindCallFailed"), haveCondition("Failed", "True", "ServiceBindingReturnedFailure"),
					haveCondition("Stalled", "True", "BindCallFailed"), HaveField("UnbindStatus", v1beta1.UnbindNotRequired)))
				continue
			}
			tried[name] = b
		}
		for name, b := range tried { // more often than the operator repeats a request before it starts orphan mitigation
			s, often := cmp.Or(namespaceOf[name], s), 4
			if s == other {
				often = 1
			}
			Eventually(func() int { return len(s.callsAbout(b.Spec.ExternalID, osb.Bind)) }).WithTimeout(time.Minute).Should(BeNumerically(">", often), name)
		}
		By("supplying an id that the broker already has for another binding")
		Expect(k8s.Patch(ctx, existing, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
		Expect(k8s.Delete(ctx, existing)).To(Succeed())
		conflict := s.createBinding(ctx, "conflict", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.ExternalID, b.Spec.Parameters = existing.Spec.ExternalID, &runtime.RawExtension{Raw: []byte(`{"other":1}`)}
		})
		Eventually(bindingStatus(ctx, conflict)).Should(beReconciling("Conflict", "which was supplied"))
		Expect(k8s.Delete(ctx, conflict)).To(Succeed())
		Eventually(checkGone(ctx, conflict)).Should(Succeed())
		Expect(s.bindingAtBroker(existing.Spec.ExternalID).State).To(Equal(osbtest.Ready))
		Expect(s.Counts()[osb.Unbind]).To(BeZero())
	})

	// F-S24: the broker said that it did nothing, so that what it has under the id may be of any origin.
	It("is held where the broker did what it refused, and the parameters change meanwhile", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		input := createSecret(ctx, s.namespace, "input", "json", `{"a":1}`)
		hold := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Acts: true, Hold: hold, Answer: osbtest.Error(429, "", "later")})
		b := s.createBinding(ctx, "access", "db", func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "input", Key: "json"}}}
		})
		Eventually(func() int { return s.Counts()[osb.Bind] }).Should(Equal(1))
		update(ctx, input, func(o *corev1.Secret) { o.Data["json"] = []byte(`{"a":2}`) })
		close(hold)
		Eventually(bindingStatus(ctx, b)).Should(beStalled("Conflict", v1beta1.DeletionPolicyAnnotation+"=Delete"))
		Expect(s.Counts()[osb.Unbind]).To(BeZero())
		update(ctx, b, func(b *v1beta1.ServiceBinding) {
			metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete)
		})
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty(), "the annotation has it removed")
	})

	It("says that it has to be created again where its instance is at another broker", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, disableRotation)
		si := s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db")
		abandonAndDelete(ctx, si)
		Eventually(checkGone(ctx, si)).Should(Succeed())
		services := uniqueServices()
		other := startBroker(osbtest.Options{Services: services})
		createReadyBroker(ctx, namespaced, s.namespace, other)
		moved := s.createInstance(ctx, s.namespace, "db", services[0].Name, services[0].Plans[0].Name)
		Eventually(instanceStatus(ctx, moved)).Should(beProvisioned(moved))
		requestRebind(ctx, b, "1")
		Eventually(bindingStatus(ctx, b)).Should(haveReadyMessage(`ServiceInstance "db" is not the one that the credentials are for: delete this ServiceBinding, and create it again`))
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Expect(other.Holds().Bindings).To(BeEmpty())
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		again := s.createReadyBinding(ctx, "access", "db")
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(other.Holds().Bindings).To(SatisfyAll(HaveLen(1), HaveKey(again.Spec.ExternalID)))
		Expect(s.Violations()).To(BeEmpty())
		Expect(other.Violations()).To(BeEmpty())
	})
})

var _ = Describe("The Secret of a binding", func() {
	steal := func(o *corev1.Secret) { o.Data["password"] = []byte("mine") }

	It("is repaired, and keeps the keys of others", func(ctx SpecContext) {
		for name, edit := range map[string]func([]osbtest.Service){"fetched": func([]osbtest.Service) {}, "asked for again": disableBindingFetch} {
			By(name)
			s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, edit)
			s.createReadyInstance(ctx, "db")
			b := s.createReadyBinding(ctx, "access", "db")
			before, err := readSecretKeys(ctx, b)()
			Expect(err).NotTo(HaveOccurred())
			calls := len(s.callsAbout(b.Spec.ExternalID))
			editSecret(ctx, b, func(o *corev1.Secret) {
				o.Data["theirs"], o.Labels = []byte("stays"), map[string]string{"theirs": "stays"}
				metav1.SetMetaDataAnnotation(&o.ObjectMeta, "theirs", "stays")
			})
			s.createReadyBinding(ctx, "later", "db") // so that the operator has reconciled the edit before
			Expect(s.callsAbout(b.Spec.ExternalID)).To(HaveLen(calls), "the operator ignores other keys")
			editSecret(ctx, b, steal)
			before["theirs"] = "stays"
			Eventually(readSecretKeys(ctx, b)).Should(Equal(before))
			editSecret(ctx, b, func(o *corev1.Secret) { delete(o.Data, "username") })
			Eventually(readSecretKeys(ctx, b)).Should(Equal(before))
			secret, err := getSecret(ctx, b)
			Expect(err).NotTo(HaveOccurred())
			Expect(secret.Labels).To(HaveKey("theirs"))
			Expect(secret.Annotations).To(HaveKey("theirs"))
			deleteSecret(ctx, b)
			delete(before, "theirs")
			Eventually(readSecretKeys(ctx, b)).Should(Equal(before))
			Eventually(bindingStatus(ctx, b)).Should(beBound(b))
			Expect(s.Counts()[osb.Unbind]).To(BeZero())
			Expect(s.Holds().Bindings).To(HaveLen(2))
			Expect(s.Violations()).To(BeEmpty())
		}
	})

	It("is that of a Provisioned Service of servicebinding.io", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Behavior.Credentials = func(id string) any {
				return map[string]any{"hostname": "db.example.com", "port": 3306, "user": "u", "pass": "pass-" + id, "jdbcUrl": "jdbc:mysql://db.example.com/app"}
			}
		})
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db", withoutOverlap, func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretName = "mysql"
			metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.BindingTypeAnnotation, "mysql")
		})
		named := HaveField("Binding", Equal(&v1beta1.LocalObjectReference{Name: "mysql"}))
		keys := func(id string) map[string]string {
			return map[string]string{
				"hostname": "db.example.com", "port": "3306", "user": "u", "pass": "pass-" + id, "jdbcUrl": "jdbc:mysql://db.example.com/app",
				"type": "mysql", "provider": s.object.GetName(), "host": "db.example.com", "username": "u", "password": "pass-" + id,
			}
		}
		Expect(b.Status).To(named)
		Expect(readSecretKeys(ctx, b)()).To(Equal(keys(b.Spec.ExternalID)))

		By("deleting the Secret")
		deleteSecret(ctx, b)
		Eventually(readSecretKeys(ctx, b)).Should(Equal(keys(b.Spec.ExternalID)))
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(beBound(b), named))

		By("rotating the credentials")
		requestRebind(ctx, b, "1")
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(beBound(b), named, HaveField("Rebind", "1"), HaveField("PredecessorID", ""), HaveField("ExternalID", Not(BeEmpty()))))
		Expect(readSecretKeys(ctx, b)()).To(Equal(keys(b.Status.ExternalID)), "no key has the former password")

		By("deleting the binding")
		s.Inject(osbtest.Fault{On: osb.Unbind, Answer: osbtest.Error(500, "", "away")})
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "UnbindCallFailed"), HaveField("Binding", BeNil())))
		Expect(readSecretKeys(ctx, b)()).To(BeNil())
	})

	// conformance: F03 F07
	It("is not emptied where the broker does not return the credentials again", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, revealCredentialsOnce, disableRotation)
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db")
		before, err := readSecretKeys(ctx, b)()
		Expect(err).NotTo(HaveOccurred())
		lift := s.Inject(osbtest.Fault{On: osb.GetBinding, Answer: osbtest.Error(500, "", "away")})
		editSecret(ctx, b, steal)
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "False", "FetchingBindingFailed"), haveReadyMessage("HTTP 500")))
		lift()
		Eventually(bindingStatus(ctx, b)).Should(beStalled("SecretEdited", v1beta1.RebindAnnotation))
		Expect(readSecretKeys(ctx, b)()).To(SatisfyAll(HaveKeyWithValue("password", "mine"), HaveLen(len(before))))
		Expect(s.Counts()[osb.Unbind]).To(BeZero(), "the user did not ask to end the binding")
		By("restoring the former content")
		editSecret(ctx, b, func(o *corev1.Secret) { o.Data["password"] = []byte(before["password"]) })
		Eventually(bindingStatus(ctx, b)).Should(beBound(b))
	})

	It("gets credentials under a new id, and the old binding is removed then", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, revealCredentialsOnce, disableRotation)
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db", withoutOverlap)
		deleteSecret(ctx, b)
		Eventually(readSecretKeys(ctx, b)).ShouldNot(BeNil())
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("ExternalID", Not(BeEmpty()))))
		Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", s.passwordAtBroker(b.Status.ExternalID)))
		Eventually(func() map[string]osbtest.Binding { return s.Holds().Bindings }).Should(SatisfyAll(HaveLen(1), HaveKey(b.Status.ExternalID)))
		Expect(s.History(b.Spec.ExternalID)).To(SatisfyAll(HaveField("Removals", 1), HaveField("Deletes", 1)))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty())
	})

	It("gets credentials that are returned only once, although the answer was lost", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, revealCredentialsOnce, disableRotation)
		s.createReadyInstance(ctx, "db")
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Acts: true, Answer: osbtest.Drop})
		b := s.createReadyBinding(ctx, "access", "db", withoutOverlap)
		Expect(b.Status.ExternalID).NotTo(BeEmpty())
		Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", s.passwordAtBroker(b.Status.ExternalID)))
		Eventually(func() map[string]osbtest.Binding { return s.Holds().Bindings }).Should(HaveLen(1))
	})

	// F-S26: the old credentials are valid until the new ones are in the Secret, whatever the plan can, and then for the overlap.
	// conformance: R01
	It("gets new credentials on request beside the old binding, where the plan does not support rotation", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, disableRotation)
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db")
		editSecret(ctx, b, func(o *corev1.Secret) { o.Data["theirs"] = []byte("stays") })
		requestRebind(ctx, b, "2026-11-20")
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("Rebind", "2026-11-20"), HaveField("Predecessors", ConsistOf(HaveField("ID", b.Spec.ExternalID)))))
		Expect(readSecretKeys(ctx, b)()).To(SatisfyAll(HaveKeyWithValue("password", s.passwordAtBroker(b.Status.ExternalID)), HaveKeyWithValue("theirs", "stays")))
		Expect(s.bindingAtBroker(b.Status.ExternalID).Predecessor).To(BeEmpty())
		Expect(s.Holds().Bindings).To(SatisfyAll(HaveLen(2), HaveKey(b.Spec.ExternalID)))
		Eventually(readEvents(ctx, b)).Should(ContainElement(ContainSubstring(`Normal InjectedBindResult: Secret "access" has new credentials; the former ones are deleted at the broker at `+
			b.Status.Predecessors[0].RemoveAt.UTC().Format(time.RFC3339)+" or later")), "F-U37")
		update(ctx, b, withoutOverlap)
		Eventually(bindingStatus(ctx, b)).Should(HaveField("Predecessors", BeEmpty()))
		Expect(s.Holds().Bindings).To(SatisfyAll(HaveLen(1), HaveKey(b.Status.ExternalID)))
		Expect(s.Violations()).To(BeEmpty())
	})

	// conformance: R02 R03 R04 I06
	// F-B3: steady operation makes no Warning event.
	It("gets new credentials on request before the old binding is removed, where the plan supports rotation", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db", withoutOverlap, func(b *v1beta1.ServiceBinding) { b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"a":1}`)} })
		old, oldPassword := b.Spec.ExternalID, s.passwordAtBroker(b.Spec.ExternalID)
		hold := make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Unbind, Hold: hold})
		requestRebind(ctx, b, "1")
		Eventually(func() int { return s.Counts()[osb.Unbind] }).Should(Equal(1))
		Expect(bindingStatus(ctx, b)()).To(SatisfyAll(haveCondition("Ready", "True", "InjectedBindResult"), HaveField("Predecessors", ConsistOf(HaveField("ID", old)))))
		Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", SatisfyAll(Equal(s.passwordAtBroker(b.Status.ExternalID)), Not(Equal(oldPassword)))), "the Secret has the new credentials before the old binding is removed")
		Expect(s.bindingAtBroker(b.Status.ExternalID).Predecessor).To(Equal(old))
		put := s.callsAbout(b.Status.ExternalID, osb.Bind)
		Expect(put).To(HaveLen(1))
		Expect(decodeBody(put[0])).NotTo(HaveKey("parameters"))
		Expect(put[0].Identity).To(BeNil(), "the user who asked for it is not known")
		close(hold)
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("Predecessors", BeEmpty())))
		Expect(s.Holds().Bindings).To(SatisfyAll(HaveLen(1), HaveKey(b.Status.ExternalID)))

		expectNoWarnings(ctx, s)

		By("rotating again, and killing the operator after the broker acted")
		hold = make(chan struct{})
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Acts: true, Hold: hold})
		requestRebind(ctx, b, "2")
		Eventually(func() int { return len(s.Holds().Bindings) }).Should(Equal(2))
		operator.Kill()
		close(hold)
		startOperator(context.WithoutCancel(ctx))
		Eventually(func() int { return len(s.Holds().Bindings) }).Should(Equal(1))
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(beBound(b), HaveField("Rebind", "2"), HaveField("Predecessors", BeEmpty())))
		Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", s.passwordAtBroker(b.Status.ExternalID)))
		Expect(s.Violations()).To(BeEmpty())
	}, serial)

	// conformance: R06
	It("keeps the old credentials while the broker cannot create new ones, and requests them again", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db")
		password := s.passwordAtBroker(b.Spec.ExternalID)
		relent := s.Inject(osbtest.Fault{On: osb.Bind, Acts: true, Answer: osbtest.Error(500, "", "not now")})
		s.Inject(osbtest.Fault{On: osb.GetBinding, Answer: osbtest.Error(404, "", "not yet")})
		s.Inject(osbtest.Fault{On: osb.Unbind, ID: b.Spec.ExternalID, Answer: osbtest.Error(500, "", "must not happen")})
		requestRebind(ctx, b, "1")
		Eventually(bindingStatus(ctx, b)).WithTimeout(2 * time.Minute).Should(SatisfyAll(HaveField("Rebind", ""), HaveField("AttemptedRebind", "1"), HaveField("PredecessorID", ""), HaveField("ExternalID", ""), haveReadyMessage("replacing them failed")))
		Expect(bindingStatus(ctx, b)()).To(haveCondition("Ready", "True", "InjectedBindResult"))
		Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", password))
		Expect(s.Holds().Bindings).To(HaveKey(b.Spec.ExternalID))

		relent()
		Eventually(bindingStatus(ctx, b)).WithTimeout(time.Minute).Should(SatisfyAll(beBound(b), HaveField("Rebind", "1"), HaveField("AttemptedRebind", ""), HaveField("ExternalID", Not(BeEmpty()))))
		Expect(readSecretKeys(ctx, b)()).NotTo(HaveKeyWithValue("password", password))
		Expect(s.callsAbout(b.Spec.ExternalID, osb.Unbind)).To(BeEmpty())
	})
})

var _ = Describe("The deletion of a binding", func() {
	// conformance: N02 N04
	It("is retried until the broker confirms it, and the status reports what it waits for", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		answers := map[string]osbtest.Answer{
			"e500": osbtest.Error(500, "", "oops"), "e404": osbtest.Error(404, "", "what?"), "e204": osbtest.Status(204, ""), "cut": osbtest.Status(200, "["),
			"busy": osbtest.Error(422, "ConcurrencyError", "busy"), "dropped": osbtest.Drop, "empty": func(w http.ResponseWriter, _ *http.Request, _ osbtest.Call) { w.WriteHeader(http.StatusGone) },
		}
		bindings := map[string]*v1beta1.ServiceBinding{}
		for name, answer := range answers {
			bindings[name] = s.createReadyBinding(ctx, name, "db")
			s.Inject(osbtest.Fault{On: osb.Unbind, ID: bindings[name].Spec.ExternalID, Times: 1, Answer: answer, Acts: name == "dropped" || name == "empty"})
		}
		refused := s.createReadyBinding(ctx, "refused", "db")
		relent := s.Inject(osbtest.Fault{On: osb.Unbind, ID: refused.Spec.ExternalID, Answer: osbtest.Error(500, "", "oops")}) // for as long as the spec needs to see the condition
		Expect(k8s.Delete(ctx, refused)).To(Succeed())
		for _, b := range bindings {
			Expect(k8s.Delete(ctx, b)).To(Succeed())
		}
		Eventually(bindingStatus(ctx, refused)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "UnbindCallFailed"),
			haveReadyMessage("Unbind call failed: HTTP 500: oops (said in an earlier answer)"), haveReadyMessage("(attempt "), haveReadyMessage("Deleted at "), haveReadyMessage(v1beta1.DeletionPolicyAnnotation+"=Retain")))
		relent()
		for name, b := range bindings {
			Eventually(checkGone(ctx, b)).WithTimeout(2*time.Minute).Should(Succeed(), name)
			want := []string{"Bind", "Unbind", "Unbind"}
			if name == "dropped" { // the second request is answered 410, and the third one confirms that
				want = append(want, "Unbind")
			}
			Expect(s.requestsAbout(b.Spec.ExternalID)()).To(Equal(want), name)
		}
		Eventually(checkGone(ctx, refused)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty())
	})

	// conformance: N03
	It("is asynchronous where the broker requires that", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, disableBindingFetch)
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db")
		s.Inject(osbtest.Fault{On: osb.Unbind, Times: 1, Answer: osbtest.Error(422, "AsyncRequired", "it takes time")})
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		removals := s.callsAbout(b.Spec.ExternalID, osb.Unbind)
		Expect(removals).To(HaveLen(2))
		Expect(removals[0].Query.Has("accepts_incomplete")).To(BeFalse())
		Expect(removals[1].Query.Get("accepts_incomplete")).To(Equal("true"))
		Expect(s.Violations()).To(BeEmpty())
	})

	It("needs neither the instance nor its class, since their ids are in the status", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		si := s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db")
		abandonAndDelete(ctx, si)
		Eventually(checkGone(ctx, si)).Should(Succeed())
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty())
	})

	It("without its broker reports that, and how to remove the object immediately", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		b := s.createReadyBinding(ctx, "access", "db")
		removeFinalizers(ctx, s.object)
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, s.object))).To(Succeed())
		Eventually(checkGone(ctx, s.object)).Should(Succeed())
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "ReferencesNonexistentBroker"), haveReadyMessage(v1beta1.DeletionPolicyAnnotation+"=Retain")))
		update(ctx, b, func(b *v1beta1.ServiceBinding) {
			metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
		})
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Eventually(readEvents(ctx, b)).Should(ContainElement(ContainSubstring("Retained")))
	})

	It("right after the creation leaves nothing at the broker", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		bindings := make([]*v1beta1.ServiceBinding, 30)
		runInParallel(len(bindings), func(i int) {
			bindings[i] = s.createBinding(ctx, fmt.Sprint("access", i), "db")
			Expect(k8s.Delete(ctx, bindings[i])).To(Succeed())
		})
		for _, b := range bindings {
			Eventually(checkGone(ctx, b)).Should(Succeed())
			Eventually(readSecretKeys(ctx, b)).Should(BeNil())
		}
		Expect(s.Holds().Bindings).To(BeEmpty())
		Expect(s.Violations()).To(BeEmpty())
	})

	It("for which no request was sent does not involve the broker", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		b := s.createBinding(ctx, "access", "nothing")
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(s.Counts()[osb.Unbind]).To(BeZero())
	})

	It("unbinds while the bind is in progress", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[1].Behavior.Never = true
			services[1].Behavior.Async = false
		})
		si := s.createAsyncInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
		b := s.createBinding(ctx, "access", "db")
		Eventually(bindingStatus(ctx, b)).Should(haveCondition("Ready", "False", "Binding"))
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(func() bool { return s.Finish(b.Spec.ExternalID, nil) && s.Counts()[osb.Unbind] > 0 }).Should(BeTrue())
		Eventually(checkGone(ctx, b)).Should(Succeed())
		Expect(s.Holds().Bindings).To(BeEmpty())
	})

	It("leaves bindings that existed before it, and bindings of other objects", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		first := s.createReadyBinding(ctx, "first", "db")
		abandonAndDelete(ctx, first)
		Eventually(checkGone(ctx, first)).Should(Succeed())
		adopted := s.createReadyBinding(ctx, "adopted", "db", func(b *v1beta1.ServiceBinding) { b.Spec.ExternalID = first.Spec.ExternalID })
		Expect(adopted.Status.CreatedForUID).To(BeEmpty())
		duplicate := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "duplicate"}}
		duplicate.Spec.InstanceRef.Name, duplicate.Spec.ExternalID = "db", first.Spec.ExternalID
		Expect(apierrors.IsInvalid(k8s.Create(ctx, duplicate))).To(BeTrue(), "an existing object has the id")
		Expect(k8s.Delete(ctx, adopted)).To(Succeed())
		Eventually(checkGone(ctx, adopted)).Should(Succeed())
		Expect(s.Counts()[osb.Unbind]).To(BeZero())
		Expect(s.Holds().Bindings).To(HaveLen(1))
		Eventually(readEvents(ctx, adopted)).Should(ContainElement(ContainSubstring("Retained")))
	})

	It("repeats no credentials, whatever the broker answers", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{})
		s.createReadyInstance(ctx, "db")
		known, unknown := s.createReadyBinding(ctx, "known", "db"), s.createReadyBinding(ctx, "unknown", "db")
		passwords := []string{s.passwordAtBroker(known.Spec.ExternalID), s.passwordAtBroker(unknown.Spec.ExternalID)}
		failToUnbind := func(b *v1beta1.ServiceBinding) {
			GinkgoHelper()
			lift := s.Inject(osbtest.Fault{On: osb.Unbind, ID: b.Spec.ExternalID, Answer: func(w http.ResponseWriter, r *http.Request, c osbtest.Call) {
				osbtest.Error(500, "Cannot", "cannot drop "+s.passwordAtBroker(c.ID())+" oops")(w, r, c)
			}})
			defer lift()
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			// The values are known in the reconcile that deletes the Secret. If its request was not sent, no later one shows what the broker says.
			Eventually(bindingStatus(ctx, b)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "UnbindCallFailed"),
				Or(haveReadyMessage("cannot drop [redacted] oops"), haveReadyMessage("the broker's description is not shown"))))
		}
		failToUnbind(known)
		logAtHighestLevel(ctx)
		failToUnbind(unknown)
		for _, b := range []*v1beta1.ServiceBinding{known, unknown} {
			Eventually(checkGone(ctx, b)).WithTimeout(time.Minute).Should(Succeed())
		}
		for _, password := range passwords {
			Expect(logs.String()).NotTo(ContainSubstring(password))
		}
	}, serial)
})
