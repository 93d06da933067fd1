/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package binding

import (
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/bindingsecret"
)

const (
	// renewAhead is how long before the broker's renew_before credentials are rotated.
	renewAhead = 10 * time.Second
	// renewRetry is the interval at which a blocked rotation is tried again.
	renewRetry = time.Minute
	// maxRotations is the number of rotations whose credentials are lost with the answer.
	maxRotations = 2
	// minRenewal is the shortest time between two rotations, whatever the broker says.
	minRenewal = 10 * time.Minute
)

// ensureCredentials decides on a binding that the broker has: its credentials have to be in the Secret.
func (d *decision) ensureCredentials() {
	s := &d.Status
	switch {
	case d.isRebindRequested() && s.PredecessorID == "":
		d.rebind()
	case d.hasReceivedCredentials():
		if !d.w.Memory.Received.DoesNotFit {
			d.SecretAction = WriteSecret
		}
	case d.w.Secret == SecretUnknown:
		d.Need = lifecycle.NeedSecret
	case d.w.Secret == SecretNotOwned:
		d.setBlocked(lifecycle.BlockedBy(v1beta1.ReasonErrorInjectingBindResult, bindingsecret.Occupied(d.b).Error()))
	case d.w.Secret == SecretInSync && !isDelivered(s) && d.w.SecretID == d.id(): // by a process that was stopped before it could record it
		d.Status = ApplySecretWritten(d.b, *s, nil, d.w.SecretVersion, d.w.Now)
	case d.w.Secret != SecretInSync || !isDelivered(s):
		d.recoverCredentials()
	case s.PredecessorID != "":
		d.removePredecessor()
	case d.hasEnded():
		d.replaceExpired()
	case !d.renewalTime().IsZero() && !d.w.Now.Before(d.renewalTime()):
		d.rotateBeforeExpiry()
	default:
		d.steady()
	}
}

// steady decides on a binding whose credentials are in the Secret. Ready stays as it is if it is True: its message may say more.
func (d *decision) steady() {
	if ready := lifecycle.FindCondition(d.Status.Conditions, v1beta1.ConditionReady); ready == nil || ready.Status != v1beta1.ConditionTrue {
		d.setConditions(injectedConditions(d.b))
	}
	d.RequeueAt = d.renewalTime()
}

// recovery returns what has come of getting the credentials of the present id.
func (d *decision) recovery() recovery { return d.w.Memory.recovery.of(d.id()) }

// nextWay returns the way to get the credentials that changes the least, of those that the plan has and that have not failed.
func (d *decision) nextWay() way {
	tried, plan := d.recovery(), d.effectivePlan()
	switch {
	case plan.BindingRetrievable && !tried.hasFailed(fetch):
		return fetch
	case !tried.hasFailed(repeat):
		return repeat
	case plan.BindingRotatable && !tried.hasFailed(rotation) && !d.hasEnded() && removals(&d.Status) < maxRotations:
		return rotation
	}
	return replacement
}

func (d *decision) hasReceivedCredentials() bool {
	return d.w.Memory.Received != nil && d.w.Memory.Received.BindingID == d.id()
}

// recoverCredentials gets credentials that are missing from the Secret, or were modified.
func (d *decision) recoverCredentials() {
	s := &d.Status
	if why := d.brokerUnavailable(); why != nil {
		d.setBlocked(why)
		return
	}
	if !d.isDue() {
		return
	}
	next := d.nextWay()
	if next == fetch {
		d.Request = d.newRequest(lifecycle.Fetch)
		d.Request.Repeat = true
		return
	}
	if why := d.precondition(); why != nil {
		d.setBlocked(why)
		return
	}
	if !d.knowsParameters() {
		return
	}
	switch {
	case next == repeat:
		d.Request = d.newRequest(lifecycle.Bind)
		d.Request.Repeat, d.Request.Properties, d.Request.PredecessorID = true, d.desiredProperties(), d.Status.PredecessorID
	case d.Status.PredecessorID != "": // a binding has one predecessor
		d.removePredecessor()
	case next == rotation:
		d.startRotation()
	case d.w.Secret == SecretModified:
		ends := "ends them and gets new ones"
		if !d.owns() {
			ends = "gets new ones, and leaves them valid"
		}
		d.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonSecretEdited, Stalled: true,
			Message: fmt.Sprintf("the credentials in Secret %q were modified, and the broker does not return them again: restore them, or change the annotation %s, which %s", catalog.SecretName(d.b), v1beta1.RebindAnnotation, ends)})
	case !d.owns():
		d.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorInjectingBindResult, Stalled: true,
			Message: fmt.Sprintf("the broker has the binding %q, which this object did not create, and does not return its credentials: to create another one under a new id, beside it, change the annotation %s", d.id(), v1beta1.RebindAnnotation)})
	case removals(s) >= lifecycle.MaxRemovals+maxRotations, removals(s) >= lifecycle.MaxRemovals && !d.effectivePlan().BindingRotatable:
		d.stopRetrying(v1beta1.ReasonErrorReconciliationRetryTimeout,
			fmt.Sprintf("the broker has the binding and did not return its credentials, though it was created again %d times; it is not retried%s", removals(s), untilAsked))
	default:
		d.startReplacement(fmt.Sprintf("its credentials are not in Secret %q, and the broker does not return them again", catalog.SecretName(d.b)),
			&v1beta1.Attempts{Generation: d.b.Generation, ParametersVersion: d.w.Parameters.Version, ParametersDigest: d.w.Parameters.Digest, Removals: removals(s) + 1})
	}
}

