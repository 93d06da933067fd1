// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package helmrelease finds the Helm release of the original service-catalog. Its removal deletes the definitions of services, with all objects.
package helmrelease

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Definition is a CustomResourceDefinition that the release has. It does not have the definition of Alerts.
const (
	Definition = "serviceinstances.servicecatalog.k8s.io"
	alerts     = "alerts.pager.k8s.co"
)

// Release is the name of a Helm release; the zero value names no release.
type Release struct{ namespace, name string }

// releaseOf returns the release that has an object, as Helm records it in annotations.
func releaseOf(o *unstructured.Unstructured) Release {
	if o == nil {
		return Release{}
	}
	annotations := o.GetAnnotations()
	return Release{annotations["meta.helm.sh/release-namespace"], annotations["meta.helm.sh/release-name"]}
}

// Find returns the release of the original service-catalog; nil: there is no such release, or the user may not read the Secrets in which Helm
// stores it. crds are the CustomResourceDefinitions by name.
func Find(ctx context.Context, secrets coreclient.SecretsGetter, crds map[string]*unstructured.Unstructured) (*Release, error) {
	r := releaseOf(crds[Definition])
	switch r {
	case Release{}:
		return nil, nil
	case releaseOf(crds[alerts]): // also where "helm install --take-ownership" has changed the annotations
		return findStored(ctx, secrets, r)
	}
	stored, err := secrets.Secrets(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: r.selector(), Limit: 1})
	if apierrors.IsForbidden(err) || err == nil && len(stored.Items) == 0 {
		return nil, nil
	}
	return &r, err
}

// findStored returns a release other than our own that has the definition in its manifest; nil: there is no such release, or the user may not read
// all Secrets.
func findStored(ctx context.Context, secrets coreclient.SecretsGetter, own Release) (*Release, error) {
	for next, more := "", true; more; more = next != "" {
		page, err := secrets.Secrets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm,status notin (superseded,uninstalled)", Limit: 20, Continue: next})
		if apierrors.IsForbidden(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		for i := range page.Items {
			r := Release{page.Items[i].Namespace, page.Items[i].Labels["name"]}
			if manifest := manifestOf(page.Items[i].Data["release"]); r != own && strings.Contains(manifest, "name: "+Definition) {
				return &r, nil
			}
		}
		next = page.Continue
	}
	return nil, nil
}

// manifestOf returns the manifest of a release as Helm 3 stores it: JSON, compressed, in Base64; empty: it has another form.
func manifestOf(stored []byte) string {
	compressed := base64.NewDecoder(base64.StdEncoding, bytes.NewReader(stored))
	text, err := gzip.NewReader(compressed)
	if err != nil {
		return ""
	}
	var release struct{ Manifest string }
	if err := json.NewDecoder(text).Decode(&release); err != nil {
		return ""
	}
	return release.Manifest
}

// selector selects the Secrets in which Helm stores the release.
func (r Release) selector() string { return "owner=helm,name=" + r.name }

// Message names the release, and warns of its uninstallation.
func (r Release) Message() string {
	return fmt.Sprintf("it belongs to the Helm release %s in namespace %s, as of the original service-catalog: \"helm uninstall\" of that release deletes all objects of services", r.name, r.namespace)
}

// Fix says how Helm forgets the release.
func (r Release) Fix() string {
	return fmt.Sprintf("have Helm forget it: kubectl delete secrets --namespace %s --selector %s, see docs/how-to/services/migrate-from-service-catalog.md#remove-the-records-of-the-helm-release", r.namespace, r.selector())
}
