// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// pending has the facts about objects that this process knows beyond their status: results that could not be written yet, so that none is lost when
// a write fails, and times of polls.
type pending struct {
	mu      sync.Mutex
	entries map[types.NamespacedName]*Memory
}

// Memory has the facts about one object that this process has not written to its status. Only the worker that reconciles the object uses it.
type Memory struct {
	uid types.UID
	// PendingStatus is the status to write; nil: it is on record. It follows from recorded, the status at resourceVersion version.
	PendingStatus, recorded v1beta1.ServiceObjectStatus
	version                 string
	// refused: the answer to the last request had the class Rejected.
	refused bool
	// LastPoll is when the operation was last polled, and PollAfter the Retry-After of that answer.
	LastPoll  time.Time
	PollAfter time.Duration
	// CleanUpPolls are when the removals under ids left behind were last polled, by id.
	CleanUpPolls map[string]time.Time
	// SeenRunning: this process has seen the broker accept the operation on record, or report it in progress.
	SeenRunning bool
	// operation is how long the broker has been working on the operation on record, as it was measured last; nil: it was not.
	operation *operation.Age
	// unremoved is how long the orphan mitigation has failed, as it was measured last; nil: it does not fail.
	unremoved *operation.Age
	// goneSince is, by the id of the resource, when this process received the first 410 Gone about it, or first saw that one on record.
	goneSince map[string]time.Time
	// Definition is the result of a read of the CRD that began after the deletion was seen.
	Definition rules.Definition
	// Queue is the broker in whose queue it waits for a slot; nil: it does not wait.
	Queue *brokers.Key
	// released: the finalizer was removed, even if the cache still shows it.
	released bool
	// openProblem: an event has announced a problem that has not ended, and the present conditions do not show it.
	openProblem bool
	// Unrecorded is a resource that a request may have created at the broker, before that is on record; nil: there is no such resource.
	Unrecorded *Unrecorded
	// parameters is the digest of its parameters, where it was read.
	parameters parametersDigest
	// Memory is the kind's own memory of the object; nil: it has none.
	Memory any
}

// Inputs returns the part that a decision depends on.
func (r *Memory) Inputs() operation.Inputs {
	return operation.Inputs{Definition: r.Definition, SeenRunning: r.SeenRunning, Operation: r.operation, Unremoved: r.unremoved,
		LastPoll: r.LastPoll, PollAfter: r.PollAfter, CleanUpPolls: r.CleanUpPolls}
}

// measure sets, and remembers, how old the records in a status are from which rules count.
func (r *Memory) measure(in *operation.Inputs, s *v1beta1.OperationStatus) {
	in.Operation, in.Unremoved = in.ObserveOperation(s), in.ObserveUnremoved(s)
	r.operation, r.unremoved = in.Operation, in.Unremoved
}

// Unrecorded is a resource that a request may have created for an object, which may vanish before that is on record.
type Unrecorded struct {
	audit.External
	Object client.Object // as it was last
	// Request is the operation that was sent, and Answer the status of the broker's answer, without its description.
	Request rules.Operation
	Answer  string
}

// newUnrecorded returns the resource that a request may have created, by its outcome; nil: it has created nothing.
func newUnrecorded(o client.Object, at audit.External, request rules.Operation, out osbresult.Outcome) *Unrecorded {
	if out.Class != osbresult.Done && out.Class != osbresult.Accepted && out.Class != osbresult.Unknown {
		return nil
	}
	return &Unrecorded{External: at, Object: o, Request: request, Answer: rules.StatusOnly(out)}
}

// RememberCleanUp remembers a request about an id left behind: when its removal was last polled. ended: the removal does not go on.
func (r *Memory) RememberCleanUp(call *operation.Request, ended bool, now time.Time) {
	if call.Operation != rules.Poll || ended {
		delete(r.CleanUpPolls, call.ID)
		return
	}
	if r.CleanUpPolls == nil {
		r.CleanUpPolls = map[string]time.Time{}
	}
	r.CleanUpPolls[call.ID] = now
}

func newPending() *pending {
	return &pending{entries: map[types.NamespacedName]*Memory{}}
}

// of returns an object's entry, and creates it if it does not exist. Of the entry of an earlier object of the name only the place in the broker's
// queue is kept, which belongs to the name; lost is the resource that the earlier object may have left at its broker.
func (p *pending) of(o client.Object) (e *Memory, lost *Unrecorded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := client.ObjectKeyFromObject(o)
	e = p.entries[name]
	if e == nil || e.uid != o.GetUID() {
		next := &Memory{uid: o.GetUID()}
		if e != nil {
			next.Queue, lost = e.Queue, e.Unrecorded
		}
		p.entries[name], e = next, next
	}
	return e, lost
}

// drop removes the entry of an object that is gone, and returns the broker in whose queue it waited, and the resource that it may have left at its
// broker.
func (p *pending) drop(name types.NamespacedName) (queued *brokers.Key, lost *Unrecorded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.entries[name]; e != nil {
		queued, lost = e.Queue, e.Unrecorded
	}
	delete(p.entries, name)
	return queued, lost
}

// forgetIdle removes the entry of an object where it holds nothing.
func (p *pending) forgetIdle(o client.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := client.ObjectKeyFromObject(o)
	if e := p.entries[name]; e != nil && e.PendingStatus == nil && !e.released && !e.openProblem && e.Unrecorded == nil && e.Queue == nil && e.parameters.digest == "" && e.Definition == rules.DefinitionUnknown && len(e.goneSince) == 0 && e.unremoved == nil && e.Memory == nil && len(e.CleanUpPolls) == 0 {
		delete(p.entries, name)
	}
}
