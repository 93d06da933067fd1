// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// MaxLeftBehind is the number of ids left behind with which nothing is requested under another one.
	MaxLeftBehind = 4
	// maxRecordedLeft is the number of ids left behind on record. Only an object with the deletion policy Retain whose replacements fail has more
	// than MaxLeftBehind: they stay at the broker, and the first ones are dropped.
	maxRecordedLeft = 16
	// maxMitigation is how long an orphan mitigation fails before its id is left behind.
	maxMitigation = time.Hour
	// cleanUpPoll is the interval of the polls of a removal under an id left behind.
	cleanUpPoll = time.Minute
)

// leaveBehind leaves the id of a failed orphan mitigation behind once it has failed for an hour, and returns a text about it; empty: it does not
// leave the id behind. The resource that may be there is removed later, and the next attempt has another id.
func (ap *Application) leaveBehind(message string) (said string) {
	if ap.Mitigated == nil {
		return ""
	}
	a := ap.Attempts()
	if a.UnremovedSince == nil {
		a.UnremovedSince = times.Timestamp(ap.Now)
		return ""
	}
	if !ap.Call.MitigationOver {
		return ""
	}
	l := *ap.Mitigated
	l.ID, l.UID, l.Generation, l.Attempts, l.LastError = ap.Call.ID, ap.Object.GetUID(), ap.Object.GetGeneration(), 1, message
	l.FirstTime, l.LastTime, l.BrokerAddress = *a.UnremovedSince, *times.Timestamp(ap.Now), ap.Common.BrokerAddress
	ap.Common.LeftBehind = append(ap.Common.LeftBehind, l)
	ap.Common.LeftBehind = slices.Delete(ap.Common.LeftBehind, 0, max(0, len(ap.Common.LeftBehind)-maxRecordedLeft))
	said = fmt.Sprintf("The removal of what it may have left under the id %q has failed for an hour, and is retried later: %s", l.ID, rules.Uncapitalize(message))
	if a.LastError != "" {
		said = a.LastError + ". " + said
	}
	rules.RecordLeftBehind(a, ap.Object.GetUID(), ap.Now)
	return said
}

// ApplyCleanUp applies the answer to a request about an id left behind, which changes nothing else of the status.
func ApplyCleanUp(o metav1.Object, s *v1beta1.OperationStatus, kind *Kind, call *Request, a Answer, now time.Time) {
	i := slices.IndexFunc(s.LeftBehind, func(l v1beta1.LeftBehind) bool { return l.ID == call.ID })
	if i < 0 || a.Class == osbresult.NeedsAsync { // repeated at once, with accepts_incomplete
		return
	}
	l := &s.LeftBehind[i]
	switch {
	case a.Class == osbresult.Gone && !call.ConfirmsGone:
		recordGoneOnce(s, call.ID, now)
		l.AsyncOpInProgress, l.LastOperation, l.LastError = false, "", "the broker has answered 410 Gone once, which a second answer confirms"
		return
	case call.Operation != rules.Poll || call.IsDeletedBy(a): // an answer that is not from a gateway that answers 410 to everything
		ForgetGone(s, call.ID)
	}
	switch {
	case call.IsDeletedBy(a):
		s.LeftBehind = slices.Delete(s.LeftBehind, i, i+1)
	case call.Operation == rules.Poll:
		applyCleanUpPoll(l, kind, a)
	default:
		if l.Generation != o.GetGeneration() {
			l.Attempts = 0
		}
		l.Attempts++
		l.Generation, l.LastTime = o.GetGeneration(), *times.Timestamp(now)
		l.AsyncOpInProgress, l.LastOperation, l.LastError = a.Class == osbresult.Accepted, a.Operation, ""
		if !l.AsyncOpInProgress {
			l.LastOperation, l.LastError = "", callFailed(kind.Removal.Name, rules.DescribeOutcome(a.Outcome))
		}
	}
}

// applyCleanUpPoll applies the answer to the poll of a removal that goes on, or has failed.
func applyCleanUpPoll(l *v1beta1.LeftBehind, kind *Kind, a Answer) {
	switch {
	case a.Class == osbresult.Done && a.State == osbresult.Failed:
		l.LastError = callFailed(kind.Removal.Name, a.OperationDescription)
	case a.NotFound():
		l.LastError = "the broker does not know the operation: " + rules.DescribeOutcome(a.Outcome)
	default:
		return
	}
	l.AsyncOpInProgress, l.LastOperation = false, ""
}

// AwaitCleanUps has the release of an object wait for the removal of the resources that it has left behind, and returns the blocker; nil: it waits
// for none. A resource that another object has as well, or that the deletion policy retains, stays at the broker.
func (d *Decision) AwaitCleanUps(in *Inputs, o metav1.Object, s *v1beta1.OperationStatus, kind *Kind) *rules.Blocker {
	if d.Release == nil || len(s.LeftBehind) == 0 {
		return nil
	}
	if catalog.IsRetained(o) {
		d.Release = d.Release.AlsoLeft(rules.LeftBehindIDs(s))
		return nil
	}
	why, left := in.releaseBlocker(o, s, kind)
	if why == nil {
		d.Release = d.Release.AlsoLeft(left)
		return nil
	}
	d.Release = nil
	return why
}

