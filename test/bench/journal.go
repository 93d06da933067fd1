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

// patience is for how long nothing may happen before an object that is waited for counts as lost. It is longer than anything
// that a run without faults could wait for.
const patience = 2 * time.Minute

// A journal is what a watch of the objects of one kind in a namespace has shown, and when.
type journal struct {
	isReady func(client.Object) bool

	mu      sync.Mutex
	ready   map[string]time.Time // when the object was first shown as ready, by its name
	gone    map[string]time.Time // when it was shown as deleted
	failure error
	news    chan struct{}
}

// follow watches the objects that the list is of until the context ends. It notes when isReady first says so of one.
func follow[T client.Object](ctx context.Context, api client.WithWatch, namespace string, list client.ObjectList, isReady func(T) bool) (*journal, error) {
	if err := api.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), watched{api, namespace, list})
	if err != nil {
		return nil, err
	}
	j := &journal{
		isReady: func(o client.Object) bool { return isReady(o.(T)) },
		ready:   map[string]time.Time{}, gone: map[string]time.Time{}, news: make(chan struct{}, 1),
	}
	go j.read(watcher.ResultChan())
	return j, nil
}

// watched are the objects of a kind in a namespace.
type watched struct {
	api       client.WithWatch
	namespace string
	list      client.ObjectList // of the kind
}

// WatchWithContext is what a RetryWatcher asks for.
func (w watched) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return w.api.Watch(ctx, w.list, &client.ListOptions{Namespace: w.namespace, Raw: &options})
}

func (j *journal) read(events <-chan watch.Event) {
	for event := range events {
		j.note(event, time.Now())
	}
	j.note(watch.Event{Type: watch.Error}, time.Now())
}

func (j *journal) note(event watch.Event, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch o, ok := event.Object.(client.Object); {
	case !ok:
		j.failure = cmp.Or(j.failure, fmt.Errorf("the watch ended: %v", event.Object))
	case event.Type == watch.Deleted:
		j.gone[o.GetName()] = now
	case j.ready[o.GetName()].IsZero() && j.isReady(o):
		j.ready[o.GetName()] = now
	default:
		return
	}
	select {
	case j.news <- struct{}{}:
	default:
	}
}

// readyAt is when the first n objects were shown as ready, once all are.
func (j *journal) readyAt(ctx context.Context, n int) ([]time.Time, error) {
	return j.times(ctx, n, "ready", j.ready)
}

// goneAt is when the first n objects were shown as deleted, once all are.
func (j *journal) goneAt(ctx context.Context, n int) ([]time.Time, error) {
	return j.times(ctx, n, "deleted", j.gone)
}

// times waits until enough are noted.
func (j *journal) times(ctx context.Context, n int, what string, noted map[string]time.Time) ([]time.Time, error) {
	for {
		j.mu.Lock()
		count, failure := len(noted), j.failure
		j.mu.Unlock()
		if failure != nil {
			return nil, failure
		}
		if count >= n {
			break
		}
		select {
		case <-j.news:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(patience):
			return nil, fmt.Errorf("lost: only %d of %d objects are %s, and for %s no other was", count, n, what, patience)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	times := make([]time.Time, n)
	for i := range times {
		times[i] = noted[objectName(i)]
	}
	return times, nil
}
