// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

func TestOneAlert(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.ReceiverRefs = []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: "oncall"}}
	a := c.fire("Down", "a", t0.Add(-time.Minute))
	a.Annotations["runbook_url"] = "https://r"
	wantChanges(t, c.post(a), Fires)
	got := c.only()
	if got.Name != "prom-"+strings.TrimPrefix(got.Name, "prom-") || len(got.Name) != len("prom-")+16 || got.Namespace != "shop" || len(got.OwnerReferences) != 0 {
		t.Errorf("got %+v", got.ObjectMeta)
	}
	if got.Labels[v1beta1.AlertSourceLabel] != "prom" || got.Labels["alertname"] != "Down" || len(got.Labels) != 2 {
		t.Errorf("labels are %v: those of the group, and the source", got.Labels)
	}
	if s := got.Spec; s.Title != "Down is bad" || s.Content != "a fails" || s.Severity != v1beta1.SeverityWarning || s.State != v1beta1.AlertFiring || len(s.ReceiverRefs) != 1 || len(s.Links) != 1 {
		t.Errorf("got %+v", s)
	}
	c.now = c.now.Add(time.Minute)
	end := c.now
	wantChanges(t, c.post(ended(a, end)), Resolves)
	if s := c.only().Spec; s.State != v1beta1.AlertResolved || ptr.Deref(s.TTLSecondsAfterFinished, 0) != resolvedTTL {
		t.Errorf("got %+v", s)
	}
	for range 15 { // Prometheus posts the end for 15 minutes
		c.now = c.now.Add(time.Minute)
		wantChanges(t, c.post(ended(a, end)))
	}
}

// A resolve of what never fired is nothing.
func TestAnEndOfNothing(t *testing.T) {
	c := newCluster(t)
	wantChanges(t, c.post(ended(c.fire("Down", "a", t0.Add(-time.Hour)), t0)))
	wantChanges(t, c.receive(webhook(alertmanager.Resolved, inState(c.fire("Down", "a", t0), alertmanager.Resolved))))
	if len(c.alerts) > 0 {
		t.Errorf("got %v", c.alerts)
	}
}

// The value in an annotation changes at each evaluation.
func TestTextIsFrozen(t *testing.T) {
	c := newCluster(t)
	start := t0
	for second := range 30 * 60 {
		c.now = t0.Add(time.Duration(second) * time.Second)
		a := c.fire("Down", "a", start)
		a.Annotations["description"] = fmt.Sprintf("a fails %d times", second)
		c.post(a)
	}
	if n := c.notifications(); n != 1 || len(c.writes) > 5 {
		t.Errorf("%d notifications, %d writes", n, len(c.writes))
	}
	if got := c.only().Spec; got.Content != "a fails 0 times" {
		t.Errorf("content %q", got.Content)
	}
}

func TestALargeGroupIsOneMessage(t *testing.T) {
	c := newCluster(t)
	start := t0.Add(-10 * time.Second)
	for batch := range 8 { // as Prometheus splits what fires at once
		var alerts []alertmanager.Alert
		for i := range 64 {
			if n := batch*64 + i; n < 500 {
				alerts = append(alerts, c.fire("Down", fmt.Sprintf("pod-%03d", n), start))
			}
		}
		c.post(alerts...)
		c.now = c.now.Add(100 * time.Millisecond)
	}
	got := c.only().Spec
	if lines := strings.Split(got.Content, "\n"); len(lines) != 21 || lines[20] != "and 180 more" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
	if got.Title != "Down: 200 or more firing" || c.notifications() != 1 {
		t.Errorf("title %q, %d notifications", got.Title, c.notifications())
	}
	writes := len(c.writes)
	for range 3 { // what is posted again is as stored, also what has no place
		c.now = c.now.Add(time.Second)
		for n := range 500 {
			c.post(c.fire("Down", fmt.Sprintf("pod-%03d", n), start))
		}
	}
	if len(c.writes) > writes+1 {
		t.Errorf("%d more writes", len(c.writes)-writes)
	}
}

// While an Alert has as many instances as it may have, others of its group write nothing. They join once there is room.
func TestAFullGroup(t *testing.T) {
	c := newCluster(t)
	var first, others []alertmanager.Alert
	for n := range maxInstances {
		first = append(first, inState(c.fire("Down", fmt.Sprintf("pod-%03d", n), t0), alertmanager.Firing))
		others = append(others, inState(c.fire("Down", fmt.Sprintf("another-%03d", n), t0.Add(-time.Hour)), alertmanager.Firing))
	}
	wantChanges(t, c.receive(webhook(alertmanager.Firing, first...)), Fires)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, append(others, first...)...)))
	for i := range first[1:] {
		first[i] = inState(ended(first[i], c.now), alertmanager.Resolved)
	}
	c.receive(webhook(alertmanager.Firing, append(others, first...)...))
	if got := c.only(); got.Spec.State != v1beta1.AlertFiring || count(got.Spec.Instances, isFiring) != maxInstances {
		t.Errorf("%s, %d instances fire", got.Spec.State, count(got.Spec.Instances, isFiring))
	}
}

// F-P45: of more than an Alert has room for, the highest severities have a place.
func TestAFullGroupRises(t *testing.T) {
	c := newCluster(t)
	var warnings []alertmanager.Alert
	for n := range maxInstances + 50 {
		warnings = append(warnings, inState(c.fire("Down", fmt.Sprintf("pod-%03d", n), t0.Add(time.Duration(n-300)*time.Second)), alertmanager.Firing))
	}
	plan := Receive(c.inputs(), webhook(alertmanager.Firing, warnings...))
	if plan.Cut != 50 {
		t.Errorf("%d are cut, want 50", plan.Cut)
	}
	wantChanges(t, c.store(plan), Fires)
	c.now = t0.Add(time.Minute)
	critical := inState(c.fire("Down", "db", t0.Add(-time.Hour), "severity=critical"), alertmanager.Firing)
	all := webhook(alertmanager.Firing, append(slices.Clone(warnings), critical)...)
	wantChanges(t, c.receive(all), Rises)
	if got := c.only().Spec; got.Severity != v1beta1.SeverityCritical || !strings.HasPrefix(got.Content, "pod=db, severity=critical\n") || len(got.Instances) != maxInstances {
		t.Errorf("%s, %d instances, content %q", got.Severity, len(got.Instances), got.Content)
	}
	wantChanges(t, c.receive(all))
	for n := range warnings { // as a sender that truncates
		one := webhook(alertmanager.Firing, warnings[n])
		one.Group.Unlisted = 1
		wantChanges(t, c.receive(one))
	}
}

