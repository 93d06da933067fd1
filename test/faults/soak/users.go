// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// userLoop performs random actions until the context ends. Actions that fail, as something is out of order, are not repeated.
func (s *session) userLoop(ctx context.Context, r *rand.Rand, user int) {
	for ctx.Err() == nil {
		name := fmt.Sprintf("%d-%d", user, r.IntN(objectsPerUser))
		act := []func(context.Context, *rand.Rand, string) error{s.alertAction, s.alertAction, s.instanceAction, s.bindingAction}[r.IntN(4)]
		if act(ctx, r, name) == nil {
			s.actions.Add(1)
		}
		proxy.Sleep(ctx, time.Duration(50+r.IntN(400))*time.Millisecond)
	}
}

// createOrChange creates an object, or changes or deletes the existing one. before are deleted before it.
func createOrChange[T client.Object](ctx context.Context, s *session, r *rand.Rand, o T, change func(T), before ...client.Object) error {
	c := s.Cluster.Client
	switch err := c.Get(ctx, client.ObjectKeyFromObject(o), o); {
	case apierrors.IsNotFound(err):
		o.SetResourceVersion("")
		change(o)
		return c.Create(ctx, o)
	case err != nil:
		return err
	}
	if r.IntN(3) > 0 {
		change(o)
		return c.Update(ctx, o)
	}
	for _, b := range append(before, o) {
		if err := c.Delete(ctx, b); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// alertAction creates, changes or deletes an Alert.
func (s *session) alertAction(ctx context.Context, r *rand.Rand, name string) error {
	return createOrChange(ctx, s, r, s.Env.NewAlert("alert-"+name), func(a *pagerv1beta1.Alert) {
		a.Spec.Content = fmt.Sprintf("the disk is %d %% full", r.IntN(100))
		a.Spec.Severity = []pagerv1beta1.Severity{pagerv1beta1.SeverityInfo, pagerv1beta1.SeverityWarning, pagerv1beta1.SeverityCritical}[r.IntN(3)]
		a.Spec.State = []pagerv1beta1.AlertState{pagerv1beta1.AlertFiring, pagerv1beta1.AlertFiring, pagerv1beta1.AlertResolved}[r.IntN(3)]
		a.Spec.ReceiverRefs = s.Env.NewAlert("", []string{"hook", "desk", "boss"}[r.IntN(3):]...).Spec.ReceiverRefs
	})
}

// instanceAction creates, changes or deletes an instance.
func (s *session) instanceAction(ctx context.Context, r *rand.Rand, name string) error {
	class, plans := scenario.SyncClass, []string{scenario.SyncPlan, scenario.SyncOther}
	if name[len(name)-1]%2 == 0 {
		class, plans = scenario.AsyncClass, []string{scenario.AsyncPlan, scenario.AsyncOther}
	}
	return createOrChange(ctx, s, r, s.Env.NewInstance("db-"+name, class, ""), func(si *v1beta1.ServiceInstance) {
		si.Spec.ServicePlanExternalName = plans[r.IntN(2)]
		si.Spec.Parameters = scenario.RawParameters(fmt.Sprintf(`{"size":%d}`, r.IntN(100)))
	}, s.Env.NewBinding("app-"+name, ""))
}

// bindingAction creates or deletes a binding to an instance that exists.
func (s *session) bindingAction(ctx context.Context, r *rand.Rand, name string) error {
	si := s.Env.NewInstance("db-"+name, "", "")
	if err := s.Cluster.Client.Get(ctx, client.ObjectKeyFromObject(si), si); err != nil {
		return err
	}
	return createOrChange(ctx, s, r, s.Env.NewBinding("app-"+name, si.Name), func(*v1beta1.ServiceBinding) {})
}
