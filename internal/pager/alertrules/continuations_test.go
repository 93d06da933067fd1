// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"fmt"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// chooser enumerates all sequences of choices: a run makes choices, and next continues with the sequence after it.
type chooser struct {
	taken, widths []int
	at            int
}

func (c *chooser) choose(n int) int {
	if c.at == len(c.taken) {
		c.taken, c.widths = append(c.taken, 0), append(c.widths, n)
	}
	c.at++
	return c.taken[c.at-1]
}

func (c *chooser) next() bool {
	for i := len(c.taken) - 1; i >= 0; i-- {
		if c.taken[i]++; c.taken[i] < c.widths[i] {
			c.taken, c.widths, c.at = c.taken[:i+1], c.widths[:i+1], 0
			return true
		}
	}
	return false
}

// continuation is an Alert with two receivers, which is resolved or deleted after a process was killed, or was not.
type continuation struct {
	*chooser
	now      time.Time
	alert    *v1beta1.Alert
	held     map[v1beta1.ReceiverRef]string          // what each receiver really holds
	inFlight map[v1beta1.ReceiverRef]InFlightRequest // of the process, as are the next two
	outcomes []Outcome
	failed   map[v1beta1.ReceiverRef]FailedAttempt
	answers  []Outcome // of the requests in flight
	calm     bool      // every receiver accepts
	released bool
}

func (c *continuation) start() {
	c.inFlight, c.failed = map[v1beta1.ReceiverRef]InFlightRequest{}, map[v1beta1.ReceiverRef]FailedAttempt{}
	c.outcomes, c.answers = nil, nil
}

func (c *continuation) observe() (*v1beta1.Alert, Inputs) {
	a := c.alert.DeepCopy()
	for _, o := range c.outcomes {
		PutDelivery(a, Apply(DeliveryIn(a.Status.Deliveries, o.Ref), o))
	}
	in := Inputs{
		Now: c.now, Server: times.Server{Known: c.now}, LeaderSince: t0, Refs: []v1beta1.ReceiverRef{oncall, team},
		Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1"), team: usable("v1")}),
	}
	for ref, f := range c.inFlight {
		in.change(ref, func(r *Receiver) { r.InFlight = &f })
	}
	for ref, failed := range c.failed {
		in.change(ref, func(r *Receiver) { r.Failed = &failed })
	}
	return a, in
}

// record writes the status, or removes the finalizer.
func (c *continuation) record() {
	a, in := c.observe()
	plan := Decide(a, in)
	if plan.Action == Release {
		c.released = true
		return
	}
	a.Status = Report(a, plan, in)
	c.alert, c.outcomes = a, nil
}

// send sends what is due; what each receiver does with it is chosen.
func (c *continuation) send() {
	a, in := c.observe()
	ahead := false
	for _, d := range Decide(a, in).Deliveries {
		if d.Send == nil || !c.calm && RefOf(d.Row) == team && c.choose(2) == 1 { // it waits for a slot
			continue
		}
		ahead = ahead || d.Send.WriteAhead
		o := Outcome{Request: *d.Send, Ref: RefOf(d.Row), Began: c.now, At: c.now}
		c.inFlight[o.Ref] = InFlightRequest{Request: *d.Send, Since: c.now, Began: c.now}
		c.answers = append(c.answers, o)
	}
	if ahead {
		c.record()
	}
	for i := range c.answers {
		o := &c.answers[i]
		did := 0
		if !c.calm {
			did = c.choose(3)
		}
		if did < 2 {
			c.held[o.Ref] = o.Hash
		}
		switch did {
		case 1:
			o.Failure = &result.Error{Class: result.Unknown, Reason: result.ReasonTimeout}
		case 2:
			o.Failure = &result.Error{Class: result.Temporary, Reason: result.ReasonConnectionFailed}
		}
	}
}

// answer brings in an answer.
func (c *continuation) answer(i int) {
	o := c.answers[i]
	c.answers = append(c.answers[:i:i], c.answers[i+1:]...)
	delete(c.inFlight, o.Ref)
	delete(c.failed, o.Ref)
	if o.Failure != nil {
		c.failed[o.Ref] = FailedAttempt{Since: o.At, At: o.At}
	}
	c.outcomes = append(c.outcomes, o)
}

// runUntilKilled makes two rounds of requests. It reports whether the process was killed.
func (c *continuation) runUntilKilled() bool {
	for range 2 {
		if c.send(); c.choose(2) == 1 {
			return true
		}
		for len(c.answers) > 0 {
			if c.answer(c.choose(len(c.answers))); c.choose(2) == 1 {
				return true
			}
			if c.record(); c.choose(2) == 1 {
				return true
			}
		}
		c.now = c.now.Add(2 * time.Second)
	}
	return false
}

// F-P26: a receiver that may hold the page hears that it is over, wherever a process is killed.
// F-P27: also where the Alert is deleted after an answer was lost.
func TestEveryReceiverHearsThatItIsOver(t *testing.T) {
	choices, runs := &chooser{}, 0
	for more := true; more; more = choices.next() {
		runs++
		c := &continuation{chooser: choices, now: t0, held: map[v1beta1.ReceiverRef]string{}, alert: newAlert()}
		c.alert.Status.ObservedGeneration = -1
		if c.start(); c.runUntilKilled() {
			c.start()
		}
		end := c.choose(3)
		c.alert.Generation++
		switch end {
		case 0:
			c.alert.Spec.State = v1beta1.AlertResolved
		case 1:
			deletedAt(c.now)(c.alert)
		case 2:
			c.now = c.now.Add(2 * time.Minute)
			deletedAt(c.now)(c.alert)
		}
		c.calm = true
		for range 6 {
			for c.send(); len(c.answers) > 0; {
				c.answer(0)
			}
			if c.record(); c.released {
				break
			}
			c.now = c.now.Add(15 * time.Second)
		}
		for ref, hash := range c.held {
			if !isResolved(hash) {
				t.Fatalf("run %d, choices %v: %s holds %q, and the end is %d\n%+v", runs, choices.taken, ref.Name, hash, end, c.alert.Status.Deliveries)
			}
		}
		if end > 0 && !c.released {
			t.Fatalf("run %d, choices %v: not released: %s", runs, choices.taken, fmt.Sprint(c.alert.Status.Deliveries))
		}
	}
	if runs < 1000 {
		t.Errorf("%d runs", runs)
	}
}
