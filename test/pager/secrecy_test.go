// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/test/internal/canary"
	"github.com/gophernetes/bellhop/test/internal/mailserver"
)

var _ = Describe("A credential", serial, func() {
	BeforeEach(logAtHighestLevel)

	It("is only in its Secret and in requests", func(ctx SpecContext) {
		namespace, echo := createNamespace(ctx), startFakeReceiver()
		// The receiver returns the request in fields that end up in statuses.
		echo.Respond(func(r *http.Request) (int, http.Header, string) {
			body, _ := io.ReadAll(r.Body)
			var got bytes.Buffer
			fmt.Fprintf(&got, "%s %s %v %s", r.Method, r.URL, r.Header, body)
			code := http.StatusUnauthorized
			if strings.Contains(r.URL.Path, "temporary") {
				code = http.StatusInternalServerError
			}
			user, password, _ := r.BasicAuth()
			return code, http.Header{"Content-Type": {"application/problem+json"}, "X-Echo": {url.QueryEscape(got.String())}},
				fmt.Sprintf(`{"title":"no","detail":%s,"error":{"type":"invalid_request","message":%s}}`,
					canary.EncodeJSON(user+password+r.Header.Get("Access-Token")+r.URL.RawQuery, true), canary.EncodeJSON(got.String(), false))
		})
		secrets := map[string]map[string]string{
			"token":   {"token": canary.Value},
			"basic":   {"username": "bell", "password": canary.Value},
			"url":     {"url": echo.URL + "/hook/" + url.PathEscape(canary.Value) + "?key=" + url.QueryEscape(canary.Value)},
			"slow":    {"url": echo.URL + "/temporary/" + url.PathEscape(canary.Value)},
			"dead":    {"url": "http://127.0.0.1:1/" + url.PathEscape(canary.Value)},
			"header":  {"key": canary.Value},
			"broken":  {"url": "http://" + canary.Value + ":no/"},
			"signing": {"signingSecret": canary.Value},
			"push":    {"token": canary.Value},
		}
		var receivers []string
		for name, data := range secrets {
			Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data})).To(Succeed())
			address := echo.URL + "/" + name
			if data["url"] != "" {
				address = ""
			}
			if name == "header" {
				continue // a header cannot have this value as it contains é; see below
			}
			createReceiver(ctx, namespace, name, address, func(r *v1beta1.Receiver) {
				r.Spec.SecretRef = &v1beta1.SecretReference{Name: name}
				if name == "push" {
					r.Spec.Webhook, r.Spec.Pushbullet = nil, &v1beta1.PushbulletProvider{URL: echo.URL}
				}
			})
			receivers = append(receivers, name)
		}
		createReceiver(ctx, namespace, "header", echo.URL, func(r *v1beta1.Receiver) {
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "header"}
			r.Spec.Webhook.Headers = []v1beta1.WebhookHeader{{Name: "X-Key", SecretKey: "key"}}
		})
		a := createAlert(ctx, namespace, "a", nil, append(receivers, "header")...)
		tried := func() (int, error) {
			s, err := alertStatus(ctx, a)()
			n := 0
			for _, row := range s.Deliveries {
				if row.Attempts > 0 {
					n++
				}
			}
			return n, err
		}
		Eventually(tried).Should(Equal(len(secrets)))
		// An attempt is recorded before its request is sent.
		Eventually(echo.Messages).ShouldNot(BeEmpty(), "the requests had credentials")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
		Eventually(func() (int64, error) {
			s, err := alertStatus(ctx, a)()
			return s.ObservedGeneration, err
		}).Should(BeEquivalentTo(2))

		expectNoCredential(ctx, namespace, canary.Value)
		Expect(kubectl(ctx, "", "get", "alerts", "-n", namespace, "-o", "yaml")).To(ContainSubstring("[redacted]"), "some text had a credential")
	})

	It("is only in its Secret and in requests for every provider, also as a part of the address", func(ctx SpecContext) {
		const secret = "cAnaRy0cReDeNtIaL0123456789abcde"
		namespace, echo := createNamespace(ctx), startFakeReceiver()
		echo.Respond(func(r *http.Request) (int, http.Header, string) {
			body, _ := io.ReadAll(r.Body)
			got := canary.EncodeJSON(fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body), false)
			return http.StatusBadRequest, http.Header{"Content-Type": {"application/json"}, "Retry-After": {secret}, "Location": {"/" + secret}},
				fmt.Sprintf(`{"ok":false,"error":%[1]s,"message":%[1]s,"description":%[1]s,"errcode":%[1]s,"errorDescription":%[1]s,"errors":[%[1]s],"id":%[1]s}`, got)
		})
		type receiver struct {
			settings v1beta1.Provider
			data     map[string]string
		}
		receivers := map[string]receiver{}
		for _, f := range notifytest.Fixtures() {
			settings, data := f.Receiver(secret, echo.URL)
			receivers[strings.ToLower(f.Provider)+strings.ReplaceAll(f.Mode, " ", "")] = receiver{settings, data}
		}
		mail := mailserver.Start("bell", "another")
		receivers["email"] = receiver{
			v1beta1.Provider{Email: &v1beta1.EmailProvider{Host: mail.Addr, From: "a@example.com", To: []string{"b@example.com"}}},
			map[string]string{"username": "bell", "password": secret, "ca.crt": string(mail.CA)},
		}
		for name, c := range receivers {
			Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: c.data})).To(Succeed())
			createReceiver(ctx, namespace, name, "", func(r *v1beta1.Receiver) {
				r.Spec.Provider, r.Spec.SecretRef = c.settings, &v1beta1.SecretReference{Name: name}
			})
		}
		for names := range slices.Chunk(slices.Sorted(maps.Keys(receivers)), 16) { // the most that an Alert can have
			a := createAlert(ctx, namespace, names[0], nil, names...)
			Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", SatisfyAll(HaveLen(len(names)), HaveEach(HaveField("Attempts", BeNumerically(">", 0))))))
		}
		Expect(echo.Started()).To(BeNumerically(">=", len(receivers)-1), "the requests had credentials")
		expectNoCredential(ctx, namespace, secret)
	})
})

// expectNoCredential expects that no place that users can read has the credential.
func expectNoCredential(ctx SpecContext, namespace, secret string) {
	GinkgoHelper()
	places := env.CollectReadable(ctx, createMetricsToken(ctx, namespace), "alerts", "receivers", "clusterreceivers", "events", "configmaps")
	Expect(places["metrics"]).To(ContainSubstring("bellhop_alert_attempts_total"))
	Expect(places["log"]).To(ContainSubstring("Receiver answered"), "the operator logs at the highest level")
	Expect(canary.Find(places, secret)).To(BeEmpty())
}
