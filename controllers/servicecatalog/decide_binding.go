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

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/osb"
)

const (
	bind   verb = "bind"
	unbind verb = "unbind"
	// fetch asks again for the credentials of a binding.
	fetch verb = "fetch"
)

const (
	// renewAhead is how long before the broker's renew_before credentials are replaced.
	renewAhead = 10 * time.Second
	// renewRetry is how often it is looked whether something is still in the way of that.
	renewRetry = time.Minute
	// minRenewal is how long they are kept at least, whatever the broker says.
	minRenewal = 10 * time.Minute
)

// bindingWorld is what a binding's next step depends on beside the object.
type bindingWorld struct {
	now time.Time
	// firstSight is as in instanceWorld.
	firstSight bool
	// ground is what the binding is to be made on, or why that is not there.
	ground ground
	// broker is the one that the binding is, or is to be, at; nil: it does not exist.
	broker v1beta1.Broker
	// problem is why nothing can be sent to it now.
	problem *word
	// parameters are those of the spec, or why they cannot be had.
	parameters parameters
	// claimed, and predecessorClaimed: another live object of the broker has the same id.
	claimed, predecessorClaimed bool
	definition                  definitionState
	// secret is what is known of the binding's Secret, and secretOf the id whose
	// credentials it has, where that was looked at; secretVersion is then its version.
	secret                  secretState
	secretOf, secretVersion string
	// known is what this process remembers.
	known  bindingMemory
	polled time.Time
	asked  time.Duration
}

// ground is an instance, with the class and the plan that it has at the broker.
type ground struct {
	instance *v1beta1.ServiceInstance
	class    v1beta1.Class
	plan     v1beta1.Plan
	// target is where its bindings are; nil: it is at no broker.
	target *v1beta1.ServiceBindingTarget
	// missing is what the instance refers to and is not there.
	missing *word
}

// bindingMemory is what a process knows of a binding beyond its status. Without it some
// requests are made again.
type bindingMemory struct {
	// told are credentials that are not in the Secret yet.
	told  *told
	tried tried
	// triedRotation: credentials were asked for so, in vain.
	triedRotation bool
	// app and async: the broker wants to be asked so.
	app, async bool
}

// tried is how credentials were asked for under an id, in vain, since they were last had.
type tried struct {
	id            string
	fetch, repeat bool
	// made: the binding was just made, and its credentials were not asked for yet.
	made bool
}

// told are credentials as a broker told them, under an id.
type told struct {
	id string
	// binding has them; nil: they fit into no Secret.
	binding *osb.Binding
	// unfit: they do not go into the Secret as it is.
	unfit bool
}

// secretState is what is known of a binding's Secret.
type secretState int

const (
	// secretAbsent: there is none.
	secretAbsent secretState = iota
	// secretUnseen: it is not known to be as it was. It may have to be looked at.
	secretUnseen
	// secretGood: it has what was written into it.
	secretGood
	// secretEdited: somebody changed what was.
	secretEdited
	// secretOthers: what is there under the name is not the binding's.
	secretOthers
)

// bindingCall is a request about a binding.
type bindingCall struct {
	verb   verb
	id     string
	target v1beta1.ServiceBindingTarget
	// generation that it is for, and version of the parameters.
	generation int64
	version    string
	// predecessor is the id of the binding that this one is to replace by rotation.
	predecessor string
	// props are what the broker has once it is done, where it gets anything.
	props *v1beta1.ServiceBindingPropertiesState
	// clean: nothing can be at the broker under the id before it.
	clean bool
	// owned: what is there under the id may be removed.
	owned bool
	// kept: but nobody wants that, unless it is deleted.
	kept bool
	// keeps: what is there under the status's predecessorID may not.
	keeps bool
	// removal: what is polled is one.
	removal bool
	// again: the binding is there, and its credentials are asked for again.
	again bool
}

// cleans says whether what a request may have made is removed again.
func (c *bindingCall) cleans() bool { return c.owned && !c.kept }

// secretDeed is what has to be done with a binding's Secret.
type secretDeed string

const (
	// inject puts credentials into it.
	injectKeys secretDeed = "inject"
	// withdraw takes them out of it, since they are about to end.
	withdrawKeys secretDeed = "withdraw"
	// eject deletes it.
	ejectSecret secretDeed = "eject"
)

// bindingStep is what happens next to a binding.
type bindingStep struct {
	// protect: the finalizer has to be put on first.
	protect bool
	// prove: it has to be known first whether the CRD is being deleted.
	prove bool
	// read: the parameters have to be known first.
	read bool
	// look: the Secret has to be looked at first.
	look bool
	// journal: the status has to be written before the deed or the call.
	journal bool
	deed    secretDeed
	call    *bindingCall
	// release: the finalizer goes, for this reason.
	release *word
	// leave is what stays at the broker although it was to be replaced.
	leave *word
	// status is what to write, but for what comes of the deed or the call.
	status v1beta1.ServiceBindingStatus
	// wake is when to look again; zero: when something changes.
	wake time.Time
}

