// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// awaitTakeover holds an object of the original service-catalog until a person has recorded that it is taken over: it records in the conditions
// that the object waits, and returns when to look again; nil: the object does not wait. A resource that is taken over counts as created for the
// object.
func (r *Reconciler) awaitTakeover(ctx context.Context, s *Scope) (*ctrl.Result, error) {
	o, status := s.Object, s.Object.CommonStatus().Common()
	if !rules.IsFromOriginal(o, status.Conditions, status.CreatedForUID) || !o.GetDeletionTimestamp().IsZero() && catalog.IsRetained(o) {
		return nil, nil
	}
	now := r.Clock.Now()
	at, err := r.ClusterID.Takeover(ctx, now)
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		r.warnOfTakeover.Do(func() {
			logf.FromContext(ctx).Info("The original service-catalog created objects of this cluster: no requests are sent for them, and they are not released, until the takeover is recorded", "run", rules.TakeOverCommand)
		})
		status.Conditions = rules.RequireTakeover(status.Conditions, now)
		result := r.requeue(now.Add(brokers.TakeoverInterval), o.CommonStatus())
		return &result, r.Record(ctx, s, o.CommonStatus())
	}
	if status.Conditions = rules.EndTakeover(status.Conditions); rules.IsTakenOver(o, at) {
		status.CreatedForUID = o.GetUID()
	}
	return nil, nil
}
