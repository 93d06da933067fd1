// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// after has something done when a time has passed.
func (sim *simulation) after(d time.Duration, do func() error) {
	sim.due = append(sim.due, undo{time.Now().Add(d), do})
	slices.SortStableFunc(sim.due, func(x, y undo) int { return x.at.Compare(y.at) })
}

// undoDue ends the actions that are over.
func (sim *simulation) undoDue() error {
	for len(sim.due) > 0 && !sim.due[0].at.After(time.Now()) {
		next := sim.due[0]
		sim.due = sim.due[1:]
		if err := next.do(); err != nil {
			return err
		}
	}
	return nil
}

// during counts a fault for a time.
func (sim *simulation) during(d time.Duration, change func(by int)) {
	locked := func(by int) {
		sim.mu.Lock()
		defer sim.mu.Unlock()
		change(by)
	}
	locked(1)
	sim.after(d, func() error { locked(-1); return nil })
}

func (sim *simulation) setTruth(id string, is bool) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.truth[id] = is
}

// do carries out an action. What it is about may not be there.
func (sim *simulation) do(a action) error {
	name := memberName(a.member)
	switch a.verb {
	case fires, ends:
		sim.setTruth(a.id, a.verb == fires)
	case floods:
		sim.flood(a.length)
	case silences, silenceAll:
		if m := sim.member(a.member); m != nil {
			labels := ruleOf(a.id).labels
			if a.verb == silenceAll {
				labels = model.LabelSet{"alertname": labels["alertname"]}
			}
			_, err := m.silence(labels, a.length)
			return err
		}
	case reloads:
		sim.config = a.number
		for n := range sim.members {
			if m := sim.member(n); m != nil {
				if err := m.load(sim.history.configs[sim.config].yaml(memberName(n))); err != nil {
					return err
				}
			}
		}
	case restarts:
		return sim.restart(a.member, 0, a.number == 1)
	case stops:
		return sim.restart(a.member, a.length, false)
	case parts:
		sim.during(a.length, func(by int) { sim.parted += by })
	case blinds:
		sim.during(a.length, func(by int) { sim.blind[name] += by })
	case disconnects:
		if a.number == 1 {
			name = apiSource
		}
		sim.during(a.length, func(by int) { sim.cut[name] += by })
	case refuses:
		sim.during(a.length, func(by int) { sim.refusing += by })
	case loses:
		sim.during(a.length/4, func(by int) { sim.losing += by })
	case fails:
		sim.during(a.length/4, func(by int) { sim.apiDown += by; sim.api.SetDown(sim.apiDown > 0) })
	case restartsOp:
		return sim.restartOperator(a.length/4, a.number == 1)
	case resolves:
		sim.oracle.resolve(a.id)
	case quiets:
		return sim.restartProm(a.length)
	}
	return nil
}

// flood has more alerts fire than an Alert has room for, and after some minutes one that is critical.
func (sim *simulation) flood(length time.Duration) {
	set := func(all []rule, is bool) {
		for _, r := range all {
			sim.setTruth(r.id, is)
		}
	}
	set(flood[1:], true)
	sim.after(10*time.Minute, func() error { set(flood[:1], true); return nil })
	sim.after(10*time.Minute+length, func() error { set(flood, false); return nil })
}

// restart has a member start again after a time.
func (sim *simulation) restart(n int, after time.Duration, losesData bool) error {
	if sim.member(n) == nil {
		return nil
	}
	if err := sim.stop(n); err != nil {
		return err
	}
	if losesData {
		sim.disks[n] = data{}
	}
	if after == 0 {
		return sim.start(n)
	}
	sim.after(after, func() error { return sim.start(n) })
	return nil
}

func (sim *simulation) restartProm(after time.Duration) error {
	if sim.prom == nil {
		return nil
	}
	sim.prom.stop()
	sim.prom = nil
	sim.after(after, sim.startProm)
	return nil
}

func (sim *simulation) restartOperator(after time.Duration, crashes bool) error {
	sim.mu.Lock()
	r := sim.operator
	sim.operator = nil
	sim.mu.Unlock()
	if r == nil {
		return nil
	}
	if err := r.end(crashes); err != nil {
		return err
	}
	sim.after(after, func() error {
		r, err := startReplica(sim.ctx, sim, "bellhop-0")
		sim.mu.Lock()
		defer sim.mu.Unlock()
		sim.operator = r
		return err
	})
	return nil
}
