// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogsync

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is a class or a plan.
type Object interface {
	metav1.Object
	runtime.Object
}

// Changes are the writes that lead from the existing classes, or plans, to the desired ones.
type Changes[T Object] struct {
	Create []T
	Update []T
	// ClearRemoved are in the catalog again, to be written after an update; mark are no longer in it.
	ClearRemoved, SetRemoved []T
}

// Diff returns the writes that are needed. want are changed copies of existing objects, or new ones. Objects in kept, and objects that come from no
// catalog, stay unchanged.
func Diff[T Object](have map[string]T, want, kept []T, isOurs func(Object) bool) (s Changes[T]) {
	wanted := make(map[string]bool, len(want))
	for _, k := range kept {
		wanted[k.GetName()] = true
	}
	for _, w := range want {
		wanted[w.GetName()] = true
		old, ok := have[w.GetName()]
		switch {
		case !ok:
			s.Create = append(s.Create, w)
			continue
		case !equality.Semantic.DeepEqual(old, w):
			s.Update = append(s.Update, w)
		}
		if *RemovedFlag(w) {
			s.ClearRemoved = append(s.ClearRemoved, w)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		old := have[name]
		if !wanted[name] && isOurs(old) && !*RemovedFlag(old) && old.GetDeletionTimestamp().IsZero() {
			s.SetRemoved = append(s.SetRemoved, old.DeepCopyObject().(T))
		}
	}
	return s
}
