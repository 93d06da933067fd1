// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/hack/local"
)

var _ = Describe("make plugin", func() {
	It("writes the same bytes in another folder, and archives that work", func(ctx SpecContext) {
		repo, err := local.FindRepo()
		Expect(err).NotTo(HaveOccurred())
		here, there := buildRelease(ctx, repo), buildRelease(ctx, copyRepository(ctx, repo))
		archive := "kubectl-bellhop_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
		for _, name := range []string{archive, "checksums.txt", "bellhop.yaml"} {
			first, err := os.ReadFile(filepath.Join(here, name))
			Expect(err).NotTo(HaveOccurred())
			second, err := os.ReadFile(filepath.Join(there, name))
			Expect(err).NotTo(HaveOccurred())
			Expect(bytes.Equal(first, second)).To(BeTrue(), name)
		}

		t := newTranscript(ctx)
		out, code := t.try(ctx, "cd "+here+" && tar xzf "+archive+" && PATH=$PWD:$PATH && sha256sum --check checksums.txt && kubectl bellhop version && "+
			"kubectl __complete bellhop ver && kubectl __complete bellhop version --namespace "+t.namespace[:len(t.namespace)-1])
		Expect(code).To(BeZero(), out)
		Expect(out).To(MatchRegexp(`(?m)^kubectl-bellhop v1\.2\.3 \(`))
		Expect(out).To(MatchRegexp(`(?m)^version\t`), "kubectl completes the plugin's commands by kubectl_complete-bellhop")
		Expect(out).To(MatchRegexp(`(?m)^`+t.namespace+`$`), "kubectl completes names of the cluster")

		// F-U29: nothing here injects credentials, and doctor names a page of the plugin's version.
		out, _ = t.try(ctx, "PATH="+here+":$PATH && kubectl run app --image=none --labels=bellhop.gophernetes.io/inject=true && kubectl bellhop doctor")
		Expect(out).To(ContainSubstring("github.com/gophernetes/bellhop/blob/v1.2.3/docs/"))
	})
})

// buildRelease runs hack/plugin.sh in a clone, for this machine's platform, and returns the folder with the results.
func buildRelease(ctx context.Context, clone string) string {
	GinkgoHelper()
	out := filepath.Join(GinkgoT().TempDir(), "plugin")
	cmd := exec.CommandContext(ctx, filepath.Join(clone, "hack", "plugin.sh"))
	cmd.Env = append(os.Environ(), "VERSION=v1.2.3", "PLUGIN_OUT="+out, "PLUGIN_PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH)
	printed, err := cmd.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(printed))
	return out
}

// copyRepository copies what git does not ignore.
func copyRepository(ctx context.Context, repo string) string {
	GinkgoHelper()
	clone := filepath.Join(GinkgoT().TempDir(), "another")
	list := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = repo
	files, err := list.Output()
	Expect(err).NotTo(HaveOccurred())
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(repo, name))
		if err != nil || !info.Mode().IsRegular() {
			continue // deleted, and not committed yet
		}
		content, err := os.ReadFile(filepath.Join(repo, name))
		Expect(err).NotTo(HaveOccurred())
		Expect(os.MkdirAll(filepath.Dir(filepath.Join(clone, name)), 0o700)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(clone, name), content, info.Mode())).To(Succeed())
	}
	return clone
}
