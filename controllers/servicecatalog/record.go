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
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/patch"
)

// trouble is an error that blocks a reconcile, with the reason that the conditions get.
type trouble struct {
	reason string
	error
}

// inTheWay returns an error with the reason that the conditions get; nil for nil.
func inTheWay(reason string, err error) error {
	if err == nil {
		return nil
	}
	return &trouble{reason, err}
}

// fail records the results of requests, and the error that blocks the reconcile, which is retried.
func (r *reconciler[O, S, M]) fail(ctx context.Context, of KindScope[O, S, M], err error) error {
	v := of.scope()
	if t, ok := errors.AsType[*trouble](err); ok {
		status := of.StatusForBlocker(lifecycle.InProgress(t.reason, t.Error()), r.clock.Now())
		*r.kind.Status(v.object) = status
		r.keep(v, status)
	}
	if v.known.unrecorded == nil {
		return err
	}
	return errors.Join(err, r.record(ctx, v, *r.kind.Status(v.object)))
}

// record writes the status, if it differs from the one on record.
func (r *reconciler[O, S, M]) record(ctx context.Context, v *view[O, S, M], status S) error {
	before := r.kind.Status(v.before)
	if equality.Semantic.DeepEqual(status, *before) || v.polled && r.isChatter(before, &status) && !r.chatter.AllowN(r.clock.Now(), 1) {
		v.known.unrecorded, v.known.made = nil, nil
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	after := v.before.DeepCopyObject().(O)
	if err := patch.Status(ctx, r.client, after, status); err != nil {
		return err
	}
	open := r.isOpen(v)
	announce(ctx, r.recorder, v.before, r.kind.Conditions(before), r.kind.Conditions(&status), open)
	v.known.open = open && isQuiet(r.kind.Conditions(&status))
	v.known.unrecorded, v.known.made = nil, nil
	v.before = after
	return nil
}

// isOpen reports whether an event has announced a problem that has not ended.
func (r *reconciler[O, S, M]) isOpen(v *view[O, S, M]) bool {
	return isOpen(r.kind.Conditions(r.kind.Status(v.before)), v.known.open)
}

// isChatter reports whether only messages differ while an operation is in progress: the next poll brings new ones.
func (r *reconciler[O, S, M]) isChatter(before, after *S) bool {
	a, b := r.kind.CopyStatus(before), r.kind.CopyStatus(after)
	for _, status := range []*S{a, b} {
		conditions := r.kind.Conditions(status)
		for i := range conditions {
			conditions[i].Message = ""
		}
	}
	return r.kind.IsInProgress(after) && equality.Semantic.DeepEqual(a, b)
}

// release removes the finalizer.
func (r *reconciler[O, S, M]) release(ctx context.Context, v *view[O, S, M], why lifecycle.Cause) error {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := patch.RemoveFinalizer(ctx, r.client, v.before.DeepCopyObject().(O), v1beta1.Finalizer); err != nil {
		return err
	}
	v.known.unrecorded, v.known.made, v.known.released = nil, nil, true
	announceRelease(ctx, r.recorder, v.before, why, r.isOpen(v))
	r.released(r.kind.Name(), why)
	return nil
}
