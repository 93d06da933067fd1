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

package source

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
)

// decision is what becomes of the Alert of a group.
type decision struct {
	in      Inputs
	present *v1beta1.Alert // nil: none
	before  []v1beta1.AlertInstance
	group   group
	// desired is the Alert as it should be; nil: none.
	desired *v1beta1.Alert
	change  Change
}

func newDecision(in Inputs, present *v1beta1.Alert, g group) *decision {
	d := &decision{in: in, present: present, group: g, change: Records}
	switch {
	case present == nil:
		d.desired = newAlert(in.Source, g)
	case equality.Semantic.DeepEqual(present.Spec.Instances, g.instances): // what has ended long ago stays: time alone writes nothing
		d.before, d.desired = present.Spec.Instances, present
		return d
	default:
		d.before, d.desired = present.Spec.Instances, present.DeepCopy()
	}
	d.desired.Spec.Instances = bounded(g.instances, in.Now)
	return d
}

// decide returns what to write; nil: nothing.
func (d *decision) decide() *Write {
	if d.desired == d.present {
		if count(d.before, isWaiting) == 0 {
			return nil
		}
		d.desired = d.present.DeepCopy()
	}
	fires, fired := count(d.instances(), isFiring) > 0, count(d.before, isFiring) > 0
	switch {
	case d.present == nil && !fires:
		return nil
	case d.present == nil:
		d.start()
	case d.present.Spec.State == v1beta1.AlertResolved:
		d.decideResolved(fires, fired)
	case fires:
		d.decideFiring(fired)
	case fired:
		d.resolve()
	}
	if d.present != nil && equality.Semantic.DeepEqual(d.present.Spec, d.desired.Spec) {
		return nil
	}
	return &Write{Present: d.present, Alert: d.desired, Change: d.change}
}

func (d *decision) instances() []v1beta1.AlertInstance { return d.desired.Spec.Instances }

// decideResolved decides about a resolved Alert. A person resolved it if people have heard of an instance that fires: that holds until none
// does.
func (d *decision) decideResolved(fires, fired bool) {
	isHeld := count(d.before, isAnnounced) > 0
	switch {
	case !fires && fired:
		d.limitTTL()
	case fires && isHeld:
		d.announce()
	case fires && (d.mayJoin() || d.rises()):
		d.start()
	}
}

// decideFiring decides about an Alert that fires, and has instances that do.
func (d *decision) decideFiring(fired bool) {
	waits := count(d.instances(), isWaiting) > 0
	switch {
	case !fired: // a person had it fire again before
		d.start()
	case waits && d.rises():
		d.join(Rises)
	case waits && d.mayJoin():
		d.join(Grows)
	default:
		d.edit()
	}
}

// start has the Alert fire with all instances.
func (d *decision) start() {
	spec := &d.desired.Spec
	isPosted := count(d.instances(), isFiring) == len(d.firingPosted())
	if severity := d.group.severity(d.in.Now); severity != "" && (isPosted || d.present == nil || lifecycle.Rank(severity) > lifecycle.Rank(spec.Severity)) {
		spec.Severity = severity // otherwise the severity of some instances is not known any more: it stays
	}
	if spec.TTLSecondsAfterFinished != nil && *spec.TTLSecondsAfterFinished == resolvedTTL {
		spec.TTLSecondsAfterFinished = nil
	}
	spec.State = v1beta1.AlertFiring
	spec.JoinedTime = lifecycle.Seconds(d.in.Now)
	d.announce()
	d.setContent()
	d.describeOnly()
	if links := d.links(); len(links) > 0 {
		spec.Links = links
	}
	d.change = Fires
}

// join adds the instances that wait to the content, as a new message.
func (d *decision) join(change Change) {
	if change == Rises {
		d.desired.Spec.Severity = d.group.severity(d.in.Now)
	}
	d.desired.Spec.JoinedTime = lifecycle.Seconds(d.in.Now)
	d.announce()
	d.setContent()
	d.change = change
}

