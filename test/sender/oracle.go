// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/sender/kube"
)

const (
	// step is how often the oracle looks.
	step = time.Minute
	// slack is what requests, evaluations and the operator's own delays take.
	slack = 3 * time.Minute
	// backoff is how long the operator waits at most before it tries again to reach a receiver.
	backoff = 10 * time.Minute
	// joinEvery is how often alerts join the Alert of their group.
	joinEvery = 5 * time.Minute
	// burst is for how long after a message what fires already joins it without another one. A receiver that cannot edit a message does not show
	// it.
	burst = 30*time.Second + 5*latency
	// endsAfter is for how long an alert is posted no more before it ends, at least: two intervals of its group; Prometheus gives it 4 minutes.
	endsAfter = 4 * time.Minute
	// maxInstances is how many an Alert has at most.
	maxInstances = 200
	// answeredAfter is how long a post takes at most, from the message that it leads to until its answer.
	answeredAfter = 10 * time.Second
	// learning is for how long after its start the operator leaves out an end in the past that it has not seen before, and until the oracle has
	// looked.
	learning = 5*time.Minute + step
	// namedFor is how soon an alert ends that a post has named as resolved.
	namedFor = 2 * time.Minute
	// missedFor is how soon an alert may end that its group was posted without: two of its intervals and 5 minutes, by seconds.
	missedFor = 2*groupInterval + 5*time.Minute - time.Second
	// goneAfter is for how long an alert may not fire, or be muted, until it has ended: the longest interval at which Alertmanager repeats a
	// group, the hour within which the operator records that, and two posts, at least 15 minutes apart.
	goneAfter = repeatInterval + groupInterval + time.Hour + 15*time.Minute + 3*(watchdogEvery+groupInterval) + slack
	// lapsesAfter is the same for Prometheus: an alert ends that it does not post for 4 minutes, in steps of 20, and 15 minutes of posts.
	lapsesAfter = 4*time.Minute + 20*time.Minute + 15*time.Minute + slack
)

// page is what a receiver knows of an Alert.
type page struct {
	isOpen   bool
	fired    time.Time        // when people were notified last
	severity v1beta1.Severity // the highest one of its messages
	told     map[string]bool  // the alerts that its messages have
	last     map[string]bool  // the alerts that its last message has
}

// resolution is what a person has resolved: the severity of an Alert, and what fired in it.
type resolution struct {
	at       time.Time
	severity v1beta1.Severity
	fired    map[string]bool
	// group is that of the Alert.
	group string
	// isOver: the Alert has fired again.
	isOver bool
}

// oracle compares what receivers were told with the state of the senders.
type oracle struct {
	sim *simulation

	mu    sync.Mutex
	known map[string]map[string]*seen // source → id
	pages map[string]*page            // Alert
	// held are the Alerts that a person has resolved.
	held     map[string]resolution
	messages int
	// full is when a source last had an Alert without room.
	full map[string]time.Time
	// cut is when the senders last had a configuration that cuts their posts.
	cut time.Time
	// ended are resolves that have to be checked.
	ended []ended
	// outage is when the API server, or the operator, was last away.
	outage time.Time
	// decoded are the Alerts by their names, as they were decoded last.
	decoded  map[string]*v1beta1.Alert
	failures []string
	told     map[string]bool
}

func newOracle(sim *simulation) *oracle {
	return &oracle{sim: sim, known: map[string]map[string]*seen{}, pages: map[string]*page{}, held: map[string]resolution{}, told: map[string]bool{}, full: map[string]time.Time{}, decoded: map[string]*v1beta1.Alert{}}
}

// delay is how late a message may be: after an outage the operator waits before it tries again.
func (o *oracle) delay() time.Duration {
	if o.wasAway() {
		return joinEvery + backoff
	}
	return joinEvery
}

// wasAway reports whether the API server or the operator was away not long ago.
func (o *oracle) wasAway() bool { return time.Since(o.outage) < 2*backoff }

// dueAfter is for how long an alert has to fire until a receiver has to have been notified: the group is posted, after the members before
// this one, and the alert joins the Alert of its group.
func (o *oracle) dueAfter() time.Duration {
	return groupWait + groupInterval + 2*peerTimeout + o.delay() + slack
}

