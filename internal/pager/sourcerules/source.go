// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sourcerules has the rules by which posts of an AlertSource become Alerts. It is pure: no client, no clock.
//
// A post has alerts of rules. Those of a group are one Alert, whose name follows from the source and the group, so that every replica, and a
// repetition, finds the same one. Each alert of the group is an instance in the Alert's spec. The instances are the record: whether one
// fires (endsAt is empty), when it lapses unless it is posted again (lapsesAt), and whether people have heard of it (not waiting). State,
// title, content and severity follow from them, and are written only where they change, so that most posts write nothing:
//
//   - The text of an instance stays as it was when the instance began to fire: the value in an annotation changes with each evaluation.
//   - New instances wait, and join the content at most every 5 minutes, which notifies. One that ended leaves the content at once, which is an
//     edit. The severity is the highest one of those that fire. A rise does not wait, and a fall is an edit.
//   - If more fire than an Alert has room for, a higher severity takes the place of a lower one.
//   - The last instance that ends resolves the Alert. A group that starts again within 5 minutes of its last message waits as well.
//   - Of two senders, an HA pair, the earliest start counts, and the last post: an end ends the instance, and a start after that end starts it again.
//     For 5 minutes after an end the other one may still post an alert whose end it has not noticed yet.
//   - A webhook ends the instances that it names as resolved. An instance that it does not name may fire all the same: another route posts it, or
//     Alertmanager was restarted. It ends if the group that listed it last, posted as a whole, does not list it for two intervals, or if nothing has
//     listed it for the longest interval at which Alertmanager repeats a group.
//   - Instances of other posts lapse if the source was heard from after their time, and the listener served all the time (R11). Time alone
//     ends nothing. The recorded time is rounded up, so that it is written every 20 minutes instead of with each post.
//   - A resolve by a person leaves instances that fire in a resolved Alert. It holds until none fires and the group starts again, or until
//     the severity rises.
//   - Beyond maxAlerts, alerts are instances of one more Alert. That a source is silent is an Alert of its own.
//
// Receive decides about a post, Review about the changes that are due with time. Both return the writes, which are optimistic patches of the fields
// that differ. On a conflict they are called again with the stored objects.
package sourcerules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

const (
	// clockError is how late the API server's time may be, which responses have in whole seconds: an alert that has just ended does not fire.
	clockError = 2 * time.Second
	// joinEvery is how often instances join the content of an Alert, and how often a group that starts again notifies.
	joinEvery = 5 * time.Minute
	// burst is for how long instances that began to fire before the message, and were posted after it, are a part of it: a sender splits alerts that
	// fire at once into several posts.
	burst = 30 * time.Second
	// endGrace is for how long after the end of an instance its repetition by another sender does not start it again.
	endGrace = 5 * time.Minute
	// defaultLapse is when an instance lapses whose end is not posted, from its receipt: resolve_timeout of Alertmanager.
	defaultLapse = 5 * time.Minute
	// lapseStep is how far the time of a lapse is rounded up: so often it is written while an alert is posted again and again. Each write of
	// the spec has the status written as well, so that 1,000 Alerts cost less than 2 writes a second.
	lapseStep = 20 * time.Minute
	// lapseAfterStart is for how long the listener has to serve before an instance lapses: within it every rule is evaluated.
	lapseAfterStart = 15 * time.Minute
	// keepEnded is for how long an instance that ended is kept: Prometheus posts its end for 15 minutes.
	keepEnded = 20 * time.Minute
	// maxLapse is how far away the time of a lapse is at most: an Alert cannot have a time after the year 9999.
	maxLapse = 10 * 365 * 24 * time.Hour
	// resolvedTTL is after how many seconds a resolved Alert deletes itself: groups come and go, and their names with them.
	resolvedTTL int32 = 24 * 60 * 60
)

// Inputs are the facts, beside a post, from which a plan follows.
type Inputs struct {
	Source *v1beta1.AlertSource
	// Alerts are the Alerts with the label of the source, and any other whose name a plan would give to a new Alert.
	Alerts []v1beta1.Alert
	// Now is the API server's time, as are the other times: the clock of this process may be wrong (R11).
	Now time.Time
	// ServedSince is since when the listener has served without a break, as far as this process knows: since its own start.
	ServedSince time.Time
	// LastReceived is when a post of the source was last accepted before, by any replica; zero: never.
	LastReceived time.Time
	// Series are the posts of alerts to the API since the last gap.
	Series Series
}

