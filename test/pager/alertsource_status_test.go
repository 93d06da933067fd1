// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// listen replaces the operator by one with a listener at this address, until the specs of the container end; 0: it has none.
func listen(ctx context.Context, address string) {
	GinkgoHelper()
	operator.Kill()
	startOperator(context.WithoutCancel(ctx), "--ingest-bind-address="+address)
	DeferCleanup(func(ctx SpecContext) {
		operator.Kill()
		startOperator(context.WithoutCancel(ctx))
	})
}

// createSource creates an AlertSource whose senders have the token of this Secret; "": they have tokens of ServiceAccounts.
func createSource(ctx context.Context, namespace, secret string) *v1beta1.AlertSource {
	GinkgoHelper()
	s := &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prometheus"}}
	if secret != "" {
		s.Spec.SecretRef = &v1beta1.SecretReference{Name: secret}
	}
	Expect(k8s.Create(ctx, s)).To(Succeed())
	return s
}

// sourceStatus reads the AlertSource, and returns its status.
func sourceStatus(ctx context.Context, s *v1beta1.AlertSource) func() (v1beta1.AlertSourceStatus, error) {
	return func() (v1beta1.AlertSourceStatus, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(s), s)
		return s.Status, err
	}
}

// beListening matches a status that says that senders can post, with this message.
func beListening(message string) OmegaMatcher {
	return SatisfyAll(
		HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Message", message)))),
		haveCondition("Ready", metav1.ConditionTrue, v1beta1.ReasonListening),
		haveCondition("Stalled", metav1.ConditionFalse, v1beta1.ReasonListening),
		haveCondition("Reconciling", metav1.ConditionFalse, v1beta1.ReasonListening),
	)
}

var _ = Describe("An AlertSource of an operator that does not listen", serial, Ordered, func() {
	BeforeAll(func(ctx SpecContext) { listen(ctx, "0") })

	It("says how to turn the listener on, and is ready once it is", func(ctx SpecContext) {
		s := createSource(ctx, createNamespace(ctx), "")
		Eventually(sourceStatus(ctx, s)).Should(beStalled(v1beta1.ReasonListenerOff, "set its flag --ingest-bind-address, or ingest.enabled of the Helm chart"))
		Expect(s.Status.ObservedGeneration).To(Equal(s.Generation))

		listen(ctx, "127.0.0.1:0")
		Eventually(sourceStatus(ctx, s)).Should(beListening("Senders can post; nothing was received yet"))
	})
})

var _ = Describe("The status of an AlertSource", serial, Ordered, func() {
	var namespace string
	BeforeAll(func(ctx SpecContext) { listen(ctx, "127.0.0.1:0") })
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("says what is wrong with its Secret, and follows it", func(ctx SpecContext) {
		s := createSource(ctx, namespace, "token")
		Eventually(sourceStatus(ctx, s)).Should(beStalled(v1beta1.ReasonSecretNotFound, `Secret "token" does not exist in namespace "`+namespace+`"`))

		By("creating the Secret without the key")
		secret := createSecret(ctx, namespace, "token", "password", "s3cret")
		Eventually(sourceStatus(ctx, s)).Should(beStalled(v1beta1.ReasonTokenMissing, `Secret "token" has no key "token"`))

		By("adding the key")
		update(ctx, secret, func(*corev1.Secret) { secret.StringData = map[string]string{"token": "s3cret"} })
		Eventually(sourceStatus(ctx, s)).Should(beListening("Senders can post; nothing was received yet"))

		By("emptying the key")
		update(ctx, secret, func(*corev1.Secret) { secret.StringData = map[string]string{"token": " \n"} })
		Eventually(sourceStatus(ctx, s)).Should(beStalled(v1beta1.ReasonTokenMissing, `Secret "token" has no key "token"`))

		By("naming no Secret")
		update(ctx, s, func(s *v1beta1.AlertSource) { s.Spec.SecretRef = nil })
		Eventually(sourceStatus(ctx, s)).Should(SatisfyAll(beListening("Senders can post; nothing was received yet"), HaveField("ObservedGeneration", s.Generation)))

		By("naming it again, and deleting it")
		update(ctx, s, func(s *v1beta1.AlertSource) { s.Spec.SecretRef = &v1beta1.SecretReference{Name: "token"} })
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(sourceStatus(ctx, s)).Should(beStalled(v1beta1.ReasonSecretNotFound, `Secret "token" does not exist`))
	})

	It("counts its Alerts that fire, which stay and say so when it is deleted", func(ctx SpecContext) {
		s := createSource(ctx, namespace, "")
		ofSource := func(state v1beta1.AlertState) func(*v1beta1.Alert) {
			return func(a *v1beta1.Alert) {
				a.Labels, a.Spec.State = map[string]string{v1beta1.AlertSourceLabel: s.Name}, state
				if state == v1beta1.AlertFiring {
					a.Spec.Instances = []v1beta1.AlertInstance{{Key: "a", Text: "the disk is full", StartsAt: new(metav1.Now())}}
				}
			}
		}
		firing := createAlert(ctx, namespace, "firing", ofSource(v1beta1.AlertFiring), "nobody")
		resolved := createAlert(ctx, namespace, "resolved", ofSource(v1beta1.AlertResolved), "nobody")
		other := createAlert(ctx, namespace, "other", nil, "nobody")
		Eventually(sourceStatus(ctx, s)).Should(HaveField("Firing", int32(1)))

		out, err := kubectl(ctx, "", "delete", "alertsource", s.Name, "-n", namespace)
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(ContainSubstring(`Warning: Alerts of AlertSource "prometheus" that fire, and stay so unless it exists again: 1`))
		content := func(a *v1beta1.Alert) func() (string, error) {
			return func() (string, error) {
				err := k8s.Get(ctx, client.ObjectKeyFromObject(a), a)
				return a.Spec.Content, err
			}
		}
		const orphaned = "AlertSource prometheus was deleted: a person has to resolve this Alert."
		Eventually(content(firing)).Should(HaveSuffix("\n" + orphaned))
		Expect(firing.Spec.State).To(Equal(v1beta1.AlertFiring))
		for _, a := range []*v1beta1.Alert{resolved, other} {
			Expect(content(a)()).NotTo(ContainSubstring(orphaned))
		}
	})
})
