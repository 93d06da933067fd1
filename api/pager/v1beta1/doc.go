// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1beta1 has the API types of the group pager.k8s.co in version v1beta1.
// It is the version in which objects are stored and which controllers and
// webhooks see; the other versions are converted to it.
//
// +kubebuilder:object:generate=true
// +groupName=pager.k8s.co
package v1beta1
