// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// run is a run of a container that failed.
type run struct {
	container  string
	isPrevious bool // the container has started again since
	startedAt  time.Time
}

// failedRun returns the run of the first container of a pod that failed.
func failedRun(pod *corev1.Pod) (failed run, ok bool) {
	for _, status := range containersOf(pod) {
		if end := endOf(&status); end != nil {
			return run{status.Name, status.State.Terminated == nil, end.StartedAt.Time}, true
		}
	}
	return run{}, false
}

// hadValues reports whether a pod has had no other values of a Secret than those that it has now, except for removed keys. A run that started
// after a change may still print a former value: an init container or an earlier run may have written it to a volume.
func hadValues(secret *corev1.Secret, pod *corev1.Pod, run run) bool {
	changed, created := changedAt(secret), pod.CreationTimestamp.Time
	if changed.Equal(created) { // in the same second: before the start all the same
		return changed.Before(run.startedAt)
	}
	return changed.Before(created)
}

// changedAt returns when the values of a Secret were last written, in seconds. The API server does not record the time at
// which a key was removed.
func changedAt(secret *corev1.Secret) time.Time {
	last := secret.CreationTimestamp.Time
	for _, entry := range secret.ManagedFields {
		if entry.Time == nil || entry.FieldsV1 == nil || !entry.Time.After(last) {
			continue
		}
		if fields := entry.FieldsV1.String(); strings.Contains(fields, `"f:data"`) || strings.Contains(fields, `"f:stringData"`) {
			last = entry.Time.Time
		}
	}
	return last
}

// usedKeys are the names of the Secrets that the containers of a pod may print, each with the keys that the pod names: envFrom and a volume
// without items name none.
type usedKeys map[string][]string

func usedKeysOf(spec *corev1.PodSpec) usedKeys {
	used := usedKeys{}
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, from := range container.EnvFrom {
			if from.SecretRef != nil {
				used.add(from.SecretRef.Name)
			}
		}
		for _, variable := range container.Env {
			if variable.ValueFrom != nil && variable.ValueFrom.SecretKeyRef != nil {
				used.add(variable.ValueFrom.SecretKeyRef.Name, variable.ValueFrom.SecretKeyRef.Key)
			}
		}
	}
	for _, volume := range spec.Volumes {
		if volume.Secret != nil {
			used.add(volume.Secret.SecretName, keysOf(volume.Secret.Items)...)
		}
		if volume.Projected != nil {
			for _, source := range volume.Projected.Sources {
				if source.Secret != nil {
					used.add(source.Secret.Name, keysOf(source.Secret.Items)...)
				}
			}
		}
	}
	return used
}

func (u usedKeys) add(secret string, keys ...string) { u[secret] = append(u[secret], keys...) }

func keysOf(items []corev1.KeyToPath) []string {
	keys := make([]string, len(items))
	for i := range items {
		keys[i] = items[i].Key
	}
	return keys
}
