// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
	"github.com/gophernetes/bellhop/internal/walktest"
)

func walks() uint64 { return walktest.Count(50, 100) }

// rule is an alert of a rule for one pod, as a sender sees it.
type rule struct {
	name, pod, severity string
	// start and end are those of the present or the last time that it fired; end is zero while it fires.
	start, end time.Time
}

// sender is one of a pair: it posts what fires, and the ends of the last 15 minutes.
type sender struct{ rules []rule }

func (s *sender) post(c *cluster) []alertmanager.Alert {
	var alerts []alertmanager.Alert
	for _, r := range s.rules {
		a := c.fire(r.name, r.pod, r.start, "severity="+r.severity)
		switch {
		case r.start.IsZero():
		case r.end.IsZero():
			alerts = append(alerts, a)
		case c.now.Sub(r.end) < 15*time.Minute:
			alerts = append(alerts, ended(a, r.end))
		}
	}
	return alerts
}

func newSender(random *rand.Rand) *sender {
	s := &sender{}
	for _, name := range []string{"Down", "Slow"} {
		for n := range 1 + random.IntN(5) {
			s.rules = append(s.rules, rule{name: name, pod: fmt.Sprint(n), severity: []string{"warning", "critical", "info", "p1"}[random.IntN(4)]})
		}
	}
	return s
}

// flip has some rules begin or end.
func (s *sender) flip(random *rand.Rand, now time.Time, chance float64) {
	for i := range s.rules {
		r := &s.rules[i]
		switch fires := !r.start.IsZero() && r.end.IsZero(); {
		case random.Float64() > chance:
		case fires:
			r.end = now
		default:
			r.start, r.end = now, time.Time{}
		}
	}
}

func (s *sender) fires(name string) (pods int) {
	for _, r := range s.rules {
		if r.name == name && !r.start.IsZero() && r.end.IsZero() {
			pods++
		}
	}
	return pods
}

// Whatever fires and ends: a post that is repeated changes nothing, people are notified a bounded number of times, and in the end they know
// what fires.
func (s *sender) severity(c *cluster, name string) (highest v1beta1.Severity) {
	for _, r := range s.rules {
		if severity := severityOf(&c.source.Spec, map[string]string{"severity": r.severity}); r.name == name && !r.start.IsZero() && r.end.IsZero() && (highest == "" || alertrules.Rank(severity) > alertrules.Rank(highest)) {
			highest = severity
		}
	}
	return highest
}

