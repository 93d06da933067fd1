// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
)

// waitSettled waits until all objects are as their users asked, and the operator is idle.
func (s *session) waitSettled() error {
	end := time.Now().Add(settleTimeout)
	for {
		open, err := s.unsettled()
		if err == nil && len(open) == 0 {
			break
		}
		if time.Now().After(end) {
			return errors.Join(append(open, err, fmt.Errorf("%d objects are not settled within %s", len(open), settleTimeout))...)
		}
		proxy.Sleep(s.Env.Ctx, 200*time.Millisecond)
		if err := s.Env.Ctx.Err(); err != nil {
			return err
		}
	}
	if calls := s.WaitUntilIdle(2500 * time.Millisecond); calls != "" {
		return fmt.Errorf("the operator does not become idle: %s", calls)
	}
	return nil
}

// unsettled returns which objects are not yet as their users asked.
func (s *session) unsettled() (problems []error, err error) {
	all, err := s.Env.Objects()
	if err != nil {
		return nil, err
	}
	instances, held := map[string]*v1beta1.ServiceInstance{}, map[string]bool{}
	for _, o := range all {
		switch o := o.(type) {
		case *v1beta1.ServiceInstance:
			instances[o.Name] = o
		case *v1beta1.ServiceBinding:
			held[o.Spec.InstanceRef.Name] = true
		}
	}
	for _, o := range all {
		var problem error
		switch o := o.(type) {
		case *pagerv1beta1.Alert:
			problem = s.checkAlert(o)
		case *v1beta1.ServiceInstance:
			if !o.DeletionTimestamp.IsZero() && held[o.Name] {
				break // the deletion waits for its bindings
			}
			problem = s.checkInstance(o)
		case *v1beta1.ServiceBinding:
			if si := instances[o.Spec.InstanceRef.Name]; o.DeletionTimestamp.IsZero() && (si == nil || !si.DeletionTimestamp.IsZero()) {
				break // the binding waits for an instance
			}
			problem = checkSettled(o, o.Status.Conditions, o.Status.ReconciledGeneration)
		}
		if problem != nil {
			problems = append(problems, fmt.Errorf("%T %s: %w", o, o.GetName(), problem))
		}
	}
	return problems, nil
}

// checkSettled returns an error unless an object is Ready.
func checkSettled(o client.Object, conditions []v1beta1.Condition, observed int64) error {
	if !o.GetDeletionTimestamp().IsZero() {
		return fmt.Errorf("it is not deleted yet: %s", snapshot.Describe(o))
	}
	return scenario.CheckReady(conditions, observed, o)
}

// checkInstance returns an error unless an instance is Ready, and the broker has its parameters.
func (s *session) checkInstance(si *v1beta1.ServiceInstance) error {
	if err := checkSettled(si, si.Status.Conditions, si.Status.ReconciledGeneration); err != nil {
		return err
	}
	if has := s.Env.Broker.Holds().Instances[scenario.ExternalID(si)]; string(has.Parameters) != string(si.Spec.Parameters.Raw) {
		return fmt.Errorf("the broker has parameters %s, and not %s", has.Parameters, si.Spec.Parameters.Raw)
	}
	return nil
}

// checkAlert returns an error unless all receivers of an Alert have its present version.
func (s *session) checkAlert(a *pagerv1beta1.Alert) error {
	if !a.DeletionTimestamp.IsZero() {
		return errors.New("it is not deleted yet")
	}
	if a.Status.ObservedGeneration != a.Generation || !scenario.IsDecided(a) {
		return fmt.Errorf("%+v", a.Status)
	}
	for _, d := range a.Status.Deliveries {
		if !scenario.IsForReceiver(a, d) || d.State == pagerv1beta1.DeliveryResolved || d.State == pagerv1beta1.DeliveryFiltered {
			continue
		}
		if d.State != pagerv1beta1.DeliverySent || a.Spec.State != pagerv1beta1.AlertFiring {
			return fmt.Errorf("%s: %s %s", d.Name, d.State, d.Message)
		}
		if last := s.Env.LastReceived(a, d.Name); last == nil || last.RawContent != a.Spec.Content || last.Severity != string(a.Spec.Severity) {
			return fmt.Errorf("the last message of %s is %+v, and not %q", d.Name, last, a.Spec.Content)
		}
	}
	return nil
}