// fail records a failure, once for each that is about the same.
func (o *oracle) fail(about, format string, args ...any) {
	if !o.told[about] {
		o.told[about] = true
		o.failures = append(o.failures, fmt.Sprintf("at %s: %s: %s", time.Since(o.sim.began), about, fmt.Sprintf(format, args...)))
	}
}

func (o *oracle) of(source, id string) *seen {
	if o.known[source] == nil {
		o.known[source] = map[string]*seen{}
	}
	if o.known[source][id] == nil {
		o.known[source][id] = &seen{}
	}
	return o.known[source][id]
}

// resolve has a person resolve the Alerts of a source.
func (o *oracle) resolve(source string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.alertsOf(source) {
		if a.Spec.State == v1beta1.AlertResolved || a.DeletionTimestamp != nil {
			continue
		}
		held := resolution{at: time.Now(), severity: a.Spec.Severity, fired: map[string]bool{}, group: groupOf(a.Labels)}
		for _, i := range a.Spec.Instances {
			if i.EndsAt == nil {
				held.fired[i.Text] = true
			}
		}
		o.held[a.Name] = held
		o.sim.api.Edit("alerts", namespace, a.Name, func(k *kube.Object) {
			k.Object["spec"].(map[string]any)["state"] = string(v1beta1.AlertResolved) //nolint:forcetypeassert // an Alert has a spec
		})
	}
}

// alertsOf returns the Alerts of a source as the API server has them.
func (o *oracle) alertsOf(source string) (all []*v1beta1.Alert) {
	for _, k := range o.sim.api.List("alerts") {
		if k.GetLabels()[v1beta1.AlertSourceLabel] != source {
			continue
		}
		a := o.decoded[k.GetName()]
		if a == nil || a.ResourceVersion != k.GetResourceVersion() {
			a = &v1beta1.Alert{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(k.Object, a); err != nil {
				panic(err)
			}
			o.decoded[a.Name] = a
		}
		all = append(all, a)
	}
	return all
}

// look looks at everything.
func (o *oracle) look() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sim.isAway() {
		o.outage = time.Now()
	}
	if o.sim.history.configs[o.sim.config].maxAlerts > 0 {
		o.cut = time.Now()
	}
	judged := o.judge()
	o.checkResolves()
	for _, source := range sources {
		found := o.alertsOf(source)
		for _, a := range found {
			if len(a.Spec.Instances) >= maxInstances {
				o.full[source] = time.Now()
			}
			o.release(a)
		}
		for _, r := range watched() {
			s := o.of(source, r.id)
			since(&s.dueSince, judged[source][r.id].isDue)
			since(&s.firesSince, judged[source][r.id].fires)
			since(&s.goneSince, judged[source][r.id].isGone)
			since(&s.awaySince, judged[source][r.id].isAway)
			s.hasGone = s.hasGone || s.hasBeen(s.awaySince, endsAfter)
			o.check(source, r, s, found)
		}
	}
}

// release forgets that a person has resolved an Alert that fires again: with the second look, since its message may be on the way at the first.
func (o *oracle) release(a *v1beta1.Alert) {
	held, isHeld := o.held[a.Name]
	switch {
	case !isHeld || a.Spec.State == v1beta1.AlertResolved:
	case held.isOver:
		delete(o.held, a.Name)
	default:
		held.isOver = true
		o.held[a.Name] = held
	}
}

// watched are the alerts that are looked at: of those that are more than an Alert has room for, the one that must not be cut.
func watched() []rule { return slices.Concat(rules, flood[:1]) }

func since(at *time.Time, is bool) {
	switch {
	case !is:
		*at = time.Time{}
	case at.IsZero():
		*at = time.Now()
	}
}

