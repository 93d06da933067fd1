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

// Package helmrelease finds the Helm release of the original service-catalog. Its removal deletes the definitions of services, with all objects.
package helmrelease

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Definition is a CustomResourceDefinition that the release has; the one of Alerts it has not.
const (
	Definition = "serviceinstances.servicecatalog.k8s.io"
	alerts     = "alerts.pager.k8s.co"
)

// Release is the name of a Helm release; the zero value is none.
type Release struct{ namespace, name string }

// releaseOf returns the release that has an object, as Helm records it in annotations.
func releaseOf(o *unstructured.Unstructured) Release {
	if o == nil {
		return Release{}
	}
	annotations := o.GetAnnotations()
	return Release{annotations["meta.helm.sh/release-namespace"], annotations["meta.helm.sh/release-name"]}
}

// Find returns the release of the original service-catalog; nil: there is none, or the user may not read the Secrets in which Helm stores it. crds
// are the CustomResourceDefinitions by name.
func Find(ctx context.Context, secrets coreclient.SecretsGetter, crds map[string]*unstructured.Unstructured) (*Release, error) {
	r := releaseOf(crds[Definition])
	if r == (Release{}) || r == releaseOf(crds[alerts]) {
		return nil, nil
	}
	stored, err := secrets.Secrets(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: r.selector(), Limit: 1})
	if apierrors.IsForbidden(err) || err == nil && len(stored.Items) == 0 {
		return nil, nil
	}
	return &r, err
}

// selector selects the Secrets in which Helm stores the release.
func (r Release) selector() string { return "owner=helm,name=" + r.name }

// Message says what the release does.
func (r Release) Message() string {
	return fmt.Sprintf("it belongs to the Helm release %s in namespace %s, as of the original service-catalog: \"helm uninstall\" of that release deletes all objects of services", r.name, r.namespace)
}

// Fix says how Helm forgets the release.
func (r Release) Fix() string {
	return fmt.Sprintf("have Helm forget it: kubectl delete secrets --namespace %s --selector %s, see docs/how-to/services/migrate-from-service-catalog.md#remove-the-records-of-the-helm-release", r.namespace, r.selector())
}
