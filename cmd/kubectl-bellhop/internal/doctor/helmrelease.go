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
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Helm records by these annotations which release has an object, and stores the release in Secrets with these labels.
const (
	releaseName      = "meta.helm.sh/release-name"
	releaseNamespace = "meta.helm.sh/release-namespace"
	releaseLabels    = "owner=helm,name="
)

// release is the name of a Helm release; empty: none.
type release struct{ namespace, name string }

func releaseOf(annotations map[string]string) release {
	return release{annotations[releaseNamespace], annotations[releaseName]}
}

// checkRelease looks for a Helm release that has the definitions of services and neither the operator nor the definitions of Alerts: that of the
// original service-catalog. Its removal deletes the definitions, with all objects.
func (i *inspector) checkRelease(ctx context.Context, crds map[string]*unstructured.Unstructured) (*Finding, error) {
	const services = "serviceinstances.servicecatalog.k8s.io"
	crd, alerts := crds[services], crds["alerts.pager.k8s.co"]
	if crd == nil || releaseOf(crd.GetAnnotations()) == (release{}) || alerts != nil && releaseOf(alerts.GetAnnotations()) == releaseOf(crd.GetAnnotations()) {
		return nil, nil
	}
	r := releaseOf(crd.GetAnnotations())
	stored, err := i.core.Secrets(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: releaseLabels + r.name, Limit: 1})
	if isForbidden(err) || err == nil && len(stored.Items) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Finding{ID: "crd-of-another-release", Severity: Problem, Object: crdLabel(services),
		Message: fmt.Sprintf("it belongs to the Helm release %s in namespace %s, as of the original service-catalog: \"helm uninstall\" of that release deletes all objects of services", r.name, r.namespace),
		Fix:     fmt.Sprintf("have Helm forget it: kubectl delete secrets --namespace %s --selector %s%s, see docs/how-to/services/migrate-from-service-catalog.md#detach-the-helm-release", r.namespace, releaseLabels, r.name)}, nil
}
