// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestUseOf(t *testing.T) {
	named := corev1.LocalObjectReference{Name: "orders"}
	env := []corev1.EnvVar{{Name: "A", Value: "a"}, {Name: "B", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named, Key: "uri"}}}}
	volumes := []corev1.Volume{
		{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "orders"}}},
		{Name: "p", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: named}}, {Secret: &corev1.SecretProjection{LocalObjectReference: named}},
		}}}},
		{Name: "other", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "other"}}},
		{Name: "e", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	mounting := func(mounts ...corev1.VolumeMount) corev1.Container {
		return corev1.Container{Name: "a", VolumeMounts: mounts}
	}
	for name, test := range map[string]struct {
		volumes        []corev1.Volume
		container      corev1.Container
		used           bool
		fixed, updated bool
	}{
		"nothing":           {container: mounting()},
		"other volumes":     {volumes: volumes[2:], container: mounting(corev1.VolumeMount{Name: "other"}, corev1.VolumeMount{Name: "e"})},
		"volume, unmounted": {volumes: volumes, container: mounting(), used: true},
		"secret volume":     {volumes: volumes, container: mounting(corev1.VolumeMount{Name: "s"}), used: true, updated: true},
		"projected volume":  {volumes: volumes, container: mounting(corev1.VolumeMount{Name: "p"}), used: true, updated: true},
		"subPath":           {volumes: volumes, container: mounting(corev1.VolumeMount{Name: "s"}, corev1.VolumeMount{Name: "s", SubPath: "uri"}), used: true, fixed: true},
		"variable":          {container: corev1.Container{Name: "a", Env: env}, used: true, fixed: true},
		"envFrom": {container: corev1.Container{Name: "a", EnvFrom: []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named}}, {SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named}},
		}}, used: true, fixed: true},
		"variable and volume": {volumes: volumes, container: corev1.Container{Name: "a", Env: env, VolumeMounts: []corev1.VolumeMount{{Name: "s"}}}, used: true, fixed: true},
	} {
		for kind, spec := range map[string]corev1.PodSpec{
			"container": {Volumes: test.volumes, Containers: []corev1.Container{test.container}}, "init container": {Volumes: test.volumes, InitContainers: []corev1.Container{test.container}},
		} {
			u := UseOf(&corev1.Pod{Spec: spec}, "orders")
			if u.IsUsed() != test.used || slices.Contains(u.Fixed, "a") != test.fixed || slices.Contains(u.Updated, "a") != test.updated {
				t.Errorf("%s, %s: %+v", name, kind, u)
			}
		}
	}
}

func TestIsOlder(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	started := func(name string, at time.Time) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}}}
	}
	pod := &corev1.Pod{Status: corev1.PodStatus{
		InitContainerStatuses: []corev1.ContainerStatus{started("sidecar", at.Add(-time.Hour))},
		ContainerStatuses: []corev1.ContainerStatus{
			started("old", at.Add(-time.Second)), started("new", at), {Name: "waits", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}},
		},
	}}
	for name, want := range map[string]bool{"sidecar": true, "old": true, "new": false, "waits": false, "none": false} {
		if got := IsOlder(pod, []string{name}, at); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWorkloadOfPod(t *testing.T) {
	controller := func(kind, name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}
	}
	hash := map[string]string{"pod-template-hash": "5d4"}
	for want, meta := range map[string]metav1.ObjectMeta{
		"pod/a": {}, "deployment/web-1": {Labels: hash, OwnerReferences: controller("ReplicaSet", "web-1-5d4")},
		"pod/b": {OwnerReferences: controller("ReplicaSet", "web")}, "pod/c": {Labels: hash, OwnerReferences: controller("Job", "import")},
		"statefulset/db": {OwnerReferences: controller("StatefulSet", "db")}, "daemonset/logs": {OwnerReferences: controller("DaemonSet", "logs")},
	} {
		meta.Namespace, meta.Name = "shop", want[len(want)-1:]
		if got := Of(&corev1.Pod{ObjectMeta: meta}); got.String() != want || got.Namespace != "shop" {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

func TestTrouble(t *testing.T) {
	waiting := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
		{Ready: true}, {State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}},
	}}}
	unscheduled := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "no node"},
	}}}
	for want, pod := range map[string]*corev1.Pod{"ImagePullBackOff": waiting, "Unschedulable: no node": unscheduled, "": {}} {
		if got := Trouble(pod); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
