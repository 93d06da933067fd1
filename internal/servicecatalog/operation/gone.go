// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"fmt"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// A gateway that is out of service answers 410 Gone to every request. A first 410 to a deletion, or to a poll of it, is therefore only
// recorded. It is confirmed by a second one, to a request that was sent after the broker had answered any request with success.

const (
	// goneStalledAfter is how long after a first 410 an object is in progress while the broker answers no request with success.
	goneStalledAfter = 5 * time.Minute
	// minGoneCheck and maxGoneCheck bound the time after which an object has the broker's availability checked again.
	minGoneCheck, maxGoneCheck = time.Minute, 10 * time.Minute
)

// GoneInputs has the observations by a process of answers 410 Gone to deletions. All times are of this process.
type GoneInputs struct {
	// Since is, by the id of the resource, when this process received the first 410 about it, or first saw that one on record.
	Since map[string]time.Time
	// Success is when the latest request that the broker of the id in force answered with success was sent; zero: there is no such request.
	Success time.Time
	// Broker is the name of that broker in messages.
	Broker string
}

// place is where a resource is: its broker, and the address at which it was requested there.
type place struct {
	gone     GoneInputs
	address  AddressInputs
	recorded string
}

// place returns the place of the id in force, and of the predecessors of a binding.
func (in *Inputs) place(s *v1beta1.OperationStatus) place {
	return place{in.Gone, in.Address, s.BrokerAddress}
}

// GoneSince returns the next value of GoneInputs.Since: for each entry of status.gone the known time, or now if this process sees the entry for the
// first time. The time in the status is not used, because another clock may have set it, or a restore from a backup.
func GoneSince(known map[string]time.Time, s *v1beta1.OperationStatus, now time.Time) (since map[string]time.Time) {
	for _, gone := range s.Gone {
		if since == nil {
			since = map[string]time.Time{}
		}
		seen, isKnown := known[gone.ID]
		if !isKnown {
			seen = now
		}
		since[gone.ID] = seen
	}
	return since
}

// hasSuccessSince reports whether the broker has answered a request with success that was sent after the first 410 about a resource.
func (in GoneInputs) hasSuccessSince(id string) bool {
	first, isKnown := in.Since[id]
	return isKnown && in.Success.After(first)
}

// IsGoneOnce reports whether the broker has answered 410 once about a resource.
func IsGoneOnce(s *v1beta1.OperationStatus, id string) bool { return findGone(s, id) != nil }

func findGone(s *v1beta1.OperationStatus, id string) *v1beta1.GoneResource {
	i := slices.IndexFunc(s.Gone, func(g v1beta1.GoneResource) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return &s.Gone[i]
}

// ConfirmsGone reports whether another 410 about a resource, to a request that is sent now, confirms that the broker does not have it.
func (in *Inputs) ConfirmsGone(s *v1beta1.OperationStatus, id string) bool {
	return in.place(s).confirmsGone(s, id)
}

// GoneBlocker returns why the deletion of a resource is not requested again after a first 410; nil: it may be.
func (in *Inputs) GoneBlocker(s *v1beta1.OperationStatus, id string) *rules.Blocker {
	return in.place(s).goneBlocker(s, id)
}

// hasMoved reports whether the broker has another address than the one at which the resource was requested.
func (p place) hasMoved() bool { return p.address.isElsewhere(p.recorded) }

func (p place) confirmsGone(s *v1beta1.OperationStatus, id string) bool {
	return IsGoneOnce(s, id) && p.goneBlocker(s, id) == nil
}

func (p place) goneBlocker(s *v1beta1.OperationStatus, id string) *rules.Blocker {
	gone := findGone(s, id)
	if gone == nil {
		return nil
	}
	if p.hasMoved() {
		return p.movedBlocker(gone)
	}
	if p.gone.hasSuccessSince(id) && !p.address.Unknown {
		return nil
	}
	return rules.BlockedFrom(gone.Time.Add(goneStalledAfter), v1beta1.ReasonGoneUnconfirmed, fmt.Sprintf(
		"The broker answered 410 Gone at %s when %q was to be deleted there. A gateway that is out of service answers 410 to every request. So the deletion is requested again once %s answers any request with success, and a second 410 ends it. The catalog is requested for that, see the status of the broker",
		times.Format(gone.Time.Time), id, p.gone.Broker))
}

// AwaitSuccess has the broker's availability checked now, and again after as long as the object has waited. Where the broker has moved,
// it has nothing checked, and the object reconciled again after 10 minutes.
func (d *Decision) AwaitSuccess(in *Inputs, s *v1beta1.OperationStatus, id string) {
	d.CheckAvailability = d.awaitSuccessAt(in, in.place(s), s, id)
}

// awaitSuccessAt has the object reconciled again, and reports whether the broker's availability is checked meanwhile.
func (d *Decision) awaitSuccessAt(in *Inputs, at place, s *v1beta1.OperationStatus, id string) (isChecked bool) {
	wait := maxGoneCheck
	if isChecked = !at.hasMoved(); isChecked {
		wait = min(max(in.Now.Sub(findGone(s, id).Time.Time), minGoneCheck), maxGoneCheck)
	}
	d.RequeueAt = times.Earliest(d.RequeueAt, in.Now.Add(wait))
	return isChecked
}

// IsRemoval reports whether a request deletes the resource, or polls its deletion.
func (r *Request) IsRemoval() bool {
	return r.Operation == rules.Deprovision || r.Operation == rules.Unbind || r.PollsRemoval
}

// IsDeletedBy reports whether an answer confirms that the broker has deleted the resource of the request.
func (r *Request) IsDeletedBy(a Answer) bool {
	switch {
	case !r.IsRemoval():
		return false
	case a.Class == osbresult.Gone:
		return r.ConfirmsGone
	case a.Class == osbresult.Done:
		return r.Operation != rules.Poll || a.State == osbresult.Succeeded
	}
	return false
}

// gone records an answer 410 to a deletion, or to a poll of it.
func (ap *Application) gone() Effect {
	if ap.Call.ConfirmsGone {
		return ap.removed()
	}
	recordGoneOnce(ap.Common, ap.Call.ID, ap.Now)
	return Effect{Result: GoneOnce}
}

// removed records that the broker has confirmed the deletion.
func (ap *Application) removed() Effect {
	ap.forgetGone()
	return Effect{Result: Done}
}

// ForgetFormerRemoval drops a first 410 about a resource that is not being deleted any more.
func (ap *Application) ForgetFormerRemoval() {
	if !ap.Call.IsRemoval() {
		ap.forgetGone()
	}
}

func (ap *Application) forgetGone() { ForgetGone(ap.Common, ap.Call.ID) }

// recordGoneOnce records a first answer 410 about a resource.
func recordGoneOnce(s *v1beta1.OperationStatus, id string, now time.Time) {
	if !IsGoneOnce(s, id) {
		s.Gone = append(s.Gone, v1beta1.GoneResource{ID: id, Time: *times.Timestamp(now)})
	}
}

// ForgetGone drops a first 410 about a resource.
func ForgetGone(s *v1beta1.OperationStatus, id string) {
	s.Gone = slices.DeleteFunc(s.Gone, func(g v1beta1.GoneResource) bool { return g.ID == id })
	if len(s.Gone) == 0 {
		s.Gone = nil
	}
}
