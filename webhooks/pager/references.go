// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// kindWarnings returns a warning for each reference without a kind in the manifest that was applied. The API server has completed
// the object before any webhook sees it, so that the manifest is read from the annotation of kubectl apply. Argo CD writes it too, and
// both compare the manifest's list with the stored one as a whole. Server-side apply writes no annotation, and shows no difference.
func kindWarnings(applied metav1.Object) (warnings ctrladmission.Warnings) {
	var manifest struct {
		Spec struct {
			ReceiverRefs []v1beta1.ReceiverRef `json:"receiverRefs"`
		} `json:"spec"`
	}
	text, ok := applied.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	if !ok || json.Unmarshal([]byte(text), &manifest) != nil {
		return nil
	}
	refs := manifest.Spec.ReceiverRefs
	for i, ref := range refs[:min(len(refs), maxReceivers)] {
		if ref.Kind == "" {
			warnings = append(warnings, fmt.Sprintf("spec.receiverRefs[%d]: write kind: Receiver; the API server adds a missing kind, and kubectl apply and Argo CD then show a difference each time", i))
		}
	}
	return warnings
}
