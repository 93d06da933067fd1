// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/internal/kube/times"
)

// Action is the next write to the Alert of an object, or none.
type Action string

// The actions.
const (
	Keep    Action = "Keep"    // nothing
	Fire    Action = "Fire"    // create the Alert, or have it fire again
	Extend  Action = "Extend"  // record a later failure in an Alert that is firing, so that the resolve of a user holds for it, too
	Resolve Action = "Resolve" // resolve the Alert; of one that a person has resolved, forget the failure, which has ended
)

// jobAlertLasts is for how long an Alert about a failed Job fires, unless a person or a later Job ends it.
const jobAlertLasts = 24 * time.Hour

// Inputs are the facts from which Decide decides.
type Inputs struct {
	// Asks is whether the object has the label, and its Namespace consents.
	Asks bool
	// IsGone is whether the object is deleted, as far as the process knows; of a Job also whether it is being deleted.
	IsGone bool
	// IsJob is whether it is a Job, whose deletion is no recovery.
	IsJob  bool
	Ask    Ask
	Result Result
	// ResolveAfter is for how long an object has to be healthy, or to ask for nothing, before its Alert is resolved: an object that flaps has one
	// Alert.
	ResolveAfter time.Duration
	// IsFiring is whether an Alert about the object exists and is not resolved.
	IsFiring bool
	// FiredFor is when the failure began that the Alert has fired for; zero: no failure, or it has ended: the operator resolved the Alert.
	FiredFor time.Time
	// SeenSince is since when the process has seen the present Answer, for what the status of the object does not say.
	SeenSince time.Time
	// HasRecovered is whether the process has seen the object healthy, or asking for nothing, before the present failure, and since its Alert fired.
	HasRecovered bool
}

// Answer is the state of an object as a text; NotReported without a status, and empty without the label or the consent.
func (in Inputs) Answer() string {
	switch {
	case !in.Asks:
		return ""
	case in.Result.Reason == NotReported:
		return NotReported
	case in.isWell():
		return string(Healthy)
	}
	return string(in.Result.State)
}

// isWell reports whether the object is healthy, or was since the failure that the Alert has fired for, and has not failed since. One that says when it was
// well last is not healthy if that was before the failure: the Job of the run that failed is gone.
func (in Inputs) isWell() bool {
	if in.Result.State == Healthy {
		return in.Result.WellAt.IsZero() || !in.Result.WellAt.Before(in.FiredFor)
	}
	return in.Result.State == Progressing && in.Result.WellAt.After(in.FiredFor)
}

// IsRecovery reports whether an Answer ends a failure: an object that is in progress, or cannot be judged, may fail further.
func IsRecovery(answer string) bool { return answer == "" || answer == string(Healthy) }

// Judge returns the result as it counts at a time: progress that has lasted for its deadline is a failure.
func (in Inputs) Judge(now time.Time) Result {
	r := in.Result
	if r.Since.IsZero() {
		r.Since = in.SeenSince
	}
	if r.State != Progressing || in.Ask.ProgressDeadline == 0 || !r.Again.IsZero() {
		return r
	}
	if r.Again = in.began(r).Add(in.Ask.ProgressDeadline); now.Before(r.Again) {
		return r
	}
	message := fmt.Sprintf("it has been in progress since %s: %s", r.Since.UTC().Format(time.RFC3339), r.Reason)
	if r.Message != "" {
		message += ": " + r.Message
	}
	return Result{State: Failing, Since: r.Again, Reason: "ProgressDeadlineExceeded", Message: message}
}

// clockSkew is by how much two clocks of a cluster may differ.
const clockSkew = time.Minute

// began returns since when a result counts: a time long after the process has seen it is of a clock that is wrong.
func (in Inputs) began(r Result) time.Time {
	if r.Since.After(in.SeenSince.Add(clockSkew)) && !r.HasEnded {
		return in.SeenSince
	}
	return r.Since
}

// Decide returns the action that is due, and when the object has to be looked at again if nothing changes; zero: never.
func Decide(in Inputs, now time.Time) (Action, time.Time) {
	r := in.Judge(now)
	if in.IsFiring && in.IsJob {
		return in.decideJobAlert(r, now)
	}
	if in.IsFiring {
		return in.decideEnd(r, now)
	}
	if !in.Asks {
		return Keep, time.Time{}
	}
	if r.State == Failing {
		return in.decideFailure(r, now)
	}
	hasFired := !in.FiredFor.IsZero() && !in.IsJob
	if hasFired && in.isWell() && !in.Result.IsHalted {
		return in.decideEnd(r, now)
	}
	return Keep, r.Again
}

