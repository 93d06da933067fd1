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
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// checkReceivers looks at what receivers were told.
func (c checker) checkReceivers(all []client.Object) {
	for name, p := range c.receivers {
		c.checkAttempts(name, p)
	}
	for _, o := range all {
		if a, ok := o.(*v1beta1.Alert); ok {
			c.checkSentRows(a)
		}
	}
}

// checkAttempts looks at how often somebody was told something.
func (c checker) checkAttempts(name string, p *fakeReceiver) {
	limit := 1
	if !p.atMostOnce {
		limit += c.maxRepeats
	}
	if p.inbox == nil {
		for text, n := range p.received() {
			if n > limit {
				c.reportf("receiver %s was told %d times of %s", name, n, text)
			}
		}
		return
	}
	attempts, collisions := p.takeAttempts()
	for _, a := range attempts {
		if a.count > limit {
			c.reportf("receiver %s was told %d times of %s under one key", name, a.count, a.event)
		}
	}
	for _, collision := range collisions {
		c.reportf("receiver %s was told of %s", name, collision)
	}
	if n := p.inbox.Refused(); n > 0 && !p.expectsRefusals {
		c.reportf("receiver %s had to refuse %d requests", name, n)
	}
}

// checkSentRows: what an Alert says is sent has arrived.
func (c checker) checkSentRows(a *v1beta1.Alert) {
	for _, row := range a.Status.Deliveries {
		p := c.receivers[stripRunName(row.Name)]
		if row.State != v1beta1.DeliverySent || a.Spec.State != v1beta1.AlertFiring || !isForReceiver(a, row) {
			continue
		}
		has := func(text string) bool { return strings.Contains(text, a.Spec.Content) }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(p.received())), has) {
			c.reportf("%s says that %s was told %q, who was not", a.Name, row.Name, a.Spec.Content)
		}
	}
}
