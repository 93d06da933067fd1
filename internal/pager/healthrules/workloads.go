// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

// rolloutDone is the reason of the condition Progressing of a Deployment that is rolled out.
const rolloutDone = "NewReplicaSetAvailable"

// computeDeployment computes the result for a Deployment. During a rollout, which has a deadline of its own, only a problem that the rollout cannot
// end is a failure; Pods that become unready do not count.
func computeDeployment(o *unstructured.Unstructured, _ Evidence) Result {
	d, err := decode[appsv1.Deployment](o)
	if err != nil {
		return unreadable(err)
	}
	want := ptr.Deref(d.Spec.Replicas, 1)
	if d.Spec.Paused || want == 0 {
		return suspended
	}
	byType := map[appsv1.DeploymentConditionType]appsv1.DeploymentCondition{}
	for _, c := range d.Status.Conditions {
		byType[c.Type] = c
	}
	failing := func(c appsv1.DeploymentCondition) Result {
		return Result{State: Failing, Since: c.LastTransitionTime.Time, Reason: c.Reason, Message: c.Message}
	}
	available, progressing, failure := byType[appsv1.DeploymentAvailable], byType[appsv1.DeploymentProgressing], byType[appsv1.DeploymentReplicaFailure]
	isRolledOut := progressing.Type == "" || progressing.Reason == rolloutDone // without a deadline there is no such condition
	switch {
	case failure.Status == corev1.ConditionTrue:
		return failing(failure)
	case progressing.Status == corev1.ConditionFalse:
		return failing(progressing)
	case available.Status == corev1.ConditionFalse && isRolledOut:
		return failing(available)
	case isRolledOut && available.Status == corev1.ConditionTrue && d.Status.AvailableReplicas == 0: // maxUnavailable permits that
		return Result{State: Failing, Reason: "NoPodAvailable", Message: fmt.Sprintf("none of %d replicas is available, which maxUnavailable permits", want)}
	case available.Status == corev1.ConditionTrue && isRolledOut && d.Status.UpdatedReplicas >= want:
		return Result{State: Healthy, Reason: available.Reason, Message: available.Message}
	}
	return Result{State: Progressing, Reason: "RolloutInProgress", Message: fmt.Sprintf("%d of %d replicas are available", d.Status.AvailableReplicas, want)}
}

// computeReplicas computes the result for a StatefulSet, a ReplicaSet or a ReplicationController. Their status does not say since when pods
// are not ready.
func computeReplicas(o *unstructured.Unstructured, _ Evidence) Result {
	s, err := decode[appsv1.ReplicaSet](o)
	if err != nil {
		return unreadable(err)
	}
	want := ptr.Deref(s.Spec.Replicas, 1)
	if want == 0 {
		return suspended
	}
	if failure := statusOf(o).conditions().findAs(string(appsv1.ReplicaSetReplicaFailure), statusTrue); failure != nil {
		return withState(Failing, failure)
	}
	return computePods(s.Status.ReadyReplicas, want)
}

// computeDaemonSet computes the result for a DaemonSet, whose status does not say since when pods are not ready.
func computeDaemonSet(o *unstructured.Unstructured, _ Evidence) Result {
	d, err := decode[appsv1.DaemonSet](o)
	if err != nil {
		return unreadable(err)
	}
	if d.Status.ObservedGeneration == 0 { // its status has numbers before its controller has seen it
		return unobserved(0, d.Generation)
	}
	return computePods(d.Status.NumberReady, d.Status.DesiredNumberScheduled)
}

func computePods(ready, want int32) Result {
	message := fmt.Sprintf("%d of %d pods are ready", ready, want)
	if ready < want {
		return Result{State: Failing, Reason: "PodsNotReady", Message: message}
	}
	return Result{State: Healthy, Reason: "PodsReady", Message: message}
}

// computeDisruptionBudget computes the result for a PodDisruptionBudget: too few of its Pods are healthy. That it allows no disruption may be its
// purpose.
func computeDisruptionBudget(o *unstructured.Unstructured, _ Evidence) Result {
	status := statusOf(o)
	if status.number("observedGeneration") == 0 { // the API server has set the rest
		return notReported
	}
	if allowed := status.conditions().findAs(policyv1.DisruptionAllowedCondition, statusFalse); allowed != nil && allowed.reason == policyv1.SyncFailedReason {
		return withState(Failing, allowed)
	}
	healthy, want := status.number("currentHealthy"), status.number("desiredHealthy")
	message := fmt.Sprintf("%d pods are healthy, %d have to be", healthy, want)
	switch {
	case status.number("expectedPods") == 0:
		return Result{State: Healthy, Reason: "NoPods", Message: "it selects no pods"}
	case healthy < want:
		return Result{State: Failing, Reason: "TooFewHealthyPods", Message: message}
	}
	return Result{State: Healthy, Reason: "EnoughHealthyPods", Message: message}
}

// PodSelector returns the selector of the pods of a workload; nil for other kinds.
func PodSelector(o *unstructured.Unstructured) (labels.Selector, error) {
	isWorkload := slices.Contains([]schema.GroupKind{
		{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "DaemonSet"},
		{Group: "apps", Kind: "ReplicaSet"}, {Group: "batch", Kind: "Job"},
	}, o.GroupVersionKind().GroupKind())
	if !isWorkload {
		return nil, nil
	}
	selector, err := decode[metav1.LabelSelector](o, "spec", "selector")
	if err != nil {
		return nil, fmt.Errorf("%s %s has no selector that can be read: %w", o.GetKind(), o.GetName(), err)
	}
	return metav1.LabelSelectorAsSelector(&selector)
}