// NextCleanUp returns the id left behind that a removal, or a poll of one, is due for; nil: none is, or another step comes first. Requests about
// these ids and requests for the id in force do not wait for each other. isRecorded: the status of the decision is on record.
func (d *Decision) NextCleanUp(in *Inputs, o metav1.Object, s *v1beta1.OperationStatus, isRecorded bool) (due *v1beta1.LeftBehind, isPoll bool) {
	if len(s.LeftBehind) == 0 || !slices.Contains(o.GetFinalizers(), v1beta1.Finalizer) || catalog.IsRetained(o) || d.Release != nil || d.Need != "" {
		return nil, false
	}
	isDeleting := !o.GetDeletionTimestamp().IsZero()
	switch {
	case isDeleting && in.Definition == rules.DefinitionUnknown:
		d.Need = rules.NeedDefinition
	case isDeleting && in.Definition == rules.DefinitionTerminating:
		d.RequeueAt = times.Earliest(d.RequeueAt, in.Now.Add(rules.DefinitionRetry))
	case !isRecorded:
		d.RequeueAt = in.Now
	default:
		var wake time.Time
		if due, isPoll, wake = in.nextCleanUp(o, s); due == nil {
			d.RequeueAt = times.Earliest(d.RequeueAt, wake)
			d.awaitConfirmations(in, o, s)
		}
	}
	return due, isPoll
}

// awaitConfirmations has the availability of brokers checked where a removal under an id left behind was answered 410 once.
func (d *Decision) awaitConfirmations(in *Inputs, o metav1.Object, s *v1beta1.OperationStatus) {
	for i := range s.LeftBehind {
		l := &s.LeftBehind[i]
		at := in.placeLeft(l)
		isWaiting := in.mayCleanUp(o, l) && in.unreachable(l) == nil && at.goneBlocker(s, l.ID) != nil
		if isWaiting && d.awaitSuccessAt(in, at, s, l.ID) {
			d.CheckCleanUps = append(d.CheckCleanUps, l.ID)
		}
	}
}

// placeLeft returns the place of an id left behind. It may be at another broker, or another address, than the id in force.
func (in *Inputs) placeLeft(l *v1beta1.LeftBehind) place {
	at := in.CleanUpBrokers[l.ID]
	return place{GoneInputs{in.Gone.Since, at.Success, rules.BrokerName(&l.Target.BrokerReference)}, at.Address, l.BrokerAddress}
}

// MakeCleanUp makes a removal request one about an id left behind, or the poll of such a removal.
func (r *Request) MakeCleanUp(in *Inputs, s *v1beta1.OperationStatus, l *v1beta1.LeftBehind, isPoll bool) {
	r.ID, r.CleanUp = l.ID, true
	r.ConfirmsGone = in.placeLeft(l).confirmsGone(s, l.ID)
	if isPoll {
		r.MakePoll(true, l.LastOperation)
	}
}

// nextCleanUp returns the id left behind that a removal, or a poll of one, is due for; nil: none is. wake is when the next one is; zero: never. A
// removal that was answered 410 is due only once the broker has answered a request with success since.
func (in *Inputs) nextCleanUp(o metav1.Object, s *v1beta1.OperationStatus) (due *v1beta1.LeftBehind, poll bool, wake time.Time) {
	for i := range s.LeftBehind {
		l := &s.LeftBehind[i]
		if !in.mayCleanUp(o, l) || in.cleanUpBlocker(s, l) != nil {
			continue
		}
		at := in.cleanUpTime(o, l)
		if IsGoneOnce(s, l.ID) {
			at = in.Now
		}
		pollAt := times.DueAfter(in.CleanUpPolls[l.ID], cleanUpPoll, in.Now)
		isPoll := l.AsyncOpInProgress && pollAt.Before(at) && in.Now.Before(at)
		if isPoll {
			at = pollAt
		}
		if !at.After(in.Now) {
			return l, isPoll, time.Time{}
		}
		wake = times.Earliest(wake, at)
	}
	return nil, false, wake
}

// cleanUpBlocker returns why no removal is requested under an id left behind; nil: it may be.
func (in *Inputs) cleanUpBlocker(s *v1beta1.OperationStatus, l *v1beta1.LeftBehind) *rules.Blocker {
	if why := in.unreachable(l); why != nil {
		return why
	}
	return in.placeLeft(l).goneBlocker(s, l.ID)
}

