// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package enqueue

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestWhatIsMadeAnewIsEdited(t *testing.T) {
	of := func(uid string, generation int64) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), Generation: generation}}
	}
	for name, c := range map[string]struct {
		is   *metav1.PartialObjectMetadata
		want bool
	}{
		"another spec":               {of("a", 2), true},
		"another of the same name":   {of("b", 1), true},
		"the same, but for a status": {of("a", 1), false},
	} {
		if got := SpecChanged.Update(event.UpdateEvent{ObjectOld: of("a", 1), ObjectNew: c.is}); got != c.want {
			t.Errorf("%s is news: %t", name, got)
		}
	}
}

func TestDeletionBegan(t *testing.T) {
	lives, leaves := &metav1.PartialObjectMetadata{}, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: new(metav1.Now())}}
	for name, c := range map[string]struct {
		before, after *metav1.PartialObjectMetadata
		want          bool
	}{
		"an edit":           {lives, lives, false},
		"the deletion":      {lives, leaves, true},
		"an edit during it": {leaves, leaves, false},
	} {
		if got := DeletionBegan.Update(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
			t.Errorf("%s passes: %t, want %t", name, got, c.want)
		}
	}
}
