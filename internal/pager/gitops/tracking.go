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

// Package gitops knows the metadata of tools that keep objects as a repository has them.
package gitops

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
