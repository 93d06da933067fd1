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
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

const (
	// maxRepeats is how often a request whose outcome is not known is repeated as it was
	// before what it may have left is removed.
	maxRepeats = 3
	// maxRemovals is how often that happens for one generation.
	maxRemovals = 3
	// maxAttempts is how often a request that may have had an effect is made for one
	// generation. Requests that had none are repeated for ever.
	maxAttempts = 20
)

// instanceWorld is what an instance's next step depends on beside the object.
type instanceWorld struct {
	now time.Time
	// firstSight: no process before this one can have sent anything for the object, and
	// what this one has sent is in the status.
	firstSight bool
	// since is the generation that the object had when this process began to lead: what
	// later ones ask for, only this one can have sent.
	since int64
	// offer is what the spec refers to, or why that is not there.
	offer offer
	// present is the plan that the instance has, nil if it has none or that is gone.
	present v1beta1.Plan
	// working is the plan of the operation that is under way; nil if there is none, or the
	// plan is gone.
	working v1beta1.Plan
	// refs are to be written into the spec; nil: they are there.
	refs *catalogRefs
	// problem is why nothing can be sent to the broker now.
	problem *word
	// parameters are those of the spec, or why they cannot be had.
	parameters parameters
	// plans are the ids of the class's, where it is not known which one the broker has.
	plans []string
	// bindings are the names of those that refer to the instance.
	bindings []string
	// claimed: another live object of the broker has the same id.
	claimed bool
	// definition is what is known of the CRD since the deletion was seen.
	definition definitionState
	// polled is when this process last asked for the operation, and asked how long the
	// broker then wanted to be left alone.
	polled time.Time
	asked  time.Duration
}

// offer is a plan, its class, and the broker that they are of.
type offer struct {
	class   v1beta1.Class
	plan    v1beta1.Plan
	broker  v1beta1.Broker
	missing *word
}

// catalogRefs are the names of the objects that a plan reference was found to mean.
type catalogRefs struct {
	cluster     bool
	class, plan string
}

// parameters are what is passed to a broker.
type parameters struct {
	catalog.Parameters
	// known: they were read. Until then only their version is.
	known bool
	// absent: one of the Secrets does not exist, or could not be read.
	absent bool
	// version tells the versions of the Secrets that they are from; empty: from none.
	version string
	problem *word
	// unfit is what the plan's schema has against them.
	unfit *word
}

// definitionState is what is known of a kind's CRD.
type definitionState int

const (
	definitionUnknown definitionState = iota
	definitionLives
	definitionTerminating
)

// verb is what a broker is asked for.
type verb string

const (
	provision   verb = "provision"
	update      verb = "update"
	deprovision verb = "deprovision"
	poll        verb = "poll"
	// inspect finds out what a broker has under an id.
	inspect verb = "inspect"
)

// instanceCall is a request about an instance.
type instanceCall struct {
	verb                  verb
	id, serviceID, planID string
	// generation that it is for.
	generation int64
	// props are what the broker has once it is done, where it gets anything.
	props *v1beta1.ServiceInstancePropertiesState
	// clean: nothing can be at the broker before it.
	clean bool
	// owned: what is there under the id may be removed, and kept: nobody wants that.
	owned, kept bool
	// removal: what is polled is one.
	removal bool
	// unsure: it is not known what an earlier update did.
	unsure bool
	// changes of an update; what does not change is left out.
	newPlan, newParameters bool
	previousPlanID         string
	previousMaintenance    string
}

// instanceStep is what happens next to an instance.
type instanceStep struct {
	// protect: finalizer and id have to be put on first.
	protect bool
	// refs have to be written into the spec first.
	refs *catalogRefs
	// prove: it has to be known first whether the CRD is being deleted.
	prove bool
	// read: the parameters have to be known first.
	read bool
	// journal: the status has to be written before the call.
	journal bool
	call    *instanceCall
	// release: the finalizer goes, for this reason.
	release *word
	// status is what to write, but for what comes of the call.
	status v1beta1.ServiceInstanceStatus
	// wake is when to look again; zero: when something changes.
	wake time.Time
}

// instanceDecision is a decision being made.
type instanceDecision struct {
	si *v1beta1.ServiceInstance
	w  instanceWorld
	instanceStep
}

