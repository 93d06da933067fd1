/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package health

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// computeApplication computes the result for an Application of Argo CD: that Argo CD may sync it, and the health that it has computed of its
// objects.
func computeApplication(o *unstructured.Unstructured, _ Evidence) Result {
	status := statusOf(o)
	for _, c := range status.conditions() { // they have no status: each that exists holds
		if strings.HasSuffix(c.kind, "Error") {
			return Result{State: Failing, Since: c.since, Reason: c.kind, Message: c.message}
		}
	}
	operation, health := status.object("operationState"), status.object("health")
	phase, message := operation.text("phase"), health.text("message")
	since := health.time("lastTransitionTime")
	switch phase {
	case "Failed", "Error":
		return Result{State: Failing, Since: operation.time("finishedAt"), Reason: "Sync" + phase, Message: operation.text("message")}
	}
	switch reported := health.text("status"); reported {
	case "Degraded", "Missing", "Unknown":
		return Result{State: Failing, Since: since, Reason: reported, Message: message}
	case "Healthy":
		if phase == "Running" || phase == "Terminating" {
			return Result{State: Progressing, Since: operation.time("startedAt"), Reason: "Sync" + phase, Message: operation.text("message")}
		}
		return Result{State: Healthy, Reason: reported}
	case "Suspended":
		return suspended
	case "":
		return notReported
	default:
		return Result{State: Progressing, Since: since, Reason: reported, Message: message}
	}
}

// computeApplicationSet computes the result for an ApplicationSet of Argo CD.
func computeApplicationSet(o *unstructured.Unstructured, _ Evidence) Result {
	found := statusOf(o).conditions()
	failed, updated := found.findAs("ErrorOccurred", statusTrue), found.findAs("ResourcesUpToDate", statusTrue)
	switch {
	case failed != nil:
		return withState(Failing, failed)
	case updated != nil:
		return withState(Healthy, updated)
	}
	return Result{State: Progressing, Reason: "ResourcesNotUpToDate"}
}

// computeACME computes the result for an Order or a Challenge of cert-manager.
func computeACME(o *unstructured.Unstructured, _ Evidence) Result {
	status := statusOf(o)
	state, since := status.text("state"), status.time("failureTime")
	if since.IsZero() { // a Challenge has none
		since = o.GetCreationTimestamp().Time
	}
	switch state {
	case "valid":
		return Result{State: Healthy, Reason: state}
	case "invalid", "expired", "errored":
		return Result{State: Failing, Since: since, Reason: state, Message: status.text("reason")}
	}
	return Result{State: Progressing, Since: o.GetCreationTimestamp().Time, Reason: state, Message: status.text("reason")}
}
