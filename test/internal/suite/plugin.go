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

// BuildPlugin builds the kubectl plugin, and returns the path of its binary. If the environment variable BELLHOP_PLUGIN names a binary,
// it returns that one.
func BuildPlugin(ctx context.Context) string {
	ginkgo.GinkgoHelper()
	if built := os.Getenv("BELLHOP_PLUGIN"); built != "" {
		return built
	}
	repo, err := local.FindRepo()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	path := filepath.Join(ginkgo.GinkgoT().TempDir(), "kubectl-bellhop")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, ".")
	cmd.Dir = filepath.Join(repo, "cmd", "kubectl-bellhop")
	out, err := cmd.CombinedOutput()
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
	return path
}
