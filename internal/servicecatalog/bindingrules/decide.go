// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bindingrules is the state machine of ServiceBindings. Decide returns the next step for a binding and the observations about it; Apply
// returns the status after a broker's answer, ApplySecretWritten and ApplySecretRefused after a write of the Secret. bind, credentials, rotate and
// remove decide by phase.
package bindingrules

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Inputs has the observations that the decision about a binding depends on, beside the object.
type Inputs struct {
	operation.Inputs

	// Overlaps are those of the predecessors that this process has seen.
	Overlaps Overlaps
	// Issued is how long ago the credentials were issued that end, as this process has measured it; nil: it has not.
	Issued *operation.Age
	// BoundInstance is the instance that the spec refers to, or why it does not exist.
	BoundInstance BoundInstance
	// Broker is the broker of the binding's target; nil: it does not exist.
	Broker v1beta1.Broker
	// Secret is the state of the binding's Secret, as far as it is known; SecretID is the id whose credentials it has, and SecretVersion its
	// resourceVersion, where it was read.
	Secret                  SecretState
	SecretID, SecretVersion string
	// Sources are the Secrets whose keys the binding's Secret gets.
	Sources Sources
	// SecretsVersion changes with the binding's Secret and its sources.
	SecretsVersion string
	// MayWrite: the API server would accept the binding's Secret.
	MayWrite bool
	// Memory has the facts that this process remembers beyond the status.
	Memory RequestMemory
}

// Sources are the Secrets of addKeysFrom.
type Sources struct {
	// Known: they were read.
	Known bool
	// Blocker is why their keys cannot be copied; nil: they can.
	Blocker *rules.Blocker
}

// SecretState is the state of a binding's Secret, as far as it is known.
type SecretState int

const (
	// SecretAbsent: the Secret does not exist.
	SecretAbsent SecretState = iota
	// SecretUnknown: the cache does not show whether it is as it was written; it has to be read.
	SecretUnknown
	// SecretInSync: it is as it was written.
	SecretInSync
	// SecretModified: a person or program has changed it.
	SecretModified
	// SecretNotOwned: a Secret of the name exists, and does not belong to the binding.
	SecretNotOwned
)

// Request is a request to the broker about a binding.
type Request struct {
	operation.Request

	Target v1beta1.ServiceBindingTarget
	// version and digest of the parameters.
	parametersVersion, parametersDigest string
	// PredecessorID is the id of the binding that this one rotates; empty: none.
	PredecessorID string
	// Properties are the properties that the broker has once the request has succeeded; nil for requests that change none.
	Properties *v1beta1.ServiceBindingPropertiesState
	// server is the API server's time.
	server times.Server
	// Recheck: the Secret has the credentials, which are requested again since the instance was updated.
	Recheck bool
}

// SecretAction is a write of a binding's Secret.
type SecretAction string

const (
	// WriteSecret writes the credentials.
	WriteSecret SecretAction = "inject"
	// DeleteSecret deletes the Secret.
	DeleteSecret SecretAction = "eject"
)

// Decision is the next step of the reconciler for a binding.
type Decision struct {
	operation.Decision

	SecretAction SecretAction
	Request      *Request
	// Retained is why the binding under RetainedID, which was replaced, stays at the broker; nil: no binding does.
	Retained   *rules.Cause
	RetainedID string
	// Status is the status to write, before the outcome of the request.
	Status v1beta1.ServiceBindingStatus
	// InFlight is the status to write where the broker takes its time to answer the request; nil: the one on record is true meanwhile.
	InFlight *v1beta1.ServiceBindingStatus
}

// decision is a step while it is decided on.
type decision struct {
	b     *v1beta1.ServiceBinding
	in    Inputs
	phase bindingphase.Phase
	Decision
}

func newDecision(b *v1beta1.ServiceBinding, in Inputs) *decision {
	d := &decision{b: b, in: in, Decision: Decision{Status: *b.Status.DeepCopy()}}
	d.phase = bindingphase.Of(&d.Status)
	return d
}

// Decide returns the next step for a binding.
func Decide(b *v1beta1.ServiceBinding, in Inputs) Decision {
	d := newDecision(b, in)
	d.Status.Attempts = d.schedule().AfterRecovery()
	d.retireFormer()
	switch {
	case !b.DeletionTimestamp.IsZero():
		d.remove()
	case !slices.Contains(b.Finalizers, v1beta1.Finalizer):
		d.decideUnprotected()
	default:
		d.proceed()
	}
	d.enforceExpiry()
	d.phase.Encode(&d.Status)
	d.nameSecret()
	d.recordAddress()
	d.describeInFlight()
	d.cleanUp()
	return d.Decision
}

// recordAddress records the broker's address with the next write of the status. The address alone causes no write. A successor keeps the address of
// its predecessor.
func (d *decision) recordAddress() {
	isFirst := d.Request != nil && d.Request.NothingAtBroker && !d.Request.Replaces
	if d.Request != nil && !d.Request.Replaces && len(d.Status.Predecessors) == 0 {
		d.Request.Address = d.in.Address.Current
	}
	d.RecordAddress(&d.in.Inputs, d.Status.Common(), d.Request != nil, isFirst, d.isChanged)
}

// isChanged reports whether the status of the decision differs from the recorded one.
func (d *decision) isChanged() bool { return !equality.Semantic.DeepEqual(d.Status, d.b.Status) }

// proceed decides on a binding that is not being deleted, by its phase.
func (d *decision) proceed() {
	switch {
	case d.phase.IsMitigating():
		d.mitigate()
	case d.phase.Creates() && d.phase.Accepted:
		d.poll()
	case d.phase.IsReplacement():
		d.replace()
	case d.phase.Task == bindingphase.Binding || !bindingphase.IsBound(&d.Status):
		d.bind()
	case d.phase.Task == bindingphase.Deleting: // an earlier version has begun to remove the binding before its replacement
		d.startReplacement()
	default: // a replacement or a repair does not wait for the removal of a predecessor
		d.ensureCredentials()
	}
}

