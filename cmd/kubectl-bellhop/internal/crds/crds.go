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