// decideInstance says what happens next to an instance.
func decideInstance(si *v1beta1.ServiceInstance, w instanceWorld) instanceStep {
	d := &instanceDecision{si: si, w: w, instanceStep: instanceStep{status: *si.Status.DeepCopy()}}
	status := &d.status
	switch {
	case !si.DeletionTimestamp.IsZero():
		d.remove()
	case !slices.Contains(si.Finalizers, v1beta1.Finalizer):
		d.unprotected()
	case status.OrphanMitigationInProgress:
		d.mitigate()
	case status.AsyncOpInProgress:
		d.poll()
	case w.refs != nil && (status.ProvisionStatus != v1beta1.Provisioned || si.Generation != status.ReconciledGeneration):
		d.refs = w.refs
	case status.ProvisionStatus == v1beta1.Provisioned:
		d.update()
	default:
		d.provision()
	}
	return d.instanceStep
}

// isBlank says whether a status was never written.
func isBlank(s *v1beta1.ServiceInstanceStatus) bool {
	return s.ObservedGeneration == 0 && s.ReconciledGeneration == 0 && len(s.Conditions) == 0 && s.CurrentOperation == ""
}

// idOf is the id under which the broker knows an instance.
func idOf(si *v1beta1.ServiceInstance) string {
	if si.Status.ExternalID != "" {
		return si.Status.ExternalID
	}
	return si.Spec.ExternalID
}

// isOwned says whether what is at the broker under the instance's id is known to be
// this object's, so that it may be removed (R10).
func isOwned(si *v1beta1.ServiceInstance) bool {
	return si.UID != "" && si.Status.CreatedForUID == si.UID || catalog.IsOurs(si, si.Spec.ExternalID)
}

