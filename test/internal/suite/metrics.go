// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/test/internal/metrics"
)

// CreateToken creates a ServiceAccount without any rights, and returns a token of it.
func (s *Suite) CreateToken(ctx context.Context, namespace, name string) string {
	ginkgo.GinkgoHelper()
	token, err := metrics.CreateAccount(ctx, s.Client, namespace, name)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return token
}

// CreateMetricsToken creates a ServiceAccount that may read metrics until the spec ends, and returns a token of it.
func (s *Suite) CreateMetricsToken(ctx ginkgo.SpecContext, namespace string) string {
	ginkgo.GinkgoHelper()
	const name = "prometheus"
	ginkgo.DeferCleanup(func(ctx ginkgo.SpecContext) error {
		return client.IgnoreNotFound(s.Client.Delete(ctx, metrics.ReaderBinding(namespace, name)))
	})
	token, err := metrics.Token(ctx, s.Client, namespace, name)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return token
}

// Scrape returns the operator's metrics as text. Where the answer is not 200, the error is its status.
func (s *Suite) Scrape(ctx context.Context, token string) (string, error) {
	return metrics.Fetch(ctx, s.Operator.MetricsURL, token)
}
