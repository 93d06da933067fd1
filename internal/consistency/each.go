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

package consistency

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Each shows all objects of a kind that a cache has. A List would copy every one of them, which for many is most of what looking
// costs. They are the cache's own: nobody may change them. It is an error if the cache does not have all of them yet.
func Each[T client.Object](ctx context.Context, informers cache.Informers, kind T, show func(T)) error {
	informer, err := informers.GetInformer(ctx, kind)
	if err != nil {
		return err
	}
	if !informer.HasSynced() { // nobody waits for a cache that is not started
		return fmt.Errorf("the cache does not have all objects of %T yet", kind)
	}
	shared, ok := informer.(toolscache.SharedIndexInformer)
	if !ok {
		return fmt.Errorf("the informer of %T is a %T, whose objects cannot be looked at", kind, informer)
	}
	for _, o := range shared.GetStore().List() {
		show(o.(T))
	}
	return nil
}

// ListMetadata shows the metadata of all objects of a kind, page by page, as live has them, which must not be a cache. It ends
// with show's first error, and nothing that is shown is valid after show has returned; version is the list's resourceVersion. The
// options are List's.
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
