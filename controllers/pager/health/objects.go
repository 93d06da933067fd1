// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// objects are the objects with the label. An informer of each resource in each namespace has them, with the label as selector of the API
// server, so that an object without it costs nothing. A cache of controller-runtime would not do: it has synced only once
// all namespaces can be read, does not say in which namespace a read failed, and refuses to read a healthrules.Trimmed.
type objects struct {
	api        dynamic.Interface
	newMapper  func() (meta.RESTMapper, error) // of the resources that the API server serves now
	failures   failures
	namespaces []string                                      // one element that is empty: all
	queue      workqueue.TypedRateLimitingInterface[request] // once they are started
	deleted    deletedJobs
	changed    changedObjects
	startedAt  time.Time

	mu    sync.Mutex
	kinds map[schema.GroupResource]*kind
}

// kind is a resource that is watched.
type kind struct {
	healthrules.Watched
	isVersioned bool                                 // by the flag; else its version is the one that the API server prefers when the informers begin
	informers   map[string]cache.SharedIndexInformer // by namespace; nil: its version is not known yet
	stop        context.CancelFunc                   // ends the informers
}

// keyIndex finds the objects of a request in an informer.
const keyIndex = "request"

// enqueue adds a request to the queue of the controller, which has started the informers.
func (all *objects) enqueue(req request) { all.queue.Add(req) }

// newObjects returns the objects of some resources, in all namespaces if none is given.
func newObjects(api dynamic.Interface, newMapper func() (meta.RESTMapper, error), failures failures, watched []healthrules.Watched, namespaces []string) *objects {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	all := &objects{api: api, newMapper: newMapper, failures: failures, namespaces: namespaces, kinds: map[schema.GroupResource]*kind{}}
	for _, w := range watched {
		all.kinds[w.GroupResource()] = &kind{Watched: w, isVersioned: w.Version != ""}
	}
	return all
}

// start runs the informers until ctx ends, and adds a request for each change to a queue.
func (all *objects) start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[request]) error {
	all.queue, all.startedAt = queue, time.Now()
	for resource, k := range all.kinds {
		if k.isVersioned {
			if err := all.startKind(ctx, k.GroupVersionResource); err != nil {
				return err
			}
			continue
		}
		go all.startPreferred(ctx, resource)
	}
	return nil
}

// findVersionEvery is how often the version of a resource is looked for that the API server does not serve yet.
const findVersionEvery = 30 * time.Second

// startPreferred starts a resource in the version that the API server prefers, once it serves it.
func (all *objects) startPreferred(ctx context.Context, resource schema.GroupResource) {
	fail := all.failures.handler(schema.GroupVersionResource{Group: resource.Group, Resource: resource.Resource}, metav1.NamespaceAll)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		all.mu.Lock()
		isKnown := all.kinds[resource].informers != nil
		all.mu.Unlock()
		if isKnown {
			return
		}
		if err := all.startFound(ctx, resource); err != nil {
			fail(ctx, nil, err)
		}
	}, findVersionEvery)
}

// startFound starts the informers of a resource in the version that the API server prefers now.
func (all *objects) startFound(ctx context.Context, resource schema.GroupResource) error {
	mapper, err := all.newMapper()
	if err != nil {
		return err
	}
	found, err := mapper.ResourceFor(resource.WithVersion(""))
	if err != nil {
		return err
	}
	if found.GroupResource() != resource { // the mapper also takes singular names, and parts of a group
		return fmt.Errorf("--page-kinds has %s, which the API server does not serve: write %s", resource, found.GroupResource())
	}
	return all.startKind(ctx, found)
}

// stopKind ends the informers of a resource whose version is not served any more, unless the flag names the version: startPreferred finds another.
func (all *objects) stopKind(resource schema.GroupResource) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if k := all.kinds[resource]; !k.isVersioned && k.stop != nil {
		k.stop()
		k.informers, k.stop = nil, nil
	}
}

