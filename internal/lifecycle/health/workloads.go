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
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

// rolloutDone is the reason of Progressing after a rollout that has ended well.
const rolloutDone = "NewReplicaSetAvailable"

// computeDeployment: a rollout fails at its own deadline, and a Deployment that was rolled out fails while it is not available.
func computeDeployment(o *unstructured.Unstructured) (Result, error) {
	d, err := decode[appsv1.Deployment](o)
	if err != nil {
		return Result{}, err
	}
	want := ptr.Deref(d.Spec.Replicas, 1)
	if d.Spec.Paused || want == 0 {
		return suspended, nil
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
		return failing(failure), nil
	case progressing.Status == corev1.ConditionFalse:
		return failing(progressing), nil
	case available.Status == corev1.ConditionFalse && isRolledOut:
		return failing(available), nil
	case available.Status == corev1.ConditionTrue && isRolledOut && d.Status.UpdatedReplicas >= want:
		return Result{State: Healthy, Reason: available.Reason, Message: available.Message}, nil
	}
	return Result{State: Progressing, Reason: "RolloutInProgress", Message: fmt.Sprintf("%d of %d replicas are available", d.Status.AvailableReplicas, want)}, nil
}

// computeStatefulSet judges by pods: a StatefulSet has neither conditions nor a deadline.
func computeStatefulSet(o *unstructured.Unstructured) (Result, error) {
	s, err := decode[appsv1.StatefulSet](o)
	if err != nil {
		return Result{}, err
	}
	if ptr.Deref(s.Spec.Replicas, 1) == 0 {
		return suspended, nil
	}
	return computePods(s.Status.ReadyReplicas, ptr.Deref(s.Spec.Replicas, 1)), nil
}

// computeDaemonSet judges by pods, as computeStatefulSet does.
func computeDaemonSet(o *unstructured.Unstructured) (Result, error) {
	d, err := decode[appsv1.DaemonSet](o)
	if err != nil {
		return Result{}, err
	}
	if d.Status.ObservedGeneration == 0 {
		return unobserved(0, d.Generation), nil
	}
	return computePods(d.Status.NumberReady, d.Status.DesiredNumberScheduled), nil
}

func computePods(ready, want int32) Result {
	message := fmt.Sprintf("%d of %d pods are ready", ready, want)
	if ready < want {
		return Result{State: Failing, Reason: "PodsNotReady", Message: message}
	}
	return Result{State: Healthy, Reason: "PodsReady", Message: message}
}

// PodSelector returns the selector of the pods of an object; nil: its kind has none of its own.
func PodSelector(o *unstructured.Unstructured) (labels.Selector, error) {
	switch o.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "apps", Kind: "StatefulSet"},
		schema.GroupKind{Group: "apps", Kind: "DaemonSet"}, schema.GroupKind{Group: "batch", Kind: "Job"}:
	default:
		return nil, nil
	}
	selector, err := decode[metav1.LabelSelector](o, "spec", "selector")
	if err != nil {
		return nil, err
	}
	return metav1.LabelSelectorAsSelector(&selector)
}

// UnreadySince returns since when the pod is not ready that has been so for longest; zero: all are ready, or there are none. An object whose
// status has no time fails since then, so that a slow rollout of many pods is no failure.
func UnreadySince(pods []corev1.Pod) time.Time {
	var since time.Time
	for i := range pods {
		if began := notReadySince(&pods[i]); !began.IsZero() && (since.IsZero() || began.Before(since)) {
			since = began
		}
	}
	return since
}

// notReadySince returns since when a pod is not ready; zero: it is ready, has ended well, or is being deleted.
func notReadySince(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded {
		return time.Time{}
	}
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type != corev1.PodReady:
		case c.Status == corev1.ConditionTrue:
			return time.Time{}
		default:
			return c.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

// computeClaim: a claim that is pending fails since its creation, and so does one whose volume is lost, of which the status has no time.
func computeClaim(o *unstructured.Unstructured) (Result, error) {
	c, err := decode[corev1.PersistentVolumeClaim](o)
	if err != nil {
		return Result{}, err
	}
	since := c.CreationTimestamp.Time
	switch c.Status.Phase {
	case corev1.ClaimBound:
		return Result{State: Healthy, Reason: string(c.Status.Phase)}, nil
	case corev1.ClaimLost:
		return Result{State: Failing, Since: since, Reason: string(c.Status.Phase), Message: "the volume of the claim does not exist any more"}, nil
	case corev1.ClaimPending:
		return Result{State: Failing, Since: since, Reason: string(c.Status.Phase), Message: "no volume is bound to the claim"}, nil
	}
	return Result{State: Progressing, Reason: "NoPhase"}, nil
}
