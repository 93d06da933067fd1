// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// checkReceivers checks the messages that receivers got.
func (c Checker) checkReceivers(all []client.Object) {
	for name, p := range c.Receivers {
		c.checkAttempts(name, p)
		c.checkNotified(name, p)
	}
	for _, o := range all {
		if a, ok := o.(*v1beta1.Alert); ok {
			c.checkSentRows(a)
		}
	}
}

// checkAttempts checks how many times a receiver got a message.
func (c Checker) checkAttempts(name string, p *scenario.FakeReceiver) {
	limit := c.repeatsOf(name, p)
	joins := notifiedJoins(p)
	for join, n := range joins {
		if n > 1+limit.each || n > 1 && p.Inbox != nil {
			c.Reportf("receiver %s received %d times what joined %s", name, n, join)
		}
	}
	if p.Inbox == nil {
		for text, n := range p.Received() {
			if n > 1+limit.each {
				c.Reportf("receiver %s received %d times: %s", name, n, text)
			}
		}
		if n := max(repeats(joins), repeats(p.Received())); n > limit.inAll {
			c.Reportf("receiver %s received %d times what it had got", name, n)
		}
		return
	}
	attempts, collisions := p.TakeAttempts()
	repeated := map[string]int{} // by the UID of an Alert, or of all
	for _, a := range attempts {
		if a.Count > 1+limit.each {
			c.Reportf("receiver %s received %d times under one key: %s", name, a.Count, a.Event)
		}
		if !limit.ofEachAlert {
			a.UID = ""
		}
		repeated[a.UID] += max(0, a.Count-1)
	}
	for _, n := range repeated {
		if n > limit.inAll {
			c.Reportf("receiver %s received %d times what it had got under the same key", name, n)
		}
	}
	for _, collision := range collisions {
		c.Reportf("receiver %s received %s", name, collision)
	}
	if n := p.Refused(); n > 0 && !p.ExpectsRefusals {
		c.Reportf("receiver %s refused %d requests", name, n)
	}
}

// repeatLimit is how many times a receiver may get something again: each message, and all messages together, or those of each Alert.
type repeatLimit struct {
	each, inAll int
	ofEachAlert bool
}

// repeatsOf returns what a receiver may get again. The answer to one call is replaced. Of two leaders, the second one may repeat those messages that were in
// flight when the first one was stopped, of which an Alert has one to each receiver; a deposed one leads until its lease ends, when another one may be in
// flight. A process that is killed, or that is not shown its records, may leave more messages of an Alert behind.
func (c Checker) repeatsOf(name string, p *scenario.FakeReceiver) repeatLimit {
	f, isAnswer := c.Fault, proxy.IsAnswer(c.Fault.Kind)
	switch {
	case p.AtMostOnce, isAnswer && !f.MayLoseAnswerTo(name, ""):
		return repeatLimit{}
	case f.Then != nil:
	case isAnswer:
		return repeatLimit{each: c.MaxRepeats, inAll: c.MaxRepeats}
	case f.Kind == proxy.StoppedLeader:
		return repeatLimit{each: c.MaxRepeats, inAll: c.MaxRepeats, ofEachAlert: true}
	case f.Kind == proxy.Deposed:
		return repeatLimit{each: c.MaxRepeats, inAll: c.MaxRepeats + 1, ofEachAlert: true}
	}
	return repeatLimit{each: c.MaxRepeats, inAll: math.MaxInt}
}

// repeats returns how many times something came again.
func repeats(counts map[string]int) (all int) {
	for _, n := range counts {
		all += n - 1
	}
	return all
}

// join matches what the content of an Alert with instances says of the last join.
var join = regexp.MustCompile(`\bjoined (at \d+h\d+),`)

// isResolve matches a message that an Alert is over.
var isResolve = regexp.MustCompile(`^alert\.resolved |\bResolved: `)

// notifiedJoins returns how many messages people got of each join: they must hear of it once, whatever changes afterwards. A message that was
// changed where it is shown counts as one.
func notifiedJoins(p *scenario.FakeReceiver) map[string]int {
	joins := map[string]int{}
	for text, n := range p.Received() {
		if found := join.FindStringSubmatch(text); found != nil && !isResolve.MatchString(text) {
			joins[found[1]] += n
		}
	}
	return joins
}

// checkSentRows checks that what an Alert reports as sent has arrived: of content that is kept back, what was there when it last joined.
func (c Checker) checkSentRows(a *v1beta1.Alert) {
	for _, row := range a.Status.Deliveries {
		p := c.Receivers[proxy.StripRunName(row.Name)]
		if row.State != v1beta1.DeliverySent || a.Spec.State != v1beta1.AlertFiring || !scenario.IsForReceiver(a, row) {
			continue
		}
		content := a.Spec.Content
		switch {
		case row.Message != result.NoteOfKeptBack:
		case a.Labels[v1beta1.AlertSourceLabel] != "": // its first instance, the earliest one that fires, was there
			content = a.Spec.Instances[0].Text
		default:
			content = "joined " + scenario.JoinOf(a) + ","
		}
		has := func(text string) bool { return strings.Contains(text, content) }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(p.Received())), has) {
			c.Reportf("%s reports that %s has %q, which did not arrive", a.Name, row.Name, content)
		}
	}
}

// checkResolved checks that each receiver of a namespace that was deleted has received the end of all Alerts whose message it has accepted. F-P67. The Secrets of
// receivers of the cluster may go with the namespace, in which case nothing more can be sent.
func (c Checker) checkResolved() {
	if !c.HasEndedEarly() || c.ClusterWide {
		return
	}
	for name, p := range c.Receivers {
		if p.Inbox == nil || !p.IsAvailable() {
			continue
		}
		for _, alert := range firing(p.Inbox.Messages()) {
			c.Reportf("receiver %s has not received the end of %s, whose namespace was deleted", name, alert)
		}
	}
}

// firing returns the names of the Alerts that a receiver shows as firing: the last message that it has accepted of an incident does not say that this is
// over.
func firing(messages []inbox.Message) (names []string) {
	incidents := map[string]string{}
	for _, m := range messages {
		if m.Accepted > 0 && !m.Resolved {
			incidents[m.Incident] = m.Name
		}
	}
	return slices.Sorted(maps.Values(incidents))
}
