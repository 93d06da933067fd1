// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/redact/redacttest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// Each kind of credential has its own value, so that a leak tells where it came from.
const (
	authCanary    = canary.Value + "-auth"
	tokenCanary   = "cAnaRy0token0with0nothing0to0escape"
	paramCanary   = canary.Value + "-parameter"
	numberCanary  = "90071992547409"
	bindingCanary = canary.Value + "-binding"
)

// unshown is in what stands for words of a broker's that may have secrets which are not known.
const unshown = "is not shown"

var _ = Describe("A credential", serial, func() {
	BeforeEach(logAtHighestLevel)

	// echo returns a few credentials at a time, in every encoding, in fields that users are shown. Long texts are truncated, so that one
	// answer cannot have all of them; from chooses the first.
	echo := func(status, from int, secrets ...string) osbtest.Answer {
		var all []string
		for _, secret := range secrets {
			all = slices.AppendSeq(all, maps.Values(redacttest.Encodings(secret)))
		}
		var answers []osbtest.Answer
		for part := range slices.Chunk(all, 8) {
			words := strings.Join(part, " ")
			said := encodeJSON(map[string]any{"error": part[0], "description": words, "state": "in progress", "dashboard_url": "https://example.com/?token=" + words, "operation": words})
			answers = append(answers, osbtest.Status(status, said, "Content-Type", "application/json", "Location", "/"+part[0], "Retry-After", "1"))
		}
		from %= len(answers)
		return osbtest.InOrder(slices.Concat(answers[from:], answers[:from])...)
	}

	It("is only in its Secret and in requests", func(ctx SpecContext) {
		s := newNamespaceWithoutBroker(ctx, namespaced, osbtest.Options{Username: "bell", Password: authCanary}, func(services []osbtest.Service) {
			for i := range services {
				services[i].Behavior.Credentials = func(string) any {
					return map[string]any{"password": bindingCanary, "uri": "mysql://u@db.example.com/?key=" + bindingCanary, "list": []string{bindingCanary}}
				}
			}
		})
		token := createMetricsToken(ctx, s.namespace)
		createSecret(ctx, s.namespace, "auth", "username", "bell", "password", authCanary)
		createSecret(ctx, s.namespace, "params", "json", encodeJSON(map[string]any{"password": paramCanary, "nested": map[string]any{"list": []any{"x", paramCanary}}, "pin": json.Number(numberCanary)}))
		createSecret(ctx, s.namespace, "params2", "json", encodeJSON(map[string]any{"password": paramCanary, "again": paramCanary}))
		createSecret(ctx, s.namespace, "broken", "json", `{"password":"`+tokenCanary)
		createSecret(ctx, s.namespace, "twice", "json", encodeJSON(map[string]any{"password": tokenCanary}))

		s.Inject(osbtest.Fault{On: osb.GetCatalog, Times: 1, Answer: osbtest.Echo(500, "Oops")})
		s.object = createReadyBroker(ctx, namespaced, s.namespace, s.Broker, func(b v1beta1.Broker) {
			b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Name: "auth"}}}
		})
		plain := s.createReadyInstance(ctx, "plain", addParametersFrom("params"))
		slow := s.createAsyncInstance(ctx, "slow", addParametersFrom("params"))
		s.createSyncInstance(ctx, "broken", addParametersFrom("broken"))
		s.createSyncInstance(ctx, "twice", addParametersFrom("params"), addParametersFrom("twice"))
		b := s.createReadyBinding(ctx, "binding", "plain")
		Expect(readSecretKeys(ctx, b)()).To(HaveKeyWithValue("password", bindingCanary))
		Expect(string(s.instanceAtBroker(plain.Spec.ExternalID).Parameters)).To(ContainSubstring(canary.EncodeJSON(paramCanary, true)), "the request had the credential")
		Eventually(instanceStatus(ctx, slow)).Should(beProvisioned(slow))

		By("returning credentials in every answer")
		for i, op := range []osb.Operation{osb.ProvisionInstance, osb.UpdateInstance, osb.DeprovisionInstance, osb.GetInstance} {
			s.Inject(osbtest.Fault{On: op, Times: 3, Answer: echo(500, 3*i, authCanary, paramCanary, numberCanary)})
			s.Inject(osbtest.Fault{On: op, Times: 1, Answer: osbtest.Echo(500, "Oops")})
			s.Inject(osbtest.Fault{On: op, Times: 1, Answer: echo(202, i, authCanary, paramCanary, numberCanary)})
		}
		for i, op := range []osb.Operation{osb.Unbind, osb.GetBinding} {
			s.Inject(osbtest.Fault{On: op, ID: b.Spec.ExternalID, Times: 3, Answer: echo(500, 3*i, authCanary, bindingCanary)})
			s.Inject(osbtest.Fault{On: op, ID: b.Spec.ExternalID, Times: 1, Answer: echo(202, i, authCanary, bindingCanary)})
		}
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 3, Answer: echo(500, 0, authCanary, paramCanary, numberCanary)})
		s.Inject(osbtest.Fault{On: osb.Bind, Times: 1, Answer: echo(202, 0, authCanary, paramCanary, numberCanary)})
		s.Inject(osbtest.Fault{On: osb.PollLastOperation, Times: 6, Answer: echo(200, 3, authCanary, paramCanary, numberCanary)})
		refused := s.createSyncInstance(ctx, "refused", addParametersFrom("params"))
		for i, si := range []*v1beta1.ServiceInstance{plain, slow} {
			update(ctx, si, func(si *v1beta1.ServiceInstance) {
				si.Spec.ParametersFrom = nil
				addParametersFrom([]string{"params2", "params"}[i])(si)
				requestUpdate(si)
			})
		}
		s.createBinding(ctx, "second", "plain", func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "params", Key: "json"}}}
		})
		Eventually(instanceStatus(ctx, refused)).Should(haveReadyMessage("[redacted]"))
		Eventually(instanceStatus(ctx, slow)).Should(haveReadyMessage("[redacted]"))
		Eventually(instanceStatus(ctx, plain)).Should(haveReadyMessage(unshown), "which other parameters are sent than it has")
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(bindingStatus(ctx, b)).Should(haveCondition("Ready", "Unknown", "UnbindCallFailed"))
		Eventually(func() int { return s.Counts()[osb.Unbind] }).Should(BeNumerically(">=", 2))
		expectNoCredential(ctx, token)

		By("deleting the objects")
		Eventually(checkGone(ctx, b)).WithTimeout(2 * time.Minute).Should(Succeed())
		Expect(k8s.Delete(ctx, refused)).To(Succeed())
		Eventually(func() int { return s.Counts()[osb.DeprovisionInstance] }).Should(BeNumerically(">=", 1))
		expectNoCredential(ctx, token)
	})

	It("is only in its Secret and in requests where it is a bearer token", func(ctx SpecContext) {
		s := newNamespaceWithoutBroker(ctx, clusterWide, osbtest.Options{Token: tokenCanary})
		token := createMetricsToken(ctx, s.namespace)
		createSecret(ctx, s.namespace, "auth", "token", tokenCanary)
		lift := s.Inject(osbtest.Fault{On: osb.GetCatalog, Answer: osbtest.Echo(http.StatusBadRequest, tokenCanary)})
		s.object = s.createBroker(ctx, "", s.Broker, func(b v1beta1.Broker) {
			b.Common().AuthInfo = &v1beta1.AuthInfo{Bearer: &v1beta1.SecretAuth{SecretRef: &v1beta1.ObjectReference{Namespace: s.namespace, Name: "auth"}}}
		})
		Eventually(brokerStatus(ctx, s.object)).Should(haveReadyMessage("[redacted]"))
		expectNoCredential(ctx, token)
		lift()
		Eventually(brokerStatus(ctx, s.object)).Should(beReady(s.object))
		s.Inject(osbtest.Fault{On: osb.ProvisionInstance, Answer: osbtest.Echo(http.StatusUnauthorized, tokenCanary)})
		si := s.createSyncInstance(ctx, "db")
		Eventually(instanceStatus(ctx, si)).Should(haveReadyMessage("[redacted]"))
		expectNoCredential(ctx, token)
	})
})

