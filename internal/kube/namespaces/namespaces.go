// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package namespaces confines a manager to some namespaces, for installations whose rights end there.
//
// Its cache has the objects of these namespaces, the Namespaces themselves, and of other cluster-scoped kinds none: so the same controllers
// run, and find nothing of those. Its client waits for the process's own writes in each namespace by itself: versions of different namespaces
// arrive in any order, and one says nothing of the other.
package namespaces

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Set is the set of namespaces; empty: all, and nothing is confined.
type Set []string

// Validate returns an error that names the first element that is not the name of a namespace, or is there twice.
func (s Set) Validate() error {
	for _, name := range s {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("%q is not the name of a namespace: %s", name, problems[0])
		}
	}
	if twice := slices.Compact(slices.Sorted(slices.Values(s))); len(twice) < len(s) {
		return fmt.Errorf("a namespace is there twice: %q", []string(s))
	}
	return nil
}

// Confine confines a manager to the namespaces. Its scheme has to be set.
func (s Set) Confine(o *ctrl.Options) {
	if len(s) == 0 {
		return
	}
	o.Cache.DefaultNamespaces = map[string]cache.Config{}
	for _, name := range s {
		o.Cache.DefaultNamespaces[name] = cache.Config{}
	}
	o.Cache.NewInformer = s.newInformer(o.Scheme)
	o.NewClient = s.newClient
}

// isOff reports whether an object or a list is of one of Bellhop's cluster-scoped kinds: a confined manager finds no objects of them.
func isOff(o runtime.Object, scheme *runtime.Scheme) bool {
	gvk, err := apiutil.GVKForObject(o, scheme)
	isOwn := gvk.GroupVersion() == pagerv1beta1.GroupVersion || gvk.GroupVersion() == servicecatalogv1beta1.GroupVersion
	return err == nil && isOwn && strings.HasPrefix(gvk.Kind, "Cluster")
}
