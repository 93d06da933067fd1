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
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/notify/notifytest"
)

// canary has what encodings change.
const canary = `cAnaRy/+&"<>%é-credential`

// spellings are the forms in which a credential may show.
func spellings(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
		fmt.Sprintf("%q", secret), strings.Trim(fmt.Sprintf("%+q", secret), `"`)}
	for _, html := range []bool{true, false} {
		forms = append(forms, strings.Trim(jsonString(secret, html), `"`), strings.Trim(jsonString(jsonString(secret, html), html), `\"`))
	}
	// Within longer text base64 has one of three alignments, and foreign ends.
	for shift := range 3 {
		whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		inner := whole[4 : len(whole)-4]
		forms = append(forms, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner), url.QueryEscape(inner))
	}
	return forms
}

var dumpLine = regexp.MustCompile(`[0-9a-f]{8}  ((?:[0-9a-f]{2} {1,2}){1,16}) *\|`)

// undump is what hex dumps in a text stand for: client-go logs binary bodies so.
func undump(text string) string {
	GinkgoHelper()
	var bytes []byte
	for _, line := range dumpLine.FindAllStringSubmatch(text, -1) {
		part, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		Expect(err).NotTo(HaveOccurred())
		bytes = append(bytes, part...)
	}
	return string(bytes)
}

var _ = Describe("A credential", Serial, func() {
	It("is found nowhere but in its Secret and on the wire", func(ctx SpecContext) {
		namespace, echo := newNamespace(ctx), newInbox()
		// The receiver sends back what it gets, in words that statuses show.
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
					jsonString(user+password+r.Header.Get("Access-Token")+r.URL.RawQuery, true), jsonString(got.String(), false))
		})
		secrets := map[string]map[string]string{
			"token":   {"token": canary},
			"basic":   {"username": "bell", "password": canary},
			"url":     {"url": echo.URL + "/hook/" + url.PathEscape(canary) + "?key=" + url.QueryEscape(canary)},
			"slow":    {"url": echo.URL + "/temporary/" + url.PathEscape(canary)},
			"dead":    {"url": "http://127.0.0.1:1/" + url.PathEscape(canary)},
			"header":  {"key": canary},
			"broken":  {"url": "http://" + canary + ":no/"},
			"signing": {"signingSecret": canary},
			"push":    {"token": canary},
		}
		var receivers []string
		for name, data := range secrets {
			Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data})).To(Succeed())
			address := echo.URL + "/" + name
			if data["url"] != "" {
				address = ""
			}
			if name == "header" {
				continue // its value is no header: é; see below
			}
			newReceiver(ctx, namespace, name, address, func(r *v1beta1.Receiver) {
				r.Spec.SecretRef = &v1beta1.SecretReference{Name: name}
				if name == "push" {
					r.Spec.Webhook, r.Spec.Pushbullet = nil, &v1beta1.PushbulletProvider{URL: echo.URL}
				}
			})
			receivers = append(receivers, name)
		}
		newReceiver(ctx, namespace, "header", echo.URL, func(r *v1beta1.Receiver) {
			r.Spec.SecretRef = &v1beta1.SecretReference{Name: "header"}
			r.Spec.Webhook.Headers = []v1beta1.WebhookHeader{{Name: "X-Key", SecretKey: "key"}}
		})
		a := newAlert(ctx, namespace, "a", nil, append(receivers, "header")...)
		tried := func() (int, error) {
			s, err := status(ctx, a)()
			n := 0
			for _, row := range s.Deliveries {
				if row.Attempts > 0 {
					n++
				}
			}
			return n, err
		}
		Eventually(tried).Should(Equal(len(secrets)))
		Expect(echo.Messages()).NotTo(BeEmpty(), "credentials went over the wire")
		update(ctx, a, func(a *v1beta1.Alert) { a.Spec.Content = "another" })
		Eventually(func() (int64, error) {
			s, err := status(ctx, a)()
			return s.ObservedGeneration, err
		}).Should(BeEquivalentTo(2))

		expectNowhere(ctx, namespace, canary)
		Expect(kubectl(ctx, "", "get", "alerts", "-n", namespace, "-o", "yaml")).To(ContainSubstring("[redacted]"), "something was there to be found")
	})

	It("is found nowhere whatever the provider, also where it is part of the address", func(ctx SpecContext) {
		const canary = "cAnaRy0cReDeNtIaL0123456789abcde"
		namespace, echo := newNamespace(ctx), newInbox()
		echo.Respond(func(r *http.Request) (int, http.Header, string) {
			body, _ := io.ReadAll(r.Body)
			got := jsonString(fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body), false)
			return http.StatusBadRequest, http.Header{"Content-Type": {"application/json"}, "Retry-After": {canary}, "Location": {"/" + canary}},
				fmt.Sprintf(`{"ok":false,"error":%[1]s,"message":%[1]s,"description":%[1]s,"errcode":%[1]s,"errorDescription":%[1]s,"errors":[%[1]s],"id":%[1]s}`, got)
		})
		in := func(path string) map[string]string { return map[string]string{"url": echo.URL + path} }
		token := map[string]string{"token": canary}
		providers := map[string]struct {
			provider v1beta1.Provider
			secret   map[string]string
		}{
			"slack":         {v1beta1.Provider{Slack: &v1beta1.SlackProvider{}}, in("/services/T0/B0/" + canary)},
			"slackbot":      {v1beta1.Provider{Slack: &v1beta1.SlackProvider{URL: echo.URL, Channel: "C0123"}}, token},
			"pagerduty":     {v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{URL: echo.URL}}, map[string]string{"routingKey": canary}},
			"telegram":      {v1beta1.Provider{Telegram: &v1beta1.TelegramProvider{URL: echo.URL, ChatID: "1"}}, map[string]string{"token": "1:" + canary}},
			"discord":       {v1beta1.Provider{Discord: &v1beta1.DiscordProvider{}}, in("/api/webhooks/1/" + canary)},
			"teams":         {v1beta1.Provider{Teams: &v1beta1.TeamsProvider{}}, in("/workflows/x?sig=" + canary)},
			"googlechat":    {v1beta1.Provider{GoogleChat: &v1beta1.GoogleChatProvider{}}, in("/v1/spaces/x/messages?key=" + canary + "&token=" + canary)},
			"mattermost":    {v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{}}, in("/hooks/" + canary)},
			"mattermostbot": {v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{URL: echo.URL, ChannelID: strings.Repeat("a", 26)}}, token},
			"matrix":        {v1beta1.Provider{Matrix: &v1beta1.MatrixProvider{URL: echo.URL, RoomID: "!a:b"}}, token},
			"ntfy":          {v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{URL: echo.URL}}, map[string]string{"topic": canary, "token": canary}},
			"gotify":        {v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: echo.URL}}, token},
			"pushover":      {v1beta1.Provider{Pushover: &v1beta1.PushoverProvider{URL: echo.URL}}, map[string]string{"token": canary, "user": canary}},
			"alertmanager":  {v1beta1.Provider{Alertmanager: &v1beta1.AlertmanagerProvider{URLs: []string{echo.URL}}}, map[string]string{"username": "bell", "password": canary}},
		}
		mail, err := notifytest.NewSMTP(notifytest.SMTPOptions{StartTLS: true, Username: "bell", Password: "another"})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(mail.Close)
		providers["email"] = struct {
			provider v1beta1.Provider
			secret   map[string]string
		}{v1beta1.Provider{Email: &v1beta1.EmailProvider{Host: mail.Addr(), From: "a@example.com", To: []string{"b@example.com"}}},
			map[string]string{"username": "bell", "password": canary, "ca.crt": string(mail.CA())}}
		var names []string
		for name, c := range providers {
			Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: c.secret})).To(Succeed())
			newReceiver(ctx, namespace, name, "", func(r *v1beta1.Receiver) {
				r.Spec.Provider, r.Spec.SecretRef = c.provider, &v1beta1.SecretReference{Name: name}
			})
			names = append(names, name)
		}
		a := newAlert(ctx, namespace, "a", nil, names...)
		Eventually(status(ctx, a)).Should(HaveField("Deliveries", SatisfyAll(HaveLen(len(providers)), HaveEach(HaveField("Attempts", BeNumerically(">", 0))))))
		Expect(echo.Started()).To(BeNumerically(">=", len(providers)-1), "credentials went over the wire")
		expectNowhere(ctx, namespace, canary)
	})
})

