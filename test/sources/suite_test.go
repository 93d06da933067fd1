// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sources_test runs the operator with real senders of alerts: Prometheus, Alertmanager, amtool and vmalert, as processes. The environment
// variable SENDERS is the folder of their programs; hack/sources.sh sets it.
package sources_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

var (
	env = &suite.Suite{}
	// senders is the folder of the programs.
	senders = os.Getenv("SENDERS")
	// listener is the address at which the operator serves AlertSources.
	listener string
	// caFile has the CA of the listener's certificate.
	caFile string
)

func TestSources(t *testing.T) {
	if senders == "" {
		t.Skip("SENDERS is not set: hack/sources.sh downloads Prometheus, Alertmanager and vmalert, and runs this suite with them")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(250 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "sources")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	port, err := local.FreePort()
	Expect(err).NotTo(HaveOccurred())
	listener = fmt.Sprintf("127.0.0.1:%d", port)
	env.Join(env.Start(ctx, "--ingest-bind-address="+listener), v1beta1.AddToScheme)
	caFile = filepath.Join(GinkgoT().TempDir(), "ca.crt")
	Expect(os.WriteFile(caFile, env.Cluster.WebhookCA(), 0o600)).To(Succeed())
})

var (
	_ = BeforeEach(env.Logs.Reset)
	_ = AfterEach(env.Logs.Report)
)
