// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of the types in this package.
	GroupVersion = schema.GroupVersion{Group: "pager.k8s.co", Version: "v1beta1"}

	// SchemeGroupVersion is GroupVersion, by the name that generated clients know.
	SchemeGroupVersion = GroupVersion

	// SchemeBuilder collects the functions that add the types to a scheme.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

// Resource returns the GroupResource of a resource of this group.
func Resource(resource string) schema.GroupResource {
	return SchemeGroupVersion.WithResource(resource).GroupResource()
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Alert{}, &AlertList{},
		&Receiver{}, &ReceiverList{},
		&ClusterReceiver{}, &ClusterReceiverList{},
		&AlertSource{}, &AlertSourceList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
