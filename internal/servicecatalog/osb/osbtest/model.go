// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// The states of an instance or a binding.
const (
	Creating = "creating"
	Ready    = "ready"
	Updating = "updating"
	Removing = "removing"
	Remains  = "remains" // of a creation that failed
)

// entry has the fields that instances and bindings have in common.
type entry struct {
	id, key    string // the key is unique in the broker
	serviceID  string
	planID     string
	wanted     []byte // the attributes that make a repeated creation the same
	complete   bool   // its creation went well
	unusable   bool   // said so by a failure
	conflicted bool   // a repeated request was answered with 409: it has other attributes
	removed    bool
	remove     func()
	// running is the operation that runs; last, the operation that ran before.
	running, last *operation
}

func (e *entry) state() string {
	switch {
	case e.running != nil:
		return e.running.change.state
	case e.complete:
		return Ready
	}
	return Remains
}

func (e *entry) creating() bool { return e.state() == Creating }

// change is a change of an entry by an operation.
type change struct {
	state string         // of the entry while it runs
	count func(*History) // counts a request
	done  func(*Broker, *entry)
}

var (
	creation = &change{Creating, func(h *History) { h.Puts++ }, func(b *Broker, e *entry) {
		past := b.past(e.id)
		past.Creations++
		past.Ready = true
		e.complete = true
	}}
	update = &change{Updating, func(h *History) { h.Patches++ }, func(b *Broker, e *entry) {
		b.past(e.id).Updates++
		e.unusable = false
	}}
	removal = &change{Removing, func(h *History) { h.Deletes++ }, func(b *Broker, e *entry) {
		b.past(e.id).Removals++
		e.removed = true
		e.remove()
		b.removed[e.key] = e.last
	}}
)

// operation is an asynchronous operation of a broker.
type operation struct {
	change  *change
	name    string // as in the answer to the platform; empty: it has none
	planID  string // that polls must name
	named   string // by the Bind that began it, of a patient broker; polls may name that, too
	started time.Time
	polls   int
	behave  Behavior
	failure *Failure
	wanted  []byte // the attributes that make a repeated update the same
	apply   func() // when it has succeeded
	state   osbresult.State
}

// isPlan tells whether a poll may name the plan.
func (op *operation) isPlan(id string) bool { return id == op.planID || id != "" && id == op.named }

// act carries out a request.
func (b *Broker) act(r *request) reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := b.instances[r.InstanceID]; held != nil {
		b.settle(held.entry)
	}
	if bound := b.bindings[bindingKey{r.InstanceID, r.BindingID}]; bound != nil {
		b.settle(bound.entry)
	}
	return r.endpoint.handle(b, r)
}

// acceptsIncomplete tells whether the platform lets us take our time.
func (r *request) acceptsIncomplete() bool { return r.Query.Get("accepts_incomplete") == "true" }

// begin starts an operation that changes an entry. The answer is done's at once, or says that the operation runs.
func (b *Broker) begin(r *request, e *entry, op *operation, async bool, done func() reply) reply {
	op.change, op.started, op.failure, op.state = r.endpoint.change, b.options.Now(), r.fault.Failure, osbresult.InProgress
	e.running = op
	if async {
		if !op.behave.Nameless {
			b.made++
			op.name = fmt.Sprintf("%s %d+/%%", r.Operation, b.made)
		}
		return b.runs(op)
	}
	b.end(e)
	if op.failure != nil {
		return op.failure.reply()
	}
	return done()
}

func (f *Failure) reply() reply {
	said := map[string]any{"description": f.Description}
	if f.Unusable {
		said["instance_usable"] = false
	}
	if f.NotRepeatable {
		said["update_repeatable"] = false
	}
	return say(http.StatusInternalServerError, said)
}

// runs answers that an operation runs.
func (b *Broker) runs(op *operation) reply {
	said := map[string]any{}
	if op.name != "" {
		said["operation"] = op.name
	}
	r := say(http.StatusAccepted, said)
	r.header = op.header()
	return r
}

func (op *operation) header() http.Header {
	if op.behave.RetryAfter == "" {
		return nil
	}
	return http.Header{"Retry-After": {op.behave.RetryAfter}}
}

// settle ends the operation whose time has come.
func (b *Broker) settle(e *entry) {
	op := e.running
	if op == nil || op.behave.Never || b.options.Now().Sub(op.started) < op.behave.Delay {
		return
	}
	if op.polls > op.behave.Polls || op.behave.Polls == 0 {
		b.end(e)
	}
}

// end completes the operation that runs on the entry, or lets it fail.
func (b *Broker) end(e *entry) {
	op := e.running
	e.running, e.last = nil, op
	if op.failure != nil {
		op.state = osbresult.Failed
		e.unusable = e.complete && op.failure.Unusable
		return
	}
	op.state = osbresult.Succeeded
	op.change.done(b, e)
	if op.apply != nil {
		op.apply()
	}
}

// blocked returns a refusal while an operation runs on the entry; nil: no operation runs.
func (b *Broker) blocked(e *entry) *reply {
	if e.running == nil {
		return nil
	}
	refused := refuse(http.StatusUnprocessableEntity, "ConcurrencyError", "another operation for this resource is in progress")
	return &refused
}

