// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// itTakesPosts posts alerts as Prometheus does: through the Service, with the CA that an administrator gave it, and with both kinds of tokens.
func itTakesPosts() {
	It("takes the alerts that programs post, and from no other", func(ctx SpecContext) {
		apply(ctx, "{apiVersion: v1, kind: Secret, metadata: {name: posts, namespace: default}, stringData: {token: s3cret}}\n---\n"+
			"{apiVersion: pager.k8s.co/v1beta1, kind: AlertSource, metadata: {name: posts, namespace: default}, spec: {secretRef: {name: posts}}}\n---\n"+
			"{apiVersion: v1, kind: ServiceAccount, metadata: {name: poster, namespace: default}}")
		kubectl(ctx, "wait --namespace default --for=condition=Ready --timeout=60s alertsource/posts")
		client := senderOf(ctx)
		port := forwardTo(ctx, "bellhop-ingest-service", 9444)
		post := func(token, rule string) (string, error) {
			return postAlert(ctx, client, port, token, rule)
		}
		Expect(post("guess", "Guessed")).To(HavePrefix("401 "))
		Expect(post("s3cret", "TokenOfASecret")).To(HavePrefix("200 "))
		token := strings.TrimSpace(kubectl(ctx, "create token poster --namespace default --audience bellhop"))
		Expect(post(token, "Forbidden")).To(HavePrefix("403 "))
		kubectl(ctx, "create rolebinding e2e-poster --namespace default --clusterrole=bellhop-alertsource-sender --serviceaccount=default:poster")
		Eventually(func() (string, error) { return post(token, "TokenOfAServiceAccount") }).WithTimeout(30*time.Second).Should(HavePrefix("200 "), "a denial is cached for 10 seconds")

		const ofSource = " --namespace default --selector pager.k8s.co/alert-source=posts"
		titles := strings.Fields(kubectl(ctx, "get alerts -o jsonpath={.items[*].spec.title}"+ofSource))
		Expect(titles).To(ConsistOf("TokenOfASecret", "TokenOfAServiceAccount"))
		kubectl(ctx, "delete --namespace default --timeout=60s alertsource/posts secret/posts rolebinding/e2e-poster serviceaccount/poster")
		kubectl(ctx, "delete alerts --timeout=60s"+ofSource)
	})
}

// senderOf returns a client that trusts the CA of the operator's certificate, for the name of the Service.
func senderOf(ctx context.Context) *http.Client {
	GinkgoHelper()
	pem, err := base64.StdEncoding.DecodeString(kubectl(ctx, `get secret bellhop-webhook-server-cert --namespace `+system+` -o jsonpath={.data.ca\.crt}`))
	Expect(err).NotTo(HaveOccurred())
	authorities := x509.NewCertPool()
	Expect(authorities.AppendCertsFromPEM(pem)).To(BeTrue())
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, ServerName: "bellhop-ingest-service." + system + ".svc"}}}
}

// postAlert posts an alert of a rule, and returns the answer.
func postAlert(ctx context.Context, client *http.Client, port int, token, rule string) (string, error) {
	url := fmt.Sprintf("https://127.0.0.1:%d/v1/namespaces/default/alertsources/posts/api/v2/alerts", port)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`[{"labels":{"alertname":"`+rule+`"}}]`))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, body), err
}
