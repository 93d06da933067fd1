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

package pager_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
)

// pushes is Pushbullet: a push with a guid that it knows is the same push.
type pushes struct {
	mu        sync.Mutex
	byGUID    map[string]map[string]any
	requests  int
	dismissed []string
	lose      bool // the next answer
}

func (p *pushes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Access-Token") != "o.token" {
		http.Error(w, `{"error":{"type":"invalid_request","message":"Access token is missing or invalid."}}`, http.StatusUnauthorized)
		return
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if iden, ok := strings.CutPrefix(r.URL.Path, "/v2/pushes/"); ok {
		p.dismissed = append(p.dismissed, iden)
		_ = json.NewEncoder(w).Encode(map[string]any{"iden": iden, "dismissed": true})
		return
	}
	p.requests++
	guid := body["guid"].(string)
	if _, known := p.byGUID[guid]; !known {
		body["iden"] = "iden" + string(rune('a'+len(p.byGUID)))
		p.byGUID[guid] = body
	}
	if p.lose {
		p.lose = false
		panic(http.ErrAbortHandler) // it was taken, and nobody is told
	}
	_ = json.NewEncoder(w).Encode(p.byGUID[guid])
}

var _ = Describe("A receiver", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx) })

	newSecret := func(ctx SpecContext, name string, data map[string]string) {
		GinkgoHelper()
		Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data})).To(Succeed())
	}

	It("of Pushbullet gets one push, also where an answer was lost, and a new one for new content", func(ctx SpecContext) {
		service := &pushes{byGUID: map[string]map[string]any{}, lose: true}
		server := httptest.NewServer(service)
		DeferCleanup(server.Close)
		newSecret(ctx, "pushbullet", map[string]string{"token": "o.token"})
		newReceiver(ctx, namespace, "phone", server.URL, func(r *v1beta1.Receiver) {
			r.Spec.Webhook, r.Spec.Pushbullet = nil, &v1beta1.PushbulletProvider{URL: server.URL, DeviceIden: "phone"}
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "pushbullet"}
		})
		a := newAlert(ctx, namespace, "a", func(a *v1beta1.Alert) { a.Spec.Content = "Hello KubeCon :wave: path:key:value" }, "phone")
		Eventually(status(ctx, a)).Should(sent(a))
		service.mu.Lock()
		Expect(service.requests).To(Equal(2))
		Expect(service.byGUID).To(HaveLen(1))
		for _, push := range service.byGUID {
			Expect(push).To(SatisfyAll(HaveKeyWithValue("type", "note"), HaveKeyWithValue("device_iden", "phone"),
				HaveKeyWithValue("title", "Kubernetes alert for "+namespace+"/a"),
				HaveKeyWithValue("body", "Hello KubeCon \U0001f44b path:key:value")))
		}
		service.mu.Unlock()
		Expect(a.Status.Deliveries[0].ExternalID).To(Equal("idena"))

		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "Bye" })
		Eventually(status(ctx, a)).Should(sent(a))
		Expect(a.Status.Deliveries[0].ExternalID).To(Equal("idenb"))
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		Eventually(gone(ctx, a)).Should(Succeed())
		service.mu.Lock()
		defer service.mu.Unlock()
		Expect(service.dismissed).To(Equal([]string{"idenb"}))
	})

	It("of a webhook can check the signature, over TLS with a CA of its own, and gets its headers", func(ctx SpecContext) {
		secret := inbox.NewSecret()
		in := inbox.New(inbox.Options{SigningSecret: secret})
		server := httptest.NewUnstartedServer(in.Handler())
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
		server.StartTLS()
		DeferCleanup(server.Close)
		newSecret(ctx, "hook", map[string]string{
			"signingSecret": inbox.NewSecret(), "signingSecretNext": secret, // in the middle of a rotation
			"url": server.URL + "/secret/path", "user": "secret value",
		})
		r := newReceiver(ctx, namespace, "hook", "", func(r *v1beta1.Receiver) {
			r.Spec.Webhook = &v1beta1.WebhookProvider{Method: "PUT", Headers: []v1beta1.WebhookHeader{
				{Name: "X-Team", Value: "storage"}, {Name: "X-User", SecretKey: "user"}}}
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "hook"}
		})
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(status(ctx, a)).Should(HaveField("Deliveries", ConsistOf(SatisfyAll(
			HaveField("Reason", "TLSFailed"), HaveField("Message", ContainSubstring("certificate"))))))
		Expect(in.Started()).To(BeZero())

		hook := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hook"}}
		update(ctx, hook, func(s *corev1.Secret) { s.Data["ca.crt"] = certificate(server.Certificate()) })
		Eventually(status(ctx, a)).Should(sent(a))
		Expect(in.Refused()).To(BeZero())
		message := in.Messages()[0]
		Expect(message.Header).To(SatisfyAll(HaveKeyWithValue("X-Team", []string{"storage"}), HaveKeyWithValue("X-User", []string{"secret value"})))
		Expect(r.Spec.Webhook.URL).To(BeEmpty())
	})

	It("that redirects is not followed", func(ctx SpecContext) {
		elsewhere, hook := newInbox(), newInbox()
		hook.Respond(answer(http.StatusTemporaryRedirect, "Location", elsewhere.URL))
		newReceiver(ctx, namespace, "hook", hook.URL)
		a := newAlert(ctx, namespace, "a", nil, "hook")
		Eventually(status(ctx, a)).Should(stalled("Failed", "HTTP 307"))
		Expect(elsewhere.Started()).To(BeZero())
	})
})

func certificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