// goesWithObject says whether what is there may be removed once somebody has deleted the
// object.
func goesWithObject(si *v1beta1.ServiceInstance) bool {
	return isOwned(si) || si.Annotations[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyDelete
}

// isKept says whether everything at the broker is to be left as it is.
func isKept(o metav1.Object) bool {
	return o.GetAnnotations()[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyRetain
}

// unprotected is an instance without our finalizer.
func (d *instanceDecision) unprotected() {
	if isBlank(&d.status) {
		d.protect = true
		return
	}
	d.stall(v1beta1.ReasonAbandoned, "the finalizer was removed: nothing is sent to the broker any more, and nothing will be when this object is deleted")
}

// isClean says whether nothing can be at the broker.
func (d *instanceDecision) isClean() bool {
	switch d.status.DeprovisionStatus {
	case v1beta1.DeprovisionNotRequired, v1beta1.DeprovisionSucceeded:
		return true
	case "":
		return d.w.firstSight && d.status.CurrentOperation == "" && d.status.ProvisionStatus != v1beta1.Provisioned
	case v1beta1.DeprovisionRequired, v1beta1.DeprovisionFailed:
	}
	return false
}

// remove is for an instance that is being deleted.
func (d *instanceDecision) remove() {
	d.recallEdits()
	switch {
	case !slices.Contains(d.si.Finalizers, v1beta1.Finalizer): // we are done; another's finalizer holds it
	case isKept(d.si):
		d.release = &word{v1beta1.ReasonRetained, "the deletion policy is Retain: the service is left as it is at the broker"}
	case d.isClean():
		d.release = &word{v1beta1.ReasonDeprovisionedSuccessfully, "nothing is left at the broker"}
	case len(d.w.bindings) > 0:
		d.hold(v1beta1.ReasonDeprovisionBlockedByExistingCredentials, "ServiceBindings have to be deleted first: "+enumerate(d.w.bindings))
	case !goesWithObject(d.si):
		d.release = &word{v1beta1.ReasonRetained, fmt.Sprintf("the id %q was brought along, and this object did not create what is there: it is left as it is at the broker", idOf(d.si))}
	case d.w.claimed:
		d.release = &word{v1beta1.ReasonRetained, fmt.Sprintf("another object has the id %q: what is there is left to it", idOf(d.si))}
	case d.w.definition == definitionUnknown:
		d.prove = true
	case d.w.definition == definitionTerminating:
		d.hold(v1beta1.ReasonDefinitionTerminating, "the CustomResourceDefinition is being deleted, and nothing is deleted at a broker for that")
	default:
		d.deprovision()
	}
}

// mitigate removes what a failure may have left.
func (d *instanceDecision) mitigate() {
	switch {
	case isKept(d.si):
		d.stopMitigation("the deletion policy is Retain: what may be at the broker is left as it is")
	case !isOwned(d.si) || d.w.claimed: // no longer, if ever
		d.stopMitigation("what may be at the broker is not this object's to remove")
	default:
		d.deprovision()
	}
}

func (d *instanceDecision) stopMitigation(why string) {
	d.status.OrphanMitigationInProgress, d.status.AsyncOpInProgress, d.status.LastOperation = false, false, nil
	if d.status.Attempts == nil {
		d.status.Attempts = &v1beta1.Attempts{Generation: d.si.Generation, ParametersVersion: d.w.parameters.version}
	}
	d.halt(v1beta1.ReasonOrphanMitigationFailed, why)
}

// deprovision asks the broker to remove the instance, or how far that is.
func (d *instanceDecision) deprovision() {
	removing := d.status.AsyncOpInProgress && (d.status.CurrentOperation == v1beta1.OperationDeprovision || d.status.OrphanMitigationInProgress)
	ids, missing := d.removalIDs()
	switch {
	case missing != nil:
		d.hold(missing.reason, missing.message)
	case d.w.offer.broker == nil:
		d.hold(v1beta1.ReasonReferencesNonexistentBroker, noBroker(d.status.Broker, "to remove the service"))
	case d.w.problem != nil:
		d.hold(d.w.problem.reason, d.w.problem.message)
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

// recallEdits puts on record that an update may have been asked for that is not: for an
// edit before this one, or by a process before this one.
func (d *instanceDecision) recallEdits() {
	s := &d.status
	unseen := d.si.Generation - max(s.ReconciledGeneration, s.ObservedGeneration)
	switch {
	case s.ProvisionStatus != v1beta1.Provisioned || s.AsyncOpInProgress:
		return
	case unseen > 1, unseen == 1 && d.si.Generation <= d.w.since && d.si.DeletionTimestamp.IsZero():
		if s.Attempts == nil {
			s.Attempts = &v1beta1.Attempts{Generation: d.si.Generation, ParametersVersion: d.w.parameters.version}
		}
		s.Attempts.Unknown = max(s.Attempts.Unknown, 1)
	}
}

// plans are those that the broker may have, the most likely one first.
func (d *instanceDecision) plans() (ids []string) {
	add := func(id string) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	add(planIDOf(held(heldProperties(&d.status))))
	add(planIDOf(held(d.status.InProgressProperties)))
	if len(ids) > 0 && !mayHaveAnyPlan(&d.status) {
		return ids
	}
	if d.w.offer.plan != nil {
		add(d.w.offer.plan.Common().ExternalID)
	}
	for _, id := range d.w.plans { // one that was asked for before an edit, perhaps
		add(id)
	}
	return ids
}

// removalIDs are the ids that the broker knows the instance by: those on record, since
// the spec may say something else by now.
func (d *instanceDecision) removalIDs() (*instanceCall, *word) {
	call := d.newCall("")
	if known := d.status.Broker; known != nil && known.ServiceID != "" {
		call.serviceID = known.ServiceID
	} else if d.w.offer.class != nil {
		call.serviceID = d.w.offer.class.Common().ExternalID
	}
	if plans := d.plans(); len(plans) > 0 {
		call.planID = plans[refusals(&d.status)%len(plans)]
	}
	if call.serviceID != "" && call.planID != "" {
		return call, nil
	}
	if d.w.offer.missing != nil {
		return nil, d.w.offer.missing
	}
	return nil, &word{v1beta1.ReasonReferencesNonexistentServicePlan, "it is not on record which plan the instance has"}
}

// mayHaveAnyPlan says whether a request that is not on record may have asked for any plan.
func mayHaveAnyPlan(s *v1beta1.ServiceInstanceStatus) bool {
	return s.ProvisionStatus != v1beta1.Provisioned || s.Attempts != nil && s.Attempts.Unknown > 0
}

// refusals is how often the broker has refused a removal.
func refusals(s *v1beta1.ServiceInstanceStatus) int {
	if s.Attempts == nil {
		return 0
	}
	return int(s.Attempts.Refusals)
}

// heldProperties are what the broker has, as far as that is known.
func heldProperties(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstancePropertiesState {
	if s.ProvisionStatus == v1beta1.Provisioned && s.ExternalProperties != nil {
		return s.ExternalProperties
	}
	return cmp.Or(s.InProgressProperties, s.ExternalProperties)
}

// workingProperties are those that the operation under way is to lead to, or to remove.
func workingProperties(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstancePropertiesState {
	switch {
	case !s.AsyncOpInProgress:
		return nil
	case s.CurrentOperation == v1beta1.OperationUpdate:
		return s.InProgressProperties
	}
	return heldProperties(s)
}

// poll asks how far a provisioning or an update is.
func (d *instanceDecision) poll() {
	ids, missing := d.removalIDs()
	switch {
	case missing != nil:
		d.wait(missing.reason, missing.message)
	case d.w.offer.broker == nil:
		d.wait(v1beta1.ReasonReferencesNonexistentBroker, noBroker(d.status.Broker, "how far the operation is"))
	case d.w.problem != nil:
		d.wait(d.w.problem.reason, d.w.problem.message)
	case d.isOverdue():
		d.status = foldOverdue(d.si, d.status, *ids, d.maxPolling(), d.w.now)
		d.wake = d.w.now
	default:
		d.pollLater(ids, false)
	}
}

func (d *instanceDecision) pollLater(ids *instanceCall, removal bool) {
	running := time.Duration(0)
	if start := d.status.OperationStartTime; start != nil {
		running = d.w.now.Sub(start.Time)
	}
	if next := d.w.polled.Add(pollInterval(running, d.w.asked)); !d.w.polled.IsZero() && next.After(d.w.now) {
		d.wake = next
		return
	}
	ids.verb, ids.removal = poll, removal
	d.call = ids
}

// isOverdue says whether the operation has taken longer than it may.
func (d *instanceDecision) isOverdue() bool {
	at := deadline(d.status.OperationStartTime, d.maxPolling())
	return !at.IsZero() && !d.w.now.Before(at)
}

func (d *instanceDecision) maxPolling() time.Duration {
	if d.w.working == nil {
		return catalog.MaximumPollingDuration
	}
	return catalog.EffectiveOf(d.w.offer.class, d.w.working).MaximumPollingDuration
}

// provision asks the broker for the instance.
func (d *instanceDecision) provision() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	attempts := d.status.Attempts
	if why := d.obstacle(); why != nil {
		d.wait(why.reason, why.message)
		if d.isClean() {
			d.status.DeprovisionStatus = v1beta1.DeprovisionNotRequired
		}
		return
	}
	if !d.isDue() || !d.knowsParameters() {
		return
	}
	if unfit := d.w.parameters.unfit; unfit != nil {
		d.wait(unfit.reason, unfit.message)
		return
	}
	props := d.wanted()
	unknown := attempts != nil && attempts.Unknown > 0
	unwanted := unknown && d.status.InProgressProperties != nil && !sameProperties(d.status.InProgressProperties, props)
	switch {
	case attempts != nil && attempts.Conflict:
		d.call = d.newCall(inspect)
		d.call.props = props
		return
	case unwanted || unknown && attempts.Unknown > maxRepeats:
		if isOwned(d.si) && !d.w.claimed && !isKept(d.si) {
			d.startMitigation()
			return
		}
	}
	d.call = d.newCall(provision)
	d.call.props = props
	d.begin(v1beta1.OperationProvision, props)
	d.status.DeprovisionStatus = v1beta1.DeprovisionRequired
	// Generation 1 of an object without a status is what any process before us sent, too. Anything else has to be on
	// record: a later removal must know the plan, and a repeat that it is one.
	if isFirst := isBlank(&d.si.Status) && d.si.Generation == 1; !isFirst && !equality.Semantic.DeepEqual(d.status, d.si.Status) {
		d.writeFirst(v1beta1.ReasonProvisionRequestInFlight, "The broker is being asked to provision the instance")
	}
}

// writeFirst has the status written before the call.
func (d *instanceDecision) writeFirst(reason, message string) {
	d.journal = true
	d.say(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message})
}

// cleaningUp is how what is said of a cleanup begins, as nobody has deleted anything.
const cleaningUp = "What may have been left at the broker is being removed"

// startMitigation removes what requests whose outcome is not known may have left.
func (d *instanceDecision) startMitigation() {
	d.status.OrphanMitigationInProgress = true
	d.status.Attempts.Count = 0
	failed, _ := kept(d.status.Conditions)
	d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonStartingInstanceOrphanMitigation, message: cleaningUp, failed: failed,
		mitigation: &word{v1beta1.ReasonStartingInstanceOrphanMitigation, cleaningUp + ": it is not known what came of earlier requests. Then it is provisioned anew"}})
	d.deprovision()
}

// obstacle is why nothing can be asked for now.
func (d *instanceDecision) obstacle() *word {
	switch offer := d.w.offer; {
	case offer.missing != nil:
		return offer.missing
	case !offer.broker.GetDeletionTimestamp().IsZero() && d.status.ProvisionStatus != v1beta1.Provisioned:
		return &word{v1beta1.ReasonReferencesNonexistentBroker, fmt.Sprintf("broker %q is being deleted", offer.broker.GetName())}
	case d.w.claimed && !isOwned(d.si):
		return &word{v1beta1.ReasonExternalIDInUse, fmt.Sprintf("another ServiceInstance of this broker has the id %q too, which was brought along in spec.externalID: delete one of them", idOf(d.si))}
	case offer.class.CommonStatus().RemovedFromBrokerCatalog && !d.hasPlan(offer.plan):
		return &word{v1beta1.ReasonReferencesDeletedServiceClass, fmt.Sprintf("the broker does not offer class %q any more", offer.class.Common().ExternalName)}
	case offer.plan.CommonStatus().RemovedFromBrokerCatalog && !d.hasPlan(offer.plan):
		return &word{v1beta1.ReasonReferencesDeletedServicePlan, fmt.Sprintf("the broker does not offer plan %q any more", offer.plan.Common().ExternalName)}
	}
	return d.w.problem
}

// knowsParameters says whether the parameters are there to be sent. If not, they are
// read, or the status says why they cannot be.
func (d *instanceDecision) knowsParameters() bool {
	params := d.w.parameters
	switch {
	case !params.known:
		d.read = true
	case params.problem == nil:
		return true
	case !params.absent || d.status.ProvisionStatus != v1beta1.Provisioned || d.si.Generation != d.status.ReconciledGeneration:
		d.wait(params.problem.reason, params.problem.message)
	default: // nothing else is asked for: with the Secret, only the means to repeat it are gone
	}
	return false
}

// hasPlan says whether the instance has the plan already.
func (d *instanceDecision) hasPlan(plan v1beta1.Plan) bool {
	return d.status.ProvisionStatus == v1beta1.Provisioned && d.status.ExternalProperties != nil && planIDOf(d.status.ExternalProperties) == plan.Common().ExternalID
}

// wanted are the properties that the spec asks for.
func (d *instanceDecision) wanted() *v1beta1.ServiceInstancePropertiesState {
	plan, params := d.w.offer.plan, d.w.parameters
	props := ofPlan(plan)
	props.Parameters, props.ParameterChecksum, props.ParametersVersion = params.Redacted, params.Checksum, params.version
	props.UpdateRequests, props.UserInfo = d.si.Spec.UpdateRequests, d.si.Spec.UserInfo
	if info := plan.Common().MaintenanceInfo; info != nil {
		props.MaintenanceVersion = info.Version
	}
	return props
}

// ofPlan are properties that name a plan.
func ofPlan(plan v1beta1.Plan) *v1beta1.ServiceInstancePropertiesState {
	props := &v1beta1.ServiceInstancePropertiesState{}
	if plan.GetNamespace() == "" {
		props.ClusterServicePlanExternalName, props.ClusterServicePlanExternalID = plan.Common().ExternalName, plan.Common().ExternalID
	} else {
		props.ServicePlanExternalName, props.ServicePlanExternalID = plan.Common().ExternalName, plan.Common().ExternalID
	}
	return props
}

// sameProperties says whether a request for b is a repeat of one for a.
func sameProperties(a, b *v1beta1.ServiceInstancePropertiesState) bool {
	return planIDOf(a) == planIDOf(b) && a.ParameterChecksum == b.ParameterChecksum && a.MaintenanceVersion == b.MaintenanceVersion
}

func planIDOf(props *v1beta1.ServiceInstancePropertiesState) string {
	if props.ClusterServicePlanExternalID != "" {
		return props.ClusterServicePlanExternalID
	}
	return props.ServicePlanExternalID
}

// update asks the broker to change the instance, if it has to be.
func (d *instanceDecision) update() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	d.recallEdits()
	byUser := d.si.Generation != d.status.ReconciledGeneration
	if why := d.obstacle(); why != nil {
		if byUser { // else it is as it was asked for
			d.wait(why.reason, why.message)
		}
		return
	}
	if !byUser && !d.isUnsure() && held(d.status.ExternalProperties).ParametersVersion == d.w.parameters.version {
		return
	}
	if !d.isDue() || !d.knowsParameters() {
		return
	}
	props, call := d.wanted(), d.newCall(update)
	if !byUser { // a changed Secret is no reason for maintenance
		props.MaintenanceVersion = held(d.status.ExternalProperties).MaintenanceVersion
	}
	d.changes(call, props, byUser)
	touched := byUser && d.si.Spec.UpdateRequests > held(d.status.ExternalProperties).UpdateRequests
	switch {
	case !call.newPlan && !call.newParameters && !touched:
		d.upToDate(props)
	case call.newPlan && !d.mayChangePlan():
		d.stop(v1beta1.ReasonUpdateInstanceCallFailed, fmt.Sprintf("instances of plan %q cannot change to another: name that plan again, or make another ServiceInstance", held(d.status.ExternalProperties).ClusterServicePlanExternalName+held(d.status.ExternalProperties).ServicePlanExternalName))
	case d.status.RefusedUpdate != "" && d.status.RefusedUpdate == fingerprint(props):
		d.stop(v1beta1.ReasonUpdateInstanceCallFailed, "the broker refused this change and said not to send it again: change plan or parameters to something else")
	case call.newParameters && d.w.parameters.unfit != nil:
		d.wait(d.w.parameters.unfit.reason, d.w.parameters.unfit.message)
	default:
		call.props = props
		d.call = call
		d.begin(v1beta1.OperationUpdate, props)
		// Only what follows from an edit at once leaves a trace, in the generation.
		if seen := !byUser || d.si.Status.ObservedGeneration == d.si.Generation; seen && d.si.Status.CurrentOperation == "" {
			d.writeFirst(v1beta1.ReasonUpdateInstanceRequestInFlight, "The broker is being asked to update the instance")
		}
	}
}

// changes says what of an instance an update changes. Where it is not known what an
// earlier one did, all is sent.
func (d *instanceDecision) changes(call *instanceCall, props *v1beta1.ServiceInstancePropertiesState, byUser bool) {
	before := held(d.status.ExternalProperties)
	call.unsure = d.isUnsure()
	call.previousPlanID, call.previousMaintenance = planIDOf(before), before.MaintenanceVersion
	call.newPlan = planIDOf(before) != planIDOf(props) || call.unsure && byUser && d.mayChangePlan()
	call.newParameters = before.ParameterChecksum != props.ParameterChecksum || call.unsure
}

// isUnsure says whether it is not known what an earlier update did.
func (d *instanceDecision) isUnsure() bool {
	return d.status.CurrentOperation == v1beta1.OperationUpdate || d.status.Attempts != nil && d.status.Attempts.Unknown > 0
}

func held(props *v1beta1.ServiceInstancePropertiesState) *v1beta1.ServiceInstancePropertiesState {
	if props == nil {
		return &v1beta1.ServiceInstancePropertiesState{}
	}
	return props
}

// upToDate is for an instance of which the broker has what the spec says.
func (d *instanceDecision) upToDate(props *v1beta1.ServiceInstancePropertiesState) {
	if d.status.ReconciledGeneration != d.si.Generation || d.si.Status.Attempts != nil {
		d.status.ReconciledGeneration = d.si.Generation
		d.status.Attempts = nil
		d.say(verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonProvisionedSuccessfully, message: "The broker has what the spec says"})
	}
	if d.status.ExternalProperties != nil && props.ParametersVersion != d.status.ExternalProperties.ParametersVersion {
		d.status.ExternalProperties.ParametersVersion = props.ParametersVersion
	}
}