// bindingDecision is a decision being made.
type bindingDecision struct {
	b *v1beta1.ServiceBinding
	w bindingWorld
	bindingStep
}

// decideBinding says what happens next to a binding.
func decideBinding(b *v1beta1.ServiceBinding, w bindingWorld) bindingStep {
	d := &bindingDecision{b: b, w: w, bindingStep: bindingStep{status: *b.Status.DeepCopy()}}
	status := &d.status
	switch {
	case !b.DeletionTimestamp.IsZero():
		d.remove()
	case !slices.Contains(b.Finalizers, v1beta1.Finalizer):
		d.unprotected()
	case status.OrphanMitigationInProgress:
		d.mitigate()
	case status.AsyncOpInProgress:
		d.poll()
	case status.CurrentOperation == v1beta1.OperationUnbind:
		d.replace()
	case status.CurrentOperation == v1beta1.OperationBind && status.PredecessorID != "":
		d.rotate()
	case isBound(status) && status.CurrentOperation == "":
		d.keep()
	default:
		d.bind()
	}
	d.heedEnd()
	return d.bindingStep
}

// heedEnd has a binding that waits looked at when its credentials end, and then says so.
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

// isBound says whether the broker has confirmed the binding, or the one that it replaces.
func isBound(s *v1beta1.ServiceBindingStatus) bool { return s.ExternalProperties != nil }

// isDelivered says whether the credentials were put into the Secret and are not about to end.
func isDelivered(s *v1beta1.ServiceBindingStatus) bool {
	return isBound(s) && s.ReconciledGeneration > 0
}

// bindingID is the id under which the broker knows a binding.
func bindingID(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) string {
	return cmp.Or(s.ExternalID, b.Spec.ExternalID)
}

// ownsID says whether what is at the broker under an id of the binding's may be removed (R10).
func ownsID(b *v1beta1.ServiceBinding, id string) bool {
	return !b.DeletionTimestamp.IsZero() && b.Annotations[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyDelete ||
		b.UID != "" && b.Status.CreatedForUID == b.UID && id == b.Spec.ExternalID ||
		catalog.IsOurs(b, id) || catalog.IsNextID(b.UID, b.Spec.ExternalID, id)
}

// nextBindingID is an id that the binding has not had yet.
func nextBindingID(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) string {
	n := int32(1)
	if s.Attempts != nil { // that many ids were tried and removed since
		n += s.Attempts.Removals
	}
	for i := int32(1); s.ExternalID != "" && i <= maxIDs; i++ {
		if catalog.NextID(b.UID, b.Spec.ExternalID, i) == s.ExternalID {
			n += i
			break
		}
	}
	return catalog.NextID(b.UID, b.Spec.ExternalID, n)
}

// maxIDs bounds how far is counted.
const maxIDs = 1 << 16

func (d *bindingDecision) id() string { return bindingID(d.b, &d.status) }

// isKept says whether what a request may have made is left as it is. What a rotation made
// is not: it is nobody's, beside what is kept.
func (d *bindingDecision) isKept() bool { return isKept(d.b) && d.status.PredecessorID == "" }

func (d *bindingDecision) owns() bool { return ownsID(d.b, d.id()) && !d.w.claimed }

func (d *bindingDecision) ownsPredecessor() bool {
	return ownsID(d.b, d.status.PredecessorID) && !d.w.predecessorClaimed
}

// unprotected is a binding without our finalizer.
func (d *bindingDecision) unprotected() {
	s := &d.status
	if len(s.Conditions) == 0 && s.UnbindStatus == "" && s.CurrentOperation == "" {
		d.protect = true
		return
	}
	d.say(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonAbandoned, stalled: true,
		message: "the finalizer was removed: nothing is sent to the broker any more, and nothing will be when this object is deleted"})
}

// isClean says whether nothing can be at the broker.
func (d *bindingDecision) isClean() bool {
	s := &d.status
	switch s.UnbindStatus {
	case v1beta1.UnbindNotRequired, v1beta1.UnbindSucceeded:
		return s.PredecessorID == ""
	case "":
		return s.CurrentOperation == "" && !isBound(s) && (d.w.firstSight || d.w.ground.target == nil && s.Target == nil)
	default:
		return false
	}
}

// bind asks the broker for the binding.
func (d *bindingDecision) bind() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	if why := d.obstacle(); why != nil {
		d.waitFor(*why)
		return
	}
	if !d.isDue() || !d.knowsParameters() {
		return
	}
	props, a := d.wanted(), d.status.Attempts
	unknown := a != nil && a.Unknown > 0
	unwanted := unknown && d.status.InProgressProperties != nil && d.status.InProgressProperties.ParameterChecksum != props.ParameterChecksum
	conflict := a != nil && a.Conflict
	switch {
	case conflict && d.present().BindingRetrievable:
		d.call = d.newCall(fetch)
		d.call.props = props
		return
	case conflict || unwanted || unknown && a.Unknown > maxRepeats:
		if d.owns() && !isBound(&d.status) && !d.isKept() {
			d.status.OrphanMitigationInProgress = true
			d.say(cleaning("it is not known what came of a request", d.status.Conditions))
			d.mitigate()
			return
		}
	}
	d.begin(props)
}