// removals returns how often the binding was removed at the broker to create it again, since a person last asked for that.
func removals(s *v1beta1.ServiceBindingStatus) int32 {
	if s.Attempts == nil {
		return 0
	}
	return s.Attempts.Removals
}

// hasEnded reports whether the credentials have expired.
func (d *decision) hasEnded() bool { return hasEnded(&d.Status, d.w.Now) }

func hasEnded(s *v1beta1.ServiceBindingStatus, now time.Time) bool {
	return s.ExpiresAt != nil && !now.Before(s.ExpiresAt.Time)
}

// enforceExpiry has a binding that is Ready reconciled when its credentials expire, and sets the conditions then. It reads the condition
// since no other part of the status says whether it has to change.
func (d *decision) enforceExpiry() {
	end, ready := d.Status.ExpiresAt, lifecycle.FindCondition(d.Status.Conditions, v1beta1.ConditionReady)
	if end == nil || ready == nil || ready.Status != v1beta1.ConditionTrue || !d.b.DeletionTimestamp.IsZero() {
		return
	}
	if d.hasEnded() {
		d.setConditions(injectedConditions(d.b))
	} else if d.Request == nil && d.SecretAction == "" && (d.RequeueAt.IsZero() || end.Time.Before(d.RequeueAt)) {
		d.RequeueAt = end.Time
	}
}

// renewalTime returns when the credentials are rotated; zero: never.
func (d *decision) renewalTime() time.Time {
	at := d.Status.RenewBefore
	if at == nil {
		at = d.Status.ExpiresAt
	}
	if at == nil || !d.effectivePlan().BindingRotatable {
		return time.Time{}
	}
	return d.notBefore(at.Add(-renewAhead))
}

// notBefore returns at, or the earliest time at which credentials may be replaced: minRenewal after the last replacement, or when
// the next attempt is due.
func (d *decision) notBefore(at time.Time) time.Time {
	var soonest time.Time
	switch a := d.Status.Attempts; {
	case a != nil && a.NextTime != nil:
		soonest = a.NextTime.Time
	case a != nil && a.LastTime != nil:
		soonest = a.LastTime.Add(minRenewal)
	}
	if at.Before(soonest) {
		return soonest
	}
	return at
}

// rotateBeforeExpiry rotates credentials that are about to expire, unless that is blocked.
func (d *decision) rotateBeforeExpiry() {
	if why := d.precondition(); why != nil {
		d.setBlocked(why)
		d.RequeueAt = d.w.Now.Add(renewRetry)
		return
	}
	d.startRotation()
}

// replaceExpired gets new credentials for expired ones, which cannot be rotated.
func (d *decision) replaceExpired() {
	message := "the credentials have expired at " + lifecycle.FormatTime(d.Status.ExpiresAt.Time)
	if at := d.notBefore(d.Status.ExpiresAt.Time); d.w.Now.Before(at) {
		d.RequeueAt = at
		d.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonRebinding, Message: message + "; new ones are requested at " + lifecycle.FormatTime(at)})
		return
	}
	d.startReplacement(message, nil)
}

// isRebindRequested reports whether a person has asked for new credentials since the last request.
func (d *decision) isRebindRequested() bool {
	asked := d.b.Annotations[v1beta1.RebindAnnotation]
	return asked != "" && asked != d.Status.Rebind
}

// rebind gets new credentials for a person who has asked for them.
func (d *decision) rebind() {
	switch why := d.precondition(); {
	case why != nil:
		d.setBlocked(why)
	case d.effectivePlan().BindingRotatable && isDelivered(&d.Status) && !d.hasEnded():
		d.startRotation()
	default:
		d.startReplacement("new credentials were requested with the annotation "+v1beta1.RebindAnnotation, nil)
	}
}
