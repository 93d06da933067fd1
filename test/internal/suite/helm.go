// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/hack/local"
)

// HelmInstall installs a chart with one template in a namespace as administrator, with additional flags, and returns what Helm
// printed. The version of Helm is that of hack/tools/helm.
func (s *Suite) HelmInstall(ctx context.Context, namespace, template string, flags ...string) (string, error) {
	ginkgo.GinkgoHelper()
	chart := ginkgo.GinkgoT().TempDir()
	gomega.Expect(os.Mkdir(filepath.Join(chart, "templates"), 0o700)).To(gomega.Succeed())
	for name, text := range map[string]string{
		"Chart.yaml":         "{apiVersion: v2, name: app, version: 1.0.0}",
		"templates/all.yaml": template,
	} {
		gomega.Expect(os.WriteFile(filepath.Join(chart, name), []byte(text), 0o600)).To(gomega.Succeed())
	}
	cmd := exec.CommandContext(ctx, Helm(ctx), append([]string{"install", "app", chart, "--namespace", namespace}, flags...)...)
	home := ginkgo.GinkgoT().TempDir()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.Cluster.Kubeconfig, "HOME="+home,
		"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Helm returns the path of the pinned Helm.
func Helm(ctx context.Context) string {
	ginkgo.GinkgoHelper()
	path, err := local.FindTool(ctx, "hack/tools/helm", "helm")
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return path
}
