// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources_test

import (
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Prometheus", func() {
	It("sends one message while the value in an annotation changes, and one resolve", func(ctx SpecContext) {
		s, disk := createSource(ctx, nil), startExporter("disk-000")
		newPrometheus(disk, s.alertmanager(), time.Second).start(ctx)
		Eventually(ctx, s.events).Should(Equal([]string{"fired"}))
		Consistently(ctx, s.events, time.Minute).Should(Equal([]string{"fired"}))
		Expect(s.gate.statuses()).To(And(HaveLen(1), HaveKeyWithValue(200, BeNumerically(">", 20))), "it is posted again and again")
		Expect(len(s.gate.texts())).To(BeNumerically(">=", 3), "with changing texts")
		Expect(s.last()).To(And(HaveField("Title", "A disk is full"), HaveField("Severity", "Critical"), HaveField("Content", HavePrefix("disk-000 is full to 9"))))

		disk.clear()
		Eventually(ctx, s.events).Should(Equal([]string{"fired", "resolved"}))
	})

	It("sends one message about 500 series, with 20 of them", func(ctx SpecContext) {
		s, disk := createSource(ctx, nil), startExporter(disks(500)...)
		newPrometheus(disk, s.alertmanager(), time.Second).start(ctx)
		complete := ConsistOf(HaveField("Spec", And(
			HaveField("Title", "DiskFull: 200 or more firing"),
			HaveField("Content", WithTransform(linesOf, And(HaveLen(21), ContainElement("and 180 more")))),
		)))
		Eventually(ctx, s.alerts(ctx)).Should(complete)
		Consistently(ctx, s.alerts(ctx), 5*time.Second).Should(complete)
		Expect(s.events()).To(Equal([]string{"fired"}))
		Expect(linesOf(s.last().Content)).To(And(HaveLen(21), ContainElement(MatchRegexp(`^and \d+ more$`))))

		disk.clear()
		Eventually(ctx, s.events).Should(Equal([]string{"fired", "resolved"}))
	})

	It("is one of a pair, with one message and one resolve", func(ctx SpecContext) {
		s, disk := createSource(ctx, nil), startExporter("disk-000")
		first, second := newPrometheus(disk, s.alertmanager(), time.Second), newPrometheus(disk, s.alertmanager(), time.Second)
		first.start(ctx)
		Eventually(ctx, s.events).Should(Equal([]string{"fired"}))
		second.start(ctx)
		Consistently(ctx, s.events, 5*time.Second).Should(Equal([]string{"fired"}))
		first.kill()
		Consistently(ctx, s.events, 5*time.Second).Should(Equal([]string{"fired"}))
		disk.clear()
		Eventually(ctx, s.events).Should(Equal([]string{"fired", "resolved"}))
		Consistently(ctx, s.events, 3*time.Second).Should(HaveLen(2))
	})
})

func linesOf(text string) []string { return strings.Split(text, "\n") }

var _ = Describe("Alertmanager", func() {
	for name, path := range alertmanagers() {
		It("groups, fires and resolves: "+name, func(ctx SpecContext) {
			s, disk := createSource(ctx, nil), startExporter(disks(3)...)
			alertmanager, item := newAlertmanager(path, s, "alertname")
			alertmanager.start(ctx)
			newPrometheus(disk, item, time.Second).start(ctx)
			Eventually(ctx, s.events).Should(Equal([]string{"fired"}))
			Expect(s.last()).To(And(HaveField("Title", "DiskFull: 3 firing"), HaveField("Content", ContainSubstring("disk=disk-002"))))

			disk.clear()
			Eventually(ctx, s.count("resolved")).Should(Equal(1))
			Expect(s.count("fired")()).To(Equal(1))
		})
	}

	It("has amtool, which posts straight to the source", func(ctx SpecContext) {
		s := createSource(ctx, nil)
		labels := []string{"DiskFull", "node=node-7", "severity=critical", "--annotation=summary=Disk of node-7 is full"}
		addWithAmtool(ctx, s, labels...)
		Eventually(ctx, s.events).Should(Equal([]string{"fired"}))
		addWithAmtool(ctx, s, append(labels, "--end="+time.Now().Format(time.RFC3339))...)
		Eventually(ctx, s.events).Should(Equal([]string{"fired", "resolved"}))
	})
})

// alertmanagers are the programs by names: Debian's, and the newest one where it could be built.
func alertmanagers() map[string]string {
	found := map[string]string{"Debian's": filepath.Join(senders, "prometheus-alertmanager")}
	newest := filepath.Join(senders, "newest-alertmanager")
	if matches, _ := filepath.Glob(newest); len(matches) > 0 {
		found["the newest"] = newest
	}
	return found
}

var _ = Describe("vmalert", func() {
	It("sends one message while the value in an annotation changes, and one resolve", func(ctx SpecContext) {
		s, disk := createSource(ctx, nil), startExporter("disk-000")
		victoriaMetrics, url := newVictoriaMetrics(disk)
		victoriaMetrics.start(ctx)
		newVMAlert(url, s).start(ctx)
		Eventually(ctx, s.events).Should(Equal([]string{"fired"}))
		Consistently(ctx, s.events, 5*time.Second).Should(Equal([]string{"fired"}))
		disk.clear()
		Eventually(ctx, s.events).Should(Equal([]string{"fired", "resolved"}))
	})
})