// F-P45: and in the Alert about what is beyond maxAlerts.
func TestAFullOverflowRises(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.MaxAlerts = 1
	var all []alertmanager.Alert
	for n := range maxInstances + 20 {
		all = append(all, c.fire(fmt.Sprintf("Rule%03d", n), "a", t0.Add(time.Duration(n-300)*time.Second)))
	}
	wantChanges(t, c.post(all...), Fires, Fires)
	c.now = t0.Add(time.Minute)
	wantChanges(t, c.post(c.fire("Lost", "a", t0, "severity=critical")), Rises)
	if got := c.alerts["prom-more"].Spec; got.Severity != v1beta1.SeverityCritical || !strings.HasPrefix(got.Content, "Lost is bad\n") {
		t.Errorf("%s, content %q", got.Severity, got.Content)
	}
}

// F-P57: an alert that comes and goes notifies no more often than before the severity could fall.
func TestAFlappingSeverity(t *testing.T) {
	c := newCluster(t)
	for n := range 60 {
		c.now = t0.Add(time.Duration(n) * time.Minute)
		critical := c.fire("Down", "b", t0.Add(time.Duration(n/2*2)*time.Minute), "severity=critical")
		if n%2 == 1 {
			critical = ended(critical, c.now)
		}
		c.post(c.fire("Down", "a", t0), critical)
		if !c.wake.IsZero() && !c.now.Before(c.wake) {
			c.review()
		}
	}
	if n := c.notifications(); n > 2*60/5 {
		t.Errorf("%d notifications in an hour", n)
	}
}

func TestAGrowingGroupNotifiesEvery5Minutes(t *testing.T) {
	c := newCluster(t)
	var alerts []alertmanager.Alert
	for n := range 120 { // 20 minutes
		c.now = t0.Add(time.Duration(n) * 10 * time.Second)
		alerts = append(alerts, c.fire("Down", fmt.Sprintf("pod-%03d", n), c.now))
		for i := range alerts {
			alerts[i].EndsAt = c.now.Add(4 * time.Minute)
		}
		c.post(alerts...)
	}
	var last time.Time
	for _, w := range c.writes {
		if w.Change.Notifies() {
			if w.at.Sub(last) < 5*time.Minute {
				t.Errorf("it notifies at %s and %s", last, w.at)
			}
			last = w.at
		}
	}
	if n := c.notifications(); n != 4 {
		t.Errorf("%d notifications in 20 minutes", n)
	}
	if got := c.only().Spec; !strings.HasPrefix(got.Content, "pod=pod-090\n") || got.Title != "Down: 91 firing" {
		t.Errorf("title %q, content %q", got.Title, got.Content)
	}
	c.now = c.wake
	wantChanges(t, c.review(), Grows)
	if got := c.only().Spec; got.Title != "Down: 120 firing" {
		t.Errorf("title %q", got.Title)
	}
}

func TestLeavesAndJoins(t *testing.T) {
	c := newCluster(t)
	a, b := c.fire("Down", "a", t0), c.fire("Down", "b", t0)
	wantChanges(t, c.post(a, b), Fires)
	c.now = t0.Add(time.Minute)
	third := c.fire("Down", "c", c.now)
	wantChanges(t, c.post(third), Records)
	if _, waiting := states(c.only()); waiting != 1 || !c.wake.Equal(t0.Add(5*time.Minute)) {
		t.Errorf("%d wait, until %s", waiting, c.wake)
	}
	wantChanges(t, c.post(ended(a, c.now)), Edits)
	if got := c.only().Spec; got.Title != "Down: 1 firing" || got.Content != "pod=b, severity=warning" || !got.JoinedTime.Equal(&metav1.Time{Time: t0}) {
		t.Errorf("got %+v: what waits has not joined", got)
	}
	wantChanges(t, c.post(ended(b, c.now)), Edits) // the content is true, and the other joins later
	if got := c.only().Spec; got.Title != "Down: 1 firing" || got.Content != "pod=c, severity=warning" || !got.JoinedTime.Equal(&metav1.Time{Time: t0}) {
		t.Errorf("got %+v", got)
	}
	c.now = t0.Add(5 * time.Minute)
	wantChanges(t, c.review(), Grows)
	if got := c.only().Spec; got.Title != "Down: 1 firing" || got.Content != "pod=c, severity=warning" || !got.JoinedTime.Equal(&metav1.Time{Time: c.now}) {
		t.Errorf("got %+v", got)
	}
	wantChanges(t, c.post(ended(third, c.now)), Resolves)
}

// kubectl bellhop resend resolves an Alert for some time, and has what began to fire meanwhile wait.
func TestJoinsAResentAlert(t *testing.T) {
	c := newCluster(t)
	a := inState(c.fire("Down", "a", t0), alertmanager.Firing)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, a)), Fires)
	c.edit(func(s *v1beta1.AlertSpec) { s.State = v1beta1.AlertResolved })
	c.now = t0.Add(10 * time.Minute)
	b := inState(c.fire("Down", "b", c.now), alertmanager.Firing)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, a, b)), Records)
	c.edit(func(s *v1beta1.AlertSpec) {
		s.State = v1beta1.AlertFiring
		for n := range s.Instances {
			s.Instances[n].Waiting = !s.Instances[n].StartsAt.Time.Equal(t0)
		}
	})
	wantChanges(t, c.review(), Grows)
	if got := c.only().Spec.Content; !strings.Contains(got, "pod=a") || !strings.Contains(got, "pod=b") {
		t.Errorf("the content is %q", got)
	}
}

// What waits and ends before it joins is never a message of its own.
func TestAShortInstanceDoesNotNotify(t *testing.T) {
	c := newCluster(t)
	a := c.fire("Down", "a", t0)
	c.post(a)
	c.now = t0.Add(time.Minute)
	b := c.fire("Down", "b", c.now)
	wantChanges(t, c.post(b), Records)
	c.now = t0.Add(2 * time.Minute)
	wantChanges(t, c.post(ended(b, c.now)), Records)
	c.now = t0.Add(6 * time.Minute)
	wantChanges(t, c.review())
}