// decideFailure decides about a failure for which no Alert fires.
func (in Inputs) decideFailure(r Result, now time.Time) (Action, time.Time) {
	hasAlertEnded := in.IsJob && !now.Before(r.Since.Add(jobAlertLasts)) // by itself
	if hasAlertEnded {
		return Keep, time.Time{}
	}
	due := times.Latest(in.began(r).Add(in.Ask.After), in.SeenSince.Add(r.Settle))
	if in.isResolvedByPerson(r) || in.isOfFormerJob(r, due, now) {
		return Keep, r.Again
	}
	if now.Before(due) {
		return Keep, due
	}
	return Fire, time.Time{}
}

// isResolvedByPerson reports whether a failure is the one that an Alert has fired for, of which the time in seconds is stored. Where the status does
// not say when the failure began, or each attempt renews that, it is that one until there was a recovery.
func (in Inputs) isResolvedByPerson(r Result) bool {
	if in.FiredFor.IsZero() {
		return false
	}
	return in.isUndated(r) && !in.hasRecovered(r) || r.Since.Truncate(time.Second).Equal(in.FiredFor)
}

// isOfFormerJob reports whether a Job has failed before the one that the Alert has fired for: it decides again once that one is deleted. A time that
// is long in the future when the failure is due was recorded by a clock that is wrong, and proves nothing.
func (in Inputs) isOfFormerJob(r Result, due, now time.Time) bool {
	firedFor := in.FiredFor.Add(-clockSkew)
	isAhead := firedFor.After(due) && firedFor.After(now)
	return in.IsJob && r.Since.Before(in.FiredFor) && !isAhead
}

// hasRecovered reports whether there was a recovery since the failure that the Alert has fired for, as the process has seen, or the status says.
func (in Inputs) hasRecovered(r Result) bool { return in.HasRecovered || r.WellAt.After(in.FiredFor) }

// isUndated reports whether the time at which a failure began does not tell it from an earlier one.
func (in Inputs) isUndated(r Result) bool { return in.Result.Since.IsZero() || r.IsRenewed }

// isAnother reports whether a failure is another one than the Alert, which is firing, has fired for: an object that flaps fails again.
func (in Inputs) isAnother(r Result) bool {
	if in.isUndated(r) {
		return in.hasRecovered(r)
	}
	return r.Since.Truncate(time.Second).After(in.FiredFor)
}

// decideEnd decides about an Alert that is firing, or whose failure is not forgotten: it is resolved if its object has been healthy for long enough,
// or has asked for nothing.
func (in Inputs) decideEnd(r Result, now time.Time) (Action, time.Time) {
	switch {
	case in.Asks && r.State == Failing && !in.FiredFor.IsZero() && in.isAnother(r):
		return Extend, time.Time{}
	case in.Asks && (r.State == Failing || !in.isWell()):
		return Keep, in.Result.Again
	}
	if due := in.SeenSince.Add(in.ResolveAfter); now.Before(due) {
		return Keep, due
	}
	return Resolve, time.Time{}
}

// decideJobAlert decides about an Alert about a Job that is firing: a later Job may fail or succeed, and time ends it.
func (in Inputs) decideJobAlert(r Result, now time.Time) (Action, time.Time) {
	isLater := r.Since.Truncate(time.Second).After(in.FiredFor)
	if in.Asks && r.State == Failing && isLater {
		return Extend, time.Time{}
	}
	ends := in.FiredFor.Add(jobAlertLasts)
	if !now.Before(ends) {
		return Resolve, time.Time{}
	}
	hasSucceeded := in.Asks && r.State == Healthy && r.HasEnded && isLater
	if !hasSucceeded && (in.IsGone || in.Asks) {
		return Keep, ends
	}
	action, again := in.decideEnd(r, now)
	if again.IsZero() || again.After(ends) {
		again = ends
	}
	if action == Resolve {
		again = time.Time{}
	}
	return action, again
}

// Delays before a process says that an object cannot be judged.
const (
	unknownAfter     = 10 * time.Second // since its status is there
	notReportedAfter = 5 * time.Minute  // since its creation, without a status
)

// UnknownAt returns when a process has to say that an object cannot be judged; zero: it can be judged, or asks for nothing.
func (in Inputs) UnknownAt(created time.Time) time.Time {
	switch {
	case !in.Asks || in.Result.State != Unknown:
		return time.Time{}
	case in.Result.Reason != NotReported:
		return in.SeenSince.Add(unknownAfter)
	}
	return created.Add(notReportedAfter)
}