// begin makes the call for a binding, and says that it is under way.
func (d *bindingDecision) begin(props *v1beta1.ServiceBindingPropertiesState) {
	s, before := &d.status, &d.b.Status
	if d.id() == "" { // it came around admission, and its spec cannot be changed
		s.ExternalID = nextBindingID(d.b, s)
	}
	d.call = d.newCall(bind)
	d.call.props = props
	if s.CurrentOperation != v1beta1.OperationBind || s.OperationStartTime == nil {
		s.OperationStartTime = timeOf(d.w.now)
	}
	target := d.call.target
	s.CurrentOperation, s.InProgressProperties, s.Target = v1beta1.OperationBind, props, &target
	s.UnbindStatus, s.Rebind = v1beta1.UnbindRequired, d.b.Annotations[v1beta1.RebindAnnotation]
	d.observe()
	// As long as the record says nothing, it says that any process may have sent this, and the instance says where to.
	// Anything else is to be on record first.
	silent := before.UnbindStatus == "" && before.CurrentOperation == "" && before.ExternalID == s.ExternalID
	if !silent && !equality.Semantic.DeepEqual(s, before) {
		d.journal = true
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonBindingRequestInFlight, message: "The broker is being asked for the binding"})
	}
}

// wanted are the properties that the spec asks for.
func (d *bindingDecision) wanted() *v1beta1.ServiceBindingPropertiesState {
	params := d.w.parameters
	return &v1beta1.ServiceBindingPropertiesState{Parameters: params.Redacted, ParameterChecksum: params.Checksum, UserInfo: d.b.Spec.UserInfo}
}

// obstacle is why nothing can be bound now.
func (d *bindingDecision) obstacle() *word {
	if why := d.unready(); why != nil {
		return why
	}
	switch {
	case d.w.claimed && !ownsID(d.b, d.id()):
		return &word{v1beta1.ReasonExternalIDInUse, fmt.Sprintf("another ServiceBinding of this broker has the id %q too, which was brought along in spec.externalID: delete one of them", d.id())}
	case d.w.secret == secretOthers:
		return &word{v1beta1.ReasonErrorInjectingBindResult, credentials.Occupied(d.b).Error()}
	}
	return d.mute()
}

// mute is why the broker cannot be asked for anything now.
func (d *bindingDecision) mute() *word {
	if d.w.broker != nil {
		return d.w.problem
	}
	var ref *v1beta1.BrokerReference
	if t := d.target(); t != nil {
		ref = &t.BrokerReference
	}
	return &word{v1beta1.ReasonReferencesNonexistentBroker, "the broker " + brokerName(ref) + " does not exist, so that nobody can be asked: register it again under this name"}
}

// unready is why the instance cannot be bound to.
func (d *bindingDecision) unready() *word {
	name, g := d.b.Spec.InstanceRef.Name, d.w.ground
	if g.instance == nil {
		return &word{v1beta1.ReasonReferencesNonexistentInstance, fmt.Sprintf("ServiceInstance %q does not exist in namespace %q", name, d.b.Namespace)}
	}
	status := &g.instance.Status
	switch {
	case !g.instance.DeletionTimestamp.IsZero():
		return &word{v1beta1.ReasonErrorInstanceNotReady, fmt.Sprintf("ServiceInstance %q is being deleted", name)}
	case g.missing != nil:
		return g.missing
	case !d.effective().Bindable:
		return &word{v1beta1.ReasonErrorNonbindableServiceClass, fmt.Sprintf("instances of plan %q of %q cannot be bound to", g.plan.Common().ExternalName, g.class.Common().ExternalName)}
	case len(d.effective().Unsupported) > 0:
		return &word{v1beta1.ReasonUnsupportedBinding, fmt.Sprintf("bindings of %q require %s, which a cluster cannot give", g.class.Common().ExternalName, strings.Join(d.effective().Unsupported, ", "))}
	case status.ProvisionStatus != v1beta1.Provisioned || g.target == nil:
		return &word{v1beta1.ReasonErrorInstanceNotReady, fmt.Sprintf("ServiceInstance %q is not provisioned%s", name, saysWhy(status))}
	case status.Unusable:
		return &word{v1beta1.ReasonInstanceUnusable, fmt.Sprintf("the broker says that ServiceInstance %q can no longer be used", name)}
	case status.AsyncOpInProgress:
		return &word{v1beta1.ReasonErrorAsyncOperationInProgress, fmt.Sprintf("the broker is working on ServiceInstance %q", name)}
	}
	return nil
}

// saysWhy is the reason that an instance gives, in brackets; empty: it gives none.
func saysWhy(s *v1beta1.ServiceInstanceStatus) string {
	if ready := conditionOf(s.Conditions, v1beta1.ConditionReady); ready != nil {
		return " (" + ready.Reason + ")"
	}
	return ""
}