func TestSeverity(t *testing.T) {
	c := newCluster(t)
	c.post(c.fire("Down", "a", t0))
	c.now = t0.Add(time.Minute)
	b := c.fire("Down", "b", c.now, "severity=CRITICAL")
	wantChanges(t, c.post(b), Rises)
	if got := c.only().Spec; got.Severity != v1beta1.SeverityCritical || got.Title != "Down: 2 firing" {
		t.Errorf("got %+v", got)
	}
	wantChanges(t, c.post(b))
	c.now = t0.Add(2 * time.Minute)
	wantChanges(t, c.post(ended(b, c.now)), Edits)
	if got := c.only().Spec; got.Severity != v1beta1.SeverityCritical || !c.wake.Equal(t0.Add(6*time.Minute)) {
		t.Errorf("%s, until %s: it does not fall soon after a message", got.Severity, c.wake)
	}
	wantChanges(t, c.post(ended(b, c.now)))
	c.now = c.wake
	wantChanges(t, c.review(), Edits) // F-P57
	if got := c.only().Spec; got.Severity != v1beta1.SeverityWarning || !got.JoinedTime.Equal(&metav1.Time{Time: t0.Add(time.Minute)}) {
		t.Errorf("%s, joined at %s: a fall is no message", got.Severity, got.JoinedTime)
	}
	for value, want := range map[string]v1beta1.Severity{
		"critical": v1beta1.SeverityCritical, "Critical": v1beta1.SeverityCritical, "info": v1beta1.SeverityInfo, "p1": v1beta1.SeverityWarning, "": v1beta1.SeverityWarning,
	} {
		if got := severityOf(&c.source.Spec, map[string]string{"severity": value}); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}

func TestIgnoredSeverities(t *testing.T) {
	c := newCluster(t)
	watchdog := c.fire("Watchdog", "a", t0, "severity=None")
	plan := Receive(c.inputs(), alertmanager.Post{Alerts: []alertmanager.Alert{watchdog, c.fire("Down", "a", t0)}})
	if plan.Ignored != 1 || len(plan.Writes) != 1 {
		t.Errorf("got %+v", plan)
	}
	c.source.Spec.IgnoreSeverities = nil
	wantChanges(t, c.post(watchdog), Fires)
	c.source.Spec.IgnoreSeverities = []string{"none"}
	c.now = c.now.Add(time.Minute)
	wantChanges(t, c.post(ended(watchdog, c.now)), Resolves)
}

func TestGroupBy(t *testing.T) {
	for name, test := range map[string]struct {
		groupBy []string
		want    int
	}{
		"by name":           {[]string{"alertname"}, 2},
		"by pod":            {[]string{"pod"}, 2},
		"by both":           {[]string{"pod", "alertname"}, 3},
		"by every label":    {[]string{"..."}, 4},
		"by what none has":  {[]string{"team"}, 1},
		"by what some have": {[]string{"severity"}, 2},
	} {
		c := newCluster(t)
		c.source.Spec.GroupBy = test.groupBy
		c.post(c.fire("Down", "a", t0), c.fire("Down", "b", t0), c.fire("Slow", "a", t0), c.fire("Slow", "a", t0, "severity=info"))
		if len(c.alerts) != test.want {
			t.Errorf("%s: %d Alerts, want %d", name, len(c.alerts), test.want)
		}
	}
}

// The name of an Alert does not change: it is stored. The route of a webhook's group is no part of it.
func TestIdentity(t *testing.T) {
	c := newCluster(t)
	for want, post := range map[string]alertmanager.Post{
		"prom-1a7d288791f2bba4": {Alerts: []alertmanager.Alert{c.fire("Down", "a", t0)}},
		"prom-f92a3369d3f67cf0": webhook(alertmanager.Firing, inState(c.fire("Down", "a", t0), alertmanager.Firing)),
	} {
		if groups, _ := groupsOf(c.source, post, t0); len(groups) != 1 || groups[0].name != want {
			t.Errorf("groups are %v, want %s", groups, want)
		}
	}
	if key := keyOf(map[string]string{"alertname": "Down", "pod": "a"}); key != "5c592882bf82e110" {
		t.Errorf("key %s", key)
	}
	if keyOf(map[string]string{"a": "b", "c": "d"}) == keyOf(map[string]string{"a": "b,c=d"}) {
		t.Error("different labels have the same key")
	}
}

func TestHAPair(t *testing.T) {
	c := newCluster(t)
	of := func(since time.Time) alertmanager.Alert { return c.fire("Down", "a", since) }
	wantChanges(t, c.post(of(t0.Add(-5*time.Second))), Fires)
	c.now = t0.Add(10 * time.Second)
	wantChanges(t, c.post(of(t0.Add(-20*time.Second))), Records) // the earliest start
	wantChanges(t, c.post(of(t0.Add(-5*time.Second))))
	if got := c.only().Spec.Instances[0].StartsAt; !got.Equal(&metav1.Time{Time: t0.Add(-20 * time.Second)}) {
		t.Errorf("it starts at %s", got)
	}
	for n := range 60 { // one stops, the other goes on
		c.now = t0.Add(time.Duration(n) * time.Minute)
		c.post(of(t0.Add(-20 * time.Second)))
		c.review()
	}
	end := c.now
	wantChanges(t, c.post(ended(of(t0.Add(-20*time.Second)), end)), Resolves)
	c.now = c.now.Add(10 * time.Second)
	wantChanges(t, c.post(of(t0.Add(-5*time.Second)))) // the other has not noticed yet
	wantChanges(t, c.post(ended(of(t0.Add(-5*time.Second)), c.now)), Records)
	if c.notifications() != 1 || c.only().Spec.State != v1beta1.AlertResolved {
		t.Errorf("%d notifications, state %s", c.notifications(), c.only().Spec.State)
	}
}

// One of a pair does not see what the other sees: the newest word decides, after a while, and an end that is posted again is not news.
func TestHAPairInDisagreement(t *testing.T) {
	c := newCluster(t)
	of := func() alertmanager.Alert { return c.fire("Down", "a", t0) }
	c.post(of())
	c.now = t0.Add(10 * time.Minute)
	end := c.now
	wantChanges(t, c.post(ended(of(), end)), Resolves)
	c.now = end.Add(4 * time.Minute)
	wantChanges(t, c.post(of()))
	c.now = end.Add(5 * time.Minute)
	wantChanges(t, c.post(of()), Fires)
	for n := range 10 {
		c.now = end.Add(time.Duration(6+n) * time.Minute)
		wantChanges(t, c.post(ended(of(), end)))
		if changes := c.post(of()); len(changes) > 0 && changes[0] != Records {
			t.Errorf("got %v", changes)
		}
	}
}

func TestWebhooks(t *testing.T) {
	c := newCluster(t)
	firing := func(pod string) alertmanager.Alert { return inState(c.fire("Down", pod, t0), alertmanager.Firing) }
	resolved := func(pod string) alertmanager.Alert {
		return inState(ended(c.fire("Down", pod, t0), c.now), alertmanager.Resolved)
	}
	wantChanges(t, c.receive(webhook(alertmanager.Firing, firing("a"), firing("b"), firing("c"))), Fires)
	c.now = t0.Add(24 * time.Hour)
	c.heard = c.now
	wantChanges(t, c.review()) // it says itself when it ends
	wantChanges(t, c.receive(webhook(alertmanager.Firing, firing("a"), resolved("b"))), Edits)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, firing("a"), resolved("b"))))
	if n, _ := states(c.only()); n != 2 {
		t.Errorf("%d fire: what is not mentioned stays", n)
	}
	marked := c.now
	c.now = c.now.Add(time.Minute)
	truncated := webhook(alertmanager.Resolved, resolved("a"))
	truncated.Group.Unlisted = 1
	wantChanges(t, c.receive(truncated), Edits)
	wantChanges(t, c.receive(webhook(alertmanager.Resolved, resolved("a"))), Records)
	c.now = marked.Add(16 * time.Minute)
	wantChanges(t, c.review(), Resolves) // c was silenced in between
	if got := c.only().Spec.Content; got != "pod=c, severity=warning\nNot reported any more since 2026-01-02T12:01:00Z." {
		t.Errorf("content %q", got)
	}
	c.now = c.now.Add(6 * time.Second)
	wantChanges(t, c.receive(webhook(alertmanager.Firing, firing("a"))), Fires) // no grace: it is not repeated soon
}