// edit removes instances from the content that have ended, and adds those that fired already when the message was made.
func (d *decision) edit() {
	joined := d.desired.Spec.JoinedTime
	for n := range d.instances() {
		if i := &d.desired.Spec.Instances[n]; isWaiting(*i) && joined != nil && !i.StartsAt.After(joined.Time) && d.in.Now.Before(joined.Add(burst)) {
			i.Waiting = false
		}
	}
	if !slices.Equal(keysOf(shown(d.before)), keysOf(shown(d.instances()))) {
		d.setContent()
		d.change = Edits
	}
}

// shown returns the instances that the content has: those that people have heard of. If all of these have ended, it has those that wait, so
// that it is true until they join with a message.
func shown(instances []v1beta1.AlertInstance) []v1beta1.AlertInstance {
	is := isAnnounced
	if count(instances, isAnnounced) == 0 {
		is = isFiring
	}
	return slices.DeleteFunc(slices.Clone(instances), func(i v1beta1.AlertInstance) bool { return !is(i) })
}

func keysOf(instances []v1beta1.AlertInstance) []string {
	keys := make([]string, len(instances))
	for n, i := range instances {
		keys[n] = i.Key
	}
	slices.Sort(keys)
	return keys
}

// resolve resolves the Alert.
func (d *decision) resolve() {
	d.desired.Spec.State = v1beta1.AlertResolved
	d.limitTTL()
	d.change = Resolves
}

// limitTTL has a resolved Alert delete itself, unless a person says when.
func (d *decision) limitTTL() {
	if d.desired.Spec.TTLSecondsAfterFinished == nil {
		d.desired.Spec.TTLSecondsAfterFinished = new(resolvedTTL)
	}
}

func (d *decision) announce() {
	for n := range d.instances() {
		d.desired.Spec.Instances[n].Waiting = false
	}
}

// rises reports whether a posted alert that joins has a higher severity than the Alert.
func (d *decision) rises() bool {
	severity := d.group.severity(d.in.Now)
	return severity != "" && lifecycle.Rank(severity) > lifecycle.Rank(d.desired.Spec.Severity)
}

// mayJoin reports whether instances may join the content now.
func (d *decision) mayJoin() bool { return !d.in.Now.Before(d.joinDue()) }

// joinDue is when instances may join the content; zero: they may. A time that another clock has recorded in the future is not waited for.
func (d *decision) joinDue() time.Time {
	joined := d.desired.Spec.JoinedTime
	if joined == nil || lifecycle.IsAhead(joined.Time, d.in.Now) {
		return time.Time{}
	}
	return joined.Add(joinEvery)
}

// wake is when something is due; zero: nothing that time alone decides.
func (d *decision) wake() (at time.Time) {
	isHeld := d.desired.Spec.State == v1beta1.AlertResolved && count(d.instances(), isAnnounced) > 0
	if count(d.instances(), isWaiting) > 0 && !isHeld {
		at = d.joinDue()
	}
	for _, i := range d.instances() {
		if due := lapseWake(i, d.in); due.After(d.in.Now) {
			at = lifecycle.Earliest(at, due)
		}
	}
	return at
}

// lapseWake is when an instance lapses at the earliest, just after the time that is due; zero: never.
func lapseWake(i v1beta1.AlertInstance, in Inputs) time.Time {
	if !isFiring(i) || i.LapsesAt == nil {
		return time.Time{}
	}
	return lapseDue(i, in).Add(time.Second)
}

// firingPosted are the posted alerts that fire, each once.
func (d *decision) firingPosted() (fire []posted) {
	known := map[string]bool{}
	for _, p := range d.group.posted {
		if p.fires(d.in.Now) && !known[p.key] {
			fire, known[p.key] = append(fire, p), true
		}
	}
	return fire
}
