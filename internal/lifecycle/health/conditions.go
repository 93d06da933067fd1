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
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Types of conditions that kstatus and many controllers use.
const (
	conditionReady       = "Ready"
	conditionReconciling = "Reconciling"
	conditionStalled     = "Stalled"
)

// Statuses of conditions.
const (
	statusTrue    = "True"
	statusFalse   = "False"
	statusUnknown = "Unknown"
)

// withState returns the result that a condition shows.
func withState(state State, c *condition) Result {
	return Result{State: state, Reason: c.reason, Message: c.message, Since: c.since}
}

// computeConditions computes the result for a kind that is not in byKind, by the conditions that mean a failure; none: the conditions Ready
// and Stalled, as Flux, cert-manager, Crossplane and many others set them. A controller that retries a failed step is at work and has failed: the
// object fails.
func computeConditions(o *unstructured.Unstructured, failures []Sign) Result {
	if isSuspended, _, err := unstructured.NestedBool(o.Object, "spec", "suspend"); err == nil && isSuspended {
		return suspended
	}
	status := statusOf(o)
	if status.isEmpty() {
		return notReported
	}
	found := status.conditions()
	if len(failures) > 0 {
		return computeSigns(o, status, failures)
	}
	shown := found.findAs(conditionStalled, statusTrue)
	if shown == nil {
		shown = found.find(conditionReady)
	}
	if shown == nil {
		return unknownConditions(found, "neither the condition Ready nor Stalled")
	}
	switch observed := observedBy(shown, status); {
	case observed != 0 && observed != o.GetGeneration():
		return unobserved(observed, o.GetGeneration())
	case shown.kind == conditionStalled:
		return withState(Failing, shown)
	case shown.status == statusTrue:
		return withState(Healthy, shown)
	case shown.status == statusFalse && !isWorkedOn(found.findAs(conditionReconciling, statusTrue), shown):
		return withState(Failing, shown)
	}
	return withState(Progressing, shown)
}

// observedBy returns the generation that a condition is about. Its own decides: Flux sets that of the status only once an object is ready or
// stalled.
func observedBy(c *condition, status fields) int64 {
	if c.observedGeneration != 0 {
		return c.observedGeneration
	}
	return status.number("observedGeneration")
}

// computeSigns computes the result by the conditions that mean a failure. An object that has others is healthy.
func computeSigns(o *unstructured.Unstructured, status fields, failures []Sign) Result {
	found := status.conditions()
	if len(found) == 0 {
		return unknownConditions(found, "no conditions")
	}
	if observed := status.number("observedGeneration"); observed != 0 && observed != o.GetGeneration() {
		return unobserved(observed, o.GetGeneration())
	}
	for _, sign := range failures {
		if c := found.findAs(sign.Condition, sign.Status); c != nil {
			shown := withState(Failing, c)
			if shown.Reason == "" {
				shown.Reason = sign.String()
			}
			return shown
		}
	}
	return Result{State: Healthy, Reason: "NoFailure", Message: "it has none of the conditions that mean a failure"}
}

func unknownConditions(found conditions, lacks string) Result {
	has := "its status has " + lacks
	if len(found) > 0 {
		has += fmt.Sprintf(" (it has %s)", found.kinds())
	}
	return Result{State: Unknown, Reason: "NoConditions", Message: has}
}

// RemedyOfUnknown says what somebody can do about an object that cannot be judged.
func RemedyOfUnknown(o *unstructured.Unstructured) string {
	if statusOf(o).isEmpty() {
		return "Check that its controller runs, or remove the label"
	}
	return "Name the conditions that mean a failure in --page-kinds, such as rollouts.argoproj.io:Available=False, or remove the label"
}

// isWorkedOn reports whether an object with Ready=False has not failed: its controller works on it, and nothing has gone wrong yet.
func isWorkedOn(reconciling, ready *condition) bool {
	switch ready.reason {
	case "Pending": // cert-manager
		return true
	case "Provisioning", "UpdatingInstance", "Deprovisioning", "Binding", "Unbinding", // Bellhop: a broker works, within the time that its plan allows
		"ProvisionRequestInFlight", "UpdateInstanceRequestInFlight", "BindingRequestInFlight":
		return true
	}
	return reconciling != nil && (reconciling.reason == "Progressing" || reconciling.reason == "NewGeneration") // Flux: before the first result
}