// poll says how far an operation is.
func (b *Broker) poll(r *request) reply {
	e, key := b.polled(r)
	if e == nil {
		return b.pollGrave(key)
	}
	op := e.running
	if op == nil {
		op = e.last
	}
	if op == nil { // all there was to do was done at once
		return say(http.StatusOK, map[string]any{"state": osbresult.Succeeded})
	}
	if refused := b.checkPoll(r, e, op); refused != nil {
		return *refused
	}
	if op == e.running {
		op.polls++
		b.settle(e)
	}
	if e.removed {
		return b.pollGrave(key)
	}
	answer := say(http.StatusOK, op.said())
	if op.state == osbresult.InProgress {
		answer.header = op.header()
	} else if i := b.instances[r.InstanceID]; op.change == update {
		b.dropFormerPlans(i)
	}
	return answer
}

func (b *Broker) polled(r *request) (*entry, string) {
	if r.Operation == osb.PollBindingLastOperation {
		key := bindingKey{r.InstanceID, r.BindingID}
		if bound, ok := b.bindings[key]; ok {
			return bound.entry, key.String()
		}
		return nil, key.String()
	}
	if i, ok := b.instances[r.InstanceID]; ok {
		return i.entry, r.InstanceID
	}
	return nil, r.InstanceID
}

// pollGrave answers to a poll of a resource that does not exist any more, or never did.
func (b *Broker) pollGrave(key string) reply {
	gone, ok := b.removed[key]
	switch {
	case !ok:
		return refuse(http.StatusNotFound, "", "there is no such thing")
	case gone.behave.Forgetful:
		return refuse(http.StatusGone, "", "it is gone")
	}
	return say(http.StatusOK, gone.said())
}

func (b *Broker) checkPoll(r *request, e *entry, op *operation) *reply {
	asked, plan := r.Query.Get("operation"), r.Query.Get("plan_id")
	var refused reply
	switch {
	case r.Query.Get("service_id") != e.serviceID:
		refused = b.violation(r, http.StatusBadRequest, "service_id must be %s", e.serviceID)
	case !op.isPlan(plan) && (r.Operation != osb.PollLastOperation || !b.instances[r.InstanceID].isFormerPlan(plan)):
		refused = b.violation(r, http.StatusBadRequest, "plan_id must be %s, that of before the operation", op.planID)
	case asked != op.name && asked != "":
		refused = b.violation(r, http.StatusBadRequest, "operation must be %q, not %q", op.name, asked)
	case asked != op.name && !e.conflicted && !b.options.Patient: // a client that lost the answer with the name cannot know it
		refused = b.violation(r, http.StatusBadRequest, "operation must be %q", op.name)
	default:
		if r.Operation == osb.PollLastOperation {
			b.instances[r.InstanceID].confirmed = true
		}
		return nil
	}
	return &refused
}

// said returns the body of the answer to a poll.
func (op *operation) said() map[string]any {
	said := map[string]any{"state": op.state}
	switch {
	case op.state == osbresult.InProgress:
		said["description"] = fmt.Sprintf("working on it, poll %d", op.polls)
	case op.failure != nil:
		said["description"] = op.failure.Description
		if op.failure.Unusable {
			said["instance_usable"] = false
		}
		if op.failure.NotRepeatable {
			said["update_repeatable"] = false
		}
	}
	return said
}

// same writes a value so that equal ones are equal byte by byte.
func same(values ...any) []byte {
	text, err := json.Marshal(values)
	if err != nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var plain any
	if decoder.Decode(&plain) != nil {
		return text
	}
	text, _ = json.Marshal(plain) // it was JSON before
	return text
}

// version returns the version in the request's maintenance_info.
func (r *request) version() string {
	if r.body.MaintenanceInfo == nil {
		return ""
	}
	return r.body.MaintenanceInfo.Version
}

// checkMaintenance compares the version that a request wants with the catalog's.
func checkMaintenance(r *request, plan *Plan) *reply {
	if r.version() == "" || plan.MaintenanceInfo != nil && plan.MaintenanceInfo.Version == r.version() {
		return nil
	}
	refused := refuse(http.StatusUnprocessableEntity, "MaintenanceInfoConflict", "the maintenance version is not that of the catalog")
	return &refused
}

// needsTime refuses a request that cannot be carried out at once.
func needsTime(r *request, async bool) *reply {
	if !async || r.acceptsIncomplete() {
		return nil
	}
	refused := refuse(http.StatusUnprocessableEntity, "AsyncRequired", "this takes its time")
	return &refused
}

// first is the first of the refusals that there is.
func first(refusals ...*reply) *reply {
	for _, refused := range refusals {
		if refused != nil {
			return refused
		}
	}
	return nil
}

// reuse refuses an id that was removed before, if the broker does that.
func (b *Broker) reuse(key string) *reply {
	if _, known := b.removed[key]; !known || b.options.RefusesReuse == 0 {
		return nil
	}
	refused := refuse(b.options.RefusesReuse, "", "this id was used before")
	return &refused
}

// with adds members to a body.
func with(said map[string]any, more map[string]any) map[string]any {
	maps.Copy(said, more)
	return said
}
