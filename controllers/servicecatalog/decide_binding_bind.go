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
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// bind decides on a binding that the broker does not have.
func (d *bindingDecision) bind() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	if why := d.obstacle(); why != nil {
		d.hinder(why)
		return
	}
	if !d.isDue() || !d.knowsParameters() {
		return
	}
	props, a := d.wanted(), d.status.Attempts
	isUnsure := d.status.CurrentOperation != "" || a != nil && a.Unknown > 0
	unwanted := isUnsure && d.status.InProgressProperties != nil && d.status.InProgressProperties.ParameterChecksum != props.ParameterChecksum
	conflict := a != nil && a.Conflict
	switch {
	case conflict && d.present().BindingRetrievable:
		d.call = d.newCall(fetch)
		d.call.props = props
		return
	case conflict || unwanted || a != nil && a.Unknown > repeats(a):
		if d.owns() && !isBound(&d.status) && !d.isKept() {
			d.status.OrphanMitigationInProgress, d.journal = true, true
			d.say(cleaning("it is not known what came of a request", a))
			d.mitigate()
			return
		}
	}
	d.begin(props)
}

// hinder sets the conditions for what blocks a binding. Where another object owns the id, the status records for whom the broker's
// binding was created, so that this object does not inherit it.
func (d *bindingDecision) hinder(why *blocker) {
	if why.reason != v1beta1.ReasonExternalIDInUse {
		d.waitFor(why)
		return
	}
	c := d.w.claimants.blocksCreation()
	v, _ := why.verdict(d.b, d.w.now)
	d.say(v)
	if !d.isClean() {
		return
	}
	d.status.UnbindStatus = v1beta1.UnbindNotRequired
	if c.owns {
		d.status.CreatedForUID = c.uid
	}
}

// begin makes the request for a binding, and sets the operation that it begins.
func (d *bindingDecision) begin(props *v1beta1.ServiceBindingPropertiesState) {
	s := &d.status
	if d.id() == "" { // admission was bypassed, and the spec is immutable
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
	if !equality.Semantic.DeepEqual(s, &d.b.Status) { // R1
		d.journal = true
		if isSlowBinding(s) { // the conditions stay until the broker has answered
			return
		}
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonBindingRequestInFlight, message: "The broker is being asked for the binding"})
	}
}

// wanted returns the properties that the spec asks for.
func (d *bindingDecision) wanted() *v1beta1.ServiceBindingPropertiesState {
	params := d.w.parameters
	return &v1beta1.ServiceBindingPropertiesState{Parameters: params.Redacted, ParameterChecksum: params.Checksum, UserInfo: d.b.Spec.UserInfo}
}

// obstacle returns what blocks a binding; nil: nothing does.
func (d *bindingDecision) obstacle() *blocker {
	if why := d.unready(); why != nil {
		return why
	}
	switch {
	case d.w.claimants.blocksCreation() != nil && !ownsID(d.b, d.id()):
		return d.w.claimants.blocksCreation().inUse(d.id())
	case d.w.secret == secretOthers:
		return blockedBy(v1beta1.ReasonErrorInjectingBindResult, credentials.Occupied(d.b).Error())
	}
	return d.mute()
}

// mute returns why no request can be sent to the broker; nil: requests can.
func (d *bindingDecision) mute() *blocker {
	if d.w.broker != nil {
		return d.w.problem
	}
	var ref *v1beta1.BrokerReference
	if t := d.target(); t != nil {
		ref = &t.BrokerReference
	}
	return missingFor(d.b, v1beta1.ReasonReferencesNonexistentBroker, "the broker "+brokerName(ref)+" does not exist, and cannot be asked: register it again under this name")
}

// unready returns why the instance cannot be bound to; nil: it can.
func (d *bindingDecision) unready() *blocker {
	name, g := d.b.Spec.InstanceRef.Name, d.w.ground
	if g.instance == nil {
		return missingFor(d.b, v1beta1.ReasonReferencesNonexistentInstance, fmt.Sprintf("ServiceInstance %q does not exist in namespace %q", name, d.b.Namespace))
	}
	status := &g.instance.Status
	switch {
	case !g.instance.DeletionTimestamp.IsZero():
		return d.waitForInstance(v1beta1.ReasonErrorInstanceNotReady, fmt.Sprintf("ServiceInstance %q is being deleted", name))
	case g.missing != nil:
		return g.missing
	case !d.w.ground.effective().Bindable:
		return &blocker{word: word{v1beta1.ReasonErrorNonbindableServiceClass, fmt.Sprintf("instances of plan %q of %q cannot be bound to", g.plan.Common().ExternalName, g.class.Common().ExternalName)}, failed: true}
	case len(d.w.ground.effective().Unsupported) > 0:
		return &blocker{word: word{v1beta1.ReasonUnsupportedBinding, fmt.Sprintf("bindings of %q require %s, which a cluster cannot give", g.class.Common().ExternalName, strings.Join(d.w.ground.effective().Unsupported, ", "))}, failed: true}
	case status.ProvisionStatus != v1beta1.Provisioned || g.target == nil:
		return d.waitForInstance(v1beta1.ReasonErrorInstanceNotReady, fmt.Sprintf("ServiceInstance %q is not provisioned%s", name, saysWhy(status)))
	case status.Unusable:
		return blockedBy(v1beta1.ReasonInstanceUnusable, fmt.Sprintf("the broker says that ServiceInstance %q can no longer be used", name))
	case status.AsyncOpInProgress:
		return d.waitForInstance(v1beta1.ReasonErrorAsyncOperationInProgress, fmt.Sprintf("the broker is working on ServiceInstance %q", name))
	}
	return nil
}

// waitForInstance is a blocker for an instance that exists and cannot be bound to: in progress, unless the instance is Stalled.
func (d *bindingDecision) waitForInstance(reason, message string) *blocker {
	if isStalled(d.w.ground.instance) {
		return blockedBy(reason, message)
	}
	return inProgress(reason, message)
}

// saysWhy returns the reason of the instance's condition Ready in brackets; empty: there is none.
func saysWhy(s *v1beta1.ServiceInstanceStatus) string {
	if ready := conditionOf(s.Conditions, v1beta1.ConditionReady); ready != nil {
		return " (" + ready.Reason + ")"
	}
	return ""
}

// effective returns what the instance's plan supports; nothing where the plan is not known.
func (g ground) effective() catalog.Effective {
	if g.class != nil && g.plan != nil {
		return catalog.EffectiveOf(g.class, g.plan)
	}
	return catalog.Effective{MaximumPollingDuration: catalog.MaximumPollingDuration}
}

// present returns what the plan of the binding's target supports; nothing where the target is another instance than the present one.
func (d *bindingDecision) present() catalog.Effective {
	if now := d.w.ground.target; now != nil && d.target() != now {
		return catalog.Effective{MaximumPollingDuration: catalog.MaximumPollingDuration}
	}
	return d.w.ground.effective()
}

// knowsParameters reports whether the parameters can be sent. If not, they are read first, or the conditions say why they cannot be.
func (d *bindingDecision) knowsParameters() bool {
	params := d.w.parameters
	switch {
	case !params.known:
		d.read = true
	case params.problem == nil:
		return true
	default:
		d.waitFor(params.problem)
	}
	return false
}
