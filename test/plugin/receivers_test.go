// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// F-U22
var _ = Describe("The name of a receiver", func() {
	It("has the kind that exists, and is refused where the user may not find that out", func(ctx SpecContext) {
		t := newTranscript(ctx)
		t.createOrders(ctx)
		startInbox(ctx, t.namespace, "team")
		in, oncall := createClusterInbox(ctx, t.namespace)
		t.hide(oncall, "oncall")
		allow(ctx, t.namespace, "joe", []string{"create", "get", "list", "watch", "patch", "delete"}, "alerts")
		allow(ctx, t.namespace, "ann", []string{"create", "get", "list", "watch", "patch", "delete"}, "alerts", "receivers")
		t.try(ctx, "kubectl create rolebinding deployments --clusterrole=edit --user=joe --user=ann")
		for _, command := range []string{"page text --to=", "test ", "watch deploy/orders --to=", "suspend ", "resume "} {
			t.run(ctx, 1, "kubectl bellhop "+command+oncall+" --as=joe")
			t.run(ctx, 1, "kubectl bellhop "+command+oncall+" --as=ann")
		}
		out, _ := t.try(ctx, "kubectl get alerts -o name; kubectl get deployment orders "+metadata)
		Expect(out).To(Equal("<no value>\n"))
		t.run(ctx, 0, "kubectl bellhop test clusterreceiver/"+oncall+" --as=ann")
		t.run(ctx, 0, "kubectl bellhop test team --as=ann")
		Expect(in.Messages()).NotTo(BeEmpty())
		t.run(ctx, 1, "kubectl bellhop describe receiver/"+oncall)
		t.run(ctx, 1, "kubectl bellhop describe clusterreceiver/team")
		t.run(ctx, 0, "kubectl bellhop describe clusterreceiver/"+oncall+" | head -1")
		t.matchGolden("receiver-names")
	})
})

// F-U34
var _ = Describe("suspend and resume", func() {
	It("have Alerts wait for a receiver", func(ctx SpecContext) {
		t := newTranscript(ctx)
		in := startInbox(ctx, t.namespace, "team")
		_, oncall := createClusterInbox(ctx, t.namespace)
		t.hide(oncall, "oncall")
		t.run(ctx, 0, "kubectl bellhop suspend team --dry-run=server -o jsonpath='{.spec.suspend}'")
		t.run(ctx, 0, "kubectl bellhop suspend team "+oncall)
		t.run(ctx, 0, "kubectl bellhop suspend team")
		t.run(ctx, 3, "kubectl bellhop page text --name=late --to=team --wait")
		Expect(in.Messages()).To(BeEmpty())
		t.run(ctx, 0, "kubectl bellhop resume receiver/team clusterreceiver/"+oncall)
		t.run(ctx, 0, "kubectl wait alert/late --for=condition=Ready --timeout=30s")
		t.run(ctx, 2, "kubectl bellhop suspend")
		t.run(ctx, 1, "kubectl bellhop resume taem")
		t.run(ctx, 0, "kubectl-bellhop __complete suspend te 2>/dev/null")
		t.matchGolden("suspend")
	})
})