func TestLapse(t *testing.T) {
	const long = -10 * time.Hour
	for name, test := range map[string]struct {
		until, since, servedSince time.Duration // after t0
		want                      bool
	}{
		"never posted again":          {0, long, long, false},
		"posted before":               {3 * time.Minute, long, long, false},
		"posted after":                {26 * time.Minute, long, long, true},
		"a restart in between":        {16 * time.Minute, long, 10 * time.Minute, false},
		"a restart some time ago":     {26 * time.Minute, long, 10 * time.Minute, true},
		"an outage of the sender":     {40 * time.Minute, 26 * time.Minute, long, false}, // F-P46
		"an outage some time ago":     {42 * time.Minute, 26 * time.Minute, long, true},
		"posted by a wrong clock":     {1000 * time.Hour, long, long, false}, // F-P47
		"a wrong clock, a restart":    {1000 * time.Hour, long, 55 * time.Minute, false},
		"a wrong clock, a new series": {1000 * time.Hour, 55 * time.Minute, long, false},
	} {
		c := newCluster(t)
		c.post(c.fire("Down", "a", t0), c.fire("Down", "b", t0))
		c.now, c.servedSince = t0.Add(time.Hour), t0.Add(test.servedSince)
		c.heard, c.series = t0.Add(test.until), Series{Since: t0.Add(test.since), Until: t0.Add(test.until)}
		c.review()
		if got := c.only().Spec.State == v1beta1.AlertResolved; got != test.want {
			t.Errorf("%s: resolved is %t", name, got)
		}
	}
}

// A series ends with a gap, or where a post was refused. A sender that posts less often gives its alerts a longer time.
func TestSeries(t *testing.T) {
	c := newCluster(t)
	every := func(rule string, interval, lapse time.Duration, n int) {
		for range n {
			c.now = c.now.Add(interval)
			a := c.fire(rule, "a", t0)
			a.EndsAt = c.now.Add(lapse)
			c.post(a)
		}
	}
	every("Down", time.Minute, 4*time.Minute, 30)
	if since := c.series.Since; !since.Equal(t0.Add(time.Minute)) {
		t.Errorf("the series began at %s", since)
	}
	c.receive(alertmanager.Post{}) // a sign of life
	c.now = c.now.Add(5 * time.Minute)
	every("Down", 0, 4*time.Minute, 1)
	if !c.series.Since.Equal(c.now) {
		t.Errorf("after a gap the series began at %s", c.series.Since)
	}
	began := c.now.Add(time.Hour) // Down had to be posted before
	every("Slow", time.Hour, 4*time.Hour, 3)
	if !c.series.Since.Equal(began) {
		t.Errorf("the series began at %s, want %s", c.series.Since, began)
	}
	every("Slow", 5*time.Hour, 4*time.Hour, 1)
	if !c.series.Since.Equal(c.now) {
		t.Errorf("after a longer gap the series began at %s", c.series.Since)
	}
	source := &v1beta1.AlertSource{}
	source.Status.ReceivingSince, source.Status.ReceivingUntil = &metav1.Time{Time: t0}, &metav1.Time{Time: t0.Add(time.Hour)}
	source.Status.ReceivingBrokenTime = &metav1.Time{Time: t0.Add(time.Minute)}
	if got := SeriesOf(source); got != (Series{Since: t0.Add(time.Minute), Until: t0.Add(time.Hour)}) {
		t.Errorf("after a refusal the series is %v", got)
	}
}

