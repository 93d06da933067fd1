// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TrackedBy returns the name of the tool that manages obj and would create it again after a deletion; "" for none.
func TrackedBy(obj metav1.Object) string {
	for _, mark := range []struct{ key, tool string }{
		{"argocd.argoproj.io/tracking-id", "Argo CD"},
		{"argocd.argoproj.io/instance", "Argo CD"},
		{"kustomize.toolkit.fluxcd.io/name", "Flux"},
		{"helm.toolkit.fluxcd.io/name", "Flux"},
		{"meta.helm.sh/release-name", "Helm"},
	} {
		if _, ok := obj.GetAnnotations()[mark.key]; ok {
			return mark.tool
		}
		if _, ok := obj.GetLabels()[mark.key]; ok {
			return mark.tool
		}
	}
	return ""
}