// unreachable returns why no request can be sent to the broker of an id left behind; nil: requests can.
func (in *Inputs) unreachable(l *v1beta1.LeftBehind) *rules.Blocker {
	if at := in.CleanUpBrokers[l.ID]; at.Broker != nil {
		return at.Blocker
	}
	return rules.BlockedBy(v1beta1.ReasonReferencesNonexistentBroker,
		rules.BrokerMissing(&l.Target.BrokerReference, fmt.Sprintf("to remove what failed requests may have left there under the id %q", l.ID)))
}

// mayCleanUp reports whether the resource under an id left behind may be removed as this object's (R10).
func (in *Inputs) mayCleanUp(o metav1.Object, l *v1beta1.LeftBehind) bool {
	return l.UID == o.GetUID() && in.FormerClaimants[l.ID].BlocksRemoval() == nil
}

// cleanUpTime returns when the removal under an id left behind is requested next. An edit, the deletion, or the broker's recovery make it due.
func (in *Inputs) cleanUpTime(o metav1.Object, l *v1beta1.LeftBehind) time.Time {
	recovered := in.Recovered.Truncate(time.Second) // by the wall clock and in whole seconds, as the other times
	isAhead := recovered.After(in.Now.Round(0))
	hasRecovered := recovered.After(l.LastTime.Time) && !isAhead // otherwise each removal would be due at once until that time (R11)
	if l.Generation != o.GetGeneration() || l.Attempts == 0 || hasRecovered {
		return in.Now
	}
	return times.DueAfter(l.LastTime.Time, rules.SlowDelay(o.GetUID(), l.Attempts), in.Now)
}

// CleanUpPlan returns the plan that the next request about an id left behind names; a poll names the plan of the last attempt.
func CleanUpPlan(l *v1beta1.LeftBehind, isPoll bool) string {
	n := int(l.Attempts)
	if isPoll {
		n = max(0, n-1)
	}
	if len(l.PlanIDs) == 0 {
		return l.Target.PlanID
	}
	return l.PlanIDs[n%len(l.PlanIDs)]
}

// RenewCleanUps makes the removal under each id left behind due, since a person has asked for a retry.
func RenewCleanUps(s *v1beta1.OperationStatus) {
	for i := range s.LeftBehind {
		s.LeftBehind[i].Attempts = 0
	}
}

// releaseBlocker returns the blocker of the release of an object that is being deleted: resources that may be at the broker under ids left behind.
// nil: there is no blocker, and left are the ids that stay there, as another object has them.
func (in *Inputs) releaseBlocker(o metav1.Object, s *v1beta1.OperationStatus, kind *Kind) (why *rules.Blocker, left []string) {
	var ids []string
	var said string
	isTried := true
	next := time.Time{}
	for i := range s.LeftBehind {
		l := &s.LeftBehind[i]
		if !in.mayCleanUp(o, l) {
			left = append(left, l.ID)
			continue
		}
		if why == nil {
			why = in.cleanUpBlocker(s, l)
		}
		ids, next = append(ids, l.ID), times.Earliest(next, in.cleanUpTime(o, l))
		if l.LastError != "" {
			said = ": " + l.LastError
		}
		isTried = isTried && l.Generation == o.GetGeneration() && !l.AsyncOpInProgress
	}
	if len(ids) == 0 || why != nil {
		return why, left
	}
	message := fmt.Sprintf("failed requests may have left something at the broker under former ids, which is removed first: %s%s", rules.Enumerate(ids), said)
	if !isTried {
		return rules.InProgress(kind.Removal.Failed, message), nil
	}
	if next.After(in.Now) { // a message with the present time would differ in each reconcile, and would be written before each request
		message += " (the next attempt is at " + times.Format(next) + ")"
	}
	return rules.BlockedBy(kind.Removal.Failed, message), nil
}

// ownLeftBehind returns the ids that the object itself has left behind, without the ids of an object that it was copied from.
func ownLeftBehind(o metav1.Object, s *v1beta1.OperationStatus) (own []v1beta1.LeftBehind) {
	for _, l := range s.LeftBehind {
		if l.UID == o.GetUID() {
			own = append(own, l)
		}
	}
	return own
}

// TooManyLeftBehind returns why nothing is requested under another id; nil: it may be.
func (in *Inputs) TooManyLeftBehind(o metav1.Object, s *v1beta1.OperationStatus, kind *Kind) *rules.Blocker {
	own := ownLeftBehind(o, s)
	if len(own) < MaxLeftBehind {
		return nil
	}
	last := &own[len(own)-1]
	return &rules.Blocker{Failed: true, Cause: rules.Cause{Reason: v1beta1.ReasonOrphanMitigationFailed, Message: fmt.Sprintf(
		"nothing is requested, since the broker confirms no removal of what failed requests may have left under %d ids in status.leftBehind, the last time with: %s. The removals are retried within 24 hours; %s to retry them now. To leave it at the broker and continue: %s",
		len(own), last.LastError, kind.HowToRetry, rules.Retain(kind.Resource, o))}}
}
