// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Use is how a Pod uses a Secret.
type Use struct {
	// Fixed are the containers that keep the values with which they started: by variables, or by mounts with a subPath.
	Fixed []string
	// Updated are further containers, whose files the kubelet updates.
	Updated []string
	// isVolume: the Pod has a volume of the Secret, which need not be mounted.
	isVolume bool
}

// IsUsed reports whether the Pod uses the Secret at all: it does not start without it, unless the reference is optional.
func (u Use) IsUsed() bool { return u.isVolume || len(u.Fixed) > 0 }

// UseOf returns how a Pod uses a Secret of its namespace.
func UseOf(pod *corev1.Pod, secret string) Use {
	var u Use
	var volumes []string
	for _, volume := range pod.Spec.Volumes {
		if isVolumeOf(&volume, secret) {
			volumes = append(volumes, volume.Name)
		}
	}
	u.isVolume = len(volumes) > 0
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		mounts := func(withSubPath bool) bool {
			return slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool {
				return slices.Contains(volumes, m.Name) && (m.SubPath+m.SubPathExpr != "") == withSubPath
			})
		}
		switch {
		case hasVariable(&container, secret), mounts(true):
			u.Fixed = append(u.Fixed, container.Name)
		case mounts(false):
			u.Updated = append(u.Updated, container.Name)
		}
	}
	return u
}

func isVolumeOf(volume *corev1.Volume, secret string) bool {
	switch {
	case volume.Secret != nil:
		return volume.Secret.SecretName == secret
	case volume.Projected != nil:
		return slices.ContainsFunc(volume.Projected.Sources, func(s corev1.VolumeProjection) bool { return s.Secret != nil && s.Secret.Name == secret })
	}
	return false
}

func hasVariable(container *corev1.Container, secret string) bool {
	return slices.ContainsFunc(container.Env, func(e corev1.EnvVar) bool {
		return e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == secret
	}) || slices.ContainsFunc(container.EnvFrom, func(e corev1.EnvFromSource) bool { return e.SecretRef != nil && e.SecretRef.Name == secret })
}

// IssuedAt returns when a binding got its present credentials; zero: it is not known. For credentials that expire the status has the time. For
// others it is when the operator last wrote the Secret, which it also does after an edit or a deletion by others.
func IssuedAt(ctx context.Context, core coreclient.CoreV1Interface, binding *v1beta1.ServiceBinding) (time.Time, error) {
	if at := binding.Status.IssuedAt; at != nil {
		return at.Time, nil
	}
	secret, err := core.Secrets(binding.Namespace).Get(ctx, catalog.SecretName(binding), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	return bindingsecret.WrittenAt(secret), nil
}

// IsOlder reports whether one of these containers runs since before a time.
func IsOlder(pod *corev1.Pod, containers []string, at time.Time) bool {
	return slices.ContainsFunc(slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses), func(s corev1.ContainerStatus) bool {
		return slices.Contains(containers, s.Name) && s.State.Running != nil && s.State.Running.StartedAt.Time.Before(at)
	})
}