var _ = Describe("What a broker says of a binding", func() {
	// repeats makes the broker fail with a message that has a secret.
	repeats := func(s *serviceNamespace, b *v1beta1.ServiceBinding, on osb.Operation, secret string) (lift func()) {
		return s.Inject(osbtest.Fault{On: on, ID: bindingIDAtBroker(b), Answer: osbtest.Error(500, "", "cannot use "+secret+" any more")})
	}
	// cleaned matches a status with these words and without the secret.
	cleaned := func(words, secret string) OmegaMatcher {
		return SatisfyAll(haveReadyMessage(words), Not(HaveField("Conditions", ContainElement(HaveField("Message", ContainSubstring(secret))))))
	}
	of := func(secret string) func(*v1beta1.ServiceBinding) {
		return func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: secret, Key: "json"}}}
		}
	}
	It("is shown without secrets where these can be read, and else not at all", func(ctx SpecContext) {
		s := newServiceNamespace(ctx, namespaced, osbtest.Options{}, func(services []osbtest.Service) {
			services[0].Behavior.Credentials = func(id string) any { return map[string]any{"password": "pass-" + id} }
		})
		s.createReadyInstance(ctx, "db")
		input := createSecret(ctx, s.namespace, "input", "json", `{"pin":"before-0ne"}`)
		rotated, edited, removed := s.createReadyBinding(ctx, "rotated", "db"), s.createReadyBinding(ctx, "edited", "db"), s.createReadyBinding(ctx, "removed", "db")
		given := s.createReadyBinding(ctx, "given", "db", of("input"))

		By("credentials that are in the Secret")
		lift := s.Inject(osbtest.Fault{On: osb.Bind, Answer: osbtest.Error(500, "", "cannot use pass-"+bindingIDAtBroker(rotated)+" any more")})
		requestRebind(ctx, rotated, "1")
		Eventually(bindingStatus(ctx, rotated)).Should(cleaned("cannot use [redacted] any more", "pass-"))
		lift()

		By("credentials that are not as they were told")
		lift = repeats(s, edited, osb.GetBinding, "pass-"+bindingIDAtBroker(edited))
		editSecret(ctx, edited, func(o *corev1.Secret) { o.Data["password"] = []byte("mine") })
		Eventually(bindingStatus(ctx, edited)).Should(cleaned(unshown, "pass-"))
		lift()
		Eventually(bindingStatus(ctx, edited)).Should(beBound(edited))

		By("credentials of a Secret that is deleted with the binding")
		repeats(s, removed, osb.Unbind, "pass-"+bindingIDAtBroker(removed))
		Expect(k8s.Delete(ctx, removed)).To(Succeed())
		Eventually(bindingStatus(ctx, removed)).Should(SatisfyAll(haveCondition("Ready", "Unknown", "UnbindCallFailed"), cleaned("cannot use [redacted] any more", "pass-")))

		By("parameters from a Secret")
		lift = s.Inject(osbtest.Fault{On: osb.Bind, Answer: osbtest.Error(500, "", "cannot use before-0ne any more")})
		refused := s.createBinding(ctx, "refused", "db", of("input"))
		Eventually(bindingStatus(ctx, refused)).Should(cleaned("cannot use [redacted] any more", "before-0ne"))
		lift()

		By("parameters from a Secret that has others now")
		update(ctx, input, func(o *corev1.Secret) { o.Data["json"] = []byte(`{"pin":"after-tw0"}`) })
		repeats(s, given, osb.Unbind, "before-0ne")
		Expect(k8s.Delete(ctx, given)).To(Succeed())
		Eventually(bindingStatus(ctx, given)).Should(cleaned(unshown, "before-0ne"))
	})
})

func encodeJSON(value any) string {
	GinkgoHelper()
	text, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// expectNoCredential expects that no place that users can read has one of the credentials of this file.
func expectNoCredential(ctx context.Context, metricsToken string) {
	GinkgoHelper()
	places := env.CollectReadable(ctx, metricsToken, "clusterservicebrokers", "servicebrokers", "clusterserviceclasses", "serviceclasses",
		"clusterserviceplans", "serviceplans", "serviceinstances", "servicebindings", "events", "configmaps")
	Expect(places["metrics"]).To(ContainSubstring("bellhop_osb_requests_total"))
	for _, secret := range []string{authCanary, paramCanary, bindingCanary, tokenCanary, numberCanary} {
		Expect(canary.Find(places, secret)).To(BeEmpty())
	}
}
