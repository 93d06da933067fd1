// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestManifestOfAnyKind(t *testing.T) {
	for apiVersion, want := range map[string]int{"apps/v1": 2, "servicecatalog.k8s.io/v1beta1": 0} {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": apiVersion, "kind": "Any", "metadata": map[string]any{"name": "orders", "namespace": "shop", "resourceVersion": "7"},
			"spec": map[string]any{"replicas": int64(0), "userInfo": map[string]any{}}, "status": map[string]any{},
		}}
		manifest, err := Manifest(object)
		if err != nil {
			t.Fatal(err)
		}
		spec, _, _ := unstructured.NestedMap(manifest.Object, "spec")
		if len(spec) != want {
			t.Errorf("%s: the spec has %v", apiVersion, spec)
		}
		if manifest.GetName() != "orders" || manifest.GetNamespace() != "shop" || manifest.GetResourceVersion() != "" || manifest.Object["status"] != nil {
			t.Errorf("%s: %v", apiVersion, manifest.Object)
		}
	}
}
