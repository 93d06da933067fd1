// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1beta1 has the eight kinds of the retired Kubernetes service-catalog,
// wire-compatible with it: manifests, svcat and finalizers keep working. What is
// added is optional, and in a status or an annotation wherever that is possible.
//
// +kubebuilder:object:generate=true
// +groupName=servicecatalog.k8s.io
package v1beta1
