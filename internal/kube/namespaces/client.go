// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package namespaces

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// newClient is NewClient of a manager's options.
func (s Set) newClient(cfg *rest.Config, o client.Options) (client.Client, error) {
	whole := o
	whole.Cache = &client.CacheOptions{Reader: o.Cache.Reader, DisableFor: o.Cache.DisableFor}
	rest, err := client.New(cfg, whole)
	if err != nil {
		return nil, err
	}
	c := confined{Client: rest, of: map[string]client.Client{}}
	for _, name := range s {
		own, of := o, *o.Cache
		of.Reader = oneNamespace{Cache: o.Cache.Reader.(cache.Cache), namespace: name}
		own.Cache = &of
		if c.of[name], err = client.New(cfg, own); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// oneNamespace is a cache whose informers show the objects of one namespace.
type oneNamespace struct {
	cache.Cache
	namespace string
}

// GetInformer returns the informer of a kind. The cache itself has an informer for each namespace.
func (o oneNamespace) GetInformer(ctx context.Context, obj client.Object, options ...cache.InformerGetOption) (cache.Informer, error) {
	informer, err := o.Cache.GetInformer(ctx, obj, options...)
	return filtered{informer, o.namespace}, err
}

// filtered is an informer whose handlers are called with the objects of one namespace.
type filtered struct {
	cache.Informer
	namespace string
}

// AddEventHandler adds a handler.
func (f filtered) AddEventHandler(handler toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return f.Informer.AddEventHandler(toolscache.FilteringResourceEventHandler{FilterFunc: f.has, Handler: handler})
}

func (f filtered) has(obj any) bool {
	if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	o, err := meta.Accessor(obj)
	return err == nil && o.GetNamespace() == f.namespace
}

// confined sends a request about an object of a namespace by the client of that namespace, which waits for this process's own writes there.
type confined struct {
	client.Client // of everything else
	of            map[string]client.Client
}

func (c confined) in(namespace string) client.Client {
	if own, ok := c.of[namespace]; ok {
		return own
	}
	return c.Client
}

func (c confined) Get(ctx context.Context, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	return c.in(key.Namespace).Get(ctx, key, obj, options...)
}

// List lists the objects of one namespace, or of all.
func (c confined) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	if namespaced, err := c.IsObjectNamespaced(list); err != nil || !namespaced {
		return errors.Join(err, c.Client.List(ctx, list, options...))
	}
	if asked.Namespace != "" {
		return c.in(asked.Namespace).List(ctx, list, options...)
	}
	var all []runtime.Object
	for namespace, own := range c.of {
		part := list.DeepCopyObject().(client.ObjectList)
		if err := own.List(ctx, part, append(options, client.InNamespace(namespace))...); err != nil {
			return err
		}
		items, err := meta.ExtractList(part)
		if err != nil {
			return err
		}
		all = append(all, items...)
	}
	return meta.SetList(list, all)
}

func (c confined) Create(ctx context.Context, obj client.Object, options ...client.CreateOption) error {
	return c.in(obj.GetNamespace()).Create(ctx, obj, options...)
}

func (c confined) Update(ctx context.Context, obj client.Object, options ...client.UpdateOption) error {
	return c.in(obj.GetNamespace()).Update(ctx, obj, options...)
}

func (c confined) Patch(ctx context.Context, obj client.Object, patch client.Patch, options ...client.PatchOption) error {
	return c.in(obj.GetNamespace()).Patch(ctx, obj, patch, options...)
}

func (c confined) Delete(ctx context.Context, obj client.Object, options ...client.DeleteOption) error {
	return c.in(obj.GetNamespace()).Delete(ctx, obj, options...)
}

func (c confined) Status() client.SubResourceWriter { return c.SubResource("status") }

func (c confined) SubResource(name string) client.SubResourceClient {
	return subResource{c.Client.SubResource(name), c, name}
}

// subResource is a subresource of objects of any namespace.
type subResource struct {
	client.SubResourceClient
	of   confined
	name string
}

func (s subResource) in(obj client.Object) client.SubResourceClient {
	return s.of.in(obj.GetNamespace()).SubResource(s.name)
}

func (s subResource) Create(ctx context.Context, obj, sub client.Object, options ...client.SubResourceCreateOption) error {
	return s.in(obj).Create(ctx, obj, sub, options...)
}

func (s subResource) Update(ctx context.Context, obj client.Object, options ...client.SubResourceUpdateOption) error {
	return s.in(obj).Update(ctx, obj, options...)
}

func (s subResource) Patch(ctx context.Context, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
	return s.in(obj).Patch(ctx, obj, patch, options...)
}
