// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// RequestMemory has the facts about a binding's requests that a process remembers beyond the status. After a restart some requests are repeated.
type RequestMemory struct {
	// Received are credentials that are about to be written into the Secret; nil: there are no such credentials. They last for one reconcile.
	Received *Received
	// DroppedID is the id whose credentials were dropped last.
	DroppedID string
	// Unwritten is why the last credentials were not written; nil: they were.
	Unwritten *Unwritten
	recovery  recovery
}

// way is a way to get credentials that are not in the Secret. The ways are tried in this order: each changes more than the one before.
type way int

const (
	// fetch reads the binding at the broker.
	fetch way = 1 << iota
	// repeat sends the bind request again, under the same id.
	repeat
	// rotation creates a binding under another id, with a request that names this one as predecessor, and removes this one later.
	rotation
	// replacement does the same with a request that names no predecessor. It is never remembered as failed.
	replacement
)

// recovery has the results of former ways to get the credentials of an id.
type recovery struct {
	id string
	// failed are the ways that have brought no credentials.
	failed way
	// requested: this process has sent the first request under the id. Otherwise the status may have been restored, and applications use the binding.
	requested bool
	// created: the binding was just created, and its credentials were not fetched yet.
	created bool
	// drainOnly: the broker has created the binding with the URL of a log drain and without credentials, so that an answer with the URL has all.
	drainOnly bool
	// succeeded: the broker has reported that the creation succeeded.
	succeeded bool
	// absent: the broker has answered the last fetch with 404, and has not reported a success: a bind request creates the binding.
	absent bool
	// unanswered counts the fetches in a row that have failed by answers that do not say whether the broker returns the credentials (R12).
	unanswered int
}

// of returns the recovery for an id. A rotation that has failed under the id of its successor has failed for the predecessor too.
func (r recovery) of(id string) recovery {
	if r.id == id {
		return r
	}
	return recovery{id: id, failed: r.failed & rotation}
}

func (r recovery) hasFailed(w way) bool { return r.failed&w != 0 }

// Received are credentials as a broker returned them for an id.
type Received struct {
	BindingID string
	Binding   *osbresult.Binding
}

// Unwritten is why credentials were dropped that a broker has returned. They are requested again once they may be written (R7).
type Unwritten struct {
	BindingID string
	// Unfit: no Secret can hold them.
	Unfit bool
	// SecretsVersion is the version of the Secrets, one of which prevented the write; empty: the API server refused the write, or did not answer.
	// It would do the same with the credentials of any other id.
	SecretsVersion string
	// InstanceFingerprint is the fingerprint of the instance for which the broker returned them. After an update of the instance it may return
	// credentials that can be written.
	InstanceFingerprint string
	// Message says why, unless the API server refused the write.
	Message string
	// Judged: the API server refused the credentials themselves, or the Secret; otherwise it could not store anything.
	Judged bool
	// Refused are the keys of the credentials that the API server refused.
	Refused bindingsecret.Sizes
	// Trials counts the dry runs since that were refused, and may not have been with the credentials.
	Trials int32
	// Failures is how often that was so in a row, and Time when it was last.
	Failures int32
	Time     time.Time
}

func (u *Unwritten) isRefused() bool { return !u.Unfit && u.SecretsVersion == "" }

// RecordUnwritten drops credentials that could not be written.
func (m *RequestMemory) RecordUnwritten(u Unwritten) {
	u.BindingID, u.Failures = m.Received.BindingID, 1
	if before := m.Unwritten; before != nil && before.isRefused() == u.isRefused() {
		u.Failures = before.Failures + 1
	}
	m.Unwritten = &u
	m.DropCredentials()
}

// RecordRefusedAgain records that the API server has refused a dry run. certain: it would refuse any credentials.
func (m *RequestMemory) RecordRefusedAgain(certain bool, now time.Time) {
	again := *m.Unwritten
	again.Failures, again.Time = again.Failures+1, now
	if !certain {
		again.Trials++
	}
	m.Unwritten = &again
}

// DropCredentials drops credentials at the end of a reconcile. That a service has none is remembered: the broker may not say it twice.
func (m *RequestMemory) DropCredentials() {
	if m.Received == nil {
		return
	}
	if b := m.Received.Binding; b.IsWithoutCredentials() {
		m.Received = &Received{BindingID: m.Received.BindingID, Binding: &osbresult.Binding{Created: b.Created, Credentials: b.Credentials, ExpiresAt: b.ExpiresAt, RenewBefore: b.RenewBefore}}
		return
	}
	m.Received, m.DroppedID = nil, m.Received.BindingID
}