// UnreadySince returns since when the first of some pods is not ready; zero if all are. One that has ended is replaced, and says nothing.
func UnreadySince(pods []corev1.Pod) time.Time {
	var since time.Time
	for i := range pods {
		if pods[i].Status.Phase == corev1.PodFailed {
			continue
		}
		if began := notReadySince(&pods[i]); !began.IsZero() && (since.IsZero() || began.Before(since)) {
			since = began
		}
	}
	return since
}

func notReadySince(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded {
		return time.Time{}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodReady {
			continue
		}
		if c.Status == corev1.ConditionTrue {
			return time.Time{}
		}
		return c.LastTransitionTime.Time
	}
	return pod.CreationTimestamp.Time
}

// computePod computes the result for a Pod: one that cannot be scheduled, started or become ready fails, and so does one that has ended with an
// error. One that has ended as it should is healthy. One with a scheduling gate waits for whoever has set the gate.
func computePod(o *unstructured.Unstructured, e Evidence) Result {
	pod, err := decode[corev1.Pod](o)
	if err != nil {
		return unreadable(err)
	}
	phase, found := pod.Status.Phase, statusOf(o).conditions()
	since, ready := notReadySince(&pod), found.find(conditionReady)
	switch {
	case phase == corev1.PodSucceeded:
		return Result{State: Healthy, Reason: string(phase)}
	case phase == corev1.PodFailed:
		return Result{State: Failing, Since: since, Reason: cmp.Or(pod.Status.Reason, string(phase)), Message: pod.Status.Message}
	case ready != nil && ready.status == statusTrue:
		return computeReadyPod(&pod, e)
	}
	if scheduled := found.findAs(string(corev1.PodScheduled), statusFalse); scheduled != nil {
		if scheduled.reason == corev1.PodReasonSchedulingGated {
			return withState(Progressing, scheduled)
		}
		return withState(Failing, scheduled)
	}
	if ready == nil {
		return Result{State: Progressing, Since: since, Reason: string(phase)}
	}
	return withState(Failing, ready)
}

// A container crashes again and again if it has restarted so often, and for the last time within the time after which the kubelet forgets restarts.
const (
	manyRestarts   = 3
	restartsLapsed = 10 * time.Minute
)

// computeReadyPod computes the result for a Pod that is ready, as one without a readiness probe is between two crashes.
func computeReadyPod(pod *corev1.Pod, e Evidence) Result {
	for _, c := range pod.Status.ContainerStatuses {
		ended := c.LastTerminationState.Terminated
		if ended == nil || c.RestartCount < manyRestarts {
			continue
		}
		if lapsed := ended.FinishedAt.Add(restartsLapsed); e.Now.Before(lapsed) {
			message := fmt.Sprintf("container %s has restarted %d times; it ended with exit code %d", c.Name, c.RestartCount, ended.ExitCode)
			return Result{State: Failing, Reason: "CrashLoop", Message: message, Again: lapsed}
		}
	}
	return Result{State: Healthy, Reason: conditionReady}
}

// selectedNode is the annotation of a claim whose consumer has a node, so that its volume is provisioned.
const selectedNode = "volume.kubernetes.io/selected-node"

// ClassOf returns the name of the StorageClass that decides about a claim that is pending; empty: none does.
func ClassOf(o *unstructured.Unstructured) string {
	spec, status := fields(o.Object).object("spec"), statusOf(o)
	if o.GroupVersionKind().GroupKind() != claim || status.text("phase") != string(corev1.ClaimPending) || spec.text("volumeName") != "" {
		return ""
	}
	return spec.text("storageClassName")
}

// computeClaim computes the result for a PersistentVolumeClaim, which is pending from its creation on, or from when its consumer was given a
// node. A claim that waits for its first consumer is as it should be.
func computeClaim(o *unstructured.Unstructured, e Evidence) Result {
	c, err := decode[corev1.PersistentVolumeClaim](o)
	if err != nil {
		return unreadable(err)
	}
	since := c.CreationTimestamp.Time
	switch c.Status.Phase {
	case corev1.ClaimBound:
		return Result{State: Healthy, Reason: string(c.Status.Phase)}
	case corev1.ClaimLost:
		return Result{State: Failing, Since: since, Reason: string(c.Status.Phase), Message: "the volume of the claim does not exist any more"}
	case corev1.ClaimPending:
	default:
		return Result{State: Progressing, Since: since, Reason: "NoPhase"}
	}
	if e.BindingMode == storagev1.VolumeBindingWaitForFirstConsumer && c.Spec.VolumeName == "" {
		if c.Annotations[selectedNode] == "" {
			return Result{State: Healthy, Reason: string(e.BindingMode), Message: "no Pod uses the claim yet, and its StorageClass waits for one"}
		}
		since = time.Time{}
	}
	return Result{State: Failing, Since: since, Reason: string(c.Status.Phase), Message: "no volume is bound to the claim"}
}
