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
		Expect(places["alerts"]).To(ContainSubstring("[redacted]"), "something was there to be found")
		for place, text := range places {
			for _, form := range spellings(canary) {
				if i := strings.Index(text, form); i >= 0 {
					Fail(fmt.Sprintf("%s has the credential as %q: …%s…", place, form, text[max(0, i-200):min(len(text), i+200)]))
				}
			}
		}
	})
})
