// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// createOrders creates a Deployment that no controller acts on.
func (t *transcript) createOrders(ctx context.Context) {
	GinkgoHelper()
	out, code := t.try(ctx, "kubectl create deployment orders --image=orders --replicas=0")
	Expect(code).To(BeZero(), out)
}

// metadata is the label and the annotations of an object.
const metadata = `-o go-template='{{index .metadata.labels "pager.k8s.co/page"}}{{range $k, $v := .metadata.annotations}} {{$k}}={{$v}}{{end}}{{"\n"}}'`

var _ = Describe("watch", func() {
	var t *transcript
	BeforeEach(func(ctx SpecContext) {
		t = newTranscript(ctx)
		t.createOrders(ctx)
		startInbox(ctx, t.namespace, "team")
	})

	It("watches objects, and unwatches them", func(ctx SpecContext) {
		_, chat := createClusterInbox(ctx, t.namespace)
		t.try(ctx, "kubectl create job import --image=import")
		t.run(ctx, 0, "kubectl bellhop watch deploy/orders")
		t.run(ctx, 0, "kubectl label namespace "+t.namespace+" --overwrite pager.k8s.co/page-by-label=enabled")
		t.run(ctx, 0, "kubectl bellhop watch deployments.apps/orders job.v1.batch/import --to=team,"+chat+" --after=10m --severity=warning")
		t.run(ctx, 0, "kubectl get deployment orders "+metadata)
		t.run(ctx, 0, "kubectl get job import "+metadata)
		t.run(ctx, 0, "kubectl bellhop watch deploy/orders --after=1500ms --to=clusterreceiver/later")
		t.run(ctx, 0, "kubectl get deployment orders "+metadata)
		t.run(ctx, 0, "kubectl bellhop watch deploy/orders")
		t.run(ctx, 0, "kubectl bellhop unwatch deploy/orders --dry-run=server")
		t.run(ctx, 0, "kubectl bellhop unwatch deploy/orders job/import")
		t.run(ctx, 0, "kubectl get deployment orders "+metadata)
		t.run(ctx, 0, "kubectl bellhop unwatch deploy/orders")
		t.matchGolden("watch")
	})

	It("prints manifests and changes nothing", func(ctx SpecContext) {
		for _, flags := range []string{"--dry-run=client", "--dry-run=server", "--dry-run=client -o name", "--dry-run=client -o yaml 2>/dev/null"} {
			t.run(ctx, 0, "kubectl bellhop watch deploy/orders --after=1m "+flags)
		}
		t.run(ctx, 0, "kubectl bellhop watch deploy/orders --dry-run=client -o yaml 2>/dev/null | kubectl apply --dry-run=server -f - 2>/dev/null")
		t.run(ctx, 0, "kubectl get deployment orders -o jsonpath='{.metadata.labels}'")
		t.matchGolden("watch_dry_run")
	})

	It("says which objects the operator does not watch", func(ctx SpecContext) {
		t.try(ctx, "kubectl label namespace "+t.namespace+" pager.k8s.co/page-by-label=enabled")
		t.try(ctx, "kubectl create configmap settings")
		watch := "kubectl bellhop watch deploy/orders configmap/settings --operator-namespace="
		createDeployment(ctx, t.namespace)
		t.run(ctx, 0, watch+t.namespace)
		enabled, other := createNamespace(ctx), createNamespace(ctx)
		t.hide(enabled, "ENABLED")
		t.hide(other, "OTHER")
		createDeployment(ctx, enabled, "--page-by-label", "--page-kinds=v1/pods")
		t.run(ctx, 0, watch+enabled)
		createDeployment(ctx, other, "--page-by-label", "--page-kinds=v1/configmaps", "--namespaces=team-a,team-b")
		t.run(ctx, 0, watch+other)
		t.matchGolden("watch_operator")
	})

	It("explains what is wrong with the command line, or with the object", func(ctx SpecContext) {
		createOthers(ctx, t.namespace)
		for _, args := range []string{"", "deploy orders", "deploy/orders --after=25h", "deploy/orders --severity=high", "deploy/orders --to=secret/x", "deploy/orders --to=Big_Name", "node/x"} {
			t.run(ctx, 2, "kubectl bellhop watch "+args)
		}
		t.run(ctx, 2, "kubectl bellhop unwatch orders")
		for _, args := range []string{"house/orders", "deploy/odrers", "deploy/orders --to=taem"} {
			t.run(ctx, 1, "kubectl bellhop watch "+args)
		}
		t.run(ctx, 0, "kubectl annotate deployment orders pager.k8s.co/page-after-seconds=5m")
		t.run(ctx, 1, "kubectl bellhop watch deploy/orders --severity=Info")
		t.run(ctx, 0, "kubectl get deployment orders "+metadata)
		t.matchGolden("watch_wrong")
	})

	It("explains what a user may not do", func(ctx SpecContext) {
		t.run(ctx, 1, "kubectl bellhop watch deploy/orders --as=jane")
		t.try(ctx, "kubectl create role joe --verb=get --resource=deployments.apps && kubectl create rolebinding joe --role=joe --user=joe")
		t.run(ctx, 1, "kubectl bellhop watch deploy/orders --as=joe")
		t.try(ctx, "kubectl create role ann --verb=get,patch --resource=deployments.apps && kubectl create rolebinding ann --role=ann --user=ann")
		t.run(ctx, 0, "kubectl bellhop watch deploy/orders --as=ann")
		t.run(ctx, 0, "kubectl bellhop unwatch deploy/orders --as=ann")
		t.matchGolden("watch_forbidden")
	})

	It("completes objects, receivers and severities", func(ctx SpecContext) {
		t.try(ctx, "kubectl create deployment watched --image=watched && kubectl bellhop watch deploy/watched")
		for _, args := range []string{"watch ''", "watch d", "watch deploy/o", "watch deploy/orders deploy/", "unwatch deploy/", "watch deploy/orders --to te", "watch --severity ''", "watch --after ''"} {
			t.run(ctx, 0, "kubectl-bellhop __complete "+args+" 2>/dev/null")
		}
		t.matchGolden("watch_complete")
	})
})
