// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import "slices"

// judgement is what the senders say about an alert at a source.
type judgement struct{ isDue, fires, isGone, isAway bool }

// judge asks the senders.
func (o *oracle) judge() map[string]map[string]judgement {
	sim := o.sim
	sim.mu.Lock()
	members, canAnswer := slices.Clone(sim.members), sim.operator != nil && sim.refusing == 0 && sim.losing == 0 && sim.apiDown == 0
	canPost := map[string]bool{apiSource: sim.cut[apiSource] == 0 && canAnswer && sim.prom != nil}
	for n, m := range members {
		canPost[memberName(n)] = m != nil && sim.cut[memberName(n)] == 0 && canAnswer
	}
	sim.mu.Unlock()
	judged := map[string]map[string]judgement{}
	for _, source := range sources {
		judged[source] = map[string]judgement{}
	}
	firing := map[string]bool{}
	if sim.prom != nil {
		firing = sim.prom.firing()
	}
	isTruncated := sim.history.configs[sim.config].maxAlerts > 0 // nothing follows from what a post does not list
	for _, r := range watched() {
		judged[apiSource][r.id] = judgement{isDue: canPost[apiSource] && firing[r.id], fires: firing[r.id], isGone: canPost[apiSource] && !firing[r.id], isAway: !firing[r.id]}
		views := make([]view, len(members))
		for n, m := range members {
			if m != nil {
				views[n] = m.judge(r.labels)
			}
		}
		for _, receiver := range amReceivers {
			due, fires, gone, posts, runs := true, true, true, false, false
			for n, v := range views {
				is := v.fires && !v.isMuted && v.receivers[receiver]
				if canPost[memberName(n)] {
					posts, due = true, due && is
				}
				if members[n] != nil {
					runs, fires = true, fires && is
				}
				gone = gone && !is
			}
			judged[receiver][r.id] = judgement{isDue: posts && due, fires: runs && fires, isGone: posts && gone && !isTruncated, isAway: gone}
		}
	}
	return judged
}
