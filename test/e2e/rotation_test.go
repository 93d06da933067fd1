// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// itRotates replaces the credentials that a running Pod uses, which sees a mounted Secret up to 90 s after it has changed.
func itRotates() {
	It("replaces credentials without a failed login of a Pod that has them mounted", func(ctx SpecContext) {
		const rotations = 20
		var bindings, mounts, volumes strings.Builder
		for i := range rotations {
			for kind, overlap := range map[string]string{"kept": "{}", "removed": "{bellhop.gophernetes.io/rotation-overlap-seconds: '0'}"} {
				name := fmt.Sprintf("%s-%d", kind, i)
				fmt.Fprintf(&bindings, "---\n{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceBinding, metadata: {name: %s, namespace: rotation, annotations: %s}, spec: {instanceRef: {name: db}}}\n", name, overlap)
				fmt.Fprintf(&mounts, "{name: %s, mountPath: /secrets/%[1]s},", name)
				fmt.Fprintf(&volumes, "{name: %s, secret: {secretName: %[1]s}},", name)
			}
		}
		kubectl(ctx, "create namespace rotation")
		apply(ctx, "{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance, metadata: {name: db, namespace: rotation}, spec: {clusterServiceClassExternalName: azure-mysql, clusterServicePlanExternalName: basic50}}\n"+bindings.String())
		kubectl(ctx, "wait --namespace rotation --for=condition=Ready --timeout=120s servicebinding --all")
		apply(ctx, fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: login, namespace: rotation}, spec: {containers: [{name: login, image: %s, args: [-secrets=/secrets], volumeMounts: [%s]}], volumes: [%s]}}", imageOf("demo-login"), mounts.String(), volumes.String()))
		kubectl(ctx, "wait --namespace rotation --for=condition=Ready --timeout=90s pod/login")
		Eventually(loginsOf).WithArguments(ctx, "logged in").Should(Equal(2 * rotations))

		kubectl(ctx, "annotate --namespace rotation servicebinding --all bellhop.gophernetes.io/rebind=again")
		Eventually(loginsOf).WithArguments(ctx, "logged in").WithTimeout(4 * time.Minute).Should(Equal(4 * rotations)) // with the new ones
		kept, removed := loginsOf(ctx, "kept-", ": failed"), loginsOf(ctx, "removed-", ": failed")
		AddReportEntry(fmt.Sprintf("%d rotations: failed logins, one a second", rotations), fmt.Sprintf("%d; %d where former credentials are removed at once", kept, removed), ReportEntryVisibilityAlways)
		Expect(kept).To(BeZero())
		Expect(removed).NotTo(BeZero(), "the Pod saw the Secrets too early to show anything")
		kubectl(ctx, "delete --timeout=120s namespace/rotation")
	})
}

// loginsOf counts the lines of the Pod's log that have all of the words.
func loginsOf(ctx context.Context, words ...string) int {
	GinkgoHelper()
	count := 0
	for line := range strings.Lines(kubectl(ctx, "logs --namespace rotation login --tail=-1")) {
		has := true
		for _, word := range words {
			has = has && strings.Contains(line, word)
		}
		if has {
			count++
		}
	}
	return count
}