// IsSettled reports whether nothing is to be done for a binding until its spec, its Secret or its instance changes. It reads the condition Ready,
// since the phase does not show a blocker. Ready alone does not settle a binding: it is True with former credentials while new ones are fetched
// after an update of the instance, or wait to be written.
func IsSettled(b *v1beta1.ServiceBinding, instance *v1beta1.ServiceInstance) bool {
	renews := b.Status.RenewBefore != nil || b.Status.ExpiresAt != nil || b.Annotations[v1beta1.RebindAnnotation] != b.Status.Rebind
	return rules.IsTrue(rules.FindCondition(b.Status.Conditions, v1beta1.ConditionReady)) && !renews && b.Status.PredecessorID == "" && len(b.Status.Predecessors) == 0 && len(b.Status.LeftBehind) == 0 && b.DeletionTimestamp.IsZero() && !IsMadeBefore(&b.Status, instance)
}

func (d *decision) id() string { return rules.BindingID(d.b, &d.Status) }

// nextID returns an id that the binding has not had yet (R2).
func (d *decision) nextID() string {
	return catalog.NextID(d.b.UID, d.b.Spec.ExternalID, d.in.NextNumber)
}

// isRetained reports whether the deletion policy keeps the broker's binding. The binding of a failed replacement is not kept beside its
// predecessor.
func (d *decision) isRetained() bool {
	return catalog.IsRetained(d.b) && !d.phase.IsReplacement()
}

func (d *decision) owns() bool {
	return rules.OwnsBindingID(d.b, d.id()) && d.in.Claimants.BlocksRemoval() == nil
}

// OwnsPredecessor reports whether a binding may delete the predecessor under an id (R10).
func (in Inputs) OwnsPredecessor(b *v1beta1.ServiceBinding, id string) bool {
	return rules.OwnsBindingID(b, id) && in.FormerClaimants[id].BlocksRemoval() == nil
}

// belongsToAnother reports whether the id belongs to another object.
func (d *decision) belongsToAnother() bool {
	return d.in.Claimants.BlocksCreation() != nil && !rules.OwnsBindingID(d.b, d.id()) || instancerules.IsForAnother(d.b.UID, d.Status.CreatedForUID)
}

// decideUnprotected decides on a binding without the finalizer: a new one gets it, any other was abandoned.
func (d *decision) decideUnprotected() {
	if bindingphase.IsNew(&d.Status) {
		d.Need = rules.NeedFinalizer
		return
	}
	d.setConditions(rules.Abandoned)
}

// hasNothingAtBroker reports whether the broker can have nothing of the binding: every request is on record before it is sent (R1).
func (d *decision) hasNothingAtBroker() bool {
	s := &d.Status
	switch s.UnbindStatus {
	case v1beta1.UnbindNotRequired, v1beta1.UnbindSucceeded:
		return s.PredecessorID == "" && len(s.Predecessors) == 0
	case "":
		return !d.phase.HasOperation() && !bindingphase.IsBound(s)
	default:
		return false
	}
}

// schedule returns when requests about the binding are due.
func (d *decision) schedule() rules.Schedule {
	s := d.in.Schedule(d.b, d.Status.Common())
	s.Requested, s.Removing = isRebindRequested(d.b, &d.Status), d.phase.IsUnbinding()
	return s
}

// isStopped reports whether the present spec was refused, so that it is not tried again.
func (d *decision) isStopped() bool {
	return d.schedule().IsStopped() || bindingphase.IsRefusedByOriginal(&d.Status) && !isRebindRequested(d.b, &d.Status)
}

// renewAttempts resets the attempts for a new spec, except for the fields about bindings that earlier requests may have left at the broker.
func (d *decision) renewAttempts() {
	schedule := d.schedule()
	if d.Status.Attempts = schedule.Renew(); schedule.IsForFormerSpec() {
		d.Requested = schedule.Requested
		recordRebindAttempt(d.b, &d.Status)
	}
}

// target returns where the binding is, or is to be created. Its plan is the present one of the instance, if it is known.
func (d *decision) target() *v1beta1.ServiceBindingTarget {
	now, then := d.in.BoundInstance.Target, d.Status.Target
	if then == nil || d.hasNothingAtBroker() {
		return now
	}
	if now != nil && now.BrokerReference == then.BrokerReference && now.InstanceID == then.InstanceID {
		return now
	}
	return then
}

// TargetOf returns where a binding is, or is to be created.
func TargetOf(b *v1beta1.ServiceBinding, in Inputs) *v1beta1.ServiceBindingTarget {
	return newDecision(b, in).target()
}

func (d *decision) newRequest(op rules.Operation) *Request {
	call := &Request{Target: ptr.Deref(d.target(), v1beta1.ServiceBindingTarget{}), server: d.in.Server,
		parametersVersion: d.in.Parameters.Version, parametersDigest: d.in.Parameters.Digest}
	call.Request = operation.Request{
		ID: d.id(), NextID: d.nextID(), Operation: op, Generation: d.b.Generation, NothingAtBroker: d.hasNothingAtBroker(),
		Owned: d.owns(), Retained: d.isRetained(), Retrievable: d.effectivePlan().BindingRetrievable,
		MitigationOver: d.in.IsMitigationOver(d.Status.Common())}
	if d.phase.Task != bindingphase.Rotating { // a rotation sends no parameters
		call.Required = d.in.Parameters.Required
	}
	return call
}
