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

package pager

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// restoreLabel is what Velero puts on what it restores from a backup.
	restoreLabel = "velero.io/restore-name"
	// deletionPolicyAnnotation set to Retain lets an object go without telling
	// the other side.
	deletionPolicyAnnotation = "bellhop.gophernetes.io/deletion-policy"
	retain                   = "Retain"
)

func isRestored(o metav1.Object) bool {
	_, ok := o.GetLabels()[restoreLabel]
	return ok
}

func keepsOutside(o metav1.Object) bool {
	return o.GetAnnotations()[deletionPolicyAnnotation] == retain
}