// Change is the meaning of a write to people.
type Change string

// The changes. Fires, Grows and Rises notify.
const (
	Fires    Change = "Fires"    // the Alert is created, or fires again
	Grows    Change = "Grows"    // instances join the content
	Rises    Change = "Rises"    // the severity rises, and instances that waited join
	Edits    Change = "Edits"    // instances leave the content, or a burst is completed
	Resolves Change = "Resolves" // the last instance has ended
	Records  Change = "Records"  // the content stays as it is
)

// Notifies reports whether a change is a message that notifies people.
func (c Change) Notifies() bool { return c == Fires || c == Grows || c == Rises }

// Write is an Alert to be written.
type Write struct {
	// Present is the Alert as it was observed; nil: it is to be created.
	Present *v1beta1.Alert
	// Alert is the Alert as it should be. It differs from Present in fields that a source owns: title, content, severity, state, instances,
	// joinedTime, links, ttlSecondsAfterFinished and, at the start, receiverRefs.
	Alert  *v1beta1.Alert
	Change Change
}

// Plan has the writes that are due, and the facts that the caller records.
type Plan struct {
	Writes []Write
	// Blocked are the groups without an Alert for which each name is taken by one that is being deleted, or is not of this source. Alerts that were
	// posted for them are not stored.
	Blocked []string
	// Gap is how long the source may have been without a post since the last one of its series.
	Gap time.Duration
	// Lapses: instances end as they were not posted again. The status of the source in Inputs has to be the API server's.
	Lapses bool
	// IsTruncated: the post does not have every alert of the group, because the sender has truncated the list, an alert is invalid, or there are
	// more than alertmanager.MaxAlerts.
	IsTruncated bool
	// Cut is how many posted alerts fire for which no Alert has room.
	Cut int
	// Ignored is how many posted alerts have a severity that the source ignores.
	Ignored int
	// Wake is when Review has to be called again, if nothing is posted before; zero: never.
	Wake time.Time
}

// Receive decides about the Alerts of a source after a post. Without writes the whole post is stored already, as far as Inputs.Alerts shows: for a
// webhook, which is not repeated soon, these have to be up to date.
func Receive(in Inputs, post alertmanager.Post) Plan {
	groups, ignored := groupsOf(in.Source, post, in.Now)
	p := newPlanner(in)
	p.plan.Ignored = ignored
	r := reportOf(post)
	if !r.isWebhook {
		p.plan.Gap = gap(in)
	}
	p.plan.IsTruncated = r.isWebhook && !post.Group.IsWhole()
	p.assign(groups, r)
	p.endSilence()
	return p.plan
}

// Review decides which changes are due with time: instances lapse or join, the source is silent.
func Review(in Inputs) Plan {
	p := newPlanner(in)
	for i := range in.Alerts {
		present, name := &in.Alerts[i], groupName(in.Alerts[i].Name)
		if p.byGroup[name] != present || name == silenceName(in.Source) {
			continue
		}
		instances := instancesOf(present)
		for _, other := range p.others[name] {
			instances = withFiringOf(instances, other)
			p.retire(other, present)
		}
		instances, _ = fit(instances, present.Spec.Severity)
		p.plan.Lapses = p.plan.Lapses || slices.ContainsFunc(instances, func(i v1beta1.AlertInstance) bool {
			return isFiring(i) && (hasLapsed(i, in) || hasGone(i, in))
		})
		p.write(present, group{name: present.Name, instances: review(instances, in)})
	}
	p.reviewSilence()
	return p.plan
}

// planner collects a plan.
type planner struct {
	in Inputs
	// isTaken has the names of all Alerts, and byGroup the Alert of each group, by the name of the group.
	isTaken map[string]bool
	byGroup map[string]*v1beta1.Alert
	// others are the other Alerts of each group, which end.
	others map[string][]*v1beta1.Alert
	plan   Plan
}