// F-P46: an alert whose rule is evaluated seldom does not hide an outage from the others, which its first post would end.
func TestAnOutageBesideASlowRule(t *testing.T) {
	c := newCluster(t)
	post := func(after time.Duration, rules ...string) {
		c.now = c.now.Add(after)
		var alerts []alertmanager.Alert
		for _, rule := range rules {
			a := c.fire(rule, "a", t0)
			if rule == "Slow" { // its group has the interval 5m
				a.EndsAt = c.now.Add(20 * time.Minute)
			}
			alerts = append(alerts, a)
		}
		c.post(alerts...)
		c.review()
	}
	states := func(want v1beta1.AlertState) {
		t.Helper()
		for name, a := range c.alerts {
			if isOfSlow := strings.Contains(a.Spec.Title, "Slow"); !isOfSlow && a.Spec.State != want {
				t.Errorf("%s is %s after %s", name, a.Spec.State, c.now.Sub(t0))
			}
		}
	}
	for range 8 {
		post(time.Minute, "Down", "Full", "Slow")
		for range 4 {
			post(time.Minute, "Down", "Full")
		}
	}
	post(19*time.Minute, "Slow")
	states(v1beta1.AlertFiring)
	for range 10 { // the others have ended meanwhile
		post(5*time.Minute, "Slow")
	}
	states(v1beta1.AlertResolved)
}

// F-P46: after an outage of the sender its posts come rule by rule. What it has not evaluated yet still fires, and no message is sent again.
func TestAnOutageOfTheSender(t *testing.T) {
	c := newCluster(t)
	post := func(minutes int, rules ...string) {
		for range minutes {
			c.now = c.now.Add(time.Minute)
			var alerts []alertmanager.Alert
			for _, rule := range rules {
				alerts = append(alerts, c.fire(rule, "a", t0))
			}
			c.post(alerts...)
			c.review()
		}
	}
	post(30, "Fast", "Down", "Gone")
	c.now = c.now.Add(time.Hour)
	post(10, "Fast")
	post(20, "Fast", "Down")
	for _, w := range c.writes {
		if name := w.Alert.Labels["alertname"]; name != "Gone" && w.Change == Resolves || w.Change == Fires && w.Present != nil {
			t.Errorf("%s: %s at %s", name, w.Change, w.at.Sub(t0))
		}
	}
	if got := c.alerts[nameOf(c.source, "labels", "", map[string]string{"alertname": "Gone"})].Spec.State; got != v1beta1.AlertResolved {
		t.Errorf("what is not posted any more is %s", got)
	}
}

// The API server refuses times after the year 9999.
func TestAnEndThatIsFarAway(t *testing.T) {
	c := newCluster(t)
	a := c.fire("Down", "a", t0)
	a.EndsAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	wantChanges(t, c.post(a), Fires)
	if lapses := c.only().Spec.Instances[0].LapsesAt; lapses.Year() > 2036 {
		t.Errorf("it lapses at %s", lapses)
	}
}

// amtool posts the zero time: such an alert lapses after 5 minutes, and later if it is posted again.
func TestNoEnd(t *testing.T) {
	c := newCluster(t)
	a := c.fire("Down", "a", time.Time{})
	a.EndsAt = time.Time{}
	wantChanges(t, c.post(a), Fires)
	lapses := c.only().Spec.Instances[0].LapsesAt
	if after := lapses.Sub(t0); after != 5*time.Minute {
		t.Errorf("it lapses after %s", after)
	}
	c.now = lapses.Add(-time.Minute)
	wantChanges(t, c.post(a), Records)
	lapses = c.only().Spec.Instances[0].LapsesAt
	if after := lapses.Sub(c.now); after < 5*time.Minute || after > 25*time.Minute {
		t.Errorf("it lapses after %s", after)
	}
	for range 4 { // until then
		c.now = c.now.Add(time.Second)
		wantChanges(t, c.post(a))
	}
	c.now = lapses.Add(time.Second)
	wantChanges(t, c.post(c.fire("Other", "a", t0)), Fires)
	if changes := c.review(); len(changes) != 1 || changes[0] != Resolves {
		t.Errorf("got %v", changes)
	}
}

func TestAPersonsResolveHolds(t *testing.T) {
	c := newCluster(t)
	a := c.fire("Down", "a", t0)
	c.post(a)
	c.edit(func(s *v1beta1.AlertSpec) { s.State = v1beta1.AlertResolved })
	for n := range 30 {
		c.now = t0.Add(time.Duration(n) * time.Minute)
		c.post(c.fire("Down", "a", t0), c.fire("Down", fmt.Sprint(n), c.now))
		c.review()
	}
	if got := c.only(); got.Spec.State != v1beta1.AlertResolved || c.notifications() != 1 || got.Spec.TTLSecondsAfterFinished != nil {
		t.Errorf("state %s, %d notifications", got.Spec.State, c.notifications())
	}
	var all []alertmanager.Alert
	all = append(all, ended(a, c.now))
	for n := range 30 {
		all = append(all, ended(c.fire("Down", fmt.Sprint(n), t0), c.now))
	}
	wantChanges(t, c.post(all...), Records)
	if got := c.only(); got.Spec.TTLSecondsAfterFinished == nil {
		t.Error("it is kept for ever")
	}
	c.now = c.now.Add(time.Minute)
	wantChanges(t, c.post(c.fire("Down", "b", c.now)), Fires)
	if got := c.only().Spec; got.State != v1beta1.AlertFiring || got.Severity != v1beta1.SeverityWarning || got.TTLSecondsAfterFinished != nil || got.Title != "Down is bad" {
		t.Errorf("got %+v", got)
	}
}

// F-P54: a person who resolves a warning has not seen what is worse.
func TestARiseEndsAPersonsResolve(t *testing.T) {
	c := newCluster(t)
	c.post(c.fire("Down", "a", t0))
	c.edit(func(s *v1beta1.AlertSpec) { s.State = v1beta1.AlertResolved })
	c.now = t0.Add(time.Minute)
	critical := c.fire("Down", "b", c.now, "severity=critical")
	wantChanges(t, c.post(critical), Fires)
	if got := c.only().Spec; got.State != v1beta1.AlertFiring || got.Severity != v1beta1.SeverityCritical {
		t.Errorf("%s, %s", got.State, got.Severity)
	}
	c.edit(func(s *v1beta1.AlertSpec) { s.State = v1beta1.AlertResolved })
	for n := range 30 {
		c.now = c.now.Add(time.Minute)
		wantChanges(t, slices.DeleteFunc(c.post(ended(critical, t0.Add(2*time.Minute)), c.fire("Down", "a", t0), c.fire("Down", "c", c.now, "severity=critical", fmt.Sprintf("n=%d", n))), func(c Change) bool { return c == Records }))
	}
	if got := c.only().Spec; got.State != v1beta1.AlertResolved || got.Severity != v1beta1.SeverityCritical {
		t.Errorf("%s, %s: while it holds, the severity does not fall", got.State, got.Severity)
	}
}

