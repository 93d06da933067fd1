// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// WatchObjects checks each state of the objects until the context ends. ended waits for the last check.
func (c Checker) WatchObjects(ctx context.Context) (ended func()) {
	var all sync.WaitGroup
	for _, list := range append(c.ObjectLists(), &eventsv1.EventList{}) {
		seen, err := c.Client.Watch(ctx, list, c.ListScope(list))
		if err != nil {
			c.Reportf("watching: %v", err)
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

// rewatch begins a watch again after it ended because the API server was not available. An error means that the context has ended.
func (c Checker) rewatch(ctx context.Context, list client.ObjectList) (seen watch.Interface, err error) {
	for ctx.Err() == nil {
		if seen, err = c.Client.Watch(ctx, list, c.ListScope(list)); err == nil {
			return seen, nil
		}
		proxy.Sleep(ctx, 100*time.Millisecond)
	}
	return nil, ctx.Err()
}

// readWatch checks what a watch shows, until the watch ends.
func (c Checker) readWatch(ctx context.Context, seen watch.Interface) {
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

// checkChange checks an object that was created, changed or deleted. When an object is gone, the broker must not hold its ids.
func (c Checker) checkChange(by watch.EventType, o client.Object) {
	c.checkCanary(o)
	c.noteMention(o)
	if a, ok := o.(*v1beta1.Alert); ok && by != watch.Deleted {
		c.checkPage(a)
		c.checkPosted(a)
	}
	if by != watch.Deleted || c.Broker == nil {
		return
	}
	held := c.BrokerIDs()
	for _, id := range catalog.ExternalIDs(o) {
		if held[id] && !c.Retained.Has(id) && !c.Foreign.Has(id) {
			c.Reportf("%s is gone, and the broker still has %s", o.GetName(), id)
		}
	}
}

// checkPage checks that an Alert about an object fires only if the object has failed while its labels let it page.
func (c Checker) checkPage(a *v1beta1.Alert) {
	if a.Annotations[v1beta1.PagedResourceAnnotation] == "" || a.Spec.State == v1beta1.AlertResolved {
		return
	}
	if uid := a.Annotations[v1beta1.PagedUIDAnnotation]; uid != "" && !c.MayPage.Has(uid) {
		c.Reportf("Alert %s fires, and its object has not failed, or must not page", a.Name)
	}
}

// noteMention records whether a condition in the status of an object mentions a write that the API server refuses for a while.
func (c Checker) noteMention(o client.Object) {
	if !c.Fault.NeedsMention() || c.hasMention.Load() {
		return
	}
	var read struct {
		Status struct{ Conditions []struct{ Message string } }
	}
	text, err := json.Marshal(o)
	if err != nil || json.Unmarshal(text, &read) != nil {
		return
	}
	for _, condition := range read.Status.Conditions {
		if strings.Contains(condition.Message, proxy.RefusalText) {
			c.hasMention.Store(true)
		}
	}
}

// checkMention checks that a condition told the user of a write that the API server refused at least twice.
func (c Checker) checkMention() {
	if n := c.Refusals(); c.Fault.NeedsMention() && n > 1 && !c.hasMention.Load() {
		c.Reportf("the API server refused %d writes, which no condition mentions", n)
	}
}