// effective is what the instance's plan can do; nothing where that is not known.
func (d *bindingDecision) effective() catalog.Effective {
	if g := d.w.ground; g.class != nil && g.plan != nil {
		return catalog.EffectiveOf(g.class, g.plan)
	}
	return catalog.Effective{MaximumPollingDuration: catalog.MaximumPollingDuration}
}

// present is the same of the plan that the binding is of: nothing where the instance is
// another one by now.
func (d *bindingDecision) present() catalog.Effective {
	if now := d.w.ground.target; now != nil && d.target() != now {
		return catalog.Effective{MaximumPollingDuration: catalog.MaximumPollingDuration}
	}
	return d.effective()
}

// comesSoon are what a binding may wait for that was made together with its instance.
var comesSoon = []string{v1beta1.ReasonReferencesNonexistentInstance, v1beta1.ReasonErrorInstanceRefsUnresolved, v1beta1.ReasonErrorInstanceNotReady, v1beta1.ReasonErrorAsyncOperationInProgress}

// waitFor says what has to be there first. It is looked up again when it changes.
func (d *bindingDecision) waitFor(why word) {
	if !d.b.DeletionTimestamp.IsZero() {
		d.hold(why.reason, why.message)
		return
	}
	soon := slices.Contains(comesSoon, why.reason)
	if young := d.b.CreationTimestamp.Add(patience); d.w.now.Before(young) && soon && len(d.status.Conditions) == 0 {
		d.wake = young // until then it is no news
		return
	}
	if d.status.UnbindStatus == "" && d.isClean() && !soon { // of an instance that is not there yet that is clear anyway
		d.status.UnbindStatus = v1beta1.UnbindNotRequired
	}
	if d.isLive() {
		d.say(stillInjected("they cannot be replaced yet: " + why.message))
		return
	}
	v := verdict{ready: v1beta1.ConditionFalse, reason: why.reason, message: why.message, stalled: true}
	if why.reason == v1beta1.ReasonErrorNonbindableServiceClass || why.reason == v1beta1.ReasonUnsupportedBinding {
		v.failed = &why
	}
	d.say(v)
}

// isLive says whether an application can use what is in the Secret.
func (d *bindingDecision) isLive() bool {
	return isDelivered(&d.status) && (d.w.secret == secretGood || d.w.secret == secretUnseen) && !d.hasEnded()
}

// injected is the verdict on a binding whose credentials are in its Secret.
func injected(b *v1beta1.ServiceBinding) verdict {
	return verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonInjectedBindResult, message: fmt.Sprintf("The credentials are in Secret %q", catalog.SecretName(b))}
}

// stillInjected is the same where something else does not work.
func stillInjected(but string) verdict {
	return verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonInjectedBindResult, message: "The credentials are in the Secret; " + but}
}

// cleaning is the verdict while what may have been left is being removed.
func cleaning(why string, before []v1beta1.Condition) verdict {
	failed, _ := kept(before)
	return verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonServiceBindingNeedsOrphanMitigation,
		message: "What may have been left at the broker is being removed: " + why, failed: failed}
}

// knowsParameters says whether the parameters are there to be sent. If not, they are
// read, or the status says why they cannot be.
func (d *bindingDecision) knowsParameters() bool {
	params := d.w.parameters
	switch {
	case !params.known:
		d.read = true
	case params.problem == nil:
		return true
	default:
		d.waitFor(*params.problem)
	}
	return false
}

// keep is for a binding that the broker has: its credentials have to be in the Secret.
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
		d.waitFor(word{v1beta1.ReasonErrorInjectingBindResult, credentials.Occupied(d.b).Error()})
	case d.w.secret == secretGood && !isDelivered(s) && d.w.secretOf == d.id(): // by a process that could not say so
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

// rest is for a binding of which nothing has to be done.
func (d *bindingDecision) rest() {
	if ready := conditionOf(d.status.Conditions, v1beta1.ConditionReady); ready == nil || ready.Status != v1beta1.ConditionTrue {
		d.say(injected(d.b))
	}
	d.wake = d.renewTime()
}

// renew replaces credentials that are about to end, once nothing is in the way of that.
func (d *bindingDecision) renew() {
	if why := d.obstacle(); why != nil {
		d.waitFor(*why)
		d.wake = d.w.now.Add(renewRetry)
		return
	}
	d.startRotation()
}

// tried is how the credentials of the present id were asked for.
func (d *bindingDecision) tried() tried {
	if d.w.known.tried.id != d.id() {
		return tried{}
	}
	return d.w.known.tried
}

func (d *bindingDecision) isTold() bool {
	return d.w.known.told != nil && d.w.known.told.id == d.id()
}

// renewTime is when the credentials are to be replaced by rotation; zero: never.
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

// notTooSoon is a time at which credentials may be replaced: not right after they were,
// whatever the broker says of them, nor right after that has failed.
func (d *bindingDecision) notTooSoon(at time.Time) time.Time {
	a := d.status.Attempts
	if a != nil && a.LastTime != nil && at.Before(a.LastTime.Add(minRenewal)) {
		at = a.LastTime.Add(minRenewal)
	}
	if a != nil && a.NextTime != nil && at.Before(a.NextTime.Time) {
		at = a.NextTime.Time
	}
	return at
}

