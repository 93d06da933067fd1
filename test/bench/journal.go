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

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// patience is for how long nothing may happen before an Alert that is waited for counts as lost. It is longer than anything
// that a run without faults could wait for.
const patience = 2 * time.Minute

// A journal is what a watch of a namespace's Alerts has shown, and when.
type journal struct {
	sent func(*v1beta1.Alert) bool

	mu      sync.Mutex
	when    map[string]time.Time // the Alert was first shown as sent, by its name
	gone    int
	failure error
	news    chan struct{}
}

// follow watches until the context ends. What sent says of an Alert is when it is noted.
func follow(ctx context.Context, api client.WithWatch, namespace string, sent func(*v1beta1.Alert) bool) (*journal, error) {
	var none v1beta1.AlertList
	if err := api.List(ctx, &none, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, none.ResourceVersion, alertsOf{api, namespace})
	if err != nil {
		return nil, err
	}
	j := &journal{sent: sent, when: map[string]time.Time{}, news: make(chan struct{}, 1)}
	go j.read(watcher.ResultChan())
	return j, nil
}

// alertsOf is a namespace whose Alerts can be watched.
type alertsOf struct {
	api       client.WithWatch
	namespace string
}

// WatchWithContext is what a RetryWatcher asks for.
func (a alertsOf) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return a.api.Watch(ctx, &v1beta1.AlertList{}, &client.ListOptions{Namespace: a.namespace, Raw: &options})
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
	switch a, ok := event.Object.(*v1beta1.Alert); {
	case !ok:
		j.failure = cmp.Or(j.failure, fmt.Errorf("the watch ended: %v", event.Object))
	case event.Type == watch.Deleted:
		j.gone++
	case j.when[a.Name].IsZero() && j.sent(a):
		j.when[a.Name] = now
	default:
		return
	}
	select {
	case j.news <- struct{}{}:
	default:
	}
}

// sentAt is when the first n Alerts were shown as sent, once as many are.
func (j *journal) sentAt(ctx context.Context, n int) ([]time.Time, error) {
	if err := j.await(ctx, n, "sent", func() int { return len(j.when) }); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	times := make([]time.Time, n)
	for i := range n {
		times[i] = j.when[alertName(i)]
	}
	return times, nil
}

// allGone returns once n Alerts are deleted.
func (j *journal) allGone(ctx context.Context, n int) error {
	return j.await(ctx, n, "deleted", func() int { return j.gone })
}

// await returns once enough are counted.
func (j *journal) await(ctx context.Context, n int, what string, count func() int) error {
	for {
		j.mu.Lock()
		counted, failure := count(), j.failure
		j.mu.Unlock()
		if counted >= n || failure != nil {
			return failure
		}
		select {
		case <-j.news:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(patience):
			return fmt.Errorf("lost: only %d of %d Alerts are %s, and for %s no other was", counted, n, what, patience)
		}
	}
}
