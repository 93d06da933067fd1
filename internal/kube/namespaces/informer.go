// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package namespaces

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// newInformer returns NewInformer of a cache's options.
func (s Set) newInformer(scheme *runtime.Scheme) func(toolscache.ListerWatcher, runtime.Object, time.Duration, toolscache.Indexers) toolscache.SharedIndexInformer {
	return func(lw toolscache.ListerWatcher, obj runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		switch metadata, ok := obj.(*metav1.PartialObjectMetadata); {
		case isOff(obj, scheme):
			lw = byName{source: toolscache.ToListerWatcherWithContext(lw)}
		case ok && metadata.Kind == "Namespace":
			lw = byName{source: toolscache.ToListerWatcherWithContext(lw), names: s}
		}
		return toolscache.NewSharedIndexInformer(lw, obj, resync, indexers)
	}
}

// byName lists and watches the objects of a cluster-scoped kind that have these names, each by itself, so that a right to these names is
// enough. Without names it sends no request.
type byName struct {
	source toolscache.ListerWatcherWithContext
	names  []string
}

// IsWatchListSemanticsUnSupported makes the reflector list: several watches have no common beginning.
func (byName) IsWatchListSemanticsUnSupported() bool { return true }

func (b byName) List(options metav1.ListOptions) (runtime.Object, error) {
	return b.ListWithContext(context.Background(), options)
}

func (b byName) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return b.WatchWithContext(context.Background(), options)
}

// ListWithContext returns the objects, with the version of the first list: a watch from there shows everything that the list lacks.
func (b byName) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	all := &metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: firstVersion}}
	for i, name := range b.names {
		one := options
		one.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
		list, err := b.source.ListWithContext(ctx, one)
		if err != nil {
			return nil, err
		}
		items := list.(*metav1.PartialObjectMetadataList)
		if i == 0 {
			all.ListMeta = items.ListMeta
		}
		all.Items = append(all.Items, items.Items...)
	}
	return all, nil
}

// WatchWithContext watches the objects. When a watch ends, all end, and the objects are listed again: the version of the last event of one says nothing of the
// others.
func (b byName) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan watch.Event)
	merged := watch.NewProxyWatcher(events)
	var parts sync.WaitGroup
	for _, name := range b.names {
		one := options
		one.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
		source, err := b.source.WatchWithContext(ctx, one)
		if err != nil {
			cancel()
			merged.Stop()
			return nil, err
		}
		parts.Go(func() {
			defer source.Stop()
			forward(source, events, merged.StopChan())
		})
	}
	go func() {
		<-merged.StopChan()
		cancel()
		parts.Wait()
		close(events)
	}()
	return merged, nil
}

// forward forwards events until the source ends, which is an event itself, or stop is closed. Bookmarks are dropped.
func forward(source watch.Interface, to chan<- watch.Event, stop <-chan struct{}) {
	for {
		var event watch.Event
		select {
		case next, ok := <-source.ResultChan():
			if !ok {
				next = watch.Event{Type: watch.Error, Object: ended()}
			}
			event = next
		case <-stop:
			return
		}
		if event.Type == watch.Bookmark {
			continue
		}
		select {
		case to <- event:
		case <-stop:
			return
		}
		if event.Type == watch.Error {
			return
		}
	}
}

// ended is the status with which a reflector lists again.
func ended() *metav1.Status {
	status := apierrors.NewResourceExpired("the watch of an object ended").Status()
	return &status
}