// check compares the Alerts of a source with what its sender says about an alert.
func (o *oracle) check(source string, r rule, s *seen, found []*v1beta1.Alert) {
	if slices.Contains(o.sim.history.ignores, string(r.labels["severity"])) {
		return
	}
	about := source + "/" + r.id
	isDue := !s.dueSince.IsZero() && time.Since(s.dueSince) > o.dueAfter() && !s.isNamed() && time.Since(s.listedSince) > o.dueAfter()
	if isDue && time.Since(o.cut) < o.dueAfter() && s.isOver() && source != apiSource {
		isDue = false // the sender has cut its posts
	}
	if isDue && r.labels["severity"] != "critical" && time.Since(o.full[source]) < repeatInterval+groupInterval+o.dueAfter() {
		isDue = false // it waits for room, until it is posted again. Critical ones are never as many
	}
	if why := o.missing(r, s, found); isDue && why != "" {
		o.fail("not paged/"+about, "it fires since %s and is not muted, listed since %s, but %s: %s", s.dueSince.Sub(o.sim.began), s.listedSince.Sub(o.sim.began), why, describe(found, r.id))
	}
	bound := goneAfter
	if source == apiSource {
		bound = lapsesAfter
	}
	for _, a := range found {
		if i := instanceOf(a, r.id); i == nil || a.Spec.State == v1beta1.AlertResolved {
			continue
		}
		named := s.named[groupOf(a.Labels)]
		if a.Name == moreOf(source) {
			named = time.Time{} // a post of any group may have listed it here
		}
		switch {
		case s.hasBeen(s.goneSince, bound):
			o.fail("not ended/"+about, "it fires nowhere, or is muted, since %s, but fires in Alert %s: %s", s.goneSince.Sub(o.sim.began), a.Name, describe(found, r.id))
		case !named.IsZero() && time.Since(named) > namedFor:
			o.fail("not ended/"+about, "a post of its group named it as resolved at %s, and none has listed it since, but it fires in Alert %s: %s", named.Sub(o.sim.began), a.Name, describe(found, r.id))
		}
	}
}

// missing returns why no receiver knows that an alert fires; empty: one does, or a person has resolved it.
func (o *oracle) missing(r rule, s *seen, found []*v1beta1.Alert) (why string) {
	why = "no Alert has it"
	want := r.severity()
	for _, a := range found {
		i := instanceOf(a, r.id)
		if i == nil {
			continue
		}
		p := o.pages[a.Name]
		switch {
		case o.isResolvedByPerson(a, r):
			return ""
		case a.Spec.State == v1beta1.AlertResolved:
			why = "its Alert is resolved"
		case i.Waiting && p != nil && time.Since(p.fired) < joinEvery+slack && o.isPaged(a.Labels[v1beta1.AlertSourceLabel], r, a.Name):
			return "" // it has got an Alert of its own, and joins it with the next message
		case i.Waiting:
			why = "it waits"
		case rank(a.Spec.Severity) < rank(want):
			why = "the severity of its Alert is lower"
		case p == nil || !p.isOpen:
			why = "the receiver was not notified"
		case rank(p.severity) < rank(want):
			why = "the receiver was notified at a lower severity"
		case !p.told[r.id] && len(a.Spec.Instances) <= 20 && !s.isPartOf(p.fired):
			why = "no message to the receiver has it"
		default:
			return ""
		}
	}
	return why
}

// moreOf returns the name of the Alert about the groups of a source that are beyond its maxAlerts. It has the labels of none of them.
func moreOf(source string) string { return source + "-more" }

// instanceOf returns the instance of an alert that fires in an Alert; nil: there is none.
func instanceOf(a *v1beta1.Alert, id string) *v1beta1.AlertInstance {
	for n := range a.Spec.Instances {
		if i := &a.Spec.Instances[n]; i.Text == id && i.EndsAt == nil {
			return i
		}
	}
	return nil
}

func rank(s v1beta1.Severity) int {
	return slices.Index([]v1beta1.Severity{"", v1beta1.SeverityInfo, v1beta1.SeverityWarning, v1beta1.SeverityCritical}, s)
}

// describe returns the Alerts that have an alert.
func describe(found []*v1beta1.Alert, id string) string {
	var all []string
	for _, a := range found {
		for _, i := range a.Spec.Instances {
			if i.Text == id {
				all = append(all, fmt.Sprintf("Alert %s %s %s has %+v", a.Name, a.Spec.State, a.Spec.Severity, i))
			}
		}
	}
	return strings.Join(all, "; ")
}