func TestWalk(t *testing.T) {
	for seed := range walks() {
		random := rand.New(rand.NewPCG(seed, 41))
		c, s := newCluster(t), newSender(random)
		chance := []float64{0.02, 0.2, 0.6}[random.IntN(3)]
		for range 60 {
			c.now = c.now.Add(time.Duration(1+random.IntN(90)) * time.Second)
			s.flip(random, c.now, chance)
			if random.IntN(4) > 0 {
				c.post(s.post(c)...)
				if again := c.post(s.post(c)...); len(again) > 0 {
					t.Fatalf("seed %d: the same post changes %v", seed, again)
				}
			}
			if random.IntN(4) == 0 || !c.wake.IsZero() && !c.now.Before(c.wake) {
				c.review()
				if again := c.review(); len(again) > 0 {
					t.Fatalf("seed %d: the same review changes %v", seed, again)
				}
			}
		}
		for range 20 { // it settles
			c.now = c.now.Add(time.Minute)
			c.post(s.post(c)...)
			c.review()
		}
		checkBounded(t, seed, c)
		checkTrue(t, seed, c, s)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// checkBounded checks that an Alert notifies once in 5 minutes, and for a rise of severity.
func checkBounded(t *testing.T, seed uint64, c *cluster) {
	t.Helper()
	last := map[string]time.Time{}
	for _, w := range c.writes {
		switch {
		case !w.Change.Notifies():
		case w.at.Sub(last[w.Alert.Name]) < joinEvery && !rises(w.Write):
			t.Errorf("seed %d: %s notifies at %s and %s", seed, w.Alert.Name, last[w.Alert.Name], w.at)
		default:
			last[w.Alert.Name] = w.at
		}
	}
}

// rises reports whether a write has a higher severity than what it replaces.
func rises(w Write) bool {
	return w.Present == nil || alertrules.Rank(w.Alert.Spec.Severity) > alertrules.Rank(w.Present.Spec.Severity)
}

// checkTrue checks that the Alerts say what fires.
func checkTrue(t *testing.T, seed uint64, c *cluster, s *sender) {
	t.Helper()
	for _, name := range []string{"Down", "Slow"} {
		a, exists := c.alerts[nameOf(c.source, "labels", "", map[string]string{"alertname": name})]
		want := s.fires(name)
		if firing, waiting := states(a); firing != want || waiting > 0 || exists && (a.Spec.State == v1beta1.AlertFiring) != (want > 0) {
			t.Errorf("seed %d: %d of %s fire, and the Alert has %d, of which %d wait, and is %s", seed, want, name, firing, waiting, a.Spec.State)
		}
		if severity := s.severity(c, name); severity != "" && a.Spec.Severity != severity {
			t.Errorf("seed %d: %s is %s, want %s", seed, name, a.Spec.Severity, severity)
		}
	}
}

// Persons resolve and delete Alerts, there are more groups than Alerts, and a webhook posts to the same source: a post that is repeated
// changes nothing, and a resolve holds until nothing of the group fires.
func TestWalkWithPersons(t *testing.T) {
	for seed := range walks() {
		random := rand.New(rand.NewPCG(seed, 44))
		c, s := newCluster(t), newSender(random)
		c.source.Spec.GroupBy = [][]string{{"alertname"}, {"pod"}, {"..."}}[random.IntN(3)]
		c.source.Spec.MaxAlerts = int32(1 + random.IntN(4))
		held := map[string]v1beta1.Severity{} // those that a person has resolved
		for range 80 {
			c.now = c.now.Add(time.Duration(1+random.IntN(90)) * time.Second)
			s.flip(random, c.now, 0.1)
			post := alertmanager.Post{Alerts: s.post(c)}
			if random.IntN(3) == 0 {
				post = s.webhook(c)
			}
			c.receive(post)
			before := describeAll(c)
			if again := c.receive(post); len(again) > 0 {
				t.Fatalf("seed %d: the same post changes %v at %s:\n%s\n%s", seed, again, c.now, before, describeAll(c))
			}
			if c.wake.IsZero() || random.IntN(2) == 0 {
				c.review()
			}
			checkHeld(t, seed, c, held)
			c.interfere(random, held)
		}
	}
}

// webhook is a post of Alertmanager about a rule.
func (s *sender) webhook(c *cluster) alertmanager.Post {
	post := alertmanager.Post{Group: &alertmanager.Group{Receiver: "bellhop", Labels: map[string]string{"alertname": "Down"}, State: alertmanager.Resolved}}
	for _, a := range s.post(c) {
		if a.Labels["alertname"] != "Down" {
			continue
		}
		if a.State = alertmanager.Resolved; a.EndsAt.After(c.now) {
			a.State, a.EndsAt, post.Group.State = alertmanager.Firing, time.Time{}, alertmanager.Firing
		}
		post.Alerts = append(post.Alerts, a)
	}
	return post
}

// interfere has a person resolve or delete an Alert. The resolve of one that people have heard of holds.
func (c *cluster) interfere(random *rand.Rand, held map[string]v1beta1.Severity) {
	for _, name := range slices.Sorted(maps.Keys(c.alerts)) {
		a := c.alerts[name]
		switch random.IntN(40) {
		case 0:
			delete(c.alerts, name)
			delete(held, name)
		case 1:
			if a.Spec.State == v1beta1.AlertFiring && count(a.Spec.Instances, isAnnounced) > 0 {
				held[name] = a.Spec.Severity
			}
			a.Spec.State = v1beta1.AlertResolved
			c.alerts[name] = a
		}
	}
}

func checkHeld(t *testing.T, seed uint64, c *cluster, held map[string]v1beta1.Severity) {
	t.Helper()
	for name, severity := range held {
		a := c.alerts[name]
		switch fires := count(a.Spec.Instances, isFiring) > 0; {
		case !fires, a.Spec.State == v1beta1.AlertFiring && alertrules.Rank(a.Spec.Severity) > alertrules.Rank(severity):
			delete(held, name)
		case a.Spec.State == v1beta1.AlertFiring:
			t.Fatalf("seed %d: %s fires although a person resolved it", seed, name)
		case a.Spec.Severity != severity:
			t.Fatalf("seed %d: %s is %s, and a person resolved it as %s", seed, name, a.Spec.Severity, severity)
		}
	}
}

func TestOrderOfAPair(t *testing.T) {
	for seed := range walks() {
		random := rand.New(rand.NewPCG(seed, 42))
		one := newSender(random)
		for i := range one.rules {
			one.rules[i].start = t0.Add(-time.Duration(random.IntN(60)) * time.Second)
		}
		other := &sender{rules: slices.Clone(one.rules)}
		for i := range other.rules {
			other.rules[i].start = t0.Add(-time.Duration(random.IntN(60)) * time.Second)
		}
		x, y := newCluster(t), newCluster(t)
		for round := range 20 {
			now := x.now.Add(time.Duration(1+random.IntN(60)) * time.Second)
			x.now, y.now = now, now
			if round > 0 { // what ended before the first post is not known
				one.flip(random, now, 0.05)
			}
			for i := range other.rules { // it notices a little later
				if random.IntN(2) == 0 {
					other.rules[i].start, other.rules[i].end = later(one.rules[i].start, other.rules[i].start), one.rules[i].end
				}
			}
			x.post(one.post(x)...)
			x.post(other.post(x)...)
			y.post(other.post(y)...)
			y.post(one.post(y)...)
			if !sameRecords(x, y) {
				t.Fatalf("seed %d at %s:\n%+v\n%+v", seed, now.Sub(t0), describeAll(x), describeAll(y))
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sameRecords compares what fires. Messages may differ: what waits may be due, or the last instance end, between the two posts.
func sameRecords(x, y *cluster) bool {
	if len(x.alerts) != len(y.alerts) {
		return false
	}
	for name, a := range x.alerts {
		b := y.alerts[name]
		waits := count(a.Spec.Instances, isWaiting) + count(b.Spec.Instances, isWaiting)
		if waits == 0 && a.Spec.State != b.Spec.State || !equality.Semantic.DeepEqual(recordsOf(a), recordsOf(b)) {
			return false
		}
	}
	return true
}

func recordsOf(a v1beta1.Alert) []v1beta1.AlertInstance {
	instances := slices.Clone(a.Spec.Instances)
	for n := range instances {
		if instances[n].Waiting = false; !isFiring(instances[n]) {
			instances[n].Severity = "" // until the severity of the Alert follows
		}
	}
	return instances
}

func describeAll(c *cluster) (text string) {
	for _, a := range c.alerts {
		text += fmt.Sprintf("%s %s %s %s %q joined %s\n", a.Name, a.Spec.State, a.Spec.Severity, a.Spec.Title, a.Spec.Content, a.Spec.JoinedTime)
		for _, i := range a.Spec.Instances {
			text += fmt.Sprintf("  %s %s to %s, lapses %s, waits %t\n", i.Key, i.StartsAt, i.EndsAt, i.LapsesAt, i.Waiting)
		}
	}
	return text
}

// An instance ends only by an end that was posted, or if the source was heard from after it should have been posted again, while the
// listener served.
func TestNothingLapsesUnheard(t *testing.T) {
	lapsed := uint64(0)
	for seed := range walks() {
		random := rand.New(rand.NewPCG(seed, 43))
		c := newCluster(t)
		last, served := t0, c.servedSince // of the last post with the alert, and of the listener
		c.post(c.fire("Down", "a", t0))
		for range 100 {
			c.now = c.now.Add(time.Duration(random.IntN(100)) * time.Second)
			switch random.IntN(24) {
			case 0:
				c.post(c.fire("Down", "a", t0))
				last = c.now
			case 1:
				served, c.servedSince = c.now, c.now // a restart
			case 2:
				c.now = c.now.Add(10 * time.Minute) // an outage
			default:
				c.post(c.fire("Other", "a", t0))
			}
			c.review()
			a := c.alerts[nameOf(c.source, "labels", "", map[string]string{"alertname": "Down"})]
			if a.Spec.State == v1beta1.AlertFiring {
				continue
			}
			if until := c.series.Until; !until.After(last.Add(4*time.Minute)) || until.Before(served.Add(lapseAfterStart)) || until.Before(c.series.Since.Add(lapseAfterStart)) {
				t.Fatalf("seed %d: it lapses at %s, posted at %s, in the series %v, served since %s", seed, c.now, last, c.series, served)
			}
			lapsed++
			break
		}
	}
	if lapsed < walks()/4 {
		t.Errorf("it lapses in %d of %d walks", lapsed, walks())
	}
}

// 1,000 Alerts, or their share, that are posted again each minute cost less than 2 writes a second, of which half are of the status.
func TestWritesOfRepetitions(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.MaxAlerts = 1000
	posts := int(walktest.Count(5, 20))
	post := func() {
		for n := range posts {
			var alerts []alertmanager.Alert
			for i := range 50 {
				alerts = append(alerts, c.fire(fmt.Sprintf("Rule%d-%d", n, i), "a", t0))
			}
			c.post(alerts...)
		}
	}
	post()
	created := len(c.writes)
	busiest := 0
	for range 60 {
		c.now = c.now.Add(time.Minute)
		before := len(c.writes)
		post()
		busiest = max(busiest, len(c.writes)-before)
	}
	if n := len(c.writes) - created; created != 50*posts || n > 180*posts || busiest > 5*posts {
		t.Errorf("%d Alerts, %d writes in an hour, at most %d in a minute", created, n, busiest)
	}
}
