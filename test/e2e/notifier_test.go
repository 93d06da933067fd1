// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/test/internal/pki"
)

// itSendsToANotifier runs the example of a notifier as its page says.
func itSendsToANotifier() {
	It("sends an Alert to the example of a notifier, which prints it", func(ctx SpecContext) {
		pair := pki.Issue(&x509.Certificate{DNSNames: []string{"notifier"}, NotAfter: time.Now().Add(time.Hour)}, nil)
		folder := GinkgoT().TempDir()
		certificate, key := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
		Expect(os.WriteFile(certificate, pair.CertificatePEM, 0o600)).To(Succeed())
		Expect(os.WriteFile(key, pair.KeyPEM, 0o600)).To(Succeed())
		kubectl(ctx, "create secret generic notifier-server --namespace default --from-literal=token=s3cret --from-file="+certificate+" --from-file="+key)
		kubectl(ctx, "create secret generic notifier --namespace default --from-literal=token=s3cret --from-file=ca.crt="+certificate)

		example, err := os.ReadFile(filepath.Join(repo, "examples", "notifier", "deployment.yaml"))
		Expect(err).NotTo(HaveOccurred())
		manifest := strings.ReplaceAll(string(example), "localhost/bellhop-example-notifier:dev", imageOf("example-notifier"))
		_, err = try(ctx, manifest, "kubectl", "apply", "--namespace=default", "-f", "-")
		Expect(err).NotTo(HaveOccurred())
		kubectl(ctx, "rollout status --timeout=90s --namespace default deployment/notifier")
		kubectl(ctx, "wait --namespace default --for=condition=Ready --timeout=60s receiver/notifier alert/hello-notifier")
		log := kubectl(ctx, "logs --namespace default deployment/notifier")
		Expect(strings.Count(log, `EVENT_FIRED SEVERITY_WARNING "Hello" "The notifier works 👋" (default/hello-notifier)`)).To(Equal(1), log)

		kubectl(ctx, "delete --namespace default --timeout=60s alert/hello-notifier")
		Expect(kubectl(ctx, "logs --namespace default deployment/notifier")).To(ContainSubstring("EVENT_RESOLVED"))
		kubectl(ctx, "delete --namespace default --timeout=60s receiver/notifier deployment/notifier service/notifier secret/notifier secret/notifier-server")
	})
}
