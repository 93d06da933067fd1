// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"fmt"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// renewRetry is the interval at which a blocked replacement is tried again.
	renewRetry = time.Minute
	// maxRotations is the number of rotations whose credentials are lost with the answer.
	maxRotations = 2
	// maxTrials is the number of refused dry runs after which the credentials are requested: an admission policy may refuse placeholders only.
	maxTrials = 8
)

// ensureCredentials decides on a binding that the broker has: its credentials have to be in the Secret.
func (d *decision) ensureCredentials() {
	s := &d.Status
	switch {
	case d.hasReceivedCredentials() && !d.awaitWrite():
		d.writeSecret()
	case d.in.Secret == SecretUnknown:
		d.Need = rules.NeedSecret
	case d.in.Secret == SecretNotOwned:
		d.setBlocked(rules.BlockedBy(v1beta1.ReasonErrorInjectingBindResult, bindingsecret.Occupied(d.b).Error()))
		d.removeDuePredecessor()
	case d.in.Secret == SecretInSync && !bindingphase.IsDelivered(s) && d.in.SecretID == d.id(): // by a process that was stopped before it could record it
		d.recordSecretWritten()
	case d.in.Secret != SecretInSync && d.in.Namespace == rules.NamespaceTerminating:
		d.setBlocked(rules.TerminatingNamespace(d.b.Namespace))
	case isRebindRequested(d.b, &d.Status):
		d.startReplacement()
	case (d.in.Secret != SecretInSync || !bindingphase.IsDelivered(s)) && !d.isRemovalFirst():
		if d.recoverCredentials(); d.isWaiting() {
			d.removeDuePredecessor()
		}
	case d.isRenewalDue() && !d.isRemovalFirst():
		d.startReplacement()
	case IsMadeBefore(s, d.in.BoundInstance.Instance) && !d.isRemovalFirst() && d.recheck():
	case !d.removeDuePredecessor():
		d.steady()
	}
	if d.isWaiting() {
		d.wakeForRenewal()
	}
}

// isWaiting reports whether nothing is done for the present binding now.
func (d *decision) isWaiting() bool {
	return d.Request == nil && d.SecretAction == "" && d.Need == "" && !d.phase.IsReplacement()
}

// writeSecret has the credentials written that the broker has returned.
func (d *decision) writeSecret() {
	d.SecretAction, d.Status.InstanceFingerprint = WriteSecret, RecordedFingerprint(d.in.BoundInstance.Instance)
}

// unwritten returns why the credentials of the present id were not written; nil: they were, there were none, or the instance was updated
// since.
func (d *decision) unwritten() *Unwritten {
	u := d.in.Memory.Unwritten
	if u == nil || u.BindingID != d.id() {
		return nil
	}
	if is := InstanceFingerprint(d.in.BoundInstance.Instance); is != "" && is != u.InstanceFingerprint {
		return nil
	}
	return u
}

// isSuccessorRejected reports whether a successor is removed again: no Secret can hold its credentials, or other Secrets are in the way and
// the user requests new credentials meanwhile.
func (d *decision) isSuccessorRejected() bool {
	u := d.unwritten()
	return u != nil && (u.Unfit || u.SecretsVersion != "" && isRebindRequested(d.b, &d.Status))
}

// awaitWrite has the binding wait while its credentials cannot be written for the recorded reason, says so in the conditions, and reports whether
// it waits. Nothing is requested of the broker meanwhile.
func (d *decision) awaitWrite() bool {
	if d.awaitPermission() {
		return true
	}
	u := d.unwritten()
	if u == nil || !u.Unfit && (u.SecretsVersion == "" || u.SecretsVersion != d.in.SecretsVersion) {
		return false
	}
	d.setConditions(unwrittenConditions(u.Message, d.hasUsableCredentials()))
	return true
}

// awaitPermission has the binding wait after the API server has refused its last write, for credentials of any id, and reports whether it waits:
// until the next trial of that write is due, or for the result of the trial.
func (d *decision) awaitPermission() bool {
	u := d.in.Memory.Unwritten
	if u == nil || !u.isRefused() || d.in.MayWrite {
		return false
	}
	if at := times.DueAfter(u.Time, rules.Backoff(d.b.UID, u.Failures, 0), d.in.Now); d.in.Now.Before(at) {
		d.RequeueAt = at
		return true
	}
	if u.Trials >= maxTrials {
		return false
	}
	d.Need = rules.NeedPermission
	return true
}

// prepareWrite reports whether credentials that the broker returns now could be written, as far as that is known: the API server accepts the
// Secret, the namespace is not being deleted, and the Secrets whose keys it gets can be read. Otherwise it sets the Need for a missing observation,
// or describes the obstacle in the conditions.
func (d *decision) prepareWrite() bool {
	switch {
	case d.awaitPermission():
		return false
	case d.in.Namespace == rules.NamespaceTerminating:
		d.setBlocked(rules.TerminatingNamespace(d.b.Namespace))
		return false
	case d.isSecretGone() && d.in.Namespace == rules.NamespaceUnconfirmed:
		d.Need = rules.NeedNamespace
		return false
	case len(bindingsecret.SourcesOf(d.b)) == 0:
		return true
	case !d.in.Sources.Known:
		d.Need = rules.NeedSources
	case d.in.Sources.Blocker == nil:
		return true
	default:
		d.setBlocked(d.in.Sources.Blocker)
	}
	return false
}

