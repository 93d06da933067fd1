// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	apply "github.com/gophernetes/bellhop/client/applyconfiguration/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// overflowName is the name of the Alert that says how many more objects of its namespace fail than Alerts may fire.
const overflowName = "page-by-label-more"

// overflowAfter is how long that Alert is delayed, so that it has their number once more than one waits.
const overflowAfter = 5 * time.Second

// namespaceResource is the resource of requests about the objects of a namespace that wait for the budget.
var namespaceResource = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

func overflowRequest(namespace string) request {
	return request{Resource: namespaceResource.GroupResource(), Namespace: namespace, Name: namespace, UID: types.UID("namespace/" + namespace)}
}

// reconcileOverflow creates, updates or resolves the Alert about the objects of a namespace that wait.
func (r *Reconciler) reconcileOverflow(ctx context.Context, req request) (ctrl.Result, error) {
	alert := &v1beta1.Alert{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: req.Namespace, Name: overflowName}, alert)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return ctrl.Result{}, err
	case err != nil:
		alert = nil
	case alert.Annotations[v1beta1.PagedResourceAnnotation] != healthrules.FormatResource(namespaceResource), alert.DeletionTimestamp != nil:
		return ctrl.Result{}, nil // another owner's, or its deletion goes on
	}
	n, ask := r.budget.Waiting(req.Namespace)
	ask.After = overflowAfter
	in := healthrules.Inputs{Asks: true, Ask: ask, Result: healthrules.Result{State: healthrules.Healthy}, IsFiring: isFiring(alert)}
	if n > 0 {
		in.Result = healthrules.Result{State: healthrules.Failing, Reason: "TooManyAlerts"}
	}
	action, again := r.decide(req, &in)
	if n > 0 && in.IsFiring && alert.Spec.Content != overflowContent(n) {
		action = healthrules.Fire // say the new number
	}
	switch action {
	case healthrules.Resolve:
		return ctrl.Result{}, r.resolve(ctx, alert, false)
	case healthrules.Fire:
		if ok, later := r.budget.Report(req.Namespace, r.now()); !ok {
			return r.requeueAt(later), nil
		}
		if err := r.fire(ctx, alert, newOverflowAlert(req.Namespace, n, ask)); err != nil {
			return ctrl.Result{}, err
		}
	case healthrules.Keep, healthrules.Extend:
	}
	if n > 0 && again.IsZero() {
		return ctrl.Result{RequeueAfter: healthrules.ReportEvery}, nil
	}
	return r.requeueAt(again), nil
}

func newOverflowAlert(namespace string, n int, ask healthrules.Ask) *apply.AlertApplyConfiguration {
	return newAlertOf(namespace, overflowName, namespaceResource, ask, fmt.Sprintf("More objects in namespace %s are failing", namespace), overflowContent(n))
}

func overflowContent(n int) string {
	return fmt.Sprintf("%d more objects with the label %s are failing. Alerts about them follow, at most %d a minute.", n, v1beta1.PageLabel, healthrules.MaxFired)
}
