// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/test/internal/canary"
)

// CollectReadable returns all places in which users can read what the operator writes, by their names: objects of some kinds, its
// log with decoded hex dumps of bodies, and its metrics. The operator has to log at the highest level.
func (s *Suite) CollectReadable(ctx context.Context, metricsToken string, kinds ...string) map[string]string {
	ginkgo.GinkgoHelper()
	gomega.Eventually(func() string { return canary.DecodeHexDumps(s.Logs.String()) }).
		Should(gomega.ContainSubstring("events.k8s.io/v1"), "the log has bodies of requests, and the spec can decode them")
	places := map[string]string{"log": s.Logs.String(), "binary bodies in the log": canary.DecodeHexDumps(s.Logs.String())}
	for _, kind := range kinds {
		out, err := s.Kubectl(ctx, "", "get", kind, "--all-namespaces", "-o", "yaml", "--show-managed-fields")
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		places[kind] = out
	}
	gomega.Eventually(func() (err error) { // the API server may not know the ClusterRoleBinding of the token yet
		places["metrics"], err = s.Scrape(ctx, metricsToken)
		return err
	}).Should(gomega.Succeed())
	return places
}
