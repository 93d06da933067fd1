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
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// remove is for an instance that is being deleted.
func (d *instanceDecision) remove() {
	switch {
	case !slices.Contains(d.si.Finalizers, v1beta1.Finalizer): // we are done; another's finalizer holds it
	case catalog.IsRetained(d.si):
		d.release = &word{v1beta1.ReasonRetained, "the deletion policy is Retain: the service is left as it is at the broker"}
	case d.isClean() && d.status.DeprovisionStatus != v1beta1.DeprovisionSucceeded:
		d.release = neverMade(v1beta1.ReasonDeprovisionedSuccessfully, idOf(d.si), d.isOthers())
	case d.isClean():
		d.release = &word{v1beta1.ReasonDeprovisionedSuccessfully, "nothing is left at the broker"}
	case len(d.w.bindings) > 0:
		d.hold(&blocker{word: word{v1beta1.ReasonDeprovisionBlockedByExistingCredentials, "ServiceBindings have to be deleted first: " + enumerate(d.w.bindings)}, inProgress: d.w.unbinding})
	case !goesWithObject(d.si):
		d.release = leftAsBrought(idOf(d.si))
	case d.w.claimants.blocksRemoval() != nil:
		d.release = leftToClaimant(idOf(d.si), d.w.claimants.blocksRemoval())
	case d.w.definition == definitionUnknown:
		d.prove = true
	case d.w.definition == definitionTerminating:
		d.hold(blockedBy(v1beta1.ReasonDefinitionTerminating, "the CustomResourceDefinition is being deleted, and nothing is deleted at a broker for that"))
	default:
		d.deprovision()
	}
}

// mitigate removes what a failure may have left.
func (d *instanceDecision) mitigate() {
	switch {
	case catalog.IsRetained(d.si):
		d.stopMitigation("the deletion policy is Retain: what may be at the broker is left as it is")
	case !d.owns(): // no longer, if ever
		d.stopMitigation("what may be at the broker is not this object's to remove")
	default:
		d.deprovision()
	}
}

// startMitigation removes what requests whose outcome is not known may have left.
func (d *instanceDecision) startMitigation() {
	d.status.OrphanMitigationInProgress, d.journal = true, true
	a := d.currentAttempts()
	a.Count, a.Misconfigured = 0, 0
	why := cleaningUp + ": it is not known what came of earlier requests. Then it is provisioned anew"
	d.say(cleanup(v1beta1.ReasonStartingInstanceOrphanMitigation, cleaningUp, a, &word{v1beta1.ReasonStartingInstanceOrphanMitigation, why}))
	d.deprovision()
}

func (d *instanceDecision) stopMitigation(why string) {
	d.status.OrphanMitigationInProgress, d.status.AsyncOpInProgress, d.status.LastOperation = false, false, nil
	d.currentAttempts()
	d.halt(v1beta1.ReasonOrphanMitigationFailed, why)
}

// deprovision asks the broker to remove the instance, or how far that is.
func (d *instanceDecision) deprovision() {
	removing := d.status.AsyncOpInProgress && (d.status.CurrentOperation == v1beta1.OperationDeprovision || d.status.OrphanMitigationInProgress)
	ids, missing := d.removalIDs()
	switch {
	case missing != nil:
		d.hold(missing)
	case d.w.offer.broker == nil:
		d.hold(missingFor(d.si, v1beta1.ReasonReferencesNonexistentBroker, noBroker(d.status.Broker, "to remove the service")))
	case d.w.problem != nil:
		d.hold(d.w.problem)
	case removing && !d.isOverdue():
		d.pollLater(ids, true)
	case !removing && d.isRefusedMeanwhile() && !d.isOverdue():
		ids.planID = planIDOf(heldProperties(&d.status))
		d.pollLater(ids, false) // how it ends says which plan is to be removed
	case !removing && !d.isDue():
	default:
		ids.verb = deprovision
		if removing || d.isRefusedMeanwhile() { // it takes too long
			d.status.AsyncOpInProgress, d.status.LastOperation = false, nil
		}
		d.call = ids
	}
}

