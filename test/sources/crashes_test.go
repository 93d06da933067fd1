// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources_test

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// All 500 alerts fire at the same time, and a process is killed when some of their Alerts are stored: between a post and its answer.
var _ = Describe("500 alerts, an Alert each", func() {
	It("arrive once if the operator is killed", func(ctx SpecContext) {
		s := createSource(ctx, eachAlert)
		newPrometheus(startExporter(disks(500)...), s.alertmanager(), 5*time.Second).start(ctx)
		waitForSome(ctx, s)
		env.Operator.Kill()
		env.StartOperator(context.WithoutCancel(ctx))
		expectAllOnce(ctx, s)
	})

	It("arrive once if Prometheus is killed", func(ctx SpecContext) {
		s := createSource(ctx, eachAlert)
		prometheus := newPrometheus(startExporter(disks(500)...), s.alertmanager(), 5*time.Second)
		prometheus.start(ctx)
		waitForSome(ctx, s)
		prometheus.kill()
		prometheus.start(ctx)
		expectAllOnce(ctx, s)
	})

	It("arrive once if Alertmanager is killed", func(ctx SpecContext) {
		s := createSource(ctx, eachAlert)
		alertmanager, item := newAlertmanager(filepath.Join(senders, "prometheus-alertmanager"), s, "...")
		alertmanager.start(ctx)
		newPrometheus(startExporter(disks(500)...), item, 5*time.Second).start(ctx)
		waitForSome(ctx, s)
		alertmanager.kill()
		alertmanager.start(ctx)
		expectAllOnce(ctx, s)
	})
})

// waitForSome waits until some Alerts are stored, and not all.
func waitForSome(ctx context.Context, s *source) {
	GinkgoHelper()
	stored := func() (int, error) {
		alerts, err := s.alerts(ctx)()
		return len(alerts), err
	}
	Eventually(ctx, stored).WithPolling(5 * time.Millisecond).Should(And(BeNumerically(">", 0), BeNumerically("<", 500)))
}

// expectAllOnce waits until all have arrived, and expects that none arrives twice.
func expectAllOnce(ctx context.Context, s *source) {
	GinkgoHelper()
	Eventually(ctx, s.count("fired"), 2*time.Minute).Should(BeNumerically(">=", 500))
	Consistently(ctx, s.events, 5*time.Second).Should(HaveLen(500))
	names := map[string]bool{}
	for _, m := range s.Messages() {
		names[m.Name] = true
	}
	Expect(names).To(HaveLen(500))
}

var _ = Describe("An API server that is away", func() {
	It("has the operator answer with 503, and alerts arrive later", func(ctx SpecContext) {
		s, disk := createSource(ctx, nil), startExporter("disk-000")
		newPrometheus(disk, s.alertmanager(), time.Second).start(ctx)
		Eventually(ctx, s.events).Should(Equal([]string{"fired"}))

		Expect(env.Cluster.KillAPIServer(ctx)).To(Succeed())
		disk.clear()
		Eventually(ctx, s.gate.statuses).Should(HaveKey(http.StatusServiceUnavailable))
		Expect(env.Cluster.RestartAPIServer(ctx)).To(Succeed())
		Eventually(ctx, s.events).Should(Equal([]string{"fired", "resolved"}))
		Expect(s.gate.statuses()).To(And(HaveLen(2), HaveKey(http.StatusOK)), "no other answers, since senders may drop what is refused otherwise")
	})
})