// The severity falls with the instance that had it, so that one that a person has set stays.
func TestAPersonsSeverity(t *testing.T) {
	c := newCluster(t)
	c.post(c.fire("Down", "a", t0), c.fire("Down", "b", t0))
	c.edit(func(s *v1beta1.AlertSpec) { s.Severity = v1beta1.SeverityCritical })
	c.now = t0.Add(6 * time.Minute)
	wantChanges(t, c.post(ended(c.fire("Down", "b", t0), c.now), c.fire("Down", "a", t0)), Edits)
	if got := c.only().Spec; got.Severity != v1beta1.SeverityCritical {
		t.Errorf("it falls to %s", got.Severity)
	}
}

// What a person edited does not make later posts fail, and is not undone by them until something else changes.
func TestEditsOfPersons(t *testing.T) {
	c := newCluster(t)
	a := c.fire("Down", "a", t0)
	c.post(a)
	c.edit(func(s *v1beta1.AlertSpec) {
		s.Content, s.Instances = "I am on it", append(s.Instances, v1beta1.AlertInstance{Key: "mine"})
		s.TTLSecondsAfterFinished = ptr.To[int32](60)
	})
	c.now = t0.Add(time.Minute)
	wantChanges(t, c.post(c.fire("Down", "a", t0)), Records) // the start of the added instance
	wantChanges(t, c.post(c.fire("Down", "a", t0)))
	if got := c.only().Spec; got.Content != "I am on it" {
		t.Errorf("content %q", got.Content)
	}
	c.edit(func(s *v1beta1.AlertSpec) { s.Instances = nil })
	wantChanges(t, c.post(ended(a, c.now))) // nothing is left to end
	wantChanges(t, c.post(c.fire("Down", "a", t0)), Fires)
	wantChanges(t, c.post(ended(a, c.now)), Resolves)
	if got := c.only().Spec; *got.TTLSecondsAfterFinished != 60 {
		t.Errorf("the TTL is %d", *got.TTLSecondsAfterFinished)
	}
}

func TestAFlappingGroup(t *testing.T) {
	c := newCluster(t)
	for n := range 60 {
		start := t0.Add(time.Duration(2*n) * time.Minute)
		c.now = start
		a := c.fire("Down", "a", start)
		c.post(a)
		c.now = start.Add(time.Minute)
		c.post(ended(a, c.now))
	}
	if n := c.notifications(); n > 120/5 || n < 10 {
		t.Errorf("%d notifications in 2 hours", n)
	}
	if got := c.only().Spec; got.State != v1beta1.AlertResolved || len(got.Instances) != 1 {
		t.Errorf("got %+v", got)
	}
}

// The Alert about what is beyond maxAlerts is a list, also of one.
func TestOneTooMany(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.MaxAlerts = 1
	c.post(c.fire("Down", "a", t0.Add(-time.Minute)), c.fire("Slow", "a", t0))
	if got := c.alerts["prom-more"].Spec; got.Title != "Alerts of AlertSource prom beyond its maxAlerts: 1 firing" || got.Content != "Slow is bad" {
		t.Errorf("title %q, content %q", got.Title, got.Content)
	}
}

func TestTooMany(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.MaxAlerts = 3
	var alerts []alertmanager.Alert
	for n := range 40 {
		alerts = append(alerts, c.fire(fmt.Sprintf("Rule%02d", n), "a", t0.Add(-time.Duration(n)*time.Second)))
	}
	alerts[39].Labels["severity"] = "critical"
	wantChanges(t, c.post(alerts...), Fires, Fires, Fires, Fires)
	more := c.alerts["prom-more"].Spec
	if lines := strings.Split(more.Content, "\n"); len(lines) != 21 || lines[0] != "Rule00 is bad" || lines[20] != "and 17 more" || more.Title != "Alerts of AlertSource prom beyond its maxAlerts: 37 firing" {
		t.Errorf("title %q, content %q", more.Title, more.Content)
	}
	wantChanges(t, c.post(alerts...))
	if CountFiring(c.source, c.inputs().Alerts) != 4 {
		t.Errorf("%d fire", CountFiring(c.source, c.inputs().Alerts))
	}

	c.now = t0.Add(10 * time.Minute) // there is room for one
	for i := range alerts {
		alerts[i].EndsAt = c.now.Add(4 * time.Minute)
	}
	alerts[39].EndsAt = c.now
	changes := slices.DeleteFunc(c.post(alerts...), func(c Change) bool { return c == Records }) // of later lapses
	wantChanges(t, changes, Resolves, Fires, Edits)
	if len(c.alerts) != 5 {
		t.Errorf("%d Alerts", len(c.alerts))
	}
	for i := range alerts {
		alerts[i].EndsAt = c.now
	}
	c.post(alerts...)
	if n := CountFiring(c.source, c.inputs().Alerts); n != 0 {
		t.Errorf("%d fire", n)
	}
}

func TestSilence(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.SilentAfterSeconds = 300
	wantChanges(t, c.review()) // never heard from
	a := c.fire("Down", "a", t0)
	c.post(a)
	heard := c.now
	for n := range 60 { // a dead Prometheus resolves nothing
		c.now = t0.Add(time.Duration(n) * time.Minute)
		c.review()
	}
	silent := c.alerts["prom-silent"].Spec
	if c.notifications() != 2 || silent.State != v1beta1.AlertFiring || silent.Severity != v1beta1.SeverityCritical || silent.Title != "AlertSource prom is silent" ||
		!strings.Contains(silent.Content, "AlertSource shop/prom has received nothing since "+heard.Format(time.RFC3339)) {
		t.Errorf("%d notifications, %+v", c.notifications(), silent)
	}
	for _, w := range c.writes {
		if w.Change == Resolves {
			t.Errorf("%s is resolved at %s", w.Alert.Name, w.at)
		}
	}
	c.post(c.fire("Down", "a", t0))
	if got := c.alerts["prom-silent"].Spec; got.State != v1beta1.AlertResolved {
		t.Errorf("got %+v", got)
	}
	c.servedSince = c.now
	c.now = c.now.Add(4 * time.Minute)
	wantChanges(t, c.review())
	if !c.wake.Equal(c.servedSince.Add(5 * time.Minute)) {
		t.Errorf("it wakes at %s", c.wake)
	}
	c.now = c.wake
	wantChanges(t, c.review(), Fires)
	c.servedSince = c.now // a restart does not end it
	wantChanges(t, c.review())
	c.source.Spec.SilentAfterSeconds = 0
	wantChanges(t, c.review(), Resolves)
}