// isRefusedMeanwhile says whether the broker does not remove the instance as long as what
// it does to it is under way.
func (d *instanceDecision) isRefusedMeanwhile() bool {
	a := d.status.Attempts
	return d.status.AsyncOpInProgress && heldProperties(&d.status) != nil && a != nil && a.Generation == d.si.Generation && !d.si.DeletionTimestamp.IsZero()
}

// plans are the ids of the plans that the broker may have, the most likely one first. The former
// service-catalog did not always record one: then it is that of the spec.
func (d *instanceDecision) plans() []string {
	ids := recordedPlans(&d.status)
	if len(ids) == 0 && d.w.offer.plan != nil {
		ids = append(ids, d.w.offer.plan.Common().ExternalID)
	}
	return ids
}

// removalIDs are the ids that the broker knows the instance by: those on record, since
// the spec may say something else by now.
func (d *instanceDecision) removalIDs() (*instanceCall, *blocker) {
	call := d.newCall("")
	if known := d.status.Broker; known != nil && known.ServiceID != "" {
		call.serviceID = known.ServiceID
	} else if d.w.offer.class != nil {
		call.serviceID = d.w.offer.class.Common().ExternalID
	}
	call.planID, call.guessed = guessPlan(d.plans(), d.status.Attempts)
	if call.serviceID != "" && call.planID != "" {
		return call, nil
	}
	if d.w.offer.missing != nil {
		return nil, d.w.offer.missing
	}
	return nil, blockedBy(v1beta1.ReasonReferencesNonexistentServicePlan, "it is not on record which plan the instance has")
}

// guessPlan is the one of the recorded plans to name next, the most likely one first: a broker may
// refuse a request that names another than it has. guessed: there is another to try then.
func guessPlan(plans []string, a *v1beta1.Attempts) (id string, guessed bool) {
	if len(plans) == 0 {
		return "", false
	}
	n := refusals(a)
	return plans[n%len(plans)], len(plans) > 1 && n < len(plans)
}

// refusals is how often the broker has refused a request as it was made.
func refusals(a *v1beta1.Attempts) int {
	if a == nil {
		return 0
	}
	return int(a.Refusals)
}

// poll asks how far a provisioning or an update is.
func (d *instanceDecision) poll() {
	ids, missing := d.removalIDs()
	switch {
	case missing != nil:
		d.wait(missing)
	case d.w.offer.broker == nil:
		d.wait(missingFor(d.si, v1beta1.ReasonReferencesNonexistentBroker, noBroker(d.status.Broker, "how far the operation is")))
	case d.w.problem != nil:
		d.wait(d.w.problem)
	default:
		ids.limit = d.maxPolling()
		d.pollLater(ids, false)
	}
}

// pollLater asks how far the broker is, once it is time to.
func (d *instanceDecision) pollLater(ids *instanceCall, removal bool) {
	next := nextPoll(d.status.OperationStartTime, d.w.polled, d.w.asked, d.w.now)
	if a := d.status.Attempts; a != nil && a.Misconfigured > 0 && !d.isDue() {
		next = latest(next, d.wake)
	}
	if d.wake = next; next.After(d.w.now) {
		return
	}
	d.wake = time.Time{}
	ids.verb, ids.removal = poll, removal
	d.call = ids
}

// isOverdue says whether the operation has taken longer than it may.
func (d *instanceDecision) isOverdue() bool {
	return isOverdue(d.status.OperationStartTime, d.maxPolling(), d.w.now)
}

func (d *instanceDecision) maxPolling() time.Duration {
	if d.w.working == nil {
		return catalog.MaximumPollingDuration
	}
	return catalog.EffectiveOf(d.w.offer.class, d.w.working).MaximumPollingDuration
}