// mayChangePlan says whether instances of the present plan can get another.
func (d *instanceDecision) mayChangePlan() bool {
	present := d.w.present
	if present == nil { // it is gone from the catalog, so its class decides
		present = d.w.offer.plan
	}
	return catalog.EffectiveOf(d.w.offer.class, present).PlanUpdatable
}

// fingerprint tells an update from others.
func fingerprint(props *v1beta1.ServiceInstancePropertiesState) string {
	return catalog.Hash(strings.Join([]string{planIDOf(props), props.ParameterChecksum, props.MaintenanceVersion}, "/"))
}

// isStopped says whether nothing is tried any more for what the spec says now.
func (d *instanceDecision) isStopped() bool {
	if a := d.status.Attempts; a != nil {
		return a.Stopped && !d.isNews(a)
	}
	// The former service-catalog left it at that. What is under way has conditions from before.
	failed := conditionOf(d.status.Conditions, v1beta1.ConditionFailed)
	return d.status.CurrentOperation == "" && failed != nil && failed.Status == v1beta1.ConditionTrue && d.status.ObservedGeneration >= d.si.Generation
}

func (d *instanceDecision) isNews(a *v1beta1.Attempts) bool {
	return a.Generation != d.si.Generation || a.ParametersVersion != d.w.parameters.version
}