// F-P48: each time that a group fires, it reaches the receivers that the source names then, unless a person has changed those of its Alert.
func TestReceiversOfEachOccurrence(t *testing.T) {
	refs := func(names ...string) (refs []v1beta1.ReceiverRef) {
		for _, name := range names {
			refs = append(refs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name})
		}
		return refs
	}
	for name, test := range map[string]struct {
		edit func(*v1beta1.Alert)
		want []v1beta1.ReceiverRef
	}{
		"the source is edited": {func(*v1beta1.Alert) {}, refs("b", "c")},
		"a person edits":       {func(a *v1beta1.Alert) { a.Spec.ReceiverRefs = refs("mine") }, refs("mine")},
		"a person has none":    {func(a *v1beta1.Alert) { a.Spec.ReceiverRefs = nil }, nil},
		"of a former release":  {func(a *v1beta1.Alert) { delete(a.Annotations, v1beta1.AlertSourceReceiversAnnotation) }, refs("a")},
	} {
		c := newCluster(t)
		c.source.Spec.ReceiverRefs = refs("a")
		a := c.fire("Down", "a", t0)
		c.post(a)
		c.source.Spec.ReceiverRefs = refs("b", "c")
		c.now = c.now.Add(6 * time.Minute)
		c.post(c.fire("Down", "a", t0), c.fire("Down", "b", c.now))
		if got := c.only(); !slices.Equal(got.Spec.ReceiverRefs, refs("a")) {
			t.Errorf("%s: while it fires, the receivers are %v", name, got.Spec.ReceiverRefs)
		}
		edited := c.only()
		test.edit(&edited)
		c.alerts[edited.Name] = edited
		c.post(ended(a, c.now), ended(c.fire("Down", "b", c.now), c.now))
		c.now = c.now.Add(6 * time.Minute)
		wantChanges(t, c.post(c.fire("Down", "a", c.now)), Fires)
		if got := c.only(); !slices.Equal(got.Spec.ReceiverRefs, test.want) {
			t.Errorf("%s: the receivers are %v, want %v", name, got.Spec.ReceiverRefs, test.want)
		}
	}
}

// F-P62: a source that is re-created, as by "kubectl replace --force", has its Alerts again.
func TestASourceIsCreatedAgain(t *testing.T) {
	c := newCluster(t)
	c.post(c.fire("Down", "a", t0))
	before := c.only()
	c.store(Plan{Writes: Orphan(c.inputs().Alerts)})
	if got := c.only().Spec.Content; got != "a fails\nAlertSource prom was deleted: a person has to resolve this Alert." {
		t.Errorf("content %q", got)
	}
	if again := Orphan(c.inputs().Alerts); len(again) > 0 {
		t.Errorf("it is written again: %v", again)
	}
	c.now = c.now.Add(time.Minute)
	wantChanges(t, c.review(), Edits)
	if got := c.only().Spec.Content; got != before.Spec.Content {
		t.Errorf("content %q", got)
	}
	wantChanges(t, c.review())
}

// F-P50: while an Alert is being deleted, or another owner's Alert has its name, its group continues under another name.
func TestANameThatIsTaken(t *testing.T) {
	for name, take := range map[string]func(*v1beta1.Alert){
		"deleted": func(a *v1beta1.Alert) { a.DeletionTimestamp = &metav1.Time{Time: t0} },
		"foreign": func(a *v1beta1.Alert) { a.Labels = nil },
	} {
		c := newCluster(t)
		c.source.Spec.MaxAlerts = 1
		c.post(c.fire("Down", "a", t0))
		first := c.only()
		for n, want := range []string{"-2", "-3"} {
			for key, a := range c.alerts {
				take(&a)
				c.alerts[key] = a
			}
			c.now = t0.Add(time.Duration(6*n+6) * time.Minute)
			wantChanges(t, c.post(c.fire("Down", "a", t0), c.fire("Down", "b", t0)), Fires)
			wantChanges(t, c.post(c.fire("Down", "a", t0), c.fire("Down", "b", t0)))
			if got, exists := c.alerts[first.Name+want]; !exists || got.Spec.Title != "Down: 2 firing" {
				t.Errorf("%s: there is no Alert %s of two instances: %s", name, first.Name+want, describeAll(c))
			}
			if changes := c.review(); len(changes) > 0 {
				t.Errorf("%s: a review changes %v", name, changes)
			}
		}
		for _, taken := range namesOf(first.Name) {
			other := first.DeepCopy()
			other.Name = taken
			take(other)
			c.alerts[taken] = *other
		}
		plan := Receive(c.inputs(), alertmanager.Post{Alerts: []alertmanager.Alert{c.fire("Down", "b", t0), c.fire("Slow", "b", t0)}})
		if len(plan.Blocked) != 1 || plan.Blocked[0] != first.Name || len(plan.Writes) != 1 {
			t.Errorf("%s: got %+v", name, plan)
		}
	}
}

// F-P47: what a clock that was ahead has recorded says nothing.
func TestSilenceAfterAWrongClock(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.SilentAfterSeconds = 600
	c.heard, c.now = t0.Add(1000*time.Hour), t0.Add(2*time.Hour)
	wantChanges(t, c.review(), Fires)
}

