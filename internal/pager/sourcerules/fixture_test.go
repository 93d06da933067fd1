// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

var t0 = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// cluster has what is stored, a clock, and the posts and writes so far.
type cluster struct {
	t           *testing.T
	source      *v1beta1.AlertSource
	alerts      map[string]v1beta1.Alert
	now         time.Time
	servedSince time.Time
	heard       time.Time
	series      Series
	writes      []sent
	wake        time.Time
}

// sent is a write at a time.
type sent struct {
	at time.Time
	Write
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	source := &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "prom"}}
	source.Spec = v1beta1.AlertSourceSpec{
		GroupBy: []string{"alertname"}, SeverityLabel: "severity", IgnoreSeverities: []string{"none"}, MaxAlerts: 200,
		Alertmanager: v1beta1.AlertmanagerIntervals{GroupIntervalSeconds: 300, RepeatIntervalSeconds: 432000},
		SeverityMap:  map[string]v1beta1.Severity{"critical": v1beta1.SeverityCritical, "warning": v1beta1.SeverityWarning, "info": v1beta1.SeverityInfo},
	}
	return &cluster{t: t, source: source, alerts: map[string]v1beta1.Alert{}, now: t0, servedSince: t0.Add(-time.Hour)}
}

func (c *cluster) inputs() Inputs {
	return Inputs{
		Source: c.source, Alerts: slices.Collect(maps.Values(c.alerts)), Now: c.now, ServedSince: c.servedSince, LastReceived: c.heard, Series: c.series,
	}
}

// receive posts alerts, stores what is to be written, and returns the changes.
func (c *cluster) receive(post alertmanager.Post) []Change {
	c.t.Helper()
	in := c.inputs()
	before := copyOf(in.Alerts)
	plan := Receive(in, post)
	c.checkUnchanged(before, in.Alerts)
	if c.heard = c.now; post.Group == nil && len(post.Alerts) > 0 {
		c.series = c.series.With(c.now, plan.Gap)
	}
	if plan.IsTruncated {
		c.source.Status.LastTruncatedTime = &metav1.Time{Time: c.now}
	}
	return c.store(plan)
}

func copyOf(alerts []v1beta1.Alert) []v1beta1.Alert {
	copies := make([]v1beta1.Alert, len(alerts))
	for i := range alerts {
		alerts[i].DeepCopyInto(&copies[i])
	}
	return copies
}

// checkUnchanged checks that what came from a cache is as it was.
func (c *cluster) checkUnchanged(before, after []v1beta1.Alert) {
	c.t.Helper()
	if len(after) <= 10 && !equality.Semantic.DeepEqual(before, after) {
		c.t.Fatal("an input was changed")
	}
}

func (c *cluster) post(alerts ...alertmanager.Alert) []Change {
	c.t.Helper()
	return c.receive(alertmanager.Post{Alerts: alerts})
}

func (c *cluster) review() []Change {
	c.t.Helper()
	in := c.inputs()
	before := copyOf(in.Alerts)
	plan := Review(in)
	c.checkUnchanged(before, in.Alerts)
	return c.store(plan)
}

func (c *cluster) store(plan Plan) (changes []Change) {
	c.t.Helper()
	c.wake = plan.Wake
	for _, w := range plan.Writes {
		present, exists := c.alerts[w.Alert.Name]
		if exists != (w.Present != nil) || exists && w.Present.ResourceVersion != present.ResourceVersion {
			c.t.Fatalf("%s is written on another version", w.Alert.Name)
		}
		checkValid(c.t, w.Alert)
		c.alerts[w.Alert.Name] = *w.Alert
		c.writes = append(c.writes, sent{c.now, w})
		changes = append(changes, w.Change)
	}
	if !plan.Wake.IsZero() && !plan.Wake.After(c.now) {
		c.t.Errorf("it wakes at %s, and it is %s", plan.Wake, c.now)
	}
	return changes
}

// checkValid checks what the schema of Alerts demands.
func checkValid(t *testing.T, a *v1beta1.Alert) {
	t.Helper()
	spec := a.Spec
	if spec.Content == "" || len(spec.Content) > 16384 || len(spec.Title) > 256 || spec.Severity == "" || len(spec.Instances) > 200 || len(spec.Links) > 4 || len(a.Name) > 253 {
		t.Errorf("%s is not valid: %+v", a.Name, spec)
	}
	keys := map[string]bool{}
	for _, i := range spec.Instances {
		if keys[i.Key] || len(i.Key) > 64 || len(i.Text) > 256 || len(i.Labels) > 1024 || i.EndsAt != nil && i.EndsAt.Before(i.StartsAt) {
			t.Errorf("an instance of %s is not valid: %+v", a.Name, i)
		}
		keys[i.Key] = true
	}
}

// only returns the only Alert.
func (c *cluster) only() v1beta1.Alert {
	c.t.Helper()
	if len(c.alerts) != 1 {
		c.t.Fatalf("%d Alerts: %v", len(c.alerts), slices.Collect(maps.Keys(c.alerts)))
	}
	for _, a := range c.alerts {
		return a
	}
	return v1beta1.Alert{}
}

// edit changes the only Alert as a person does.
func (c *cluster) edit(change func(*v1beta1.AlertSpec)) {
	c.t.Helper()
	a := c.only()
	change(&a.Spec)
	c.alerts[a.Name] = a
}

func (c *cluster) notifications() (n int) {
	for _, w := range c.writes {
		if w.Change.Notifies() {
			n++
		}
	}
	return n
}

// fire is an alert of a rule, as Prometheus posts it: about a pod, since a time. It lapses 4 minutes after the post.
func (c *cluster) fire(rule, pod string, since time.Time, labels ...string) alertmanager.Alert {
	a := alertmanager.Alert{
		Labels:      map[string]string{"alertname": rule, "pod": pod, "severity": "warning"},
		Annotations: map[string]string{"summary": rule + " is bad", "description": pod + " fails"},
		StartsAt:    since, EndsAt: c.now.Add(4 * time.Minute),
	}
	for _, label := range labels {
		name, value, _ := strings.Cut(label, "=")
		a.Labels[name] = value
	}
	return a
}

// ended is the same alert, resolved at a time.
func ended(a alertmanager.Alert, at time.Time) alertmanager.Alert {
	a.EndsAt = at
	return a
}

func webhook(state alertmanager.State, alerts ...alertmanager.Alert) alertmanager.Post {
	return routed("{}", state, alerts...)
}

func routed(route string, state alertmanager.State, alerts ...alertmanager.Alert) alertmanager.Post {
	return alertmanager.Post{Alerts: alerts, Group: &alertmanager.Group{
		Key: route + `:{alertname="Down"}`, ExternalURL: "https://alertmanager", Receiver: "bellhop", Labels: map[string]string{"alertname": "Down"}, State: state,
	}}
}

// inState is an alert as a webhook has it.
func inState(a alertmanager.Alert, state alertmanager.State) alertmanager.Alert {
	if a.State = state; state == alertmanager.Firing {
		a.EndsAt = time.Time{}
	}
	return a
}

func wantChanges(t *testing.T, got []Change, want ...Change) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("changes are %v, want %v", got, want)
	}
}

func states(a v1beta1.Alert) (firing, waiting int) {
	return count(a.Spec.Instances, isFiring), count(a.Spec.Instances, isWaiting)
}