// hasEnded says whether the credentials are of no use any more.
func (d *bindingDecision) hasEnded() bool { return hasEnded(&d.status, d.w.now) }

func hasEnded(s *v1beta1.ServiceBindingStatus, now time.Time) bool {
	return s.ExpiresAt != nil && !now.Before(s.ExpiresAt.Time)
}

// renewEnded gets new credentials for those that have ended: there is nothing to rotate.
func (d *bindingDecision) renewEnded() {
	message := "the credentials have ended at " + when(d.status.ExpiresAt.Time)
	if at := d.notTooSoon(d.status.ExpiresAt.Time); d.w.now.Before(at) {
		d.wake = at
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: message + "; new ones are asked for at " + when(at)})
		return
	}
	d.startAnew(message, nil)
}

// isRebindAsked says whether a person has asked for other credentials since they were
// last asked for.
func (d *bindingDecision) isRebindAsked() bool {
	asked := d.b.Annotations[v1beta1.RebindAnnotation]
	return asked != "" && asked != d.status.Rebind
}

// rebind gets new credentials, as a person has asked.
func (d *bindingDecision) rebind() {
	switch why := d.obstacle(); {
	case why != nil:
		d.waitFor(*why)
	case d.present().BindingRotatable && isDelivered(&d.status) && !d.hasEnded():
		d.startRotation()
	default:
		d.startAnew("new credentials were asked for with the annotation "+v1beta1.RebindAnnotation, nil)
	}
}

// recover gets credentials that are not in the Secret, or are not as they were, in the
// way that changes the least.
func (d *bindingDecision) recover() {
	s := &d.status
	if why := d.mute(); why != nil {
		d.waitFor(*why)
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
		d.waitFor(*why)
		return
	}
	if !d.knowsParameters() {
		return
	}
	switch {
	case !d.tried().repeat:
		d.call = d.newCall(bind)
		d.call.again, d.call.props, d.call.predecessor = true, d.wanted(), d.status.PredecessorID
	case d.status.PredecessorID != "": // of which there can be one only
		d.retire()
	case d.present().BindingRotatable && !d.w.known.triedRotation && !d.hasEnded():
		d.startRotation()
	case d.w.secret == secretEdited:
		ends := "ends them and gets new ones"
		if !d.owns() {
			ends = "gets new ones, and leaves them valid"
		}
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonSecretEdited, stalled: true,
			message: fmt.Sprintf("the credentials in Secret %q were changed, and the broker does not tell them again: put back what was there, or change the annotation %s, which %s", catalog.SecretName(d.b), v1beta1.RebindAnnotation, ends)})
	case !d.owns():
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorInjectingBindResult, stalled: true,
			message: fmt.Sprintf("the broker has the binding %q, which this object did not create, and does not tell its credentials: to have another made under a new id, beside it, change the annotation %s", d.id(), v1beta1.RebindAnnotation)})
	case removals(s) >= maxRemovals:
		d.stop(v1beta1.ReasonErrorReconciliationRetryTimeout,
			fmt.Sprintf("the broker has the binding, and did not tell its credentials, though it was made anew %d times; it is not tried any more%s", removals(s), untilAsked))
	default:
		d.startAnew(fmt.Sprintf("its credentials are not in Secret %q, and the broker does not tell them again", catalog.SecretName(d.b)),
			&v1beta1.Attempts{Generation: d.b.Generation, ParametersVersion: d.w.parameters.version, Removals: removals(s) + 1})
	}
}

// removals is how often the broker was asked to remove what it has, so that it could be
// made anew, since somebody last asked for it.
func removals(s *v1beta1.ServiceBindingStatus) int32 {
	if s.Attempts == nil {
		return 0
	}
	return s.Attempts.Removals
}

// startRotation asks for a binding under a new id that replaces the present one, which
// stays as it is until then.
func (d *bindingDecision) startRotation() {
	s := &d.status
	s.PredecessorID, s.ExternalID = d.id(), nextBindingID(d.b, s)
	s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = v1beta1.OperationBind, timeOf(d.w.now), s.ExternalProperties
	s.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
	if d.w.secret != secretGood {
		s.ReconciledGeneration = 0
	}
	if a := s.Attempts; a != nil {
		s.Attempts = &v1beta1.Attempts{Generation: a.Generation, Count: a.Count, Removals: a.Removals}
	}
	d.askForSuccessor()
	d.call.clean, d.journal = true, true
	d.observe()
}

func (d *bindingDecision) askForSuccessor() {
	d.call = d.newCall(bind)
	d.call.predecessor, d.call.props = d.status.PredecessorID, d.status.InProgressProperties
}

