// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package workload has Deployments and Jobs of which tests say themselves whether they fail, since no controller changes their status.
package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NewDeployment returns a Deployment of one replica.
func NewDeployment(meta metav1.ObjectMeta) *appsv1.Deployment {
	labels := map[string]string{"app": meta.Name}
	return &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}}},
	}}
}

// SetRollout sets the status of a Deployment as its controller does when its rollout fails or has succeeded.
func SetRollout(d *appsv1.Deployment, isFailing bool) {
	now := metav1.Now()
	available, progressing := corev1.ConditionTrue, corev1.ConditionTrue
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1}
	reason, why, text := "NewReplicaSetAvailable", "MinimumReplicasAvailable", ""
	if isFailing {
		available, progressing = corev1.ConditionFalse, corev1.ConditionFalse
		reason, why, text = "ProgressDeadlineExceeded", "MinimumReplicasUnavailable", `ReplicaSet "orders-1" has timed out progressing.`
	} else {
		d.Status.ReadyReplicas, d.Status.AvailableReplicas = 1, 1
	}
	d.Status.Conditions = []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentProgressing, Status: progressing, Reason: reason, Message: text, LastTransitionTime: now},
		{Type: appsv1.DeploymentAvailable, Status: available, Reason: why, LastTransitionTime: now},
	}
}

// SetSucceeded sets the status of a Job as its controller does once its pods have succeeded.
func SetSucceeded(job *batchv1.Job) {
	now := metav1.Now()
	job.Status = batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1}
	for _, kind := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: "CompletionsReached", LastTransitionTime: now})
	}
}

// SetFailed sets the status of a Job as its controller does once its pods have failed too often.
func SetFailed(job *batchv1.Job) {
	now := metav1.Now()
	job.Status = batchv1.JobStatus{StartTime: &now, Failed: 1}
	for _, kind := range []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", LastTransitionTime: now})
	}
}