// renewAttempts begins a new budget for a new spec. What earlier requests may have left
// is not forgotten.
func (d *instanceDecision) renewAttempts() {
	a := d.status.Attempts
	if a == nil || !d.isNews(a) {
		return
	}
	d.status.Attempts = renewed(a, d.si.Generation, d.w.parameters.version)
}

// isDue says whether the next attempt may be made, and else wakes it when it may.
func (d *instanceDecision) isDue() bool {
	a := d.status.Attempts
	if a == nil || a.NextTime == nil || !a.NextTime.After(d.w.now) {
		return true
	}
	if a.Generation != d.si.Generation && !d.si.DeletionTimestamp.IsZero() && d.status.CurrentOperation != v1beta1.OperationDeprovision {
		return true // they were not for the removal
	}
	d.wake = a.NextTime.Time
	return false
}

// begin says what is going to be under way.
func (d *instanceDecision) begin(operation v1beta1.ServiceInstanceOperation, props *v1beta1.ServiceInstancePropertiesState) {
	if d.status.CurrentOperation != operation || d.status.OperationStartTime == nil {
		d.status.OperationStartTime = timeOf(d.w.now)
	}
	d.status.CurrentOperation, d.status.InProgressProperties = operation, props
	d.status.Broker = brokerReference(d.w.offer)
	d.observe()
}