// rotate goes on with a rotation that has begun.
func (d *bindingDecision) rotate() {
	a, tried := d.status.Attempts, d.tried()
	retrievable := d.present().BindingRetrievable && !tried.fetch
	lost := tried.repeat && !retrievable
	why := d.unready()
	if why == nil {
		why = d.mute()
	}
	switch {
	case d.isTold() && d.w.known.told.binding == nil:
		d.giveUp()
	case d.isTold():
		if !d.w.known.told.unfit {
			d.deed = injectKeys
		}
	case why != nil:
		d.waitFor(*why)
	case !d.isDue():
	case lost || a != nil && (a.Unknown > maxRepeats || a.Conflict):
		d.giveUp()
	case retrievable && (tried.made || tried.repeat):
		d.call = d.newCall(fetch)
		d.call.again = true
	case d.hasEnded(): // what has ended can be replaced by nothing
		d.giveUp()
	default:
		d.askForSuccessor()
	}
}

// giveUp removes what a rotation may have made.
func (d *bindingDecision) giveUp() {
	d.status.OrphanMitigationInProgress = true
	d.mitigate()
}

// startAnew removes the binding at the broker, so that another can be made under a new
// id. What is not this object's to remove is left. The attempts are those that were made
// already; nil: none.
func (d *bindingDecision) startAnew(why string, made *v1beta1.Attempts) {
	if obstacle := d.obstacle(); obstacle != nil {
		d.waitFor(*obstacle)
		return
	}
	s := &d.status
	s.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
	s.CurrentOperation, s.OperationStartTime, s.Attempts = v1beta1.OperationUnbind, timeOf(d.w.now), made
	d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: "The binding is being replaced: " + why})
	d.journal = true
	d.replace()
}

// replace goes on with what startAnew has begun, or with what retire has.
func (d *bindingDecision) replace() {
	switch {
	case d.status.PredecessorID != "":
		d.retire()
	case d.w.secret == secretUnseen:
		d.look = true
	case d.w.secret == secretEdited, d.w.secret == secretGood && (isDelivered(&d.status) || d.w.secretOf == d.id()):
		d.deed = withdrawKeys
	case d.owns():
		d.unbind(d.id())
	default:
		d.leave = d.left(d.id(), d.w.claimed)
		d.status = movedOn(d.b, d.status, d.w.now)
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: "The binding is being replaced; " + d.leave.message})
		d.journal, d.wake = false, d.w.now
	}
}

// left says that what the broker has under an id is not ours to remove.
func (d *bindingDecision) left(id string, claimed bool) *word {
	why := "which this object did not create"
	if claimed {
		why = "which is another object's, too"
	}
	return &word{v1beta1.ReasonRetained, fmt.Sprintf("what the broker has under the id %q, %s, is left there, and its credentials stay valid", id, why)}
}

// movedOn is the status of a binding that leaves its id and gets a new one.
func movedOn(b *v1beta1.ServiceBinding, s v1beta1.ServiceBindingStatus, now time.Time) v1beta1.ServiceBindingStatus {
	s.ExternalID = nextBindingID(b, &s)
	s.ExternalProperties, s.InProgressProperties, s.CreatedForUID = nil, nil, ""
	s.CurrentOperation, s.OperationStartTime, s.AsyncOpInProgress, s.LastOperation = "", nil, false, nil
	s.UnbindStatus, s.ReconciledGeneration = v1beta1.UnbindSucceeded, 0
	s.ExpiresAt, s.RenewBefore = nil, nil
	if s.Attempts = remaining(s.Attempts); s.Attempts != nil {
		s.Attempts.NextTime = timeOf(now.Add(backoff(b.UID, s.Attempts.Removals, 0)))
	}
	return s
}

// remaining is what of the attempts counts until the credentials are in the Secret.
func remaining(a *v1beta1.Attempts) *v1beta1.Attempts {
	if a == nil || a.Removals == 0 {
		return nil
	}
	return &v1beta1.Attempts{Generation: a.Generation, ParametersVersion: a.ParametersVersion, Removals: a.Removals}
}

// retire removes the binding that this one has replaced.
func (d *bindingDecision) retire() {
	if !d.ownsPredecessor() {
		d.leave = d.left(d.status.PredecessorID, d.w.predecessorClaimed)
		d.status.PredecessorID, d.wake = "", d.w.now
		if d.isLive() {
			d.say(stillInjected(d.leave.message))
		}
		return
	}
	d.unbind(d.status.PredecessorID)
}

// mitigate removes what a failure may have left, unless it is in use after all.
func (d *bindingDecision) mitigate() {
	switch {
	case d.w.secret == secretUnseen:
		d.look = true
	case d.w.secret == secretGood && d.w.secretOf == d.id():
		if a := d.status.Attempts; a != nil && a.Conflict { // with which parameters is not known
			d.status.InProgressProperties = nil
		}
		d.status = foldInjected(d.b, d.status, nil, d.w.secretVersion, d.w.now)
	case d.isKept():
		d.status.OrphanMitigationInProgress, d.status.AsyncOpInProgress, d.status.LastOperation = false, false, nil
		d.stop(v1beta1.ReasonOrphanMitigationFailed, "the deletion policy is Retain: what may be at the broker is left as it is")
	case !d.owns(): // no longer, if ever
		d.status.OrphanMitigationInProgress = false
		d.stop(v1beta1.ReasonOrphanMitigationFailed, "what may be at the broker is not this object's to remove")
	default:
		d.unbind(d.id())
	}
}

