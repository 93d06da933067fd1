// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
)

// asOriginal changes instances and bindings into what the original service-catalog would have stored.
func asOriginal(all []stored) []stored {
	return changeEach(all, func(key string, object map[string]any) {
		if !strings.Contains(key, "/serviceinstances/") && !strings.Contains(key, "/servicebindings/") {
			return
		}
		if annotations, ok := object["metadata"].(map[string]any)["annotations"].(map[string]any); ok {
			delete(annotations, v1beta1.MadeIDAnnotation)
		}
		status := object["status"].(map[string]any)
		delete(status, "createdForUID")
		status["conditions"] = slices.DeleteFunc(status["conditions"].([]any), func(c any) bool { return c.(map[string]any)["type"] == "Stalled" })
	})
}

// takeOver starts the operator with objects of the original service-catalog, and records that they are taken over.
func takeOver(ctx context.Context, o outside) {
	before := o.broker.Counts()
	env.StartOperator(ctx)
	for _, object := range []string{"serviceinstance/ready", "serviceinstance/in-progress", "servicebinding/ready"} {
		kubectl(ctx, "", "wait", `--for=jsonpath={.status.conditions[?(@.type=="Stalled")].reason}=TakeoverRequired`, "--timeout=20s", object)
	}
	kubectl(ctx, "", "patch", "serviceinstance/ready", "--type=merge", `-p={"spec":{"parameters":{"a":2}}}`)
	kubectl(ctx, "", "delete", "serviceinstance/in-progress", "--wait=false")
	Consistently(func() map[osb.Operation]int { return without(o.broker.Counts(), osb.GetCatalog) }).WithTimeout(time.Second).Should(Equal(without(before, osb.GetCatalog)))
	Expect(kubectl(ctx, "", "get", "serviceinstance/in-progress", "-o=jsonpath={.metadata.finalizers}")).NotTo(BeEmpty())

	out, err := env.Kubectl(ctx, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: cluster-info, namespace: %s}, data: {takenOverAt: %q}}",
		env.Cluster.Namespace, time.Now().UTC().Format(time.RFC3339)), "apply", "--server-side", "-f", "-")
	Expect(err).NotTo(HaveOccurred(), out)
	Expect(env.Operator.Stop()).To(Succeed()) // it looks again after 30 s
	env.StartOperator(ctx)
	kubectl(ctx, "", "wait", "--for=delete", "--timeout=20s", "serviceinstance/in-progress")
	kubectl(ctx, "", "wait", "--for=jsonpath={.status.externalProperties.parameters.a}=2", "--timeout=20s", "serviceinstance/ready")
	kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=20s", "serviceinstance/ready", "servicebinding/ready")
	Expect(o.broker.Counts()[osb.ProvisionInstance]).To(Equal(before[osb.ProvisionInstance]))
}

// without returns counts without those of an operation.
func without(counts map[osb.Operation]int, operation osb.Operation) map[osb.Operation]int {
	delete(counts, operation)
	return counts
}
