// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// joinTimes are when alerts last joined each Alert of an AlertSource.
type joinTimes struct {
	mu   sync.Mutex
	last map[types.UID]time.Time
}

// before records when alerts joined an Alert, and returns how much earlier others did.
func (j *joinTimes) before(a *v1beta1.Alert) (since time.Duration, known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	last, known := j.last[a.UID]
	j.last[a.UID] = a.Spec.JoinedTime.Time
	return a.Spec.JoinedTime.Sub(last), known
}

// checkPosted checks a state of an Alert of an AlertSource: what its sender says still fires has not ended, and alerts join in one message.
func (c Checker) checkPosted(a *v1beta1.Alert) {
	if a.Labels[v1beta1.AlertSourceLabel] == "" {
		return
	}
	for _, i := range a.Spec.Instances {
		if i.EndsAt != nil && !c.Sender.MayEnd(i) {
			c.Reportf("the instance %q of Alert %s has ended, which its sender has not said", i.Text, a.Name)
		}
	}
	if a.Spec.JoinedTime == nil {
		return
	}
	if since, known := c.joins.before(a); known && since != 0 && since < scenario.JoinEvery {
		c.Reportf("Alert %s notifies of what joins %s after it did", a.Name, since)
	}
}

// checkNotified checks that each message of a receiver that notifies of an Alert of a source has something that is new to people, and that they
// hear of an alert as often as it began to fire.
func (c Checker) checkNotified(name string, p *scenario.FakeReceiver) {
	if p.Inbox == nil {
		return
	}
	known, times := map[string]map[string]bool{}, map[string]int{} // by UID, and by node
	for _, m := range p.Inbox.Messages() {
		if m.Event != "alert.fired" {
			if m.Event == "alert.resolved" {
				delete(known, m.UID)
			}
			continue
		}
		if known[m.UID] == nil {
			known[m.UID] = map[string]bool{}
		}
		isPosted, hasNews := false, false
		for line := range strings.Lines(m.Content) {
			node := scenario.NodeOf(line)
			if c.Sender.Starts(node) == 0 {
				continue
			}
			isPosted = true
			if !known[m.UID][node] {
				known[m.UID][node], hasNews = true, true
				times[node]++
			}
		}
		if isPosted && !hasNews {
			c.Reportf("receiver %s was notified of nothing new: %q", name, m.Content)
		}
	}
	for node, n := range times {
		if starts := c.Sender.Starts(node); n > starts {
			c.Reportf("receiver %s was notified %d times of %s, which began to fire %d times", name, n, node, starts)
		}
	}
}
