// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"slices"
	"strings"
	"testing"
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
