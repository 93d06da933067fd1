// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package workloads finds the Pods that use the Secrets of ServiceBindings, and the workloads that they belong to.
package workloads

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/pager"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/injectionrules"
)

// running selects Pods that have not ended.
const running = "status.phase!=Succeeded,status.phase!=Failed"

// ListPods lists the Pods of a namespace, empty: of all, that a label selector selects, in pages. Pods that have ended, or are being
// deleted, are left out.
func ListPods(ctx context.Context, core coreclient.CoreV1Interface, namespace, selector string) ([]*corev1.Pod, error) {
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return core.Pods(namespace).List(ctx, options)
	}
	var pods []*corev1.Pod
	options := metav1.ListOptions{LabelSelector: selector, FieldSelector: running}
	err := pager.New(page).EachListItem(ctx, options, func(object runtime.Object) error {
		if pod := object.(*corev1.Pod); pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
		return nil
	})
	return pods, err
}

// Workload is the object that has to be rolled out again so that a Pod is replaced: the Deployment, StatefulSet or DaemonSet of the Pod, else the
// Pod.
type Workload struct{ Kind, Namespace, Name string }

// Of returns the workload of a Pod.
func Of(pod *corev1.Pod) Workload {
	w := Workload{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name}
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return w
	}
	switch owner.Kind {
	case "ReplicaSet":
		hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		if name, ok := strings.CutSuffix(owner.Name, "-"+hash); ok && hash != "" {
			w.Kind, w.Name = "Deployment", name
		}
	case "StatefulSet", "DaemonSet":
		w.Kind, w.Name = owner.Kind, owner.Name
	}
	return w
}

// String is KIND/NAME, as for kubectl.
func (w Workload) String() string { return strings.ToLower(w.Kind) + "/" + w.Name }

// Label is Kind/NAME, as in findings.
func (w Workload) Label() string { return w.Kind + "/" + w.Name }

// maxNames bounds the workloads that a message names.
const maxNames = 5

// Names returns the workloads of some Pods as KIND/NAME for a message.
func Names(pods []*corev1.Pod) string {
	seen := map[string]bool{}
	for _, pod := range pods {
		seen[Of(pod).String()] = true
	}
	names := slices.Sorted(maps.Keys(seen))
	if len(names) > maxNames {
		names = append(names[:maxNames], "…")
	}
	return strings.Join(names, ", ")
}

// HowToRestart is the advice or the command by which the Pods of the workload are replaced.
func (w Workload) HowToRestart() string {
	if w.Kind == "Pod" {
		return fmt.Sprintf("delete the Pod, and create it again unless its controller does: kubectl delete -n %s %s", w.Namespace, w)
	}
	return fmt.Sprintf("kubectl rollout restart -n %s %s", w.Namespace, w)
}

// Trouble is why a Pod is not ready, empty where it is.
func Trouble(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		switch {
		case status.Ready:
		case status.State.Waiting != nil && status.State.Waiting.Reason != "":
			return status.State.Waiting.Reason
		case status.State.Terminated != nil:
			return fmt.Sprintf("ended with exit code %d", status.State.Terminated.ExitCode)
		default:
			return "not ready yet"
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Reason + ": " + condition.Message
		}
	}
	return ""
}

// IsReady reports whether the condition Ready of a Pod is True.
func IsReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Requested returns the ServiceBindings whose credentials a Pod requests; none where its annotation is invalid, as the validating policy
// refuses that.
func Requested(pod *corev1.Pod) []injectionrules.Binding {
	bindings, _ := injectionrules.ParseBindings(pod.Annotations[v1beta1.InjectBindingsAnnotation])
	return bindings
}
