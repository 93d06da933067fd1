// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/sender/kube"
)

// TestTheOracle shows that the oracle finds what it looks for: in a history without faults, one is made by an edit of the Alert, as a mistake of the
// operator would do it.
func TestTheOracle(t *testing.T) {
	const firing, other = "disk-a-warning;", "cpu-c-critical;"
	state := func(state v1beta1.AlertState) func(map[string]any) {
		return func(spec map[string]any) { spec["state"] = string(state) }
	}
	for _, c := range []struct {
		name    string
		ends    bool // the alert has ended when the fault is made
		change  func(sim *simulation)
		failure string
	}{
		{name: "no fault"},
		{name: "no fault, and the alert ends", ends: true},
		{
			name:   "a resolve of what fires",
			change: func(sim *simulation) { sim.edit(state(v1beta1.AlertResolved)) }, failure: "a resolve/",
		},
		{
			name: "an instance that fires has ended",
			change: func(sim *simulation) {
				sim.edit(func(spec map[string]any) { instance(spec)["endsAt"] = sim.now().UTC().Format(time.RFC3339) })
			}, failure: "no Alert has it",
		},
		{
			name: "a low severity",
			change: func(sim *simulation) {
				sim.edit(func(spec map[string]any) { spec["severity"] = string(v1beta1.SeverityInfo) })
			}, failure: "the severity of its Alert is lower",
		},
		{
			name: "an instance that no sender has",
			change: func(sim *simulation) {
				sim.edit(func(spec map[string]any) {
					added := sim.now().UTC().Format(time.RFC3339)
					all, _ := spec["instances"].([]any)
					spec["instances"] = append(all, map[string]any{"key": "added", "text": other, "startsAt": added, "poster": "nobody", "severity": "Critical"})
				})
			}, failure: "not ended/pager/" + other,
		},
		{
			name: "an instance fires on after its end", ends: true,
			change: func(sim *simulation) {
				sim.edit(func(spec map[string]any) { delete(instance(spec), "endsAt"); state(v1beta1.AlertFiring)(spec) })
			}, failure: "a post of its group named it as resolved",
		},
		{
			name: "a second page",
			change: func(sim *simulation) {
				sim.edit(func(spec map[string]any) { spec["joinedTime"] = sim.now().UTC().Format(time.RFC3339) })
			}, failure: "a second page/",
		},
		{
			name: "a page of what a person has resolved",
			change: func(sim *simulation) {
				sim.oracle.resolve("pager")
				sim.after(20*time.Minute, func() error { sim.edit(state(v1beta1.AlertFiring)); return nil })
			}, failure: "a page of what a person resolved/",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := history{
				members: 1, skew: make([]time.Duration, 1), maxAlerts: 200, length: time.Hour + goneAfter + 2*step,
				configs: []amConfig{{root: route{receiver: "pager", groupBy: []string{"alertname"}}}},
				actions: []action{{verb: fires, id: firing}},
			}
			if c.ends {
				h.actions = append(h.actions, action{at: 50 * time.Minute, verb: ends, id: firing})
			}
			failures := run(t, h, func(sim *simulation) {
				if c.change != nil {
					sim.after(time.Hour, func() error { c.change(sim); return nil })
				}
			})
			isFound := func(failure string) bool { return strings.Contains(failure, c.failure) }
			switch {
			case c.failure == "" && len(failures) > 0:
				t.Errorf("found %q in a history without a fault", failures)
			case c.failure != "" && !slices.ContainsFunc(failures, isFound):
				t.Errorf("found %q, not %q", failures, c.failure)
			}
		})
	}
}

