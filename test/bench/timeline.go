// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// stallTimeout ends a wait in which no further object reaches the awaited state. It is longer than any delay of a run without
// faults, so the missing objects count as lost.
const stallTimeout = 2 * time.Minute

// A timeline records when a watch of the objects of one kind in a namespace showed each of them as ready, and as deleted.
type timeline struct {
	isReady func(client.Object) bool

	mu      sync.Mutex
	ready   map[string]time.Time // by the object's name, the first time
	deleted map[string]time.Time // by the object's name
	failure error
	changed chan struct{}
}

// watchTimeline watches the objects of the list's kind until the context ends. isReady decides about the ready column.
func watchTimeline[T client.Object](ctx context.Context, api client.WithWatch, namespace string, list client.ObjectList, isReady func(T) bool) (*timeline, error) {
	if err := api.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), objectWatcher{api, namespace, list})
	if err != nil {
		return nil, err
	}
	t := &timeline{
		isReady: func(o client.Object) bool { return isReady(o.(T)) },
		ready:   map[string]time.Time{}, deleted: map[string]time.Time{}, changed: make(chan struct{}, 1),
	}
	go t.readEvents(watcher.ResultChan())
	return t, nil
}

// An objectWatcher watches the objects of a kind in a namespace for a RetryWatcher.
type objectWatcher struct {
	api       client.WithWatch
	namespace string
	list      client.ObjectList // of the kind
}

// WatchWithContext implements cache.WatcherWithContext.
func (w objectWatcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return w.api.Watch(ctx, w.list, &client.ListOptions{Namespace: w.namespace, Raw: &options})
}

func (t *timeline) readEvents(events <-chan watch.Event) {
	for event := range events {
		t.record(event, time.Now())
	}
	t.record(watch.Event{Type: watch.Error}, time.Now())
}

func (t *timeline) record(event watch.Event, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o, ok := event.Object.(client.Object); {
	case !ok:
		t.failure = cmp.Or(t.failure, fmt.Errorf("the watch ended: %v", event.Object))
	case event.Type == watch.Deleted:
		t.deleted[o.GetName()] = now
	case t.ready[o.GetName()].IsZero() && t.isReady(o):
		t.ready[o.GetName()] = now
	default:
		return
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// waitReady waits until the first n objects were shown as ready, and returns when each was.
func (t *timeline) waitReady(ctx context.Context, n int) ([]time.Time, error) {
	return t.waitForCount(ctx, n, "ready", t.ready)
}

// waitDeleted waits until the first n objects were shown as deleted, and returns when each was.
func (t *timeline) waitDeleted(ctx context.Context, n int) ([]time.Time, error) {
	return t.waitForCount(ctx, n, "deleted", t.deleted)
}

// waitForCount waits until n times are recorded in one of the maps.
func (t *timeline) waitForCount(ctx context.Context, n int, state string, recorded map[string]time.Time) ([]time.Time, error) {
	for {
		t.mu.Lock()
		count, failure := len(recorded), t.failure
		t.mu.Unlock()
		if failure != nil {
			return nil, failure
		}
		if count >= n {
			break
		}
		select {
		case <-t.changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(stallTimeout):
			return nil, fmt.Errorf("lost: only %d of %d objects are %s, and for %s no other was", count, n, state, stallTimeout)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	times := make([]time.Time, n)
	for i := range times {
		times[i] = recorded[objectName(i)]
	}
	return times, nil
}
