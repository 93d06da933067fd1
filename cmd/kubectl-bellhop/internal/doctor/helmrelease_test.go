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

package doctor

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
)

// F-U41: a release of the original service-catalog would delete all objects with it.
func TestCheckRelease(t *testing.T) {
	stored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "catalog", Name: "sh.helm.release.v1.catalog.v1", Labels: map[string]string{"owner": "helm", "name": "catalog"}}}
	of := func(name string, r release) *unstructured.Unstructured {
		return definition(name, func(crd map[string]any) {
			if r != (release{}) {
				crd["metadata"].(map[string]any)["annotations"] = map[string]any{releaseName: r.name, releaseNamespace: r.namespace}
			}
		})
	}
	catalog, own := release{"catalog", "catalog"}, release{"bellhop-system", "bellhop"}
	for name, test := range map[string]struct {
		services, alerts release
		isStored, want   bool
	}{
		"of the original":                 {catalog, release{}, true, true},
		"of the original, and of our own": {catalog, own, true, true},
		"that was detached":               {catalog, own, false, false},
		"of our own":                      {own, own, true, false},
		"none":                            {release{}, release{}, true, false},
		"of a chart with all definitions": {catalog, catalog, true, false},
	} {
		clients := fake.NewClientset()
		if test.isStored {
			clients = fake.NewClientset(stored)
		}
		crds := map[string]*unstructured.Unstructured{}
		for crd, r := range map[string]release{"serviceinstances.servicecatalog.k8s.io": test.services, "alerts.pager.k8s.co": test.alerts} {
			crds[crd] = of(crd, r)
		}
		found, err := (&inspector{core: clients.CoreV1()}).checkRelease(t.Context(), crds)
		if err != nil || (found != nil) != test.want {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		if found != nil && !strings.Contains(found.Fix, "kubectl delete secrets --namespace catalog --selector owner=helm,name=catalog") {
			t.Errorf("%s: the fix is %s", name, found.Fix)
		}
	}
}
