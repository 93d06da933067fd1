// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crds reads CustomResourceDefinitions.
package crds

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// Versions returns the versions that are served, and the one that is stored.
func Versions(crd *unstructured.Unstructured) (served []string, stored string) {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		version, _ := v.(map[string]any)
		name, _, _ := unstructured.NestedString(version, "name")
		if is, _, _ := unstructured.NestedBool(version, "served"); is {
			served = append(served, name)
		}
		if is, _, _ := unstructured.NestedBool(version, "storage"); is {
			stored = name
		}
	}
	return served, stored
}

// Condition returns the status and the message of a condition.
func Condition(crd *unstructured.Unstructured, kind string) (status, message string) {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] == kind {
			status, _, _ = unstructured.NestedString(condition, "status")
			message, _, _ = unstructured.NestedString(condition, "message")
		}
	}
	return status, message
}
