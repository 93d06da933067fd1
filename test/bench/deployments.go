// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// A deploymentLoad creates Deployments in a namespace. No controller runs for them.
type deploymentLoad struct {
	api       client.Client
	namespace string
}

// createUnlabelled creates a small Deployment, so that many can be created: the operator gets nothing of it, whatever its size.
func (l *deploymentLoad) createUnlabelled(ctx context.Context, i int) error {
	labels := map[string]string{"app": "unlabelled"}
	return l.api.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: "unlabelled-" + objectName(i)},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/main"}}}},
		},
	})
}

// createLabelled creates a Deployment as Helm and kubectl would, and writes the status of one that is rolled out as its controller would.
func (l *deploymentLoad) createLabelled(ctx context.Context, i int) error {
	d := newTypicalDeployment(l.namespace, "orders-"+objectName(i))
	if err := l.api.Create(ctx, d, client.FieldOwner("helm")); err != nil {
		return err
	}
	since := metav1.Now()
	condition := func(kind appsv1.DeploymentConditionType, reason, message string) appsv1.DeploymentCondition {
		return appsv1.DeploymentCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: since, LastUpdateTime: since}
	}
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3,
		Conditions: []appsv1.DeploymentCondition{
			condition(appsv1.DeploymentAvailable, "MinimumReplicasAvailable", "Deployment has minimum availability."),
			condition(appsv1.DeploymentProgressing, "NewReplicaSetAvailable", fmt.Sprintf("ReplicaSet %q has successfully progressed.", d.Name+"-6f7d8c9b5")),
		},
	}
	return l.api.Status().Update(ctx, d, client.FieldOwner("kube-controller-manager"))
}

// size returns the size as JSON of a Deployment with the label, as the API server sends it.
func (l *deploymentLoad) size(ctx context.Context) (int, error) {
	d := &appsv1.Deployment{}
	if err := l.api.Get(ctx, client.ObjectKey{Namespace: l.namespace, Name: "orders-" + objectName(1)}, d); err != nil {
		return 0, err
	}
	text, err := json.Marshal(d)
	return len(text), err
}

// newTypicalDeployment returns a Deployment with the label that has what those of charts have: several containers, and annotations of tools.
func newTypicalDeployment(namespace, name string) *appsv1.Deployment {
	selector := map[string]string{"app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": name}
	labels := map[string]string{
		"app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": name, "app.kubernetes.io/version": "1.27.3", "app.kubernetes.io/component": "api",
		"app.kubernetes.io/part-of": "shop", "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "orders-4.1.0", v1beta1.PageLabel: "true",
	}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, Labels: labels,
		Annotations: map[string]string{
			"deployment.kubernetes.io/revision": "1", "meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace,
			v1beta1.PageAfterAnnotation: "600", v1beta1.PageSeverityAnnotation: string(v1beta1.SeverityWarning),
		},
	}}
	d.Spec = appsv1.DeploymentSpec{
		Replicas: new(int32(3)), Selector: &metav1.LabelSelector{MatchLabels: selector},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector}},
	}
	for _, container := range []string{"api", "worker", "proxy"} {
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, newTypicalContainer(container))
	}
	applied, err := json.Marshal(d)
	if err != nil {
		panic(err) // every Deployment has a form in JSON
	}
	d.Annotations[corev1.LastAppliedConfigAnnotation] = string(applied)
	return d
}

func newTypicalContainer(name string) corev1.Container {
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)}}}
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("256Mi")}
	c := corev1.Container{
		Name: name, Image: "registry.example.com/shop/" + name + ":1.27.3@sha256:" + strings.Repeat("0123456789abcdef", 4),
		Args: []string{"--listen=:8080", "--log-format=json"}, LivenessProbe: probe, ReadinessProbe: probe,
		Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts},
	}
	for i := range 5 {
		c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", i), Value: fmt.Sprintf("https://%s.shop.svc.cluster.local/v1/settings/%d", name, i)})
	}
	return c
}