// unbind asks the broker to remove what it has under an id, or how far that is.
func (d *bindingDecision) unbind(id string) {
	removing := d.status.AsyncOpInProgress && (d.status.CurrentOperation == v1beta1.OperationUnbind || d.status.OrphanMitigationInProgress)
	call := d.newCall(unbind)
	call.id = id
	switch why := d.mute(); {
	case d.target() == nil:
		d.hold(v1beta1.ReasonReferencesNonexistentInstance, fmt.Sprintf("ServiceInstance %q does not exist, and it is not on record where the binding is", d.b.Spec.InstanceRef.Name))
	case why != nil:
		d.hold(why.reason, why.message)
	case removing && !d.isOverdue():
		d.pollLater(call, true)
	case !removing && !d.isDue():
	default:
		if removing { // it takes too long, and is asked for anew
			d.status.AsyncOpInProgress, d.status.LastOperation, d.status.OperationStartTime = false, nil, timeOf(d.w.now)
		}
		d.call = call
	}
}

// poll asks how far the broker is.
func (d *bindingDecision) poll() {
	if d.status.CurrentOperation == v1beta1.OperationUnbind {
		d.unbind(cmp.Or(d.status.PredecessorID, d.id()))
		return
	}
	call := d.newCall(poll)
	switch why := d.mute(); {
	case d.target() == nil:
		d.waitFor(word{v1beta1.ReasonReferencesNonexistentInstance, "it is not on record where the binding is being made"})
	case why != nil:
		d.waitFor(*why)
	case d.isOverdue():
		d.status = foldOverdueBinding(d.b, d.status, *call, d.present().MaximumPollingDuration, d.w.now)
		d.wake = d.w.now
	default:
		d.pollLater(call, false)
	}
}

func (d *bindingDecision) pollLater(call *bindingCall, removal bool) {
	running := time.Duration(0)
	if start := d.status.OperationStartTime; start != nil {
		running = d.w.now.Sub(start.Time)
	}
	if next := d.w.polled.Add(pollInterval(running, d.w.asked)); !d.w.polled.IsZero() && next.After(d.w.now) {
		d.wake = next
		return
	}
	call.verb, call.removal = poll, removal
	d.call = call
}

// isOverdue says whether the operation has taken longer than it may.
func (d *bindingDecision) isOverdue() bool {
	at := deadline(d.status.OperationStartTime, d.present().MaximumPollingDuration)
	return !at.IsZero() && !d.w.now.Before(at)
}

