// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/test/internal/printed"
	"github.com/gophernetes/bellhop/test/internal/tutorial"
)

// withPrometheus is the tutorial that needs Prometheus on this machine.
const withPrometheus = "docs/tutorials/from-a-rule-to-the-phone.md"

// The tutorials install the pager and services as two operators, and remove both at the end of the last one. Their text is what runs; only the release is replaced by what
// was built here.
var _ = Describe("The tutorials", Ordered, func() {
	var built string
	BeforeAll(func(ctx SpecContext) {
		manifests := release
		if manifests == "" {
			manifests = buildManifests(ctx)
		}
		tag := strings.LastIndex(image, ":")
		built = fmt.Sprintf("MANIFEST=%s\nIMAGE=%s\nVERSION=%s\n", filepath.Join(manifests, "install-pager.yaml"), image[:tag], image[tag+1:])
	})

	for _, page := range []string{"docs/tutorials/first-alert.md", withPrometheus, "docs/tutorials/first-database.md"} {
		It("do what they say: "+page, func(ctx SpecContext) {
			if _, err := exec.LookPath("prometheus"); page == withPrometheus && err != nil {
				Skip("it needs Prometheus, which hack/sources.sh downloads: " + err.Error())
			}
			text, err := os.ReadFile(filepath.Join(repo, page))
			Expect(err).NotTo(HaveOccurred())
			steps, err := tutorial.Parse(string(text))
			Expect(err).NotTo(HaveOccurred())
			for _, step := range steps {
				if step.NeedsNoTest() || step.IsRelease() {
					continue
				}
				where := fmt.Sprintf("%s:%d", page, step.Line)
				By(where)
				follow := func(g Gomega) {
					out, err := try(ctx, "", "sh", "-euc", built+step.Commands)
					g.Expect(err).NotTo(HaveOccurred(), where)
					g.Expect(printed.Compare(step.Output, out)).To(Succeed(), where)
				}
				if strings.Contains(step.Commands, "kubectl delete --ignore-not-found -f ${MANIFEST") {
					expectRightsOfOneGroup(ctx, "pager")
					expectRightsOfOneGroup(ctx, "servicecatalog")
					recordRemoval(ctx, func() { follow(Default) })
				} else if strings.HasPrefix(step.Commands, "kubectl logs ") { // the kubelet writes logs after the program
					Eventually(follow).Should(Succeed())
				} else {
					follow(Default)
				}
			}
		})
	}

	It("leave nothing in the cluster", func(ctx SpecContext) {
		Expect(installed(ctx)).To(BeEmpty())
		Eventually(func() string {
			return kubectl(ctx, "get deployments,services,pods --namespace default --selector app -o name")
		}).Should(BeEmpty())
	})
})

// buildManifests builds the manifests that the tutorials take from a release, and returns their folder.
func buildManifests(ctx context.Context) string {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	for file, args := range map[string][]string{
		"install-pager.yaml":               {"CONFIG=pager", "hack/config.sh", "all"},
		"install-pager-page-by-label.yaml": {"CONFIG=pager", "hack/config.sh", "page-by-label"},
		"install-pager-ingest.yaml":        {"CONFIG=pager", "hack/config.sh", "ingest"},
		"install-servicecatalog.yaml":      {"CONFIG=servicecatalog", "hack/config.sh", "all"},
	} {
		Expect(os.WriteFile(filepath.Join(folder, file), []byte(output(ctx, "env", args...)), 0o600)).To(Succeed())
	}
	return folder
}