// A severity that a person has lowered is not raised by what fired before, and a map of severities that is edited raises what fires.
func TestARiseIsNews(t *testing.T) {
	c := newCluster(t)
	post := func() []Change { return c.post(c.fire("Down", "a", t0, "severity=critical")) }
	post()
	c.edit(func(s *v1beta1.AlertSpec) { s.Severity, s.State = v1beta1.SeverityWarning, v1beta1.AlertResolved })
	for range 30 {
		c.now = c.now.Add(time.Minute)
		if changes := post(); len(changes) > 0 && changes[0] != Records {
			t.Fatalf("it changes %v", changes)
		}
	}
	c = newCluster(t)
	c.post(c.fire("Down", "a", t0, "severity=P1"))
	c.source.Spec.SeverityMap["P1"] = v1beta1.SeverityCritical
	c.now = t0.Add(time.Minute)
	wantChanges(t, c.post(c.fire("Down", "a", t0, "severity=P1")), Rises)
	wantChanges(t, c.post(c.fire("Down", "a", t0, "severity=P1")))
}

// A retired Alert has something that the other one has not: that goes there first. A person who has the retired one fire has it resolved again.
func TestARetiredAlertLosesNothing(t *testing.T) {
	c := newCluster(t)
	c.receive(routed("{}/1", alertmanager.Firing, c.firing("a")))
	first := c.only()
	d := newCluster(t)
	d.receive(routed("{}/2", alertmanager.Firing, d.firing("b")))
	other := d.only()
	other.Name, other.CreationTimestamp = first.Name+"-2", metav1.NewTime(t0)
	c.alerts[other.Name] = other
	c.now = t0.Add(6 * time.Minute)
	wantChanges(t, c.review(), Grows)
	wantChanges(t, c.review(), Resolves)
	wantChanges(t, c.review())
	if n, _ := states(c.alerts[first.Name]); n != 2 {
		t.Errorf("%d fire", n)
	}
	again := c.alerts[other.Name]
	again.Spec.State = v1beta1.AlertFiring
	c.alerts[other.Name] = again
	wantChanges(t, c.review(), Resolves)
	wantChanges(t, c.review())
}

// Two replicas may create two Alerts of a group, as one sees that the former Alert is being deleted, and the other that it is gone.
func TestTwoAlertsOfAGroup(t *testing.T) {
	c := newCluster(t)
	c.post(c.fire("Down", "a", t0), c.fire("Down", "b", t0))
	first := c.only()
	other := first.DeepCopy()
	other.Name, other.CreationTimestamp = first.Name+"-2", metav1.NewTime(t0)
	c.alerts[other.Name] = *other
	c.now = t0.Add(time.Minute)
	wantChanges(t, c.post(ended(c.fire("Down", "b", t0), c.now)), Edits)
	wantChanges(t, c.review(), Resolves)
	wantChanges(t, c.review())
	if got := c.alerts[first.Name].Spec; got.State != v1beta1.AlertFiring || got.Content != "pod=a, severity=warning" {
		t.Errorf("the first is %s: %q", got.State, got.Content)
	}
	if got := c.alerts[other.Name].Spec; got.State != v1beta1.AlertResolved || !strings.HasSuffix(got.Content, "\nAlert "+first.Name+" has what fires of this group.") {
		t.Errorf("the other is %s: %q", got.State, got.Content)
	}
}

// F-P49: an Alert that was restored from a backup waits for a person, unless a post says that it is about now.
func TestARestoredAlert(t *testing.T) {
	c := newCluster(t)
	a, b := c.fire("Down", "a", t0), c.fire("Down", "b", t0)
	c.post(a, b)
	restored := c.only()
	restored.Labels[alertrules.RestoreLabel] = "backup"
	c.alerts[restored.Name] = restored
	c.now = t0.Add(time.Minute)
	wantChanges(t, c.review())
	wantChanges(t, c.post(ended(b, c.now)), Edits)
	if got := c.only(); got.Labels[alertrules.RestoreLabel] == "" {
		t.Error("an end confirms that it fires")
	}
	wantChanges(t, c.post(a), Edits)
	if got := c.only(); got.Labels[alertrules.RestoreLabel] != "" {
		t.Error("it is held although a post confirms it")
	}
	wantChanges(t, c.post(a))
}

// F-P49: nothing else may post what is new in a webhook: it would wait until Alertmanager repeats the group.
func TestARestoredAlertHasNews(t *testing.T) {
	for why, firing := range map[string]bool{"it fires": true, "it is resolved": false} {
		c := newCluster(t)
		c.receive(webhook(alertmanager.Firing, c.firing("a")))
		if c.now = t0.Add(time.Hour); !firing {
			c.receive(webhook(alertmanager.Resolved, c.resolved("a")))
		}
		restored := c.only()
		restored.Labels[alertrules.RestoreLabel] = "backup"
		c.alerts[restored.Name] = restored
		c.now = t0.Add(2 * time.Hour)
		c.receive(webhook(alertmanager.Firing, c.firing("b")))
		if got := c.only(); got.Labels[alertrules.RestoreLabel] != "" || got.Spec.State != v1beta1.AlertFiring {
			t.Errorf("%s: it is held although a webhook has news", why)
		}
	}
}

// F-P43: of an alert that two routes send in groups of their own, one of which has an Alert and the other one is beyond maxAlerts, the posts of
// one say nothing about the other: it neither ends nor fires again with each repetition.
func TestAnAlertOfTwoGroupsBeyondMaxAlerts(t *testing.T) {
	c := newCluster(t)
	c.source.Spec.MaxAlerts = 1
	down := inState(c.fire("Down", "a", t0), alertmanager.Firing)
	byNode, byTeam := routed("{}", alertmanager.Firing, down), routed("{team}", alertmanager.Firing, down)
	byTeam.Group.Labels = map[string]string{"team": "x"}
	c.receive(byNode)
	wantChanges(t, c.receive(byTeam), Fires)
	for range 3 {
		c.now = c.now.Add(time.Hour)
		wantChanges(t, c.receive(byNode), Records)
		wantChanges(t, c.receive(byTeam), Records)
	}
	if firing, _ := states(c.alerts["prom-more"]); firing != 1 {
		t.Errorf("%d fire beyond maxAlerts", firing)
	}

	c.source.Spec.MaxAlerts = 2
	c.receive(byTeam)
	if firing, _ := states(c.alerts["prom-more"]); firing != 0 || len(c.alerts) != 3 {
		t.Errorf("%d fire beyond maxAlerts, which are 2, in %d Alerts", firing, len(c.alerts))
	}
}
