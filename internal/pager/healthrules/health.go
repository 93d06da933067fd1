// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package healthrules says whether an object of another controller fails, by its status.
package healthrules

import (
	"fmt"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// State is the state of an object as a person would describe it.
type State string

// The states. Only Healthy ends a failure: an object that is worked on may fail again.
const (
	Healthy     State = "Healthy"
	Progressing State = "Progressing"
	Failing     State = "Failing"
	// Unknown: the status has nothing by which the object could be judged.
	Unknown State = "Unknown"
)

// Result is the state of an object and why it is in it.
type Result struct {
	State State
	// Since is when the state began, as the object's status says; zero: the status does not say, see UnreadySince.
	Since time.Time
	// Reason and Message belong to the condition that the result follows from.
	Reason, Message string
	// Again is when time alone changes the result; zero: never.
	Again time.Time
	// Settle is for how long the state has to be seen before it counts, for a state that a process cannot tell from a change in progress.
	Settle time.Duration
	// IsRenewed is whether each attempt, or each Pod, of one failure has another Since.
	IsRenewed bool
	// WellAt is when the object was well last: a CronJob, whose last run then succeeded; zero: not known.
	WellAt time.Time
	// IsHalted is whether a user has stopped the object, which proves no end of a failure.
	IsHalted bool
	// HasEnded is whether the state is final: a Job that has failed does not recover, and neither does its deletion mean that.
	HasEnded bool
}

// Evidence has the facts outside of an object that decide about it.
type Evidence struct {
	Now time.Time
	// Failures are the conditions that mean a failure, for a kind that an administrator has named with them; none: Compute knows.
	Failures []Sign
	// Runs are the runs of a CronJob. AreRunsOld is whether they were read before the CronJob changed last: the last ones may be missing.
	Runs       []Run
	AreRunsOld bool
	// BindingMode is the mode of a PersistentVolumeClaim's StorageClass; empty: not known.
	BindingMode storagev1.VolumeBindingMode
}

// suspended is the result of an object that its user has stopped.
var suspended = Result{State: Healthy, Reason: "Suspended", IsHalted: true}

// Compute returns the result for an object of any kind.
func Compute(o *unstructured.Unstructured, e Evidence) Result {
	status, kind := statusOf(o), o.GroupVersionKind().GroupKind()
	compute, isKnown := byKind[kind]
	if !isKnown || len(e.Failures) > 0 {
		result := computeConditions(o, e.Failures)
		if also := alsoByKind[kind]; also != nil && len(e.Failures) == 0 {
			return also(o, e, result)
		}
		return result
	}
	if len(status) == 0 && kind != cronJob { // whose status is empty until its first run
		return notReported
	}
	if observed := status.number("observedGeneration"); observed != 0 && observed != o.GetGeneration() {
		return unobserved(observed, o.GetGeneration())
	}
	return compute(o, e)
}

var (
	claim   = schema.GroupKind{Kind: "PersistentVolumeClaim"}
	cronJob = schema.GroupKind{Group: "batch", Kind: "CronJob"}
)

// byKind has the kinds whose status has another form than the conditions Ready and Stalled, or more than these.
var byKind = map[schema.GroupKind]func(*unstructured.Unstructured, Evidence) Result{
	{Kind: "Pod"}:                                      computePod,
	claim:                                              computeClaim,
	{Kind: "ReplicationController"}:                    computeReplicas,
	{Kind: "Service"}:                                  computeService,
	{Group: "apps", Kind: "Deployment"}:                computeDeployment,
	{Group: "apps", Kind: "ReplicaSet"}:                computeReplicas,
	{Group: "apps", Kind: "StatefulSet"}:               computeReplicas,
	{Group: "apps", Kind: "DaemonSet"}:                 computeDaemonSet,
	{Group: "batch", Kind: "Job"}:                      computeJob,
	cronJob:                                            computeCronJob,
	{Group: "networking.k8s.io", Kind: "Ingress"}:      computeIngress,
	{Group: "policy", Kind: "PodDisruptionBudget"}:     computeDisruptionBudget,
	{Group: "argoproj.io", Kind: "Application"}:        computeApplication,
	{Group: "argoproj.io", Kind: "ApplicationSet"}:     computeApplicationSet,
	{Group: "argoproj.io", Kind: "Rollout"}:            computeRollout,
	{Group: "postgresql.cnpg.io", Kind: "Cluster"}:     computePostgres,
	{Group: "acme.cert-manager.io", Kind: "Order"}:     computeACME,
	{Group: "acme.cert-manager.io", Kind: "Challenge"}: computeACME,
}

// alsoByKind has the kinds whose conditions do not say all. A function returns the final result from the one that the conditions mean.
var alsoByKind = map[schema.GroupKind]func(*unstructured.Unstructured, Evidence, Result) Result{
	{Group: "cert-manager.io", Kind: "Certificate"}:               alsoCertificate,
	{Group: "external-secrets.io", Kind: "ExternalSecret"}:        alsoExternalSecret,
	{Group: "kustomize.toolkit.fluxcd.io", Kind: "Kustomization"}: alsoKustomization,
}

// NotReported is the reason of the result of an object without a status: its controller has not seen it yet, or does not run.
const NotReported = "NotReported"

var notReported = Result{State: Unknown, Reason: NotReported, Message: "the controller of the object has not reported a status"}

// unobserved is the result of an object whose status is about an earlier generation.
func unobserved(observed, generation int64) Result {
	return Result{State: Progressing, Reason: "GenerationNotObserved", Message: fmt.Sprintf("the controller of the object has seen generation %d of %d", observed, generation)}
}

// unreadable is the result of an object of a known kind that has another form than the kind.
func unreadable(err error) Result {
	return Result{State: Unknown, Reason: "Unreadable", Message: err.Error()}
}

// decode converts an object, or a field of it, to the type of its API.
func decode[T any](o *unstructured.Unstructured, path ...string) (T, error) {
	var typed T
	content := o.Object
	var err error
	if len(path) > 0 {
		content, _, err = unstructured.NestedMap(o.Object, path...)
	}
	if err == nil && content != nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(content, &typed)
	}
	return typed, err
}
