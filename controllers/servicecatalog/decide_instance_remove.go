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

// remove decides on an instance that is being deleted.
func (d *instanceDecision) remove() {
	switch {
	case !slices.Contains(d.si.Finalizers, v1beta1.Finalizer): // released; it has the finalizer of another controller
	case catalog.IsRetained(d.si):
		d.release = &word{v1beta1.ReasonRetained, "the deletion policy is Retain: the service is left at the broker"}
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

// mitigate continues an orphan mitigation.
func (d *instanceDecision) mitigate() {
	switch {
	case catalog.IsRetained(d.si):
		d.stopMitigation("the deletion policy is Retain: what may be at the broker is left as it is")
	case !d.owns():
		d.stopMitigation("what may be at the broker is not this object's to remove")
	default:
		d.deprovision()
	}
}

// startMitigation begins the orphan mitigation of requests with an unknown outcome.
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

// deprovision sends the deprovision request, or polls it.
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
		d.pollLater(ids, false) // its end decides which plan the removal names
	case !removing && !d.isDue():
	default:
		ids.verb = deprovision
		if removing || d.isRefusedMeanwhile() { // past its deadline
			d.status.AsyncOpInProgress, d.status.LastOperation = false, nil
		}
		d.call = ids
	}
}

// isRefusedMeanwhile reports whether the broker has refused the removal because of an operation in progress.
func (d *instanceDecision) isRefusedMeanwhile() bool {
	a := d.status.Attempts
	return d.status.AsyncOpInProgress && heldProperties(&d.status) != nil && a != nil && a.Generation == d.si.Generation && !d.si.DeletionTimestamp.IsZero()
}

// plans returns the ids of the plans that the instance may have, the most likely one first. The original service-catalog did not
// always record one; then it is the plan of the spec.
func (d *instanceDecision) plans() []string {
	ids := recordedPlans(&d.status)
	if len(ids) == 0 && d.w.offer.plan != nil {
		ids = append(ids, d.w.offer.plan.Common().ExternalID)
	}
	return ids
}

// removalIDs returns a request with the recorded ids of service and plan: the spec may have changed since.
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

// guessPlan returns which of the recorded plans the next request names: a broker may refuse a request that names another plan than
// the instance has, and then the next one is tried. guessed: there is a next one.
func guessPlan(plans []string, a *v1beta1.Attempts) (id string, guessed bool) {
	if len(plans) == 0 {
		return "", false
	}
	n := refusals(a)
	return plans[n%len(plans)], len(plans) > 1 && n < len(plans)
}

// refusals returns how often the broker has refused the plan of a request.
func refusals(a *v1beta1.Attempts) int {
	if a == nil {
		return 0
	}
	return int(a.Refusals)
}

// poll polls a provisioning or an update.
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

// pollLater polls the operation when the next poll is due.
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

// isOverdue reports whether the operation is past its deadline.
func (d *instanceDecision) isOverdue() bool {
	return isOverdue(d.status.OperationStartTime, d.maxPolling(), d.w.now)
}

func (d *instanceDecision) maxPolling() time.Duration {
	if d.w.working == nil {
		return catalog.MaximumPollingDuration
	}
	return catalog.EffectiveOf(d.w.offer.class, d.w.working).MaximumPollingDuration
}
