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
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/notify/notifytest"
	"github.com/gophernetes/bellhop/test/internal/canary"
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
		Expect(echo.Messages()).NotTo(BeEmpty(), "the requests had credentials")
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
		in := func(path string) map[string]string { return map[string]string{"url": echo.URL + path} }
		token := map[string]string{"token": secret}
		providers := map[string]struct {
			provider v1beta1.Provider
			secret   map[string]string
		}{
			"slack":         {v1beta1.Provider{Slack: &v1beta1.SlackProvider{}}, in("/services/T0/B0/" + secret)},
			"slackbot":      {v1beta1.Provider{Slack: &v1beta1.SlackProvider{URL: echo.URL, Channel: "C0123"}}, token},
			"pagerduty":     {v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{URL: echo.URL}}, map[string]string{"routingKey": secret}},
			"telegram":      {v1beta1.Provider{Telegram: &v1beta1.TelegramProvider{URL: echo.URL, ChatID: "1"}}, map[string]string{"token": "1:" + secret}},
			"discord":       {v1beta1.Provider{Discord: &v1beta1.DiscordProvider{}}, in("/api/webhooks/1/" + secret)},
			"teams":         {v1beta1.Provider{Teams: &v1beta1.TeamsProvider{}}, in("/workflows/x?sig=" + secret)},
			"googlechat":    {v1beta1.Provider{GoogleChat: &v1beta1.GoogleChatProvider{}}, in("/v1/spaces/x/messages?key=" + secret + "&token=" + secret)},
			"mattermost":    {v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{}}, in("/hooks/" + secret)},
			"mattermostbot": {v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{URL: echo.URL, ChannelID: strings.Repeat("a", 26)}}, token},
			"matrix":        {v1beta1.Provider{Matrix: &v1beta1.MatrixProvider{URL: echo.URL, RoomID: "!a:b"}}, token},
			"ntfy":          {v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{URL: echo.URL}}, map[string]string{"topic": secret, "token": secret}},
			"gotify":        {v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: echo.URL}}, token},
			"pushover":      {v1beta1.Provider{Pushover: &v1beta1.PushoverProvider{URL: echo.URL}}, map[string]string{"token": secret, "user": secret}},
			"alertmanager":  {v1beta1.Provider{Alertmanager: &v1beta1.AlertmanagerProvider{URLs: []string{echo.URL}}}, map[string]string{"username": "bell", "password": secret}},
		}
		mail, err := notifytest.NewSMTP(notifytest.SMTPOptions{StartTLS: true, Username: "bell", Password: "another"})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(mail.Close)
		providers["email"] = struct {
			provider v1beta1.Provider
			secret   map[string]string
		}{v1beta1.Provider{Email: &v1beta1.EmailProvider{Host: mail.Addr(), From: "a@example.com", To: []string{"b@example.com"}}},
			map[string]string{"username": "bell", "password": secret, "ca.crt": string(mail.CA())}}
		var names []string
		for name, c := range providers {
			Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: c.secret})).To(Succeed())
			createReceiver(ctx, namespace, name, "", func(r *v1beta1.Receiver) {
				r.Spec.Provider, r.Spec.SecretRef = c.provider, &v1beta1.SecretReference{Name: name}
			})
			names = append(names, name)
		}
		a := createAlert(ctx, namespace, "a", nil, names...)
		Eventually(alertStatus(ctx, a)).Should(HaveField("Deliveries", SatisfyAll(HaveLen(len(providers)), HaveEach(HaveField("Attempts", BeNumerically(">", 0))))))
		Expect(echo.Started()).To(BeNumerically(">=", len(providers)-1), "the requests had credentials")
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
