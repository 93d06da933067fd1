// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package namespaces

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Manager returns a manager whose API reader reads the namespaces only.
func (s Set) Manager(m ctrl.Manager) ctrl.Manager {
	if len(s) == 0 {
		return m
	}
	return manager{m, reader{m.GetAPIReader(), m.GetScheme(), s}}
}

type manager struct {
	ctrl.Manager
	live client.Reader
}

func (m manager) GetAPIReader() client.Reader { return m.live }

// reader reads from the API server.
type reader struct {
	client.Reader
	scheme     *runtime.Scheme
	namespaces Set
}

// Get gets an object; NotFound for each of Bellhop's cluster-scoped kinds.
func (r reader) Get(ctx context.Context, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	if isOff(obj, r.scheme) {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	return r.Reader.Get(ctx, key, obj, options...)
}

// List lists the objects of one namespace; or the metadata of the objects of all namespaces as they were at one time, whole, without pages. Of
// cluster-scoped kinds it lists Namespaces.
func (r reader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	all, isMetadata := list.(*metav1.PartialObjectMetadataList)
	switch asked := (&client.ListOptions{}).ApplyOptions(options); {
	case isOff(list, r.scheme):
		list.SetResourceVersion(firstVersion)
		return meta.SetList(list, nil)
	case asked.Namespace != "":
		return r.Reader.List(ctx, list, options...)
	case !isMetadata:
		return fmt.Errorf("listing %T in all namespaces: only metadata is listed so", list)
	case all.Kind == "NamespaceList":
		return r.listNamespaces(ctx, all)
	}
	all.Items, all.ListMeta = nil, metav1.ListMeta{}
	for _, namespace := range r.namespaces {
		if err := r.add(ctx, all, namespace); err != nil {
			return err
		}
	}
	return nil
}

// firstVersion is before each version of an object.
const firstVersion = "1"

// add lists the objects of a namespace as they were when the namespace before it was listed: an object that a list lacks was created after the list's
// version, or deleted before.
func (r reader) add(ctx context.Context, all *metav1.PartialObjectMetadataList, namespace string) error {
	const pageSize = 500
	for next := ""; ; {
		page := &metav1.PartialObjectMetadataList{TypeMeta: all.TypeMeta}
		options := []client.ListOption{client.InNamespace(namespace), client.Limit(pageSize), client.Continue(next)}
		if next == "" && all.ResourceVersion != "" {
			options = append(options, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: all.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact}})
		}
		if err := r.Reader.List(ctx, page, options...); err != nil {
			return err
		}
		all.Items = append(all.Items, page.Items...)
		all.ResourceVersion = page.ResourceVersion
		if next = page.Continue; next == "" {
			return nil
		}
	}
}

// listNamespaces gets the Namespaces: a list would need the right to all. The list's version is before the version of each Namespace, since another
// may be changed while one is read.
func (r reader) listNamespaces(ctx context.Context, all *metav1.PartialObjectMetadataList) error {
	all.Items, all.ListMeta = nil, metav1.ListMeta{ResourceVersion: firstVersion}
	for _, name := range r.namespaces {
		var ns metav1.PartialObjectMetadata
		ns.SetGroupVersionKind(all.GroupVersionKind().GroupVersion().WithKind("Namespace"))
		err := r.Get(ctx, client.ObjectKey{Name: name}, &ns)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		all.Items = append(all.Items, ns)
	}
	return nil
}