func (d *instanceDecision) newCall(v verb) *instanceCall {
	call := &instanceCall{verb: v, id: idOf(d.si), generation: d.si.Generation, clean: d.isClean(), owned: isOwned(d.si) && !d.w.claimed, kept: isKept(d.si)}
	if d.w.offer.class != nil {
		call.serviceID = d.w.offer.class.Common().ExternalID
	}
	if d.w.offer.plan != nil {
		call.planID = d.w.offer.plan.Common().ExternalID
	}
	return call
}

// observe has the status say what the spec is.
func (d *instanceDecision) observe() {
	isCleanup := d.status.OrphanMitigationInProgress && d.si.DeletionTimestamp.IsZero()
	if !d.status.AsyncOpInProgress && !isCleanup { // which are of the generation that was observed
		d.status.ObservedGeneration = d.si.Generation
	}
	ref, _ := catalog.ReferenceOf(d.si.Spec.PlanReference) // what is wrong with it was for admission
	d.status.UserSpecifiedClassName, d.status.UserSpecifiedPlanName = ref.UserSpecifiedClassName(), ref.UserSpecifiedPlanName()
}

// say has the conditions say something.
func (d *instanceDecision) say(v verdict) {
	d.observe()
	setInstanceConditions(&d.status, v, d.w.now)
}

