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

// Package status shows in the statuses of objects that their reconciles panicked: the condition Stalled says it. The other conditions and
// observedGeneration stay, since decisions follow from them, and what they say was confirmed before.
package status

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	pager "github.com/gophernetes/bellhop/api/pager/v1beta1"
	services "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/panics"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// recordTimeout bounds a write. It also holds while the process stops.
const recordTimeout = 10 * time.Second

// Of returns what shows panics in objects of a kind. c reads the cache, and shows this process's own writes.
func Of(c client.Client, newObject func() client.Object) panics.Show {
	return func(ctx context.Context, req reconcile.Request, failed *panics.Error) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
		defer cancel()
		o := newObject()
		if err := c.Get(ctx, req.NamespacedName, o); err != nil {
			return client.IgnoreNotFound(err)
		}
		message := ""
		if failed != nil {
			message = failed.Error()
		}
		status, changed := change(o, message, time.Now())
		if !changed {
			return nil
		}
		return patch.Status(ctx, c, o, status)
	}
}

// change changes the conditions of an object, and returns its status. The message is empty where no reconcile panicked.
func change(o client.Object, message string, now time.Time) (status any, changed bool) {
	switch o := o.(type) {
	case *pager.Alert:
		return &o.Status, stall(&o.Status.Conditions, o, message, now)
	case *pager.AlertSource:
		return &o.Status, stall(&o.Status.Conditions, o, message, now)
	case pager.ReceiverObject:
		return o.CommonStatus(), stall(&o.CommonStatus().Conditions, o, message, now)
	case services.Broker:
		s := o.CommonStatus()
		changed = rules.ShowPanic(o, &s.Conditions, message, now)
		s.LastConditionState = rules.LastConditionState(s.Conditions)
		return s, changed
	case services.ServiceObject:
		s := o.CommonStatus()
		changed = rules.ShowPanic(o, &s.Common().Conditions, message, now)
		s.Common().LastConditionState = rules.LastConditionState(s.Common().Conditions)
		return s, changed
	}
	panic(fmt.Sprintf("a %T has no condition Stalled", o))
}

// stall sets Stalled of an object of the group pager.k8s.co. The next reconcile that does not panic evaluates all conditions.
func stall(conditions *[]metav1.Condition, o client.Object, message string, now time.Time) bool {
	return message != "" && meta.SetStatusCondition(conditions, metav1.Condition{Type: pager.ConditionStalled, Status: metav1.ConditionTrue, Reason: pager.ReasonInternalError,
		Message: redact.Capitalize(message), ObservedGeneration: o.GetGeneration(), LastTransitionTime: metav1.NewTime(now.Truncate(time.Second))})
}