func newPlanner(in Inputs) *planner {
	p := &planner{in: in, isTaken: make(map[string]bool, len(in.Alerts)), byGroup: make(map[string]*v1beta1.Alert, len(in.Alerts)), others: map[string][]*v1beta1.Alert{}}
	for i := range in.Alerts {
		a, group := &in.Alerts[i], groupName(in.Alerts[i].Name)
		p.isTaken[a.Name] = true
		if !isOf(a, in.Source) || a.DeletionTimestamp != nil {
			continue
		}
		other := p.byGroup[group]
		if isOlder(a, other) {
			p.byGroup[group], a = a, other
		}
		if a != nil {
			p.others[group] = append(p.others[group], a)
		}
	}
	return p
}

// isOlder reports whether an Alert is the one of a group: another one that was created for it is younger, or nil.
func isOlder(a, other *v1beta1.Alert) bool {
	return other == nil || cmp.Or(a.CreationTimestamp.Compare(other.CreationTimestamp.Time), strings.Compare(a.Name, other.Name)) < 0
}

// find returns the Alert of a group, nil if it has none, and sets the name of the group's Alert. A group gets another name while an Alert of its name
// is being deleted, or another owner's Alert has the name. It is blocked where each name is taken.
func (p *planner) find(g *group) (present *v1beta1.Alert, isBlocked bool) {
	if present = p.byGroup[g.name]; present != nil {
		g.name = present.Name
		return present, false
	}
	for _, name := range namesOf(g.name) {
		if !p.isTaken[name] {
			g.name = name
			return nil, false
		}
	}
	p.plan.Blocked = append(p.plan.Blocked, g.name)
	return nil, true
}

// has reports whether a group has an Alert.
func (p *planner) has(group string) bool { return p.byGroup[group] != nil }

// update merges the posted alerts of a group into its Alert.
func (p *planner) update(g group) {
	if present, isBlocked := p.find(&g); !isBlocked {
		cut := 0
		g.instances, cut = merge(present, g, p.in.Now)
		p.plan.Cut += cut
		p.write(present, g)
	}
}

// retire resolves an Alert whose group has another one, which has its instances: two replicas have created both.
func (p *planner) retire(a, kept *v1beta1.Alert) {
	lacks := func(i v1beta1.AlertInstance) bool { return isFiring(i) && !knows(kept.Spec.Instances, i) }
	if !isActive(a) || slices.ContainsFunc(instancesOf(a), lacks) {
		return
	}
	desired := a.DeepCopy()
	desired.Spec.Instances, desired.Spec.State = allEnded(instancesOf(a), p.in.Now), v1beta1.AlertResolved
	limitTTL(&desired.Spec)
	if line := fmt.Sprintf("Alert %s has what fires of this group.", kept.Name); !strings.HasSuffix(desired.Spec.Content, "\n"+line) {
		desired.Spec.Content = withLine(desired.Spec.Content, "%s", line)
	}
	p.plan.Writes = append(p.plan.Writes, Write{Present: a, Alert: desired, Change: Resolves})
}

// write adds the Alert of a group to the plan, if it differs from the present one.
func (p *planner) write(present *v1beta1.Alert, g group) {
	d := newDecision(p.in, present, g)
	if w := d.decide(); w != nil {
		p.plan.Writes = append(p.plan.Writes, *w)
	}
	p.plan.Wake = times.Earliest(p.plan.Wake, d.wake())
}

// isOf reports whether an Alert is of a source.
func isOf(a *v1beta1.Alert, source *v1beta1.AlertSource) bool {
	return a.Labels[v1beta1.AlertSourceLabel] == source.Name
}

// lastReceived is when the source last received a post; zero: never, or by a clock that was wrong.
func (in Inputs) lastReceived() time.Time { return notAhead(in.LastReceived, in.Now) }

// notAhead returns a time that is recorded, not after now. One that another clock has recorded in the future is not known: zero.
func notAhead(t, now time.Time) time.Time {
	switch {
	case times.IsAhead(t, now):
		return time.Time{}
	case t.After(now):
		return now
	}
	return t
}

// CountFiring returns how many Alerts of a source fire.
func CountFiring(source *v1beta1.AlertSource, alerts []v1beta1.Alert) (n int) {
	for i := range alerts {
		if isOf(&alerts[i], source) && alerts[i].Spec.State != v1beta1.AlertResolved {
			n++
		}
	}
	return n
}

// isActive reports whether an Alert fires, or has instances that do though a person resolved it.
func isActive(a *v1beta1.Alert) bool {
	return a.Spec.State != v1beta1.AlertResolved || slices.ContainsFunc(a.Spec.Instances, isFiring)
}
