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
	"context"
	"sync"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watch sees each state of objects until the context ends, and when they go: before, nothing may be
// left of them outside. ended waits for the last that is seen.
func (c checker) watch(ctx context.Context) (ended func()) {
	var all sync.WaitGroup
	for _, list := range append(c.lists(), &eventsv1.EventList{}) {
		seen, err := c.client.Watch(ctx, list, c.within(list))
		if err != nil {
			c.blame("watching: %v", err)
			continue
		}
		all.Go(func() {
			for err == nil {
				c.follow(ctx, seen)
				seen, err = c.watchAgain(ctx, list)
			}
		})
	}
	return all.Wait
}

// watchAgain is for when a watch has ended, as the API server was away. An error means that the
// context has.
func (c checker) watchAgain(ctx context.Context, list client.ObjectList) (seen watch.Interface, err error) {
	for ctx.Err() == nil {
		if seen, err = c.client.Watch(ctx, list, c.within(list)); err == nil {
			return seen, nil
		}
		wait(ctx, 100*time.Millisecond)
	}
	return nil, ctx.Err()
}

// follow sees what a watch shows, until that ends.
func (c checker) follow(ctx context.Context, seen watch.Interface) {
	defer seen.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-seen.ResultChan():
			if !ok {
				return
			}
			if o, isObject := e.Object.(client.Object); isObject {
				c.seen(e.Type, o)
			}
		}
	}
}

// seen is for an object as it has just become.
func (c checker) seen(by watch.EventType, o client.Object) {
	c.checkCanary(o)
	if by != watch.Deleted || c.broker == nil {
		return
	}
	held := c.held()
	for _, id := range idsOf(o) {
		if held[id] && !c.left.has(id) && !c.strangers.has(id) {
			c.blame("%s is gone, and the broker still has %s", o.GetName(), id)
		}
	}
}
