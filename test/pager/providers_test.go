// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/emersion/go-message/mail"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/test/internal/mailserver"
)

var _ = Describe("A receiver", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	It("with a webhook can verify the signature, over TLS with a CA of its own, and gets its headers", func(ctx SpecContext) {
		secret := inbox.NewSecret()
		in := inbox.New(inbox.Options{SigningSecret: secret})
		server := httptest.NewUnstartedServer(in.Handler())
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
		server.StartTLS()
		DeferCleanup(server.Close)
		createSecret(ctx, namespace, "hook",
			"signingSecret", inbox.NewSecret(), "signingSecretNext", secret, // as in the middle of a rotation
			"url", server.URL+"/secret/path", "user", "secret value")
		r := createReceiver(ctx, namespace, "hook", "", func(r *v1beta1.Receiver) {
			r.Spec.Webhook = &v1beta1.WebhookProvider{Method: "PUT", Headers: []v1beta1.WebhookHeader{
				{Name: "X-Team", Value: "storage"}, {Name: "X-User", SecretKey: "user"}}}
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "hook"}
		})
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", ConsistOf(SatisfyAll(
			HaveField("Reason", "TLSFailed"), HaveField("Message", ContainSubstring("certificate"))))))
		Expect(in.Started()).To(BeZero())

		hook := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hook"}}
		update(ctx, hook, func(s *corev1.Secret) { s.Data["ca.crt"] = certificate(server.Certificate()) })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(in.Refused()).To(BeZero())
		message := in.Messages()[0]
		Expect(message.Header).To(SatisfyAll(HaveKeyWithValue("X-Team", []string{"storage"}), HaveKeyWithValue("X-User", []string{"secret value"})))
		Expect(r.Spec.Webhook.URL).To(BeEmpty())
	})

	It("gets through a tenant's gateway with a header, whose value the Secret has", func(ctx SpecContext) { // F-B26
		service := notifytest.NewAlertmanager("")
		mimir := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Scope-OrgID") != "tenant-1" {
				http.Error(w, "no org id", http.StatusUnauthorized)
				return
			}
			service.ServeHTTP(w, r)
		}))
		DeferCleanup(mimir.Close)
		createSecret(ctx, namespace, "mimir", "tenant", "tenant-0")
		r := createReceiver(ctx, namespace, "mimir", "", func(r *v1beta1.Receiver) {
			r.Spec.Webhook, r.Spec.Alertmanager = nil, &v1beta1.AlertmanagerProvider{URLs: []string{mimir.URL}, Headers: []v1beta1.HTTPHeader{{Name: "X-Scope-OrgID", SecretKey: "tenant"}}}
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "mimir"}
		})
		a := createAlert(ctx, namespace, "a", nil, "mimir")
		Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", ConsistOf(SatisfyAll(HaveField("Reason", "Unauthorized"), HaveField("Message", Not(ContainSubstring("tenant")))))))
		Expect(service.Seen()).To(BeEmpty())

		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mimir"}}
		update(ctx, secret, func(s *corev1.Secret) { s.Data["tenant"] = []byte("tenant-1\n") })
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Eventually(receiverStatus(ctx, r)).Should(haveCondition("Ready", metav1.ConditionTrue, "Reachable"))
		Expect(service.Seen()).To(HaveLen(1))
	})

	It("by mail gets each character of a message", func(ctx SpecContext) {
		server := mailserver.Start("bellhop", "pässword")
		createSecret(ctx, namespace, "mail", "username", "bellhop", "password", "pässword", "ca.crt", string(server.CA))
		createReceiver(ctx, namespace, "mail", "", func(r *v1beta1.Receiver) {
			r.Spec.Webhook, r.Spec.Email = nil, &v1beta1.EmailProvider{Host: server.Addr, From: "alerts@example.com", To: []string{"Bereitschaft für Köln <oncall@example.com>", "b@example.com"}}
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "mail"}
		})
		title, line := "Die Größe von /dev/sda1 = 100 % "+strings.Repeat("ü", 90), "."+strings.Repeat("=ä 倉庫 :wave:", 90)
		a := createAlert(ctx, namespace, "a", func(a *v1beta1.Alert) {
			a.Spec.Title, a.Spec.Severity, a.Spec.Content = title, v1beta1.SeverityWarning, line+"\n.\nFrom Köln"
		}, "mail")
		Eventually(alertStatus(ctx, a)).Should(beSent(a))
		Expect(server.Mails()).To(ConsistOf(SatisfyAll(
			HaveField("ID", MatchRegexp(`^[^ <>@]+@example\.com$`)),
			HaveField("Recipients", Equal([]string{"oncall@example.com", "b@example.com"})),
			HaveField("To", Equal([]*mail.Address{{Name: "Bereitschaft für Köln", Address: "oncall@example.com"}, {Address: "b@example.com"}})),
			HaveField("Subject", "[Warning] "+title),
			HaveField("Body", HavePrefix(strings.ReplaceAll(line, ":wave:", "👋")+"\n.\nFrom Köln\n")),
		)))
	})

	It("is not asked to follow redirects", func(ctx SpecContext) {
		elsewhere, hook := startFakeReceiver(), startFakeReceiver()
		hook.Respond(respondWith(http.StatusTemporaryRedirect, "Location", elsewhere.URL))
		createReceiver(ctx, namespace, "hook", hook.URL)
		a := createAlert(ctx, namespace, "a", nil, "hook")
		Eventually(alertStatus(ctx, a)).Should(beReconciling("Retrying", "HTTP 307"))
		Expect(elsewhere.Started()).To(BeZero())
	})
})

func certificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