// remove is for a binding that is being deleted.
func (d *bindingDecision) remove() {
	s := &d.status
	switch {
	case !slices.Contains(d.b.Finalizers, v1beta1.Finalizer): // we are done; another's finalizer holds it
	case d.b.Annotations[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyRetain:
		d.release = &word{v1beta1.ReasonRetained, "the deletion policy is Retain: the binding is left as it is at the broker"}
	case d.isClean():
		d.release = &word{v1beta1.ReasonUnboundSuccessfully, "nothing is left at the broker"}
	case s.UnbindStatus == v1beta1.UnbindFailed && !d.isRebindAsked():
		d.hold(v1beta1.ReasonUnbindCallFailed, "the former service-catalog has given up to remove the binding; to have it tried again, change the annotation "+v1beta1.RebindAnnotation)
	case s.OrphanMitigationInProgress && d.owns(): // which may be what the broker is working on
		d.removeSecretAnd(d.id())
	case s.PredecessorID != "" && d.ownsPredecessor():
		d.removeSecretAnd(s.PredecessorID)
	case d.owns():
		d.removeSecretAnd(d.id())
	case s.AsyncOpInProgress && s.CurrentOperation == v1beta1.OperationBind && !s.OrphanMitigationInProgress && !d.w.claimed:
		d.poll() // only if it succeeds is what is there ours to remove
	case d.w.claimed:
		d.release = &word{v1beta1.ReasonRetained, fmt.Sprintf("another object has the id %q: what is there is left to it", d.id())}
	default:
		d.release = &word{v1beta1.ReasonRetained, fmt.Sprintf("the id %q was brought along, and this object did not create what is there: it is left as it is at the broker", d.id())}
	}
}

// removeSecretAnd deletes the Secret, so that nobody begins to use what is about to end,
// and then what the broker has under an id.
func (d *bindingDecision) removeSecretAnd(id string) {
	switch {
	case d.w.definition == definitionUnknown:
		d.prove = true
	case d.w.definition == definitionTerminating:
		d.hold(v1beta1.ReasonDefinitionTerminating, "the CustomResourceDefinition is being deleted, and nothing is deleted at a broker for that")
	case d.w.secret == secretUnseen:
		d.look = true
	case d.w.secret == secretGood || d.w.secret == secretEdited:
		d.deed = ejectSecret
	default:
		d.unbind(id)
	}
}

// isStopped says whether nothing is tried any more for what the spec says now.
func (d *bindingDecision) isStopped() bool {
	if d.isRebindAsked() {
		return false
	}
	if a := d.status.Attempts; a != nil {
		return a.Stopped && !d.isNews(a)
	}
	// The former service-catalog left it at that.
	failed := conditionOf(d.status.Conditions, v1beta1.ConditionFailed)
	return failed != nil && failed.Status == v1beta1.ConditionTrue && d.status.ReconciledGeneration > 0
}

func (d *bindingDecision) isNews(a *v1beta1.Attempts) bool {
	return a.Generation != d.b.Generation || a.ParametersVersion != d.w.parameters.version || d.isRebindAsked()
}

// renewAttempts begins a new budget. What earlier requests may have left is not forgotten.
func (d *bindingDecision) renewAttempts() {
	a := d.status.Attempts
	if a == nil || !d.isNews(a) {
		return
	}
	d.status.Attempts = renewed(a, d.b.Generation, d.w.parameters.version)
	d.status.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
}

// isDue says whether the next attempt may be made, and else wakes it when it may.
func (d *bindingDecision) isDue() bool {
	a := d.status.Attempts
	if a == nil || a.NextTime == nil || !a.NextTime.After(d.w.now) {
		return true
	}
	if a.Generation != d.b.Generation && !d.b.DeletionTimestamp.IsZero() && d.status.CurrentOperation != v1beta1.OperationUnbind {
		return true // they were not for the removal
	}
	d.wake = a.NextTime.Time
	return false
}

// target is where the binding is, or is to be. Its plan is the one that the instance has
// by now, if that is known.
func (d *bindingDecision) target() *v1beta1.ServiceBindingTarget {
	now, then := d.w.ground.target, d.status.Target
	if then == nil || d.isClean() {
		return now
	}
	if now != nil && now.BrokerReference == then.BrokerReference && now.InstanceID == then.InstanceID {
		return now
	}
	return then
}

// targetOf is where a binding is, or is to be.
func targetOf(b *v1beta1.ServiceBinding, w bindingWorld) *v1beta1.ServiceBindingTarget {
	return (&bindingDecision{b: b, w: w, bindingStep: bindingStep{status: b.Status}}).target()
}

func (d *bindingDecision) newCall(v verb) *bindingCall {
	call := &bindingCall{verb: v, id: d.id(), generation: d.b.Generation, version: d.w.parameters.version, clean: d.isClean(), owned: d.owns(), kept: d.isKept(),
		keeps: d.status.PredecessorID != "" && !d.ownsPredecessor()}
	if t := d.target(); t != nil {
		call.target = *t
	}
	return call
}

// observe has the status say of which spec it is.
func (d *bindingDecision) observe() { d.status.ObservedGeneration = d.b.Generation }

// say has the conditions say something.
func (d *bindingDecision) say(v verdict) {
	d.observe()
	setBindingConditions(&d.status, v, d.w.now)
}

// hold says what a deletion, or a cleanup, waits for.
func (d *bindingDecision) hold(reason, message string) {
	v := verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, stalled: true}
	switch {
	case !d.b.DeletionTimestamp.IsZero():
		v.ready, v.message = v1beta1.ConditionUnknown, message+". "+howToLetGo(d.b)
	case d.isLive():
		v = stillInjected("what was there before them cannot be removed at the broker yet: " + message)
	}
	v.failed, _ = kept(d.status.Conditions)
	d.say(v)
}

// troubled is the status where something could not be had that a request takes. That is
// tried again.
func troubled(b *v1beta1.ServiceBinding, w bindingWorld, why word) v1beta1.ServiceBindingStatus {
	d := &bindingDecision{b: b, w: w, bindingStep: bindingStep{status: *b.Status.DeepCopy()}}
	if d.status.UnbindStatus == "" && d.isClean() {
		d.status.UnbindStatus = v1beta1.UnbindNotRequired
	}
	v := verdict{ready: v1beta1.ConditionFalse, reason: why.reason, message: why.message}
	switch {
	case !b.DeletionTimestamp.IsZero():
		v.ready, v.message = v1beta1.ConditionUnknown, why.message+". "+howToLetGo(b)
	case d.isLive():
		v = stillInjected(why.message)
	}
	v.failed, _ = kept(d.status.Conditions)
	d.say(v)
	return d.status
}

// stop says that nothing is tried any more until somebody asks for it.
func (d *bindingDecision) stop(reason, message string) {
	if d.status.Attempts == nil {
		d.status.Attempts = &v1beta1.Attempts{}
	}
	a := d.status.Attempts
	a.Generation, a.ParametersVersion, a.Stopped, a.NextTime = d.b.Generation, d.w.parameters.version, true, nil
	d.say(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, stalled: true, failed: &word{reason, message}})
}

// setBindingConditions never says Ready of credentials that have ended.
func setBindingConditions(status *v1beta1.ServiceBindingStatus, v verdict, now time.Time) {
	if v.ready == v1beta1.ConditionTrue && hasEnded(status, now) {
		v = verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: "The credentials have ended at " + when(status.ExpiresAt.Time)}
	}
	status.Conditions = v.conditions(status.Conditions, now)
	status.LastConditionState = lastConditionState(status.Conditions)
}
