// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package enqueue

import (
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// SpecChanged passes updates of the spec, and of an object that was created again under its name.
var SpecChanged = predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: IsReplaced})

// DeletionBegan passes the update with which the deletion of an object begins.
var DeletionBegan = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	return e.ObjectOld.GetDeletionTimestamp().IsZero() && !e.ObjectNew.GetDeletionTimestamp().IsZero()
}}

// IsReplaced reports whether an update is of an object that was deleted and created again: a cache that relists shows both as one
// update.
func IsReplaced(e event.UpdateEvent) bool { return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() }
