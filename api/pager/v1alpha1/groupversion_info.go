// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 has the API types of the group pager.k8s.co in version v1alpha1.
// An Alert of this version is one of v1beta1, where it is stored, with
// spec.message for spec.content and an annotation for spec.title.
//
// +kubebuilder:object:generate=true
// +groupName=pager.k8s.co
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of the types in this package.
	GroupVersion = schema.GroupVersion{Group: "pager.k8s.co", Version: "v1alpha1"}

	// SchemeBuilder collects the functions that add the types to a scheme.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Alert{}, &AlertList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
