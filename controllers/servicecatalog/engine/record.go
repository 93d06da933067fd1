// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// reasonError is an error that blocks a reconcile, with the reason that the conditions get.
type reasonError struct {
	reason string
	error
}

// WithReason returns an error with the reason that the conditions get; nil for nil. That others come first is no news.
func WithReason(reason string, err error) error {
	if err == nil || errors.Is(err, secrets.ErrBusy) {
		return err
	}
	return &reasonError{reason, err}
}

// fail records the results of requests, and the error that blocks the reconcile, which is retried.
func (r *Reconciler) fail(ctx context.Context, m Machine, err error) error {
	s := m.Common()
	if t, ok := errors.AsType[*reasonError](err); ok {
		s.Object.SetStatus(m.StatusForBlocker(rules.InProgress(t.reason, t.Error()), r.Clock.Now()))
		r.KeepPending(s)
	}
	if !controllerutil.ContainsFinalizer(s.Before, v1beta1.Finalizer) {
		EmitFinalizerRefused(r.Recorder, s.Before, err)
	}
	if s.Memory.PendingStatus == nil {
		return err
	}
	return errors.Join(err, r.Record(ctx, s, s.Object.CommonStatus()))
}

// recordAhead records a status before the step that follows from it (R1); nil: nothing has to be written first. After an error the step must not be
// taken.
func (r *Reconciler) recordAhead(ctx context.Context, s *Scope, ahead v1beta1.ServiceObjectStatus) error {
	if ahead != nil {
		if err := r.Record(ctx, s, ahead); err != nil {
			return err
		}
	}
	return s.Stopping()
}

// Record writes the status, if it differs from the one on record.
func (r *Reconciler) Record(ctx context.Context, s *Scope, status v1beta1.ServiceObjectStatus) error {
	before := s.Before.CommonStatus()
	if equality.Semantic.DeepEqual(status, before) || s.polled && isProgressOnly(before, status) && !r.progressWrites.AllowN(r.Clock.Now(), 1) {
		s.Memory.PendingStatus, s.Memory.Unrecorded = nil, nil
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	after := s.Before.WithOwnStatus() // the answer of the API server replaces all of it
	if err := patch.Status(ctx, r.Client, after, status); err != nil {
		return err
	}
	openProblem := r.HasOpenProblem(s)
	announceNextID(ctx, r.Recorder, s.Before, status.Common().ExternalID)
	emitEvents(ctx, r.Recorder, s.Before, before.Common().Conditions, status.Common().Conditions, openProblem)
	s.Memory.openProblem = openProblem && isQuiet(status.Common().Conditions)
	s.Memory.PendingStatus, s.Memory.Unrecorded = nil, nil
	s.Before = after
	return nil
}

// HasOpenProblem reports whether an event has announced a problem that has not ended.
func (r *Reconciler) HasOpenProblem(s *Scope) bool {
	return hasOpenProblem(s.Before.CommonStatus().Common().Conditions, s.Memory.openProblem)
}

// isProgressOnly reports whether only messages differ while an operation is in progress: the next poll brings new ones.
func isProgressOnly(before, after v1beta1.ServiceObjectStatus) bool {
	a, b := before.DeepCopyStatus(), after.DeepCopyStatus()
	for _, status := range []v1beta1.ServiceObjectStatus{a, b} {
		conditions := status.Common().Conditions
		for i := range conditions {
			conditions[i].Message = ""
		}
	}
	return after.Common().AsyncOpInProgress && equality.Semantic.DeepEqual(a, b)
}

// release removes the finalizer.
func (r *Reconciler) release(ctx context.Context, s *Scope, at audit.External, why rules.Cause) error {
	ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	if err := patch.RemoveFinalizer(ctx, r.Client, s.Before.WithOwnStatus(), v1beta1.Finalizer); err != nil {
		return err
	}
	s.Memory.PendingStatus, s.Memory.Unrecorded, s.Memory.released = nil, nil, true
	EmitRelease(ctx, r.Recorder, s.Before, at, why, r.HasOpenProblem(s))
	r.CountRelease(r.kind.Name, why)
	return nil
}
