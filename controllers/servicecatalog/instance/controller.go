// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package instance reconciles ServiceInstances: it observes the objects that they refer to, gets the next step from package instancerules, sends
// the request, and records the result through the engine.
package instance

import (
	"context"
	"errors"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Reconciler provisions, updates and deprovisions ServiceInstances at their brokers.
type Reconciler struct {
	*engine.Reconciler
	dependents dependents
}

// scope is an instance during a reconcile: an engine.Machine.
type scope struct {
	*engine.Scope

	r        *Reconciler
	instance *v1beta1.ServiceInstance // the object
	inputs   instancerules.Inputs
	next     instancerules.Decision // the last one
	retry    error                  // why the parameters could not be read, or the references not be written, which is retried
}

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// reconcile observes, decides, executes and records.
func (r *Reconciler) reconcile(ctx context.Context, base *engine.Scope) (ctrl.Result, error) {
	s := &scope{Scope: base, r: r, instance: base.Object.(*v1beta1.ServiceInstance)}
	if err := r.observe(ctx, s); err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up what the instance refers to: %w", err)
	}
	s.Inputs, s.Broker, s.User = &s.inputs.Inputs, s.inputs.Offering.Broker, s.instance.Spec.UserInfo
	result, err := r.Run(ctx, s)
	if err == nil {
		err = s.retry
	}
	return result, err
}

// Decide decides on the present view.
func (s *scope) Decide(context.Context) engine.Step {
	s.next = instancerules.Decide(s.instance, s.inputs)
	step := engine.Step{Decision: s.next.Decision, ID: rules.InstanceID(s.instance), Status: &s.next.Status}
	if s.next.Request != nil {
		step.Request = &s.next.Request.Request
		step.Rule = instancerules.RuleOfDeletion(s.instance)
	}
	if s.next.InFlight != nil {
		step.InFlight = s.next.InFlight
	}
	return step
}

// Supply reads or writes the input that the last decision needs.
func (s *scope) Supply(ctx context.Context, need rules.Need) error {
	before := s.Before.(*v1beta1.ServiceInstance)
	switch need {
	case rules.NeedFinalizer:
		return s.r.addFinalizerAndID(ctx, before)
	case rules.NeedReferences:
		err := s.r.writeReferences(ctx, before, s.inputs.Refs)
		if patch.IsRefusal(err) {
			s.inputs.RefsRefused, s.retry = refusedReferences(*s.inputs.Refs, err), err
			return nil
		}
		return err
	case rules.NeedParameters:
		err := s.r.readParameters(ctx, s)
		if errors.Is(err, secrets.ErrBusy) { // that other objects come first is no news
			return err
		}
		if err != nil {
			s.inputs.Parameters.Known, s.inputs.Parameters.SecretMissing, s.retry = true, true, err
			s.inputs.Parameters.Blocker = rules.InProgress(v1beta1.ReasonErrorWithParameters, err.Error())
		}
		return nil
	default:
		return rules.UnknownNeed("ServiceInstance", need)
	}
}

// Ask sends the request of the last decision.
func (s *scope) Ask(ctx context.Context, broker *brokers.Client) (operation.Answer, error) {
	return s.r.sendRequest(ctx, s, broker.Client, s.next.Request)
}

// Apply applies the answer. Another request may have to wait for a slot.
func (s *scope) Apply(a operation.Answer) (more bool) {
	s.instance.Status = instancerules.Apply(s.instance, s.next.Status, *s.next.Request, a, s.r.Clock.Now())
	return false
}

// StatusForBlocker returns the status of an instance whose reconcile is blocked.
func (s *scope) StatusForBlocker(why *rules.Blocker, now time.Time) v1beta1.ServiceObjectStatus {
	status := instancerules.StatusForBlocker(s.instance, why, now)
	return &status
}