// ObserveAnswer returns the memory of a binding's requests after an answer.
func (m RequestMemory) ObserveAnswer(b *v1beta1.ServiceBinding, call Request, a Answer) RequestMemory {
	if !call.IsRemoval() {
		m.recovery = m.recovery.of(call.ID)
	}
	switch call.Operation {
	case rules.Bind:
		m.observeBind(call, a)
	case rules.Fetch:
		m.observeFetch(b, call, a)
	case rules.Unbind:
		if m.Unwritten != nil && m.Unwritten.Unfit && m.Unwritten.BindingID == call.ID {
			m.recovery.failed |= rotation
		}
	case rules.Poll:
		switch {
		case call.IsRemoval() || a.Class != osbresult.Done:
		case a.State == osbresult.Succeeded:
			m.recovery.created = true
			m.recovery.failed &^= fetch
			m.recovery.succeeded, m.recovery.absent = true, false
		case a.State == osbresult.Failed && !call.SeenRunning: // the operation may be a later one than the one on record
			m.recovery.created = call.Retrievable
		case a.State == osbresult.Failed:
			m.recovery.failed |= repeat
		}
	case rules.Provision, rules.Update, rules.Deprovision, rules.Inspect:
		panic(rules.UnknownOperation("ServiceBinding", call.Operation))
	}
	return m
}

// receive records a binding that is about to be written into the Secret.
func (m *RequestMemory) receive(id string, b *osbresult.Binding) {
	if b.Credentials == nil {
		m.recovery.drainOnly, b = b.SyslogDrainURL != "", b.WithoutCredentials()
	}
	m.Received = &Received{BindingID: id, Binding: b}
}

// isComplete reports whether a binding has all that the Secret gets. Otherwise the broker may not return the credentials again.
func (m *RequestMemory) isComplete(b *osbresult.Binding) bool {
	return b.Credentials != nil || m.recovery.drainOnly && b.SyslogDrainURL != ""
}

func (m *RequestMemory) observeBind(call Request, a Answer) {
	m.recovery.requested = m.recovery.requested || call.NothingAtBroker
	switch {
	case a.Class == osbresult.Done && m.isComplete(a.Binding):
		m.receive(call.ID, a.Binding)
	case a.Class == osbresult.Done && !a.Binding.Created && call.NothingAtBroker && call.Owned && call.Retrievable: // the broker may not have finished
		m.recovery.created = true
	case a.Class == osbresult.Done && (a.Binding.Created || call.NothingAtBroker && call.Owned && !call.Replaces): // a service without credentials
		m.receive(call.ID, a.Binding)
	case a.Class == osbresult.Accepted && m.recovery.succeeded: // the creation has succeeded before, and the credentials are still missing
		m.recovery.failed |= repeat
	case a.Class == osbresult.Done, a.IsRefusal() && (call.Repeat || call.MayBeFetched()):
		m.recovery.failed |= repeat
		if m.recovery.absent && (a.Class == osbresult.Done || a.Class == osbresult.Conflict) { // the binding exists after all: it is fetched once more
			m.recovery.failed &^= fetch
			m.recovery.absent = false
		}
	case a.IsRefusal() && call.PredecessorID != "":
		m.recovery.failed |= rotation
	}
}

// manyFetches is how often a binding that was just created is fetched while the broker does not know it.
const manyFetches = 3

func (m *RequestMemory) observeFetch(b *v1beta1.ServiceBinding, call Request, a Answer) {
	created := m.recovery.created
	m.recovery.created = created && (!a.Sent || a.Class == osbresult.Gone || a.Class == osbresult.Concurrency) // otherwise the credentials may have been lost with an answer
	patient := created && (b.Status.Attempts == nil || b.Status.Attempts.Count < manyFetches)
	switch {
	case a.Class == osbresult.Done && m.isComplete(a.Binding):
		m.receive(call.ID, a.Binding)
	case a.Class == osbresult.Done && created && !call.Replaces: // a service without credentials
		m.receive(call.ID, a.Binding)
	case a.Class == osbresult.Done, a.Class == osbresult.Rejected, a.Class == osbresult.Gone && !patient:
		m.recovery.failed |= fetch
		m.recovery.absent, m.recovery.unanswered = a.Class == osbresult.Gone && !m.recovery.succeeded, 0
	case a.Class == osbresult.Gone: // the broker may not have finished
	default:
		m.recovery.unanswered++
		if a.Misconfigured() && !call.Recheck && rules.MisconfiguredAnswers(b.Status.Attempts) >= limiter.QuickRetries { // another way is tried
			m.recovery.failed |= fetch
		}
	}
}
