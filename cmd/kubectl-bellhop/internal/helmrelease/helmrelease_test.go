// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package helmrelease

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

// F-U41: a release of the original service-catalog would delete all objects with it.
func TestFind(t *testing.T) {
	stored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "catalog", Name: "sh.helm.release.v1.catalog.v1", Labels: map[string]string{"owner": "helm", "name": "catalog"}}}
	of := func(r Release) *unstructured.Unstructured {
		crd := &unstructured.Unstructured{}
		if r != (Release{}) {
			crd.SetAnnotations(map[string]string{"meta.helm.sh/release-namespace": r.namespace, "meta.helm.sh/release-name": r.name})
		}
		return crd
	}
	catalog, own := Release{"catalog", "catalog"}, Release{"bellhop-system", "bellhop"}
	for name, test := range map[string]struct {
		services, alerts Release
		isStored, want   bool
	}{
		"of the original":                 {catalog, Release{}, true, true},
		"of the original, and of our own": {catalog, own, true, true},
		"that was detached":               {catalog, own, false, false},
		"of our own":                      {own, own, true, false},
		"none":                            {Release{}, Release{}, true, false},
		"of a chart with all definitions": {catalog, catalog, true, false},
	} {
		clients := fake.NewClientset()
		if test.isStored {
			clients = fake.NewClientset(stored)
		}
		found, err := Find(t.Context(), clients.CoreV1(), map[string]*unstructured.Unstructured{Definition: of(test.services), alerts: of(test.alerts)})
		if err != nil || (found != nil) != test.want {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		if found != nil && !strings.Contains(found.Fix(), "kubectl delete secrets --namespace catalog --selector owner=helm,name=catalog") {
			t.Errorf("%s: the fix is %s", name, found.Fix())
		}
	}
	if found, err := Find(t.Context(), fake.NewClientset().CoreV1(), nil); found != nil || err != nil {
		t.Errorf("without definitions: %+v, %v", found, err)
	}
}

// With --take-ownership Helm writes another release into the definitions, and the one of the original is still stored.
func TestFindAfterATakeover(t *testing.T) {
	stored := func(namespace, name, manifest string) *corev1.Secret {
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		if err := json.NewEncoder(w).Encode(map[string]string{"name": name, "manifest": manifest}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "sh.helm.release.v1." + name + ".v1", Labels: map[string]string{"owner": "helm", "name": name, "status": "deployed"}},
			Data:       map[string][]byte{"release": []byte(base64.StdEncoding.EncodeToString(compressed.Bytes()))},
		}
	}
	const manifest = "kind: CustomResourceDefinition\nmetadata:\n  name: serviceinstances.servicecatalog.k8s.io\n"
	crd := &unstructured.Unstructured{}
	crd.SetAnnotations(map[string]string{"meta.helm.sh/release-namespace": "bellhop-system", "meta.helm.sh/release-name": "bellhop"})
	own, other := stored("bellhop-system", "bellhop", manifest), stored("shop", "orders", "kind: ConfigMap\n")
	malformed := stored("shop", "malformed", "")
	malformed.Data["release"] = []byte("none")
	for name, test := range map[string]struct {
		secrets []runtime.Object
		want    *Release
	}{
		"still stored": {[]runtime.Object{own, other, malformed, stored("catalog", "catalog", manifest)}, &Release{"catalog", "catalog"}},
		"forgotten":    {[]runtime.Object{own, other, malformed}, nil},
	} {
		found, err := Find(t.Context(), fake.NewClientset(test.secrets...).CoreV1(), map[string]*unstructured.Unstructured{Definition: crd, alerts: crd})
		if err != nil || (found == nil) != (test.want == nil) || found != nil && *found != *test.want {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}
