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

package health

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/health"
)

// objects are the objects with the label. An informer of each resource in each namespace has them, with the label as selector of the API
// server, so that an object without it costs nothing.
type objects struct {
	api       dynamic.Interface
	failures  failures
	informers map[schema.GroupVersionResource]map[string]cache.SharedIndexInformer // by namespace; "": of all
	queue     workqueue.TypedRateLimitingInterface[request]                        // once they are started
}

// enqueue adds a request to the queue of the controller, which has started the informers.
func (all *objects) enqueue(req request) { all.queue.Add(req) }

// newObjects returns the objects of some resources, in all namespaces if none is given.
func newObjects(api dynamic.Interface, failures failures, resources []schema.GroupVersionResource, namespaces []string) *objects {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	selected := func(o *metav1.ListOptions) { o.LabelSelector = lifecycle.Selector }
	all := &objects{api: api, failures: failures, informers: map[schema.GroupVersionResource]map[string]cache.SharedIndexInformer{}}
	for _, resource := range resources {
		all.informers[resource] = map[string]cache.SharedIndexInformer{}
		for _, namespace := range namespaces {
			indexers := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
			all.informers[resource][namespace] = dynamicinformer.NewFilteredDynamicInformer(api, resource, namespace, 0, indexers, selected).Informer()
		}
	}
	return all
}

// start runs the informers until ctx ends, and adds a request for each change to a queue.
func (all *objects) start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[request]) error {
	all.queue = queue
	for resource, informers := range all.informers {
		for namespace, informer := range informers {
			if err := all.startOne(ctx, resource, namespace, informer); err != nil {
				return err
			}
		}
	}
	return nil
}

func (all *objects) startOne(ctx context.Context, resource schema.GroupVersionResource, namespace string, informer cache.SharedIndexInformer) error {
	enqueue := func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if o, ok := obj.(*lifecycle.Trimmed); ok {
			all.enqueue(requestFor(resource, o))
		}
	}
	trim := func(obj any) (any, error) {
		if o, ok := obj.(*unstructured.Unstructured); ok { // an initial list is transformed twice
			return lifecycle.Trim(o)
		}
		return obj, nil
	}
	if err := informer.SetTransform(trim); err != nil {
		return err
	}
	if err := informer.SetWatchErrorHandlerWithContext(all.failures.handler(resource, namespace)); err != nil {
		return err
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(was, is any) { enqueue(was); enqueue(is) }, // an object that was created again has another UID
		DeleteFunc: enqueue,
	})
	if err != nil {
		return err
	}
	go informer.RunWithContext(ctx)
	return nil
}

// get returns the object of a request, nil if it has the label no more, or does not exist. isKnown is false as long as the informer has not
// seen all objects: then nil proves nothing.
func (all *objects) get(req request) (o *unstructured.Unstructured, isKnown bool, err error) {
	informer, ok := all.informers[req.Resource][req.Namespace]
	if !ok {
		informer, ok = all.informers[req.Resource][metav1.NamespaceAll]
	}
	if !ok {
		return nil, true, nil // the operator was started without this resource, or this namespace
	}
	if !informer.HasSynced() {
		return nil, false, nil
	}
	obj, exists, err := informer.GetIndexer().GetByKey(req.Namespace + "/" + req.Name)
	if err != nil || !exists {
		return nil, true, err
	}
	o, err = obj.(*lifecycle.Trimmed).Object()
	if err != nil || o.GetUID() != req.UID {
		return nil, true, err
	}
	return o, true, nil
}

// read returns the object of a request as the API server has it now, nil if it does not exist. It lists, as the informers do, so that the
// operator needs no further right.
func (all *objects) read(ctx context.Context, req request) (*unstructured.Unstructured, error) {
	named := fields.OneTermEqualSelector(metav1.ObjectNameField, req.Name).String()
	list, err := all.api.Resource(req.Resource).Namespace(req.Namespace).List(ctx, metav1.ListOptions{FieldSelector: named})
	if err != nil {
		return nil, client.IgnoreNotFound(err) // the resource may not be served any more
	}
	for i := range list.Items {
		if list.Items[i].GetUID() == req.UID {
			return &list.Items[i], nil
		}
	}
	return nil, nil
}

// in returns requests for the objects of a namespace.
func (all *objects) in(namespace string) []request {
	var requests []request
	for resource, informers := range all.informers {
		for _, informer := range informers {
			found, err := informer.GetIndexer().ByIndex(cache.NamespaceIndex, namespace)
			if err != nil {
				continue // there is such an index
			}
			for _, obj := range found {
				requests = append(requests, requestFor(resource, obj.(*lifecycle.Trimmed)))
			}
		}
	}
	return requests
}