// wait says what has to be there first. It is looked up again when it changes.
func (d *instanceDecision) wait(reason, message string) {
	d.say(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, stalled: true})
}

// stall says that nothing is going to happen.
func (d *instanceDecision) stall(reason, message string) {
	d.say(verdict{ready: v1beta1.ConditionUnknown, reason: reason, message: message, stalled: true})
}

// hold says what a deletion, or a cleanup, waits for.
func (d *instanceDecision) hold(reason, message string) {
	v := verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, stalled: true}
	if !d.si.DeletionTimestamp.IsZero() {
		v.ready, v.message = v1beta1.ConditionUnknown, message+". "+howToLetGo(d.si)
	}
	v.failed, v.mitigation = kept(d.status.Conditions)
	d.say(v)
}

// troubledInstance is the status while something other than the broker keeps the next step
// from being taken. That is tried again.
func troubledInstance(si *v1beta1.ServiceInstance, why word, now time.Time) v1beta1.ServiceInstanceStatus {
	status := *si.Status.DeepCopy()
	v := verdict{ready: v1beta1.ConditionFalse, reason: why.reason, message: why.message}
	if !si.DeletionTimestamp.IsZero() {
		v.ready, v.message = v1beta1.ConditionUnknown, v.message+". "+howToLetGo(si)
	}
	v.failed, v.mitigation = kept(status.Conditions)
	setInstanceConditions(&status, v, now)
	return status
}