// isSecretGone reports whether the Secret that had the credentials does not exist any more. The namespace controller deletes Secrets before
// bindings.
func (d *decision) isSecretGone() bool {
	return d.in.Secret == SecretAbsent && (d.Status.SecretVersion != "" || bindingphase.IsDelivered(&d.Status))
}

// recheck fetches the binding after an update of its instance, whose credentials may name another host. Where the credentials cannot be fetched, or
// written, the conditions say that. It reports whether the fetch is the next step; otherwise predecessors are removed meanwhile.
func (d *decision) recheck() bool {
	switch {
	case d.awaitWrite():
	case d.brokerUnavailable() != nil:
		d.wakeBy(d.in.Now.Add(renewRetry))
	case !d.schedule().IsDue():
		d.AwaitAttempt(d.schedule())
	case d.nextWay() == fetch:
		if d.prepareWrite() {
			d.Request = d.newRequest(rules.Fetch)
			d.Request.Repeat, d.Request.Recheck = true, true
			d.recordOtherWrite()
		}
	default:
		told := fmt.Sprintf("ServiceInstance %q was updated after they were issued, and the broker does not return them again", d.b.Spec.InstanceRef.Name)
		if d.Status.InstanceFingerprint == unknownFingerprint {
			told = fmt.Sprintf("ServiceInstance %q may have been updated after they were issued, and the broker does not return them again", d.b.Spec.InstanceRef.Name)
		}
		d.Status.InstanceFingerprint = InstanceFingerprint(d.in.BoundInstance.Instance)
		d.setConditions(stillInjectedConditions(fmt.Sprintf("%s: if they are not valid any more, change the annotation %s", told, v1beta1.RebindAnnotation)))
	}
	return d.Request != nil || d.Need != ""
}

// recordOtherWrite records that the Secret was written after the status was: perhaps by a process that was stopped, with credentials of after the
// update. If the update is taken back, they are fetched again.
func (d *decision) recordOtherWrite() {
	s := &d.Status
	if d.in.SecretVersion != "" && d.in.SecretVersion != s.SecretVersion && s.InstanceFingerprint != unknownFingerprint {
		s.InstanceFingerprint, d.WriteAhead = unknownFingerprint, true
	}
}

// isRemovalFirst reports whether the due removal of a predecessor goes before the request for credentials: while requests fail, the two take turns.
func (d *decision) isRemovalFirst() bool {
	attempts := d.Status.Attempts
	return attempts != nil && attempts.Count%2 == 1 && slices.ContainsFunc(d.Status.Predecessors, d.isRemovable)
}

// steady decides on a binding whose credentials are in the Secret. Ready stays as it is if it is True: its message may say more.
func (d *decision) steady() {
	s := &d.Status
	ready, isOver := rules.FindCondition(s.Conditions, v1beta1.ConditionReady), d.isRecheckOver()
	if isOver && s.Attempts.Stopped { // the broker has refused something else, which is not requested again
		s.Attempts.NextTime = nil
	} else if isOver {
		s.Attempts = rules.RemovalOf(s.Attempts)
	}
	if isOver || ready == nil || ready.Status != v1beta1.ConditionTrue {
		d.setConditions(deliveredConditions(d.b, s, bindingphase.IsDelivered(s)))
	}
}

// isRecheckOver reports whether the next attempt on record has nothing left to do: it was to fetch the binding after an update of the instance that was
// taken back.
func (d *decision) isRecheckOver() bool {
	s, instance := &d.Status, d.in.BoundInstance.Instance
	isAsBefore := InstanceFingerprint(instance) != "" && !IsMadeBefore(s, instance)
	return s.Attempts != nil && s.Attempts.NextTime != nil && isAsBefore && !d.hasPassed(d.wantedRenewal())
}

// wakeForRenewal has the binding reconciled when its credentials are to be replaced, or the first predecessor is to be removed.
func (d *decision) wakeForRenewal() {
	if at := d.renewalTime(); !d.isStopped() && at.After(d.in.Now) {
		d.wakeBy(at)
	}
	for _, p := range d.Status.Predecessors {
		if at := d.in.overlapEnds(d.b, p); !p.Unreplaced && at.After(d.in.Now) {
			d.wakeBy(at)
		}
	}
}

// wakeBy has the binding reconciled at a time, or sooner.
func (d *decision) wakeBy(at time.Time) { d.RequeueAt = times.Earliest(d.RequeueAt, at) }

// recovery returns the results of former ways to get the credentials of the present id.
func (d *decision) recovery() recovery { return d.in.Memory.recovery.of(d.id()) }

