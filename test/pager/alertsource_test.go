// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

var _ = Describe("An AlertSource", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = createNamespace(ctx) })

	source := func(spec string) string {
		return "apiVersion: pager.k8s.co/v1beta1\nkind: AlertSource\nmetadata: {name: prometheus}\nspec: " + spec
	}

	It("needs no field, and has the defaults", func(ctx SpecContext) {
		s := &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prometheus"}}
		Expect(k8s.Create(ctx, s, client.DryRunAll)).To(Succeed())
		Expect(s.Status.ObservedGeneration).To(Equal(int64(-1)))
		Expect(kubectl(ctx, "apiVersion: pager.k8s.co/v1beta1\nkind: AlertSource\nmetadata: {name: prometheus}", "create", "-n", namespace, "-f", "-")).To(ContainSubstring("created"))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(s), s)).To(Succeed())
		Expect(s.Spec).To(Equal(v1beta1.AlertSourceSpec{
			GroupBy: []string{"alertname"}, SeverityLabel: "severity", IgnoreSeverities: []string{"none"}, MaxAlerts: 200,
			SeverityMap: map[string]v1beta1.Severity{
				"critical": v1beta1.SeverityCritical, "page": v1beta1.SeverityCritical, "fatal": v1beta1.SeverityCritical,
				"warning": v1beta1.SeverityWarning, "error": v1beta1.SeverityWarning, "info": v1beta1.SeverityInfo,
			},
			Alertmanager: v1beta1.AlertmanagerIntervals{GroupIntervalSeconds: 300, RepeatIntervalSeconds: 432000},
		}))

		By("keeping what is set to nothing")
		update(ctx, s, func(s *v1beta1.AlertSource) {
			s.Spec.IgnoreSeverities, s.Spec.SeverityMap = []string{}, map[string]v1beta1.Severity{}
		})
		Expect(s.Spec.IgnoreSeverities).To(BeEmpty())
		Expect(s.Spec.SeverityMap).To(BeEmpty())
	})

	DescribeTable("is accepted or refused with", func(ctx SpecContext, manifest string, want OmegaMatcher) {
		out, _ := kubectl(ctx, manifest, "apply", "--dry-run=server", "-n", namespace, "-f", "-")
		Expect(out).To(want)
	},
		Entry("every field", source(`{secretRef: {name: token}, groupBy: [a, b], severityLabel: level, severityMap: {p1: Critical}, ignoreSeverities: [debug], receiverRefs: [{name: oncall}], silentAfterSeconds: 600, maxAlerts: 1000}`), ContainSubstring("created")),
		Entry("a group of every label", source(`{groupBy: ["..."]}`), ContainSubstring("created")),
		Entry("every label among others", source(`{groupBy: [alertname, "..."]}`), ContainSubstring("... is every label, so it has to be the only item; the items are: alertname, ...")),
		Entry("no label to group by", source(`{groupBy: []}`), ContainSubstring("spec.groupBy")),
		Entry("a label twice", source(`{groupBy: [a, a]}`), ContainSubstring("Duplicate value")),
		Entry("17 labels", source(`{groupBy: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}`), ContainSubstring("must have at most 16 items")),
		Entry("another severity", source(`{severityMap: {p1: Fatal}}`), ContainSubstring(`Unsupported value: "Fatal": supported values: "Info", "Warning", "Critical"`)),
		Entry("17 severities", source(`{severityMap: {`+numbered(17, "s%d: Info")+`}}`), ContainSubstring("must have at most 16 items")),
		Entry("a long severity", source(`{severityMap: {`+strings.Repeat("s", 129)+`: Info}}`), ContainSubstring("a value of the label has to have at most 128 characters")),
		Entry("a short silence", source(`{silentAfterSeconds: 60}`), ContainSubstring("must be 0 for never, or 120 to 604800")),
		Entry("no silence", source(`{silentAfterSeconds: 0}`), ContainSubstring("created")),
		Entry("no Alerts", source(`{maxAlerts: 0}`), ContainSubstring("spec.maxAlerts")),
		Entry("too many Alerts", source(`{maxAlerts: 1001}`), ContainSubstring("spec.maxAlerts")),
		Entry("the same receiver twice", source(`{receiverRefs: [{name: a}, {kind: Receiver, name: a}]}`), ContainSubstring("Duplicate value")),
		Entry("a name that is no value of a label", strings.Replace(source(`{}`), "prometheus", strings.Repeat("a", 64), 1), ContainSubstring("metadata.name must have at most 63 characters: it is the value of a label of Alerts")),
		Entry("a name of 63 characters", strings.Replace(source(`{}`), "prometheus", strings.Repeat("a", 63), 1), ContainSubstring("created")),
	)

	DescribeTable("is accepted with a warning about", func(ctx SpecContext, spec, want string) {
		env.WaitForAdmission(ctx, source(spec))
		out, _ := kubectl(ctx, source(spec), "apply", "--dry-run=server", "-n", namespace, "-f", "-")
		Expect(out).To(SatisfyAll(MatchRegexp("Warning: .*"+want), ContainSubstring("created")))
	},
		Entry("a Secret that does not exist", `{secretRef: {name: nothing}}`, `Secret "nothing" does not exist in namespace "[a-z0-9-]+": senders with its token are refused until it does`),
		Entry("a receiver that does not exist", `{receiverRefs: [{name: nobody}]}`, `receiverRefs\[0\].*Receiver "nobody" does not exist`),
		Entry("a receiver without a kind", `{receiverRefs: [{name: oncall}]}`, `receiverRefs\[0\]: write kind: Receiver`), // F-B27
		Entry("no default receiver", `{}`, "there is no default receiver"),
		Entry("a severity that is ignored", `{severityMap: {None: Info}}`, `spec.severityMap\["None"\] has no effect: spec.ignoreSeverities has it`),
	)

	It("warns of its Alerts that fire when it is deleted", func(ctx SpecContext) {
		Expect(kubectl(ctx, source(`{}`), "create", "-n", namespace, "-f", "-")).To(ContainSubstring("created"))
		for name, state := range map[string]v1beta1.AlertState{"a": v1beta1.AlertFiring, "b": v1beta1.AlertFiring, "c": v1beta1.AlertResolved} {
			createAlert(ctx, namespace, name, func(a *v1beta1.Alert) {
				a.Labels, a.Spec.State = map[string]string{v1beta1.AlertSourceLabel: "prometheus"}, state
			}, "nobody")
		}
		createAlert(ctx, namespace, "other", nil, "nobody")
		Eventually(func() (string, error) {
			return kubectl(ctx, "", "delete", "alertsource", "prometheus", "-n", namespace, "--dry-run=server")
		}).Should(ContainSubstring(`Warning: Alerts of AlertSource "prometheus" that fire, and stay so unless it exists again: 2`))
	})

	It("is described in kubectl explain", func(ctx SpecContext) {
		for _, path := range []string{"alertsources.spec", "alertsources.status", "alerts.spec.instances", "alerts.spec.links"} {
			out, err := kubectl(ctx, "", "explain", path, "--api-version=pager.k8s.co/v1beta1")
			Expect(err).NotTo(HaveOccurred())
			Expect(out).NotTo(ContainSubstring("<no description>"), path)
		}
	})
})
