// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// serverAnnotations are set by kubectl and by admission, and do not belong into a manifest.
var serverAnnotations = []string{"kubectl.kubernetes.io/last-applied-configuration", servicecatalogv1beta1.MadeIDAnnotation}

// serverFields are fields of specs that admission sets.
var serverFields = []string{"userInfo", "clusterServiceClassRef", "clusterServicePlanRef", "serviceClassRef", "servicePlanRef"}

// Manifest is an object as a user would write it for kubectl apply: without status and metadata of the API server, and of Bellhop's kinds
// without fields of the operator and empty fields of the spec.
func Manifest(object Object) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed(object))
	if err != nil {
		return nil, err
	}
	annotations := maps.Clone(object.GetAnnotations())
	for _, name := range serverAnnotations {
		delete(annotations, name)
	}
	labels := maps.Clone(object.GetLabels())
	maps.DeleteFunc(labels, func(name, _ string) bool { return strings.HasPrefix(name, "servicecatalog.k8s.io/") })

	manifest := &unstructured.Unstructured{Object: map[string]any{}}
	for key, value := range content {
		if key != "status" && key != "metadata" && value != nil {
			manifest.Object[key] = value
		}
	}
	manifest.SetName(object.GetName())
	manifest.SetNamespace(object.GetNamespace())
	if len(labels) > 0 {
		manifest.SetLabels(labels)
	}
	if len(annotations) > 0 {
		manifest.SetAnnotations(annotations)
	}
	if spec, ok := content["spec"].(map[string]any); ok && isOwn(manifest.GroupVersionKind().Group) {
		removeEmpty(spec)
		for _, name := range serverFields {
			delete(spec, name)
		}
		if hasMadeID(object) {
			delete(spec, "externalID")
		}
	}
	return manifest, nil
}

// isOwn reports whether a group is one of Bellhop's. Of other kinds an empty field may have a meaning, such as 0 replicas.
func isOwn(group string) bool {
	return group == pagerv1beta1.GroupVersion.Group || group == servicecatalogv1beta1.GroupVersion.Group
}

// hasMadeID reports whether admission made the external id of an object: then another object gets one of its own.
func hasMadeID(object Object) bool {
	return object.GetAnnotations()[servicecatalogv1beta1.MadeIDAnnotation] != ""
}

// removeEmpty removes fields with the zero value of their type, which the Go types do not omit.
func removeEmpty(spec map[string]any) {
	maps.DeleteFunc(spec, func(_ string, value any) bool {
		switch value := value.(type) {
		case nil:
			return true
		case string:
			return value == ""
		case int64:
			return value == 0
		case bool:
			return !value
		default:
			return false
		}
	})
}
