// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// computeService computes the result for a Service: of the types of Services, a load balancer alone has a status.
func computeService(o *unstructured.Unstructured, _ Evidence) Result {
	if kind := fields(o.Object).object("spec").text("type"); kind != "LoadBalancer" {
		return Result{State: Unknown, Reason: "NoLoadBalancer", Message: "only Services of type LoadBalancer have a status; label the workload instead"}
	}
	addresses := statusOf(o).object("loadBalancer").objects("ingress")
	for _, address := range addresses {
		for _, port := range address.objects("ports") {
			if problem := port.text("error"); problem != "" {
				return Result{State: Failing, Reason: "PortError", Message: fmt.Sprintf("port %d of the load balancer: %s", port.number("port"), problem)}
			}
		}
	}
	if len(addresses) == 0 {
		return Result{State: Failing, Reason: "NoAddress", Message: "the load balancer has no address"}
	}
	return Result{State: Healthy, Reason: "HasAddress"}
}

// computeIngress computes the result for an Ingress, which some controllers serve without ever reporting an address.
func computeIngress(o *unstructured.Unstructured, _ Evidence) Result {
	if len(statusOf(o).object("loadBalancer").objects("ingress")) == 0 {
		return Result{State: Unknown, Reason: NotReported, Message: "its controller has reported no address, which some controllers never do"}
	}
	return Result{State: Healthy, Reason: "HasAddress"}
}
