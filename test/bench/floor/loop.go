// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/cachetransform"
)

// A loop is an informer, a queue and workers, written with client-go alone. The manager only starts it, so that the webhooks are
// served by the same process.
type loop struct {
	client   rest.Interface
	informer cache.SharedIndexInformer
	queue    workqueue.TypedRateLimitingInterface[string]
	pager    *pager
	workers  int
}

func setUpLoop(mgr ctrl.Manager, o options) error {
	p, err := newPager(o)
	if err != nil {
		return err
	}
	config := rest.CopyConfig(mgr.GetConfig())
	config.APIPath, config.GroupVersion = "/apis", &v1beta1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(mgr.GetScheme()).WithoutConversion()
	api, err := rest.RESTClientFor(config)
	if err != nil {
		return err
	}
	l := &loop{
		client:   api,
		informer: cache.NewSharedIndexInformer(cache.NewListWatchFromClient(api, "alerts", metav1.NamespaceAll, fields.Everything()), &v1beta1.Alert{}, 0, nil),
		queue:    workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
		pager:    p,
		workers:  o.workers,
	}
	if err := l.informer.SetTransform(cachetransform.Strip("ServiceBinding")); err != nil {
		return err
	}
	_, err = l.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(added any) {
		if key, err := cache.MetaNamespaceKeyFunc(added); err == nil {
			l.queue.Add(key)
		}
	}})
	if err != nil {
		return err
	}
	return mgr.Add(l)
}

// Start processes Alerts until the context ends.
func (l *loop) Start(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { l.informer.RunWithContext(ctx) })
	if cache.WaitForCacheSync(ctx.Done(), l.informer.HasSynced) {
		for range l.workers {
			running.Go(func() { l.processQueue(ctx) })
		}
	}
	<-ctx.Done()
	l.queue.ShutDown()
	running.Wait()
	return nil
}

// processQueue takes Alerts from the queue until the queue is shut down.
func (l *loop) processQueue(ctx context.Context) {
	for {
		key, shutdown := l.queue.Get()
		if shutdown {
			return
		}
		if err := l.reconcileAlert(ctx, key); err != nil {
			ctrl.Log.Error(err, "Paging failed", "alert", key)
			l.queue.AddRateLimited(key)
		} else {
			l.queue.Forget(key)
		}
		l.queue.Done(key)
	}
}

// reconcileAlert sends an Alert that is not sent yet.
func (l *loop) reconcileAlert(ctx context.Context, key string) error {
	object, found, err := l.informer.GetStore().GetByKey(key)
	if err != nil || !found {
		return err
	}
	a := object.(*v1beta1.Alert)
	if a.Status.Sent {
		return nil
	}
	if err := l.pager.page(ctx, a); err != nil {
		return fmt.Errorf("paging: %w", err)
	}
	return l.client.Patch(types.JSONPatchType).Namespace(a.Namespace).Resource("alerts").Name(a.Name).SubResource("status").
		Body(statusPatch(a, l.pager.status)).Do(ctx).Error()
}