// startKind starts the informers of a resource.
func (all *objects) startKind(ctx context.Context, resource schema.GroupVersionResource) error {
	selected := func(o *metav1.ListOptions) { o.LabelSelector = healthrules.Selector }
	indexers := cache.Indexers{
		cache.NamespaceIndex: cache.MetaNamespaceIndexFunc,
		keyIndex: func(obj any) ([]string, error) {
			return []string{string(requestFor(resource.GroupResource(), obj.(*healthrules.Trimmed)).key())}, nil
		},
	}
	informers := map[string]cache.SharedIndexInformer{}
	for _, namespace := range all.namespaces {
		informer := dynamicinformer.NewFilteredDynamicInformer(all.api, resource, namespace, 0, indexers, selected).Informer()
		if err := all.handle(resource, namespace, informer); err != nil {
			return err
		}
		informers[namespace] = informer
	}
	all.mu.Lock()
	k := all.kinds[resource.GroupResource()]
	ctx, k.stop = context.WithCancel(ctx)
	k.GroupVersionResource, k.informers = resource, informers
	all.mu.Unlock()
	for _, informer := range informers {
		go informer.RunWithContext(ctx)
	}
	return nil
}

// handle has an informer keep a Trimmed of each object, and add a request for each change.
func (all *objects) handle(resource schema.GroupVersionResource, namespace string, informer cache.SharedIndexInformer) error {
	trim := func(obj any) (any, error) {
		if o, ok := obj.(*unstructured.Unstructured); ok { // an initial list is transformed twice
			return healthrules.Trim(o)
		}
		return obj, nil
	}
	if err := informer.SetTransform(trim); err != nil {
		return err
	}
	count := all.failures.handler(resource, namespace)
	err := informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, reflector *cache.Reflector, err error) {
		count(ctx, reflector, err)
		if apierrors.IsNotFound(err) {
			all.stopKind(resource.GroupResource())
		}
	})
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, isInInitialList bool) {
			o := obj.(*healthrules.Trimmed)
			req := requestFor(resource.GroupResource(), o)
			if !isInInitialList || !o.Created().Before(all.startedAt) {
				all.changed.add(req.key())
			}
			all.enqueue(req)
		},
		UpdateFunc: func(was, is any) {
			req := requestFor(resource.GroupResource(), is.(*healthrules.Trimmed))
			all.changed.add(req.key())
			all.enqueue(req)
			if former := requestFor(resource.GroupResource(), was.(*healthrules.Trimmed)); former != req { // it was created again
				all.enqueue(former)
			}
		},
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			if o, ok := obj.(*healthrules.Trimmed); ok {
				all.drop(requestFor(resource.GroupResource(), o), o)
			}
		},
	})
	return err
}

// drop handles an object that does not exist any more, or has lost the label. The last state of a Job that has ended is kept until it is handled.
func (all *objects) drop(req request, o *healthrules.Trimmed) {
	if req.isJob() {
		if last, err := o.Object(); err == nil && healthrules.Compute(last, healthrules.Evidence{}).HasEnded {
			all.deleted.add(req, o)
		}
	}
	all.enqueue(req)
}

// found is the object of a request as the informers have it.
type found struct {
	object *unstructured.Unstructured // nil: it has the label no more, or does not exist
	isGone bool                       // it is deleted
	// kept is the deleted Job of the request; nil: no deleted Job is kept.
	kept *healthrules.Trimmed
	// again is when another Job of the request decides, by time alone; zero: never.
	again time.Time
}

