// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// A reading maps a condition to a state.
type reading struct {
	Sign
	reasons []string // of the condition; none: any
	state   State
}

// anyKind has the readings for all kinds that are judged by conditions; the first one that is found decides.
var anyKind = []reading{
	{Sign{conditionStalled, statusTrue}, nil, Failing},
	// Crossplane: Ready is the provider's last observation, which may be old.
	{Sign{"Synced", statusFalse}, []string{"ReconcilePaused"}, halted},
	{Sign{"Synced", statusFalse}, []string{"ReconcileError"}, Failing},
	{Sign{"LastAsyncOperation", statusFalse}, nil, Failing},
	// Strimzi: an object that is not ready has no condition Ready.
	{Sign{"ReconciliationPaused", statusTrue}, nil, halted},
	{Sign{"NotReady", statusTrue}, []string{"Creating"}, Progressing},
	{Sign{"NotReady", statusTrue}, nil, Failing},
	{Sign{conditionReady, statusTrue}, nil, Healthy},
	{Sign{conditionReady, statusFalse}, atWork, Progressing},
	// Flux, before the first result; during a retry it has the reason ProgressingWithRetry.
	{Sign{conditionReconciling, statusTrue}, []string{"Progressing", "NewGeneration"}, Progressing},
	{Sign{conditionReady, statusFalse}, nil, Failing},
	{Sign{conditionReady, statusUnknown}, nil, Progressing},
}

// atWork are the reasons of objects that are not ready, but have not failed yet.
var atWork = []string{
	"Pending",             // cert-manager
	"Creating", "Waiting", // Crossplane, and its claims
	"Provisioning", "UpdatingInstance", "Deprovisioning", "Binding", "Unbinding", // Bellhop: a broker works, within the time that its plan allows
	"ProvisionRequestInFlight", "UpdateInstanceRequestInFlight", "BindingRequestInFlight",
}

// readingsByKind has the readings for kinds that have more than anyKind.
var readingsByKind = map[schema.GroupKind][]reading{
	{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}: beforeAnyKind( // at its maximum it has ScalingLimited, but works
		reading{Sign{"AbleToScale", statusFalse}, nil, Failing},
		reading{Sign{"ScalingActive", statusFalse}, []string{"ScalingDisabled"}, Healthy},
		reading{Sign{"ScalingActive", statusFalse}, nil, Failing},
		reading{Sign{"ScalingActive", statusTrue}, nil, Healthy},
		reading{Sign{"AbleToScale", statusTrue}, nil, Healthy},
	),
	{Group: "external-secrets.io", Kind: "ExternalSecret"}: beforeAnyKind( // ready, without the object that it is for
		reading{Sign{conditionReady, statusTrue}, []string{"SecretMissing", "SecretDeleted", "ResourceMissing", "ResourceDeleted"}, Failing},
	),
	{Group: "helm.toolkit.fluxcd.io", Kind: "HelmRelease"}: beforeAnyKind( // each retry sets Ready to Unknown, and keeps these
		reading{Sign{conditionStalled, statusTrue}, nil, Failing},
		reading{Sign{conditionReady, statusTrue}, nil, Healthy},
		reading{Sign{"Remediated", statusTrue}, nil, Failing},
		reading{Sign{"Remediated", statusFalse}, nil, Failing},
		reading{Sign{"Released", statusFalse}, nil, Failing},
	),
}

func beforeAnyKind(own ...reading) []reading { return slices.Concat(own, anyKind) }

// halted is the state of an object that a condition shows to be stopped by a user: it is healthy, which proves no end of a failure.
const halted State = "Halted"

// withState returns the result that a condition shows.
func withState(state State, c *condition) Result {
	if state == halted {
		result := withState(Healthy, c)
		result.IsHalted = true
		return result
	}
	reason := cmp.Or(c.reason, Sign{Condition: c.kind, Status: c.status}.String())
	return Result{State: state, Reason: reason, Message: c.message, Since: c.since}
}

// computeConditions computes the result for a kind that is not in byKind, by the conditions that mean a failure; none: by readings. A controller
// that retries a failed step is at work and has failed: the object fails.
func computeConditions(o *unstructured.Unstructured, failures []Sign) Result {
	if isSuspended, _, err := unstructured.NestedBool(o.Object, "spec", "suspend"); err == nil && isSuspended {
		return suspended
	}
	status := statusOf(o)
	if status.isEmpty() {
		return notReported
	}
	if len(failures) > 0 {
		return computeSigns(o, status, failures)
	}
	found := status.conditions()
	readings, isKnown := readingsByKind[o.GroupVersionKind().GroupKind()]
	switch {
	case !isKnown:
		readings = anyKind
	case len(found) == 0: // the API server has set the rest
		return notReported
	}
	var outdated int64 // the earlier generation that a condition is about
	for _, r := range readings {
		c := found.findAs(r.Condition, r.Status)
		if c == nil || len(r.reasons) > 0 && !slices.Contains(r.reasons, c.reason) {
			continue
		}
		if outdated = observedBy(c, status); outdated == 0 || outdated == o.GetGeneration() {
			return withState(r.state, c)
		}
	}
	if outdated != 0 {
		return unobserved(outdated, o.GetGeneration())
	}
	return unknownConditions(found, "neither the condition Ready nor Stalled")
}

// observedBy returns the generation that a condition is about. The condition's own comes first: Flux sets the status's only once an object is ready
// or stalled.
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
			return withState(Failing, c)
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

const checkController = "Check that its controller runs, or remove the label"

// remedies has advice to a user for objects that cannot be judged, by the reason of the result; objects with another reason lack conditions.
var remedies = map[string]string{
	NotReported:          checkController,
	"NoPhase":            checkController,
	"NoLoadBalancer":     "Remove the label",
	"Unreadable":         "Update the operator, or remove the label",
	"UnreadableSchedule": "Correct its schedule or time zone, or remove the label",
}

// RemedyOfUnknown returns advice to a user for an object that cannot be judged.
func RemedyOfUnknown(o *unstructured.Unstructured) string {
	if remedy, ok := remedies[Compute(o, Evidence{}).Reason]; ok {
		return remedy
	}
	if statusOf(o).isEmpty() {
		return checkController
	}
	return "Name the conditions that mean a failure in --page-kinds, such as rollouts.argoproj.io:Available=False, or remove the label"
}
