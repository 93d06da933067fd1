// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// FindOffering looks up the class, the plan and the broker of an instance.
func FindOffering(ctx context.Context, idx index.Index, si *v1beta1.ServiceInstance) (o rules.Offering, err error) {
	ref, errs := catalog.ReferenceOf(si.Spec.PlanReference)
	if o.Class, err = idx.ClassOf(ctx, si); o.Class == nil && err == nil && len(errs) == 0 {
		o.Class, err = idx.Class(ctx, si.Namespace, ref)
	}
	if o.Missing, err = missing(si, v1beta1.ReasonReferencesNonexistentServiceClass, err); err != nil {
		return o, err
	}
	if o.Class == nil && o.Missing == nil {
		o.Missing = rules.BlockedBy(v1beta1.ReasonReferencesNonexistentServiceClass, errs.ToAggregate().Error())
	}
	if o.Class != nil {
		if o.Plan, err = idx.PlanOf(ctx, si); o.Plan == nil && err == nil {
			o.Plan, err = idx.Plan(ctx, o.Class, ref)
		}
		if o.Missing, err = missing(si, v1beta1.ReasonReferencesNonexistentServicePlan, err); err != nil {
			return o, err
		}
		if o.Plan != nil && o.Plan.ClassName() != o.Class.GetName() {
			o.Missing = rules.BlockedBy(v1beta1.ReasonReferencesNonexistentServicePlan, fmt.Sprintf("the plan %q is not of the class %q", o.Plan.GetName(), o.Class.GetName()))
			o.Plan = nil
		}
	}
	if len(errs) == 0 && o.Missing == nil {
		if o.Missing = misnamed(si, ref, o); o.Missing != nil {
			o.Plan = nil
		}
	}
	return o, findBroker(ctx, idx, si, &o)
}

// misnamed returns why nothing is sent for an instance whose references are to another class or plan than its spec names; nil: they are not. The
// validating webhook refuses such references. A broker may rename a class or plan later: the broker has the instance under a class or plan that was
// sent before.
func misnamed(si *v1beta1.ServiceInstance, ref catalog.Reference, o rules.Offering) *rules.Blocker {
	sent := []*v1beta1.ServiceInstancePropertiesState{si.Status.ExternalProperties, si.Status.InProgressProperties}
	isSent := func(has func(*v1beta1.ServiceInstancePropertiesState) bool) bool {
		return slices.ContainsFunc(sent, func(props *v1beta1.ServiceInstancePropertiesState) bool { return props != nil && has(props) })
	}
	isAnother := func(reason, kind, name, named string) *rules.Blocker {
		return rules.BlockedBy(reason, fmt.Sprintf("the reference is to %s %q, which is not that of %s: delete the ServiceInstance and create it again", kind, name, named))
	}
	classSent := si.Status.Broker != nil || isSent(func(*v1beta1.ServiceInstancePropertiesState) bool { return true })
	planSent := isSent(func(props *v1beta1.ServiceInstancePropertiesState) bool {
		return rules.PlanID(props) == o.Plan.Common().ExternalID
	})
	switch {
	case !classSent && (catalog.ScopeOf(o.Class) != ref.Scope || ref.NamedBy.OfClass(o.Class) != ref.Class):
		return isAnother(v1beta1.ReasonReferencesNonexistentServiceClass, catalog.ScopeOf(o.Class).ClassKind(), o.Class.GetName(), ref.ClassString())
	case !planSent && !ref.MatchesPlan(o.Plan):
		return isAnother(v1beta1.ReasonReferencesNonexistentServicePlan, catalog.ScopeOf(o.Plan).PlanKind(), o.Plan.GetName(), ref.PlanString())
	}
	return nil
}

// missing turns a reference that does not exist, or is ambiguous, into a blocker; other errors are returned.
func missing(to metav1.Object, reason string, err error) (*rules.Blocker, error) {
	switch {
	case index.IsNotFound(err):
		return rules.MissingReference(to, reason, err.Error()), nil
	case index.IsAmbiguous(err):
		return rules.BlockedBy(reason, err.Error()), nil
	}
	return nil, err
}

// findBroker looks up the recorded broker of an instance, or the broker of its class.
func findBroker(ctx context.Context, idx index.Index, si *v1beta1.ServiceInstance, o *rules.Offering) (err error) {
	switch known := si.Status.Broker; {
	case known != nil && known.Name != "":
		o.Broker, err = idx.Broker(ctx, si.Namespace, *known)
	case o.Class != nil:
		o.Broker, err = idx.BrokerOf(ctx, o.Class)
	}
	gone, err := missing(si, v1beta1.ReasonReferencesNonexistentBroker, err)
	if gone != nil && o.Missing == nil {
		o.Missing = gone
	}
	return err
}

// FindPlan returns the plan of the offering's class that properties name; nil: it no longer exists.
func FindPlan(ctx context.Context, idx index.Index, o rules.Offering, props *v1beta1.ServiceInstancePropertiesState) (v1beta1.Plan, error) {
	if o.Class == nil || props == nil {
		return nil, nil
	}
	id := rules.PlanID(props)
	if o.Plan != nil && o.Plan.Common().ExternalID == id {
		return o.Plan, nil
	}
	plans, err := idx.PlansOf(ctx, o.Class)
	for _, p := range plans {
		if p.Common().ExternalID == id {
			return p, err
		}
	}
	return nil, err
}
