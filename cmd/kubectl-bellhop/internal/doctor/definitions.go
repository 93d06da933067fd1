// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/crds"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/helmrelease"
	"github.com/gophernetes/bellhop/docs"
	"github.com/gophernetes/bellhop/internal/version"
)

const (
	storedVersion = "v1beta1"
	// oldVersion is another version of Alerts, which a webhook converts.
	oldVersion = "v1alpha1"
	fixInstall = "an administrator installs them with make install, or with make deploy"
)

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// checkAPI looks at the version of the API server, and at the kinds that it serves.
func checkAPI(ctx context.Context, i *inspector) (result, error) {
	r, err := checkDefinitions(ctx, i)
	if err != nil {
		return r, err
	}
	client, err := i.Connection.ToDiscoveryClient()
	if err != nil {
		return r, err
	}
	if server, err := client.ServerVersion(); err == nil {
		r.findings = append(r.findings, evaluateServer(server.GitVersion)...)
	}
	return r, nil
}

// evaluateServer returns the problem with the version of the API server, if any.
func evaluateServer(server string) []Finding {
	if !version.IsTooOld(server) {
		return nil
	}
	return []Finding{{ID: "kubernetes-too-old", Severity: Warning, Object: "Kubernetes/" + server,
		Message: "it is older than " + version.OldestKubernetes + ", the oldest version that is supported",
		Fix:     "upgrade the cluster, see " + docs.URL("install/upgrade.md#supported-versions")}}
}

// checkDefinitions looks at the CustomResourceDefinitions. A user who may not read them gets the result of discovery.
func checkDefinitions(ctx context.Context, i *inspector) (result, error) {
	var r result
	installed := map[string]*unstructured.Unstructured{}
	expected := i.kinds()
	for _, k := range expected {
		name := k.Resource + "." + k.Group
		crd, err := i.dynamic.Resource(definitions).Get(ctx, name, metav1.GetOptions{})
		switch {
		case isForbidden(err):
			return discoverDefinitions(i)
		case apierrors.IsNotFound(err):
			r.add(Finding{ID: "crd-missing", Severity: Problem, Object: crdLabel(name), Message: "it is not installed", Fix: fixInstall})
		case err != nil:
			return r, err
		default:
			installed[name] = crd
			r.findings = append(r.findings, evaluateDefinition(crd)...)
		}
	}
	if original, err := helmrelease.Find(ctx, i.core, installed); err != nil {
		return r, err
	} else if original != nil {
		r.add(Finding{ID: "crd-of-another-release", Severity: Problem, Object: crdLabel(helmrelease.Definition), Message: original.Message(), Fix: original.Fix()})
	}
	r.message = fmt.Sprintf("%d CustomResourceDefinitions are established", len(expected))
	if len(r.findings) > 0 {
		r.message = "CustomResourceDefinitions are missing, cannot be used, or belong to another release"
	}
	r.message += i.withoutGroups()
	return r, nil
}

func crdLabel(name string) string { return "CustomResourceDefinition/" + name }

// evaluateDefinition returns the problems with the versions and the conditions of a CustomResourceDefinition.
func evaluateDefinition(crd *unstructured.Unstructured) []Finding {
	var findings []Finding
	add := func(id, fix, format string, args ...any) {
		findings = append(findings, Finding{ID: id, Severity: Problem, Object: crdLabel(crd.GetName()), Message: fmt.Sprintf(format, args...), Fix: fix})
	}
	if at := crd.GetDeletionTimestamp(); at != nil {
		add("crd-terminating", "release or delete its objects, and install it again, see docs/install/uninstall.md#delete-the-objects",
			"it is being deleted since %s, and all objects of the kind with it", cli.Stamp(at.Time))
	}
	served, stored := crds.Versions(crd)
	expected := []string{storedVersion}
	if strings.HasPrefix(crd.GetName(), "alerts.") {
		expected = append(expected, oldVersion)
	}
	for _, version := range expected {
		if !slices.Contains(served, version) {
			add("crd-version", fixInstall, "it does not serve version %s, but %s", version, strings.Join(served, ", "))
		}
	}
	if stored != storedVersion {
		add("crd-version", fixInstall, "it stores version %q and not %s", stored, storedVersion)
	}
	for _, kind := range []string{"NamesAccepted", "Established"} {
		if status, message := crds.Condition(crd, kind); status != "True" {
			fix := "wait; if it stays, look at the condition's message"
			if kind == "NamesAccepted" {
				fix = "another CustomResourceDefinition has one of its names: remove that one, or use full names such as alerts.pager.k8s.co"
			}
			add("crd-not-established", fix, "its condition %s is not True: %s", kind, message)
		}
	}
	return findings
}

// discoverDefinitions looks for the kinds in the API server's discovery, which each authenticated user may read.
func discoverDefinitions(i *inspector) (result, error) {
	client, err := i.Connection.ToDiscoveryClient()
	if err != nil {
		return result{}, err
	}
	client.Invalidate()
	var r result
	served := map[string]bool{}
	for _, group := range i.groups {
		list, err := client.ServerResourcesForGroupVersion(group + "/" + storedVersion)
		if err != nil && !apierrors.IsNotFound(err) {
			return r, err
		}
		if err == nil {
			for _, resource := range list.APIResources {
				served[resource.Name+"."+group] = true
			}
		}
	}
	expected := i.kinds()
	for _, k := range expected {
		if name := k.Resource + "." + k.Group; !served[name] {
			r.add(Finding{ID: "crd-missing", Severity: Problem, Object: crdLabel(name), Message: "the API server does not serve it", Fix: fixInstall})
		}
	}
	r.message = fmt.Sprintf("%d kinds are served; you may not read their CustomResourceDefinitions", len(expected))
	if len(r.findings) > 0 {
		r.message = "kinds are missing"
	}
	r.message += i.withoutGroups()
	return r, nil
}
