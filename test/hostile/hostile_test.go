// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package hostile_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	// rounds are the runs with harmless requests, and the runs with hostile ones, in turn.
	rounds = 2
	// maxRatio is how much later messages and first requests may be, as 99th percentiles, and maxLatency how late any may be.
	maxRatio, maxLatency = 1.15, 5 * time.Second
)

var _ = Describe("Beside a hostile tenant, a user of a shared namespace and a Pod without credentials", Ordered, ContinueOnFailure, func() {
	var (
		v                 *victim
		a                 *attackers
		harmless, hostile latencies
	)

	BeforeAll(func(ctx SpecContext) {
		v = newVictim(ctx)
		a = newAttackers(ctx, v)
		for round := range rounds {
			harmless.add(beside(ctx, a, v, fmt.Sprintf("harmless-%d", round), false))
			hostile.add(beside(ctx, a, v, fmt.Sprintf("hostile-%d", round), true))
		}
		AddReportEntry("latencies", describe(harmless, hostile, peakMemory()), ReportEntryVisibilityAlways)
	}, NodeTimeout(15*time.Minute))

	It("all attacks took place", func() {
		for _, attack := range a.attacks() {
			Expect(a.turns[attack.name]).To(BeNumerically(">", 0), attack.name)
		}
		Expect(a.catalogs.Load()).To(BeNumerically(">", 0), "requests for the hostile catalog")
	})

	It("the operator runs, has not panicked, and needs less memory than its limit", func() {
		Expect(env.Operator.Ended()).NotTo(BeClosed(), "the operator has ended")
		Expect(env.Logs.Lines("Observed a panic")).To(BeEmpty())
		Expect(peakMemory()).To(BeNumerically("<", memoryLimit>>20), "MiB of resident memory")
	})

	// The half of each bound that is reserved for API servers.
	It("the API server is known by its address", func(ctx SpecContext) {
		text, err := env.Scrape(ctx, env.CreateMetricsToken(ctx, a.tenant))
		Expect(err).NotTo(HaveOccurred())
		Expect(text).To(MatchRegexp(`bellhop_http_server_requests_total\{client="api_server",server="webhooks"\} [1-9]`))
	})

	It("nothing of others was lost or changed outside", func() { v.check() })

	It("no credential of others has left", func(ctx SpecContext) { a.checkSecrecy(ctx) })

	It("no identity, right or record was forged", func() {
		Expect(a.stored).To(BeEmpty())
		a.checkIdentities()
	})

	It("no address that is refused was reached", func() {
		Expect(a.trap.reached.Load()).To(BeZero(), "connections to %s", trapIP)
	})

	It("others do not wait longer than beside harmless requests", func() {
		if !isTimed() {
			return // the gate's machine may be busy
		}
		expectQuick("messages", harmless.pages, hostile.pages)
		expectQuick("first requests of instances", harmless.requests, hostile.requests)
	})
})

func (l *latencies) add(other latencies) {
	l.pages = append(l.pages, other.pages...)
	l.requests = append(l.requests, other.requests...)
}

// beside has the victim use what it has, while requests are sent by the attackers.
func beside(ctx context.Context, a *attackers, v *victim, name string, isHostile bool) latencies {
	GinkgoHelper()
	attackCtx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		defer GinkgoRecover()
		a.run(attackCtx, isHostile)
	})
	defer running.Wait()
	defer cancel()
	return v.use(ctx, name, *attackFor/rounds)
}

var highWater = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peakMemory is the largest resident memory of the operator in MiB; 0 where the system does not tell.
func peakMemory() int {
	GinkgoHelper()
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", env.Operator.PID())) // not on other systems than Linux
	match := highWater.FindSubmatch(status)
	if match == nil {
		return 0
	}
	kibibytes, err := strconv.Atoi(string(match[1]))
	Expect(err).NotTo(HaveOccurred())
	return kibibytes >> 10
}

func describe(harmless, hostile latencies, memory int) string {
	line := func(what string, harmless, hostile []time.Duration) string {
		return fmt.Sprintf("%s: %d beside harmless requests, p99 %s, max %s; %d beside hostile ones, p99 %s, max %s; ratio of p99 %.2f\n", what, len(harmless), percentile(harmless, 99),
			percentile(harmless, 100), len(hostile), percentile(hostile, 99), percentile(hostile, 100), ratio(harmless, hostile))
	}
	return line("messages", harmless.pages, hostile.pages) + line("first requests", harmless.requests, hostile.requests) + fmt.Sprintf("memory: %d MiB at most\n", memory)
}

func ratio(harmless, hostile []time.Duration) float64 {
	return float64(percentile(hostile, 99)) / float64(percentile(harmless, 99))
}

func expectQuick(what string, harmless, hostile []time.Duration) {
	GinkgoHelper()
	Expect(ratio(harmless, hostile)).To(BeNumerically("<=", maxRatio), "%s: ratio of the 99th percentiles", what)
	Expect(percentile(hostile, 100)).To(BeNumerically("<=", maxLatency), what)
}