// expectNowhere looks for a credential wherever others can read.
func expectNowhere(ctx SpecContext, namespace, canary string) {
	GinkgoHelper()
	places := map[string]string{"log": logs.String(), "binary bodies in the log": undump(logs.String())}
	for _, kind := range []string{"alerts", "receivers", "clusterreceivers", "events", "configmaps"} {
		out, err := kubectl(ctx, "", "get", kind, "--all-namespaces", "-o", "yaml", "--show-managed-fields")
		Expect(err).NotTo(HaveOccurred())
		places[kind] = out
	}
	metrics, err := scrape(ctx, metricsToken(ctx, namespace))
	Expect(err).NotTo(HaveOccurred())
	defer metrics.Body.Close()
	body, err := io.ReadAll(metrics.Body)
	Expect(err).NotTo(HaveOccurred())
	places["metrics"] = string(body)
	Expect(places["metrics"]).To(ContainSubstring("bellhop_alert_attempts_total"))
	Expect(places["log"]).To(ContainSubstring("Receiver answered"), "the highest level is on")
	Expect(places["binary bodies in the log"]).To(ContainSubstring("events.k8s.io/v1"), "bodies are logged, and can be read")
	for place, text := range places {
		for _, form := range spellings(canary) {
			if i := strings.Index(text, form); i >= 0 {
				Fail(fmt.Sprintf("%s has the credential as %q: …%s…", place, form, text[max(0, i-200):min(len(text), i+200)]))
			}
		}
	}
}
