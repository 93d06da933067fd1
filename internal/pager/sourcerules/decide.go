// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

// decision is a decision about the Alert of a group.
type decision struct {
	in      Inputs
	present *v1beta1.Alert // nil: none
	before  []v1beta1.AlertInstance
	group   group
	// desired is the Alert as it should be: the pointer of present while its instances are as they should be.
	desired *v1beta1.Alert
	change  Change
}

func newDecision(in Inputs, present *v1beta1.Alert, g group) *decision {
	d := &decision{in: in, present: present, group: g, change: Records}
	switch {
	case present == nil:
		d.desired = newAlert(in.Source, g)
	case equality.Semantic.DeepEqual(present.Spec.Instances, g.instances): // instances that ended long ago stay: time alone writes nothing
		d.before, d.desired = present.Spec.Instances, present
		return d
	default:
		d.before, d.desired = present.Spec.Instances, present.DeepCopy()
	}
	d.desired.Spec.Instances = bounded(g.instances, in.Now)
	return d
}

// decide returns the write that is due; nil: none.
func (d *decision) decide() *Write {
	if d.desired == d.present {
		if count(d.before, isWaiting) == 0 && !d.falls() && !isOrphaned(d.present) && !d.isConfirmed() {
			return nil
		}
		d.desired = d.present.DeepCopy()
	}
	d.adopt()
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
	if d.present != nil && equality.Semantic.DeepEqual(d.present.Spec, d.desired.Spec) && maps.Equal(d.present.Labels, d.desired.Labels) {
		return nil
	}
	return &Write{Present: d.present, Alert: d.desired, Change: d.change}
}

func (d *decision) instances() []v1beta1.AlertInstance { return d.desired.Spec.Instances }

// isConfirmed reports whether a post says that an Alert is about now which was restored from a backup: it lists one of its instances, also one
// that it did not have. A webhook may not be repeated for days.
func (d *decision) isConfirmed() bool {
	if d.present == nil || d.present.Labels[alertrules.RestoreLabel] == "" {
		return false
	}
	return slices.ContainsFunc(d.firingPosted(), func(p posted) bool {
		return slices.ContainsFunc(d.instances(), func(i v1beta1.AlertInstance) bool { return i.Key == p.key && isFiring(i) })
	})
}

// adopt removes from an Alert the marks that it may be out of date: the label of a restore, once a post confirms the Alert, and the line that the
// source was deleted, once a source of this name exists again.
func (d *decision) adopt() {
	if d.isConfirmed() {
		delete(d.desired.Labels, alertrules.RestoreLabel)
		d.change = Edits
	}
	if isOrphaned(d.desired) {
		d.desired.Spec.Content = strings.TrimSuffix(d.desired.Spec.Content, "\n"+orphanLine(d.desired))
		d.change = Edits
	}
}

// decideResolved decides about a resolved Alert. A person resolved it if people have heard of an instance that fires: that holds until none fires, or
// a higher severity than the Alert's fires, which the person has not seen.
func (d *decision) decideResolved(fires, fired bool) {
	isHeld := count(d.before, isAnnounced) > 0
	switch {
	case !fires && fired:
		limitTTL(&d.desired.Spec)
	case fires && isHeld && !d.rises():
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
	case d.rises():
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
	spec.Severity = d.severity()
	d.takeReceivers()
	if spec.TTLSecondsAfterFinished != nil && *spec.TTLSecondsAfterFinished == resolvedTTL {
		spec.TTLSecondsAfterFinished = nil
	}
	spec.State = v1beta1.AlertFiring
	spec.JoinedTime = times.Timestamp(d.in.Now)
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
	d.setSeverity()
	d.desired.Spec.JoinedTime = times.Timestamp(d.in.Now)
	d.announce()
	d.setContent()
	d.change = change
}

// edit removes instances from the content that have ended, and adds those that fired already when the message was made. The severity falls
// with them, but not soon after a message: each rise notifies, also where an alert comes and goes.
func (d *decision) edit() {
	joined := d.desired.Spec.JoinedTime
	for n := range d.instances() {
		if i := &d.desired.Spec.Instances[n]; isWaiting(*i) && joined != nil && !i.StartsAt.After(joined.Time) && d.in.Now.Before(joined.Add(burst)) {
			i.Waiting = false
		}
	}
	hasFallen := d.falls() && d.mayJoin()
	if hasFallen {
		d.setSeverity()
	}
	if hasFallen || !slices.Equal(keysOf(shown(d.before)), keysOf(shown(d.instances()))) {
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
	d.explainEnd()
	limitTTL(&d.desired.Spec)
	d.change = Resolves
}

// limitTTL has a resolved Alert delete itself, unless a person says when.
func limitTTL(spec *v1beta1.AlertSpec) {
	if spec.TTLSecondsAfterFinished == nil {
		spec.TTLSecondsAfterFinished = new(resolvedTTL)
	}
}

func (d *decision) announce() {
	for n := range d.instances() {
		d.desired.Spec.Instances[n].Waiting = false
	}
}

// severity is the highest one of the instances that fire; empty: none does.
func (d *decision) severity() v1beta1.Severity {
	return highest(d.instances(), d.desired.Spec.Severity)
}

// rises reports whether an instance fires with a higher severity than the Alert, and than those that fired before: a person may have set a lower
// one.
func (d *decision) rises() bool {
	severity, present := d.severity(), d.desired.Spec.Severity
	isNews := func(i v1beta1.AlertInstance) bool {
		return isWaiting(i) && alertrules.Rank(i.Severity) > alertrules.Rank(present)
	}
	return severity != "" && alertrules.Rank(severity) > alertrules.Rank(present) &&
		(alertrules.Rank(severity) > alertrules.Rank(highest(d.before, present)) || slices.ContainsFunc(d.instances(), isNews))
}

// falls reports whether all instances that fire have a lower severity than the Alert, and one has given it that severity: not a person.
func (d *decision) falls() bool {
	present, severity := d.desired.Spec.Severity, d.severity()
	if severity == "" || alertrules.Rank(severity) >= alertrules.Rank(present) {
		return false
	}
	had := func(i v1beta1.AlertInstance) bool { return i.Severity == present }
	return slices.ContainsFunc(d.before, had)
}

// setSeverity sets the severity of an Alert that fires.
func (d *decision) setSeverity() {
	if d.rises() || d.falls() {
		d.desired.Spec.Severity = d.severity()
	}
	for n := range d.instances() {
		if i := &d.desired.Spec.Instances[n]; !isFiring(*i) {
			i.Severity = "" // it must not change a severity that a person sets later
		}
	}
}

// mayJoin reports whether instances may join the content now.
func (d *decision) mayJoin() bool { return !d.in.Now.Before(d.joinDue()) }

// joinDue is when instances may join the content; zero: they may. A time that another clock has recorded in the future is not waited for.
func (d *decision) joinDue() time.Time {
	joined := d.desired.Spec.JoinedTime
	if joined == nil || times.IsAhead(joined.Time, d.in.Now) {
		return time.Time{}
	}
	return joined.Add(joinEvery)
}

// wake is when something is due; zero: nothing that time alone decides.
func (d *decision) wake() (at time.Time) {
	isHeld := d.desired.Spec.State == v1beta1.AlertResolved && count(d.instances(), isAnnounced) > 0
	if !isHeld && (count(d.instances(), isWaiting) > 0 || d.falls()) {
		at = d.joinDue()
	}
	for _, i := range d.instances() {
		if due := reviewDue(i, d.in); due.After(d.in.Now) {
			at = times.Earliest(at, due)
		}
	}
	return at
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