// nextWay returns the way to get the credentials: of the ways that the plan supports and that have not failed, the one that changes the least.
func (d *decision) nextWay() way {
	tried, plan := d.recovery(), d.effectivePlan()
	switch {
	case plan.BindingRetrievable && !tried.hasFailed(fetch):
		return fetch
	case !tried.hasFailed(repeat):
		return repeat
	case d.mayRotate():
		return rotation
	}
	return replacement
}

func (d *decision) hasReceivedCredentials() bool {
	return d.in.Memory.Received != nil && d.in.Memory.Received.BindingID == d.id()
}

// recoverCredentials gets credentials that are missing from the Secret, or were modified.
func (d *decision) recoverCredentials() {
	s := &d.Status
	if d.awaitWrite() {
		return
	}
	if why := d.brokerUnavailable(); why != nil {
		d.setBlocked(why)
		return
	}
	if !d.schedule().IsDue() {
		d.AwaitAttempt(d.schedule())
		return
	}
	if !d.prepareWrite() {
		return
	}
	next := d.nextWay()
	if next == fetch {
		d.Request = d.newRequest(rules.Fetch)
		d.Request.Repeat = true
		return
	}
	if why := d.precondition(); why != nil {
		d.setBlocked(why)
		return
	}
	if !d.in.Parameters.MaySend() {
		d.awaitParameters()
		return
	}
	switch {
	case next == repeat:
		d.Request = d.newRequest(rules.Bind)
		d.Request.Repeat, d.Request.Properties = true, d.desiredProperties()
	case next == rotation && !d.isStopped():
		d.startReplacement()
	case d.in.Secret == SecretModified:
		d.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonSecretEdited, Stalled: true,
			Message: fmt.Sprintf("the credentials in Secret %q were modified, and the broker does not return them again: restore them, or change the annotation %s, which gets new ones", catalog.SecretName(d.b), v1beta1.RebindAnnotation)})
	case !d.owns():
		d.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorInjectingBindResult, Stalled: true,
			Message: fmt.Sprintf("the broker has the binding %q, which this object did not create, and does not return its credentials: to create another one under a new id, beside it, change the annotation %s", d.id(), v1beta1.RebindAnnotation)})
	case rules.RemovalsOf(s.Attempts) >= rules.MaxRemovals+maxRotations, rules.RemovalsOf(s.Attempts) >= rules.MaxRemovals && !d.effectivePlan().BindingRotatable:
		d.stopRetrying(v1beta1.ReasonErrorReconciliationRetryTimeout,
			fmt.Sprintf("the broker has the binding and did not return its credentials, though it was created again %d times; it is not retried%s", rules.RemovalsOf(s.Attempts), untilAsked))
	case d.isStopped():
		d.setConditions(deliveredConditions(d.b, s, bindingphase.IsDelivered(s) && d.in.Secret == SecretInSync))
	default:
		d.startReplacement()
	}
}

// hasEnded reports whether the credentials have expired.
func (d *decision) hasEnded() bool { return hasEnded(&d.Status, d.in.Now) }

// enforceExpiry has a binding that is Ready reconciled when its credentials expire, and sets the conditions then. It reads the condition
// since no other part of the status says whether it has to change.
func (d *decision) enforceExpiry() {
	end, ready := d.Status.ExpiresAt, rules.FindCondition(d.Status.Conditions, v1beta1.ConditionReady)
	if end == nil || ready == nil || ready.Status != v1beta1.ConditionTrue || !d.b.DeletionTimestamp.IsZero() {
		return
	}
	if d.hasEnded() {
		d.setConditions(injectedConditions(d.b))
	} else if d.Request == nil && d.SecretAction == "" {
		d.wakeBy(end.Time)
	}
}

// wantedRenewal returns when, by this process's clock, the credentials are to be replaced, whatever has failed since; zero: never.
func (d *decision) wantedRenewal() time.Time {
	if isRebindPending(d.b, &d.Status) {
		return d.in.Now
	}
	return d.in.renewal(&d.Status)
}

// hasPassed reports whether a time has passed; zero: it never does.
func (d *decision) hasPassed(at time.Time) bool { return !at.IsZero() && !d.in.Now.Before(at) }

// renewalTime returns when the credentials are replaced; zero: never.
func (d *decision) renewalTime() time.Time {
	at := d.wantedRenewal()
	if !isRebindPending(d.b, &d.Status) && d.attemptsPrecede(at) {
		return at
	}
	if a := d.Status.Attempts; !at.IsZero() && a != nil && a.NextTime != nil && d.phase.Task == bindingphase.Idle { // otherwise it is a removal's
		at = times.Latest(at, d.schedule().NextAttempt())
	}
	return at
}

// attemptsPrecede reports whether the last attempt was before a time, so that it was not for what is due since then. The record has whole seconds.
func (d *decision) attemptsPrecede(at time.Time) bool {
	a := d.Status.Attempts
	return a != nil && a.LastTime != nil && a.LastTime.Time.Before(at.Truncate(time.Second))
}

// isRenewalDue reports whether new credentials are due: a person has requested them, or the present ones are about to end or have ended by this
// clock. They are not due if the broker has refused to replace the present ones.
func (d *decision) isRenewalDue() bool {
	return d.hasPassed(d.renewalTime()) && !d.isStopped()
}
