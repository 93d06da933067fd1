// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package conversion

import (
	"context"

	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	crconversion "sigs.k8s.io/controller-runtime/pkg/webhook/conversion"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// SchemeBuilder and localSchemeBuilder are used by the generated registration.
var (
	SchemeBuilder      runtime.SchemeBuilder
	localSchemeBuilder = &SchemeBuilder
)

// AlertConverter converts between the served versions of Alert.
var AlertConverter = crconversion.NewHubSpokeConverter(&v1beta1.Alert{},
	crconversion.NewSpokeConverter(&v1alpha1.Alert{}, alertToV1alpha1, alertFromV1alpha1))

func alertToV1alpha1(_ context.Context, hub *v1beta1.Alert, spoke *v1alpha1.Alert) error {
	// The generated code shares memory with its source, which is not ours to change.
	return Convert_v1beta1_Alert_To_v1alpha1_Alert(hub.DeepCopy(), spoke, nil)
}

func alertFromV1alpha1(_ context.Context, spoke *v1alpha1.Alert, hub *v1beta1.Alert) error {
	return Convert_v1alpha1_Alert_To_v1beta1_Alert(spoke.DeepCopy(), hub, nil)
}

// Convert_v1alpha1_Alert_To_v1beta1_Alert takes the title from the annotation,
// which has no place on the hub.
func Convert_v1alpha1_Alert_To_v1beta1_Alert(in *v1alpha1.Alert, out *v1beta1.Alert, s conversion.Scope) error {
	if err := autoConvert_v1alpha1_Alert_To_v1beta1_Alert(in, out, s); err != nil {
		return err
	}
	out.Spec.Title = in.Annotations[v1alpha1.TitleAnnotation]
	out.Annotations = withoutTitle(out.Annotations)
	return nil
}

// Convert_v1beta1_Alert_To_v1alpha1_Alert puts the title into the annotation.
func Convert_v1beta1_Alert_To_v1alpha1_Alert(in *v1beta1.Alert, out *v1alpha1.Alert, s conversion.Scope) error {
	if err := autoConvert_v1beta1_Alert_To_v1alpha1_Alert(in, out, s); err != nil {
		return err
	}
	out.Annotations = withoutTitle(out.Annotations)
	if in.Spec.Title == "" {
		return nil
	}
	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	out.Annotations[v1alpha1.TitleAnnotation] = in.Spec.Title
	return nil
}

// withoutTitle drops the annotation, and a map that is then empty, so that a
// round trip ends where it began.
func withoutTitle(annotations map[string]string) map[string]string {
	if _, ok := annotations[v1alpha1.TitleAnnotation]; !ok {
		return annotations
	}
	delete(annotations, v1alpha1.TitleAnnotation)
	if len(annotations) == 0 {
		return nil
	}
	return annotations
}

// Convert_v1alpha1_AlertSpec_To_v1beta1_AlertSpec calls the message content.
func Convert_v1alpha1_AlertSpec_To_v1beta1_AlertSpec(in *v1alpha1.AlertSpec, out *v1beta1.AlertSpec, s conversion.Scope) error {
	out.Content = in.Message
	return autoConvert_v1alpha1_AlertSpec_To_v1beta1_AlertSpec(in, out, s)
}

// Convert_v1beta1_AlertSpec_To_v1alpha1_AlertSpec calls the content message.
func Convert_v1beta1_AlertSpec_To_v1alpha1_AlertSpec(in *v1beta1.AlertSpec, out *v1alpha1.AlertSpec, s conversion.Scope) error {
	out.Message = in.Content
	return autoConvert_v1beta1_AlertSpec_To_v1alpha1_AlertSpec(in, out, s)
}