// TestPosts shows what the oracle does not take for a fault: what follows from posts that came, or could not come, by the rules of the operator.
func TestPosts(t *testing.T) {
	const first, second = "disk-a-warning;", "disk-b-warning;"
	const ended, whole = "a post of its group named it as resolved", 0
	pageAgain := func(o *oracle) {
		o.fired("pager-disk", "", o.pages["pager-disk"], map[string]bool{first: true, second: true})
	}
	look := func(name string) func(o *oracle) {
		return func(o *oracle) {
			a := &v1beta1.Alert{Spec: v1beta1.AlertSpec{State: v1beta1.AlertFiring, Instances: []v1beta1.AlertInstance{{Text: second}}}}
			a.Name, a.Labels = name, map[string]string{v1beta1.AlertSourceLabel: "pager"}
			o.check("pager", *ruleOf(second), o.of("pager", second), []*v1beta1.Alert{a})
		}
	}
	resolve := func(o *oracle) {
		o.resolved("pager-disk", o.pages["pager-disk"])
		time.Sleep(time.Hour)
		o.checkResolves()
	}
	for _, c := range []struct {
		name string
		// gap is the time from the first post, which lists both, to the others, and from one of these to the next.
		gap   time.Duration
		posts []func(o *oracle)
		// then is what the operator does, and failure what the oracle says of it.
		then    func(o *oracle)
		failure string
	}{
		{name: "a page of what its group has not listed for 15 minutes", gap: 16 * time.Minute, posts: []func(*oracle){
			postOf("disk", whole, 200, first), postOf("disk", whole, 200, first, second),
		}, then: pageAgain},
		{name: "a page of what its group has not listed for 10 minutes", gap: 10 * time.Minute, posts: []func(*oracle){
			postOf("disk", whole, 200, first), postOf("disk", whole, 200, first, second),
		}, then: pageAgain, failure: "a second page/"},
		{name: "a page of what another route did not list", gap: 16 * time.Minute, posts: []func(*oracle){
			postOf("other", whole, 200, first), postOf("disk", whole, 200, first, second),
		}, then: pageAgain, failure: "a second page/"},
		{name: "a page of what a cut post did not list", gap: 16 * time.Minute, posts: []func(*oracle){
			postOf("disk", 1, 200, first), postOf("disk", whole, 200, first, second),
		}, then: pageAgain, failure: "a second page/"},
		{name: "a page of what a refused post did not list", gap: 16 * time.Minute, posts: []func(*oracle){
			postOf("disk", whole, 503, first), postOf("disk", whole, 200, first, second),
		}, then: pageAgain, failure: "a second page/"},
		{name: "an alert that fires on after its end", gap: 5 * time.Minute, posts: []func(*oracle){
			postOf("disk", whole, 200, first, "-"+second), postOf("disk", whole, 503, first, second),
		}, then: look("pager-disk"), failure: ended},
		{name: "an alert that a post without an answer has listed after its end", gap: 5 * time.Minute, posts: []func(*oracle){
			postOf("disk", whole, 200, first, "-"+second), postOf("disk", whole, 0, first, second),
		}, then: look("pager-disk")},
		{name: "an alert beyond maxAlerts that a group without labels does not list any more", gap: 5 * time.Minute, posts: []func(*oracle){
			postOf("disk", whole, 200, first, "-"+second),
		}, then: look("pager-more")},
		{name: "a resolve of what fires", posts: []func(*oracle){
			func(o *oracle) { o.of("pager", second).dueSince = time.Now() },
		}, then: resolve, failure: "a resolve/"},
		{name: "a resolve of what was away, before it could be posted again", posts: []func(*oracle){
			func(o *oracle) { s := o.of("pager", second); s.dueSince, s.hasGone = time.Now(), true },
		}, then: resolve},
		{name: "a resolve of what was away, and is due for long", gap: time.Hour, posts: []func(*oracle){
			func(o *oracle) { s := o.of("pager", second); s.dueSince, s.hasGone = s.firesSince, true },
		}, then: resolve, failure: "a resolve/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOracle(&simulation{began: time.Now(), log: slog.New(slog.DiscardHandler), api: kube.New(time.Now, resources...)})
				o.of("pager", second).firesSince = time.Now()
				postOf("disk", whole, 200, first, second)(o)
				o.pages["pager-disk"] = &page{
					isOpen: true, fired: time.Now(), severity: v1beta1.SeverityWarning,
					told: map[string]bool{first: true, second: true}, last: map[string]bool{second: true},
				}
				time.Sleep(time.Hour - 2*c.gap)
				for _, post := range c.posts {
					time.Sleep(c.gap)
					post(o)
				}
				time.Sleep(namedFor + time.Second)
				c.then(o)
				failures := strings.Join(o.failures, "\n")
				if (failures == "") != (c.failure == "") || !strings.Contains(failures, c.failure) {
					t.Errorf("found %q, not %q", failures, c.failure)
				}
			})
		})
	}
}

// postOf has a group without labels posted, of a route, that leaves alerts out, and answered. The sender names an alert with a minus as resolved.
func postOf(route string, truncated, code int, ids ...string) func(o *oracle) {
	var all []string
	for _, id := range ids {
		id, isEnd := strings.CutPrefix(id, "-")
		status := "firing"
		if isEnd {
			status = "resolved"
		}
		all = append(all, fmt.Sprintf(`{"status": %q, "annotations": {"summary": %q}}`, status, id))
	}
	body := fmt.Sprintf(`{"groupKey": %q, "truncatedAlerts": %d, "alerts": [%s]}`, route, truncated, strings.Join(all, ", "))
	return func(o *oracle) {
		answered := o.posting("pager", "A", []byte(body))
		time.Sleep(latency)
		answered(code)
	}
}

// edit edits the spec of the Alert about disks.
func (sim *simulation) edit(change func(spec map[string]any)) {
	for _, a := range sim.api.List("alerts") {
		if source := a.GetLabels()[v1beta1.AlertSourceLabel]; source == "pager" && a.GetLabels()["alertname"] == "disk" {
			sim.api.Edit("alerts", namespace, a.GetName(), func(o *kube.Object) {
				spec, _ := o.Object["spec"].(map[string]any)
				change(spec)
			})
		}
	}
}

// instance returns the first instance of an Alert.
func instance(spec map[string]any) map[string]any {
	all, _ := spec["instances"].([]any)
	first, _ := all[0].(map[string]any)
	return first
}
