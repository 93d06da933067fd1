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

package servicecatalog

import (
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
	"github.com/gophernetes/bellhop/internal/catalog"
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

// keep decides on a binding that the broker has: its credentials have to be in the Secret.
func (d *bindingDecision) keep() {
	s := &d.status
	switch {
	case d.isRebindAsked() && s.PredecessorID == "":
		d.rebind()
	case d.isTold():
		if !d.w.known.told.unfit {
			d.deed = injectKeys
		}
	case d.w.secret == secretUnseen:
		d.look = true
	case d.w.secret == secretOthers:
		d.waitFor(blockedBy(v1beta1.ReasonErrorInjectingBindResult, credentials.Occupied(d.b).Error()))
	case d.w.secret == secretGood && !isDelivered(s) && d.w.secretOf == d.id(): // by a process that was stopped before it could record it
		d.status = foldInjected(d.b, *s, nil, d.w.secretVersion, d.w.now)
	case d.w.secret != secretGood || !isDelivered(s):
		d.recover()
	case s.PredecessorID != "":
		d.retire()
	case d.hasEnded():
		d.renewEnded()
	case !d.renewTime().IsZero() && !d.w.now.Before(d.renewTime()):
		d.renew()
	default:
		d.rest()
	}
}

// rest decides on a binding whose credentials are in the Secret.
func (d *bindingDecision) rest() {
	if ready := conditionOf(d.status.Conditions, v1beta1.ConditionReady); ready == nil || ready.Status != v1beta1.ConditionTrue {
		d.say(injected(d.b))
	}
	d.wake = d.renewTime()
}

// tried returns which ways to get the credentials of the present id have failed.
func (d *bindingDecision) tried() tried {
	if d.w.known.tried.id != d.id() {
		return tried{}
	}
	return d.w.known.tried
}

func (d *bindingDecision) isTold() bool {
	return d.w.known.told != nil && d.w.known.told.id == d.id()
}

// recover gets credentials that are missing from the Secret, or were modified, in the way that changes the least: fetch, repeated
// bind, rotation, a new binding.
func (d *bindingDecision) recover() {
	s := &d.status
	if why := d.mute(); why != nil {
		d.waitFor(why)
		return
	}
	if !d.isDue() {
		return
	}
	if d.present().BindingRetrievable && !d.tried().fetch {
		d.call = d.newCall(fetch)
		d.call.again = true
		return
	}
	if why := d.obstacle(); why != nil {
		d.waitFor(why)
		return
	}
	if !d.knowsParameters() {
		return
	}
	switch {
	case !d.tried().repeat:
		d.call = d.newCall(bind)
		d.call.again, d.call.props, d.call.predecessor = true, d.wanted(), d.status.PredecessorID
	case d.status.PredecessorID != "": // a binding has one predecessor
		d.retire()
	case d.present().BindingRotatable && !d.w.known.triedRotation && !d.hasEnded() && removals(s) < maxRotations:
		d.startRotation()
	case d.w.secret == secretEdited:
		ends := "ends them and gets new ones"
		if !d.owns() {
			ends = "gets new ones, and leaves them valid"
		}
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonSecretEdited, stalled: true,
			message: fmt.Sprintf("the credentials in Secret %q were modified, and the broker does not return them again: restore them, or change the annotation %s, which %s", catalog.SecretName(d.b), v1beta1.RebindAnnotation, ends)})
	case !d.owns():
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorInjectingBindResult, stalled: true,
			message: fmt.Sprintf("the broker has the binding %q, which this object did not create, and does not return its credentials: to create another one under a new id, beside it, change the annotation %s", d.id(), v1beta1.RebindAnnotation)})
	case removals(s) >= maxRemovals+maxRotations, removals(s) >= maxRemovals && !d.present().BindingRotatable:
		d.stop(v1beta1.ReasonErrorReconciliationRetryTimeout,
			fmt.Sprintf("the broker has the binding and did not return its credentials, though it was created again %d times; it is not retried%s", removals(s), untilAsked))
	default:
		d.startAnew(fmt.Sprintf("its credentials are not in Secret %q, and the broker does not return them again", catalog.SecretName(d.b)),
			&v1beta1.Attempts{Generation: d.b.Generation, ParametersVersion: d.w.parameters.version, Removals: removals(s) + 1})
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
func (d *bindingDecision) hasEnded() bool { return hasEnded(&d.status, d.w.now) }

func hasEnded(s *v1beta1.ServiceBindingStatus, now time.Time) bool {
	return s.ExpiresAt != nil && !now.Before(s.ExpiresAt.Time)
}

// heedEnd has a binding reconciled when its credentials expire, and sets the conditions then.
func (d *bindingDecision) heedEnd() {
	end, ready := d.status.ExpiresAt, conditionOf(d.status.Conditions, v1beta1.ConditionReady)
	if end == nil || ready == nil || ready.Status != v1beta1.ConditionTrue || !d.b.DeletionTimestamp.IsZero() {
		return
	}
	if d.hasEnded() {
		d.say(injected(d.b))
	} else if d.call == nil && d.deed == "" && (d.wake.IsZero() || end.Time.Before(d.wake)) {
		d.wake = end.Time
	}
}

// renewTime returns when the credentials are rotated; zero: never.
func (d *bindingDecision) renewTime() time.Time {
	at := d.status.RenewBefore
	if at == nil {
		at = d.status.ExpiresAt
	}
	if at == nil || !d.present().BindingRotatable {
		return time.Time{}
	}
	return d.notTooSoon(at.Add(-renewAhead))
}

// notTooSoon returns at, or the earliest time at which credentials may be replaced: minRenewal after the last replacement, or when
// the next attempt is due.
func (d *bindingDecision) notTooSoon(at time.Time) time.Time {
	var soonest time.Time
	switch a := d.status.Attempts; {
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

// renew rotates credentials that are about to expire, unless that is blocked.
func (d *bindingDecision) renew() {
	if why := d.obstacle(); why != nil {
		d.waitFor(why)
		d.wake = d.w.now.Add(renewRetry)
		return
	}
	d.startRotation()
}

// renewEnded gets new credentials for expired ones, which cannot be rotated.
func (d *bindingDecision) renewEnded() {
	message := "the credentials have expired at " + when(d.status.ExpiresAt.Time)
	if at := d.notTooSoon(d.status.ExpiresAt.Time); d.w.now.Before(at) {
		d.wake = at
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: message + "; new ones are requested at " + when(at)})
		return
	}
	d.startAnew(message, nil)
}

// isRebindAsked reports whether a person has asked for new credentials since the last request.
func (d *bindingDecision) isRebindAsked() bool {
	asked := d.b.Annotations[v1beta1.RebindAnnotation]
	return asked != "" && asked != d.status.Rebind
}

// rebind gets new credentials for a person who has asked for them.
func (d *bindingDecision) rebind() {
	switch why := d.obstacle(); {
	case why != nil:
		d.waitFor(why)
	case d.present().BindingRotatable && isDelivered(&d.status) && !d.hasEnded():
		d.startRotation()
	default:
		d.startAnew("new credentials were requested with the annotation "+v1beta1.RebindAnnotation, nil)
	}
}
