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

// watchObjects sees each state of objects until the context ends, and when they go: before, nothing may be
// left of them outside. ended waits for the last that is seen.
func (c checker) watchObjects(ctx context.Context) (ended func()) {
	var all sync.WaitGroup
	for _, list := range append(c.objectLists(), &eventsv1.EventList{}) {
		seen, err := c.client.Watch(ctx, list, c.listScope(list))
		if err != nil {
			c.reportf("watching: %v", err)
			continue
		}
		all.Go(func() {
			for err == nil {
				c.readWatch(ctx, seen)
				seen, err = c.rewatch(ctx, list)
			}
		})
	}
	return all.Wait
}

// rewatch is for when a watch has ended, as the API server was away. An error means that the
// context has.
func (c checker) rewatch(ctx context.Context, list client.ObjectList) (seen watch.Interface, err error) {
	for ctx.Err() == nil {
		if seen, err = c.client.Watch(ctx, list, c.listScope(list)); err == nil {
			return seen, nil
		}
		sleep(ctx, 100*time.Millisecond)
	}
	return nil, ctx.Err()
}

// readWatch sees what a watch shows, until that ends.
func (c checker) readWatch(ctx context.Context, seen watch.Interface) {
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
				c.checkChange(e.Type, o)
			}
		}
	}
}

// checkChange is for an object as it has just become.
func (c checker) checkChange(by watch.EventType, o client.Object) {
	c.checkCanary(o)
	if by != watch.Deleted || c.broker == nil {
		return
	}
	held := c.brokerIDs()
	for _, id := range recordedIDs(o) {
		if held[id] && !c.retained.has(id) && !c.foreign.has(id) {
			c.reportf("%s is gone, and the broker still has %s", o.GetName(), id)
		}
	}
}
