// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

// conversions forwards conversions to the operator, and counts them by their number of objects.
type conversions struct {
	mu       sync.Mutex
	reviews  map[int]int
	forwards http.Handler
}

func (c *conversions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	review := apiextensionsv1.ConversionReview{}
	if err != nil || json.Unmarshal(body, &review) != nil || review.Request == nil {
		http.Error(w, "no ConversionReview", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.reviews[len(review.Request.Objects)]++
	c.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.forwards.ServeHTTP(w, r)
}

func (c *conversions) counted() map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.reviews)
}

var _ = Describe("The API server", serial, func() {
	// F-S59: the operator accepts conversions of 8 MiB, which is enough for one object. The API server decodes what etcd has one object at a time.
	It("converts one object in a request, also when it fills a watch cache", func(ctx SpecContext) {
		const alerts = 300 // several times as many as the 100 objects of a page, and the 10 of the first page of a cache
		namespace := createNamespace(ctx)
		runInParallel(alerts, func(n int) {
			Expect(k8s.Create(ctx, &v1beta1.Alert{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("a-%d", n)}, Spec: v1beta1.AlertSpec{Content: "x", ReceiverRefs: []v1beta1.ReceiverRef{{Name: "none"}}},
			})).To(Succeed())
		})

		By("calling the operator through a server that counts, which makes the API server fill the caches of all versions again")
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "alerts.pager.k8s.co"}}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(crd), crd)).To(Succeed())
		before := *crd.Spec.Conversion.Webhook.ClientConfig
		operator, err := url.Parse(*before.URL)
		Expect(err).NotTo(HaveOccurred())
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: operator.Scheme, Host: operator.Host})
		proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the operator of this suite
		counter := &conversions{reviews: map[int]int{}, forwards: proxy}
		server := httptest.NewTLSServer(counter)
		DeferCleanup(server.Close)
		set := func(ctx context.Context, config apiextensionsv1.WebhookClientConfig) {
			suite.Update(ctx, env, crd, func(c *apiextensionsv1.CustomResourceDefinition) { c.Spec.Conversion.Webhook.ClientConfig = &config })
		}
		set(ctx, apiextensionsv1.WebhookClientConfig{
			URL: new(server.URL + operator.Path), CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		})
		DeferCleanup(func(ctx SpecContext) { set(ctx, before) })

		Eventually(ctx, func(g Gomega) {
			old := &v1alpha1.AlertList{}
			g.Expect(k8s.List(ctx, old, client.InNamespace(namespace))).To(Succeed())
			g.Expect(old.Items).To(HaveLen(alerts))
			g.Expect(counter.counted()).To(HaveKeyWithValue(1, BeNumerically(">=", alerts)))
		}).Should(Succeed())
		Expect(counter.counted()).To(HaveLen(1), "reviews by their number of objects")
		AddReportEntry("conversions", counter.counted())
	})
})
