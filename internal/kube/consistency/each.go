// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package consistency

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Each calls show with every object of a kind in the cache. The objects are the cache's own and must not be changed: a List would
// copy each of them, which is most of its cost. It returns an error if the cache has not synced. list is a list of the kind.
func Each[T client.Object](ctx context.Context, objects cache.Cache, kind T, list client.ObjectList, show func(T)) error {
	informer, err := objects.GetInformer(ctx, kind)
	if err != nil {
		return err
	}
	if !informer.HasSynced() { // waiting could block for ever, as the cache may not be started
		return fmt.Errorf("the cache does not have all objects of %T yet", kind)
	}
	shared, ok := informer.(toolscache.SharedIndexInformer)
	if !ok { // of a cache of some namespaces, which are few
		if err := objects.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return err
		}
		return meta.EachListItem(list, func(o runtime.Object) error { show(o.(T)); return nil })
	}
	for _, o := range shared.GetStore().List() {
		show(o.(T))
	}
	return nil
}

// ListMetadata calls show with the metadata of every object of a kind, page by page, read from live, which must not be a cache.
// It stops at show's first error; an object is valid only until show returns. version is the list's resourceVersion. options are passed to List.
func ListMetadata(ctx context.Context, live client.Reader, gvk schema.GroupVersionKind, show func(*metav1.PartialObjectMetadata) error, options ...client.ListOption) (version string, err error) {
	const page = 500
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	for more := true; more; more = list.Continue != "" {
		if err := live.List(ctx, list, append(options, client.Limit(page), client.Continue(list.Continue))...); err != nil {
			return "", err
		}
		for i := range list.Items {
			if err := show(&list.Items[i]); err != nil {
				return "", err
			}
		}
	}
	return list.ResourceVersion, nil
}