// get returns the object of a request; of several Jobs the one that decides now. isKnown is false as long as the informer has not seen all objects:
// then the absence of the object proves nothing.
func (all *objects) get(ctx context.Context, req request, now time.Time) (f found, isKnown bool, err error) {
	all.mu.Lock()
	k, ok := all.kinds[req.Resource]
	all.mu.Unlock()
	if !ok {
		return found{isGone: true}, true, nil // the operator was started without this resource
	}
	informer, isServed := all.informerOf(k, req.Namespace)
	if !isServed {
		return found{isGone: true}, true, nil // the operator was started without this namespace
	}
	if informer == nil || !informer.HasSynced() {
		return found{}, false, nil
	}
	trimmed, err := informer.GetIndexer().ByIndex(keyIndex, string(req.key()))
	if err != nil {
		return found{}, true, err
	}
	var candidates []*unstructured.Unstructured
	for _, obj := range trimmed {
		o, err := obj.(*healthrules.Trimmed).Object()
		if err != nil {
			return found{}, true, err
		}
		candidates = append(candidates, o)
	}
	if !req.isJob() {
		if len(candidates) == 0 {
			return found{isGone: true}, true, nil
		}
		return found{object: candidates[0]}, true, nil
	}
	f.kept = all.deleted.of(req)
	f.isGone = len(candidates) == 0
	if f.kept != nil {
		gone, isUnlabelled, err := all.readGone(ctx, f.kept)
		if err != nil {
			return found{}, true, err
		}
		if gone != nil {
			candidates = append(candidates, gone)
		}
		f.isGone = f.isGone && !isUnlabelled
	}
	f.object, f.again = healthrules.DecidingJob(candidates, now)
	return f, true, nil
}

// hasInformers reports whether objects of a resource are read, or will be as soon as the informers have synced.
func (all *objects) hasInformers(resource schema.GroupResource) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.kinds[resource] != nil && all.kinds[resource].informers != nil
}

// informerOf returns the informer of a kind that has the objects of a namespace; nil: not started yet. isServed is false if the operator does not
// serve the namespace.
func (all *objects) informerOf(k *kind, namespace string) (informer cache.SharedIndexInformer, isServed bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, served := range all.namespaces {
		if served == namespace || served == metav1.NamespaceAll {
			return k.informers[served], true
		}
	}
	return nil, false
}

// readGone returns a Job that was dropped if it does not exist any more; isUnlabelled: it exists without the label.
func (all *objects) readGone(ctx context.Context, job *healthrules.Trimmed) (gone *unstructured.Unstructured, isUnlabelled bool, err error) {
	o, err := job.Object()
	if err != nil {
		return nil, false, err
	}
	is, err := all.read(ctx, jobs, o)
	switch {
	case err != nil:
		return nil, false, err
	case is == nil:
		return o, false, nil
	}
	return nil, is.GetLabels()[v1beta1.PageLabel] != "true", nil
}

// read returns an object as the API server has it now, nil if it does not exist. It lists, as the informers do, so that the operator needs no
// further right.
func (all *objects) read(ctx context.Context, resource schema.GroupResource, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	named := fields.OneTermEqualSelector(metav1.ObjectNameField, o.GetName()).String()
	list, err := all.api.Resource(all.version(resource)).Namespace(o.GetNamespace()).List(ctx, metav1.ListOptions{FieldSelector: named})
	if err != nil {
		return nil, client.IgnoreNotFound(err) // the resource may not be served any more
	}
	for i := range list.Items {
		if list.Items[i].GetUID() == o.GetUID() {
			return &list.Items[i], nil
		}
	}
	return nil, nil
}

// version returns a resource with the version that is read.
func (all *objects) version(resource schema.GroupResource) schema.GroupVersionResource {
	all.mu.Lock()
	defer all.mu.Unlock()
	if k, ok := all.kinds[resource]; ok {
		return k.GroupVersionResource
	}
	return resource.WithVersion("")
}

// failuresOf returns the conditions that mean a failure of the objects of a resource; none: those that package healthrules knows.
func (all *objects) failuresOf(resource schema.GroupResource) []healthrules.Sign {
	if k, ok := all.kinds[resource]; ok {
		return k.Failures
	}
	return nil
}

// in returns requests for the objects of a namespace.
func (all *objects) in(namespace string) []request {
	all.mu.Lock()
	defer all.mu.Unlock()
	var requests []request
	for resource, k := range all.kinds {
		for _, informer := range k.informers {
			found, err := informer.GetIndexer().ByIndex(cache.NamespaceIndex, namespace)
			if err != nil {
				continue // there is such an index
			}
			for _, obj := range found {
				requests = append(requests, requestFor(resource, obj.(*healthrules.Trimmed)))
			}
		}
	}
	return requests
}
