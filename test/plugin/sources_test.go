// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"encoding/pem"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// createSource creates an AlertSource whose Secret does not exist, with an Alert of two instances, of which one fires.
func createSource(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	s := &pagerv1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	s.Spec.SecretRef = &pagerv1beta1.SecretReference{Name: "senders"}
	s.Spec.SilentAfterSeconds = 600
	Expect(env.Client.Create(ctx, s)).To(Succeed())
	waitForCondition(ctx, s, "Stalled") // the suite's operator does not listen
	a := &pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name + "-1", Labels: map[string]string{pagerv1beta1.AlertSourceLabel: name},
	}}
	a.Spec.Content, a.Spec.ReceiverRefs = "2 % left", []pagerv1beta1.ReceiverRef{{Kind: pagerv1beta1.KindReceiver, Name: "team"}}
	a.Spec.Instances = []pagerv1beta1.AlertInstance{{Key: "a", Text: "node-7"}, {Key: "b", Text: "node-8", EndsAt: new(metav1.Now())}}
	Expect(env.Client.Create(ctx, a)).To(Succeed())
	waitForCondition(ctx, a, "Reconciling") // there is no such receiver
	Eventually(ctx, func() (int32, error) {
		err := env.Client.Get(ctx, client.ObjectKeyFromObject(s), s)
		return s.Status.Firing, err
	}).Should(Equal(int32(1)))
}

// createListener creates what an operator with a listener has in its namespace: a Deployment, a Service with another port, and the Secret of
// the certificate, with a key beside it.
func createListener(ctx context.Context, namespace string) {
	GinkgoHelper()
	createDeployment(ctx, namespace, "--ingest-bind-address=:9444", "--webhook-cert-secret=cert")
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: endpoint.Service}}
	service.Spec.Ports = []corev1.ServicePort{{Name: endpoint.PortName, Port: 443}}
	Expect(env.Client.Create(ctx, service)).To(Succeed())
	block := func(kind, text string) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(text)}) }
	createSecret(ctx, namespace, "cert", "ca.crt", string(block("PRIVATE KEY", "secret"))+string(block("CERTIFICATE", "authority")), "tls.key", "secret")
}

var _ = Describe("source", suite.Serial, func() {
	It("shows AlertSources, and prints the settings of senders", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createSource(ctx, t.namespace, "prometheus")
		createListener(ctx, t.namespace)
		source := "kubectl bellhop source prometheus --operator-namespace=" + t.namespace
		t.run(ctx, 0, source)
		for _, format := range []string{"prometheus", "alertmanager", "vmalert", "grafana", "flux", "argocd", "ca"} {
			t.run(ctx, 0, source+" --print "+format)
		}
		t.run(ctx, 0, "kubectl bellhop source prometheus --print prometheus --operator-namespace=elsewhere")
		t.run(ctx, 1, "kubectl bellhop source prometheus --print ca --operator-namespace=elsewhere")
		t.run(ctx, 2, "kubectl bellhop source prometheus --print zabbix")
		t.run(ctx, 2, "kubectl bellhop source")
		t.run(ctx, 1, "kubectl bellhop source promethius")
		t.run(ctx, 0, "kubectl-bellhop __complete source '' 2>/dev/null")
		t.run(ctx, 0, "kubectl-bellhop __complete source prometheus --print '' 2>/dev/null")
		t.run(ctx, 0, "kubectl bellhop tree source/prometheus")
		t.run(ctx, 0, "kubectl bellhop describe alertsource prometheus")
		t.matchGolden("source")
	})

	It("is checked by doctor", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createSource(ctx, t.namespace, "prometheus")
		t.run(ctx, 0, "kubectl bellhop doctor | sed -n '/ sources /,/ services /p'")

		By("reporting what fires past its end while nothing is posted")
		s, a := &pagerv1beta1.AlertSource{}, &pagerv1beta1.Alert{}
		Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "prometheus"}, s)).To(Succeed())
		before := s.DeepCopy()
		s.Status.LastReceivedTime = new(metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)))
		Expect(env.Client.Status().Patch(ctx, s, client.MergeFrom(before))).To(Succeed())
		Expect(env.Client.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "prometheus-1"}, a)).To(Succeed())
		firing := a.DeepCopy()
		firing.Spec.Instances[0].LapsesAt = new(metav1.NewTime(time.Date(2026, 1, 1, 12, 5, 0, 0, time.UTC)))
		Expect(env.Client.Patch(ctx, firing, client.MergeFrom(a))).To(Succeed())
		t.run(ctx, 0, "kubectl bellhop doctor | sed -n '/ sources /,/ services /p'")
		t.matchGolden("doctor-sources")
	})
})