// stop says that nothing is tried any more until the spec changes.
func (d *instanceDecision) stop(reason, message string) {
	if d.status.Attempts == nil {
		d.status.Attempts = &v1beta1.Attempts{}
	}
	d.status.Attempts.Generation, d.status.Attempts.ParametersVersion = d.si.Generation, d.w.parameters.version
	d.halt(reason, message)
}

// halt says that nothing is tried any more of what was.
func (d *instanceDecision) halt(reason, message string) {
	d.status.Attempts.Stopped, d.status.Attempts.NextTime = true, nil
	d.say(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, stalled: true, failed: &word{reason, message}})
}

// howToLetGo tells a person who waits for a deletion what they can do.
func howToLetGo(o metav1.Object) string {
	return fmt.Sprintf("Deleted since %s; to let go and leave everything at the broker as it is, annotate the object with %s=%s",
		when(o.GetDeletionTimestamp().Time), v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
}

// kept are the conditions that stay until what they are about is over.
func kept(conditions []v1beta1.Condition) (failed, mitigation *word) {
	of := func(kind string) *word {
		if c := conditionOf(conditions, kind); c != nil && c.Status == v1beta1.ConditionTrue {
			return &word{c.Reason, c.Message}
		}
		return nil
	}
	return of(v1beta1.ConditionFailed), of(v1beta1.ConditionOrphanMitigation)
}

func setInstanceConditions(status *v1beta1.ServiceInstanceStatus, v verdict, now time.Time) {
	status.Conditions = v.conditions(status.Conditions, now)
	status.LastConditionState = lastConditionState(status.Conditions)
}

// brokerReference is what a removal has to know of an offer.
func brokerReference(o offer) *v1beta1.BrokerReference {
	return &v1beta1.BrokerReference{Kind: catalog.ScopeOf(o.broker).BrokerKind(), Name: o.broker.GetName(), ServiceID: o.class.Common().ExternalID}
}

func brokerName(ref *v1beta1.BrokerReference) string {
	if ref == nil {
		return "of the class"
	}
	return fmt.Sprintf("%s %q", ref.Kind, ref.Name)
}

// noBroker says why nobody can be asked for something.
func noBroker(ref *v1beta1.BrokerReference, what string) string {
	if ref == nil {
		return "the broker of the class does not exist, so nobody can be asked " + what
	}
	return fmt.Sprintf("%s does not exist, so nobody can be asked %s: register it again under this name", brokerName(ref), what)
}

// enumerate names a few of many.
func enumerate(names []string) string {
	const few = 5
	slices.Sort(names)
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

func timeOf(t time.Time) *metav1.Time {
	stored := metav1.NewTime(t.Truncate(time.Second))
	return &stored
}
