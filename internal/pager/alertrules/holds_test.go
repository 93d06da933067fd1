// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// content is what people read.
type content struct {
	severity v1beta1.Severity
	text     string
	joined   int // 0: no instances
}

// holder is the model of a receiver: what it holds decides what it hears.
type holder struct {
	now, held, filtered content // held and filtered: zero where there is none
	told                content // what people were last notified of, or what was changed where it is shown
	minimum             v1beta1.Severity
	resolved, reopens   bool
	edits               bool // the message can be changed where it is shown
	sent                bool
}

// hears returns what the receiver hears after an edit.
func (h *holder) hears() (events []result.Event) {
	before := h.held
	switch {
	case h.resolved:
		h.held = content{}
	case h.now == h.held:
	case h.now == h.filtered, Rank(h.now.severity) < Rank(h.minimum):
		h.held, h.filtered = content{}, h.now
	default:
		h.held, h.filtered, h.sent = h.now, content{}, true
	}
	isHolding := h.held != content{}
	told := h.told
	joins := h.held.joined != told.joined && h.held.joined != 0
	rises := Rank(h.held.severity) > Rank(told.severity)
	wasHolding := before != (content{})
	if h.held == before || wasHolding && isHolding && !rises && !joins && h.held.joined != 0 && !h.edits {
		return nil
	}
	h.told = h.held
	switch {
	case !isHolding:
		return []result.Event{result.Resolved}
	case wasHolding && rises && h.reopens:
		return []result.Event{result.Resolved, result.Fired}
	case wasHolding && !rises && !joins:
		return []result.Event{result.Updated}
	}
	return []result.Event{result.Fired}
}

// edits are what a user does to an Alert or its receiver.
var edits = map[string]func(*v1beta1.Alert, *Target, *holder){
	"Info":         func(a *v1beta1.Alert, _ *Target, h *holder) { setSeverity(a, h, v1beta1.SeverityInfo) },
	"Warning":      func(a *v1beta1.Alert, _ *Target, h *holder) { setSeverity(a, h, v1beta1.SeverityWarning) },
	"Critical":     func(a *v1beta1.Alert, _ *Target, h *holder) { setSeverity(a, h, v1beta1.SeverityCritical) },
	"min Info":     func(_ *v1beta1.Alert, p *Target, h *holder) { setMinimum(p, h, v1beta1.SeverityInfo) },
	"min Warning":  func(_ *v1beta1.Alert, p *Target, h *holder) { setMinimum(p, h, v1beta1.SeverityWarning) },
	"min Critical": func(_ *v1beta1.Alert, p *Target, h *holder) { setMinimum(p, h, v1beta1.SeverityCritical) },
	"text": func(a *v1beta1.Alert, _ *Target, h *holder) {
		h.now.text = map[string]string{"A": "B", "B": "A"}[h.now.text]
		a.Spec.Content = h.now.text
	},
	"join": func(a *v1beta1.Alert, _ *Target, h *holder) {
		h.now.joined++
		a.Spec.JoinedTime = times.Timestamp(t0.Add(time.Duration(h.now.joined) * time.Minute))
	},
	"state": func(a *v1beta1.Alert, _ *Target, h *holder) {
		h.resolved = !h.resolved
		a.Spec.State = map[bool]v1beta1.AlertState{true: v1beta1.AlertResolved, false: v1beta1.AlertFiring}[h.resolved]
	},
}

func setSeverity(a *v1beta1.Alert, h *holder, s v1beta1.Severity) {
	a.Spec.Severity, h.now.severity = s, s
}

func setMinimum(p *Target, h *holder, s v1beta1.Severity) {
	spec := *p.Spec
	spec.MinSeverity, h.minimum = s, s
	p.Spec = &spec
}

// F-B2: what a receiver holds decides what it hears, on every path of some edits of severity, minSeverity, text, joinedTime and state.
// F-P10: an Alert whose severity falls below minSeverity is resolved where it is held.
func TestWhatIsHeldDecides(t *testing.T) {
	for _, c := range []struct {
		reopens, edits bool
		depth          int
	}{{false, true, 5}, {true, true, 5}, {false, false, 5}} {
		target := usable("v1")
		target.RaisesByReopening, target.Edits = c.reopens, func(string) bool { return c.edits }
		alert := newAlert(func(a *v1beta1.Alert) { a.Spec.Severity, a.Status.ObservedGeneration = v1beta1.SeverityWarning, -1 })
		h := holder{now: content{severity: v1beta1.SeverityWarning, text: "A"}, reopens: c.reopens, edits: c.edits}
		h.hears()
		settled, _ := settleAt(t, alert, target, t0)
		follow(t, settled, target, h, c.depth, nil)
	}
}

func follow(t *testing.T, alert *v1beta1.Alert, target Target, h holder, depth int, path []string) {
	if len(path) == depth {
		return
	}
	for name, edit := range edits {
		path := append(slices.Clip(path), name)
		a, p, model := alert.DeepCopy(), target, h
		edit(a, &p, &model)
		a.Generation++
		want := model.hears()
		now := t0.Add(time.Duration(len(path)) * time.Second)
		after, heard := settleAt(t, a, p, now)
		row := after.Status.Deliveries[0]
		if fmt.Sprint(heard) != fmt.Sprint(want) || after.Status.Sent != model.sent {
			t.Fatalf("%q: the receiver hears %v, want %v; sent is %t: %+v", path, heard, want, after.Status.Sent, row)
		}
		if holds := model.held != (content{}); (row.State == v1beta1.DeliverySent) != holds || IsHeld(after, row) != holds {
			t.Fatalf("%q: it holds %+v, but is %s: %+v", path, model.held, row.State, row)
		}
		follow(t, after, p, model, depth, path)
	}
}

func inputsFor(p Target, now time.Time) Inputs {
	return Inputs{Now: now, Server: times.Server{Known: now}, LeaderSince: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: p})}
}

// settleAt confirms requests until there is none, and returns what the receiver heard.
func settleAt(t *testing.T, a *v1beta1.Alert, p Target, now time.Time) (after *v1beta1.Alert, heard []result.Event) {
	t.Helper()
	for range 5 {
		in := inputsFor(p, now)
		plan := Decide(a, in)
		a.Status = Report(a, plan, in)
		send := plan.Deliveries[0].Send
		if send == nil {
			return a, heard
		}
		heard = append(heard, send.Event)
		PutDelivery(a, Apply(a.Status.Deliveries[0], Outcome{Request: *send, Ref: oncall, Began: now, At: now}))
	}
	t.Fatalf("no end: %v", heard)
	return nil, nil
}
