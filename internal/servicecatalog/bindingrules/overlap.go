// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Overlaps are the overlaps of predecessors, by id, that this process has seen begin or go on. Clocks say how much of an overlap is left only once, when
// the process first sees it: from then on it is measured, so that no clock that is set ends it early, or keeps it (R11).
type Overlaps map[string]Overlap

// Overlap is how much of an overlap was left at an uptime of the process.
type Overlap struct{ At, Left time.Duration }

// Observe returns the overlaps of the predecessors of a binding. b has the status on record.
func (in *Inputs) Observe(b *v1beta1.ServiceBinding) (all Overlaps) {
	for _, p := range b.Status.Predecessors {
		if p.Unreplaced {
			continue
		}
		if all == nil {
			all = Overlaps{}
		}
		all[p.ID] = Overlap{in.Uptime, in.overlapLeft(b, p)}
	}
	return all
}

// overlapLeft returns how much of the overlap of a predecessor is left. It is not longer than the overlap is now: that may have been shortened, or a clock
// was ahead when the end of the overlap was recorded.
func (in *Inputs) overlapLeft(b *v1beta1.ServiceBinding, p v1beta1.PredecessorBinding) time.Duration {
	overlap := catalog.RotationOverlap(b)
	if seen, ok := in.Overlaps[p.ID]; ok {
		return min(seen.Left-(in.Uptime-seen.At), overlap)
	}
	return min(p.RemoveAt.Sub(times.Earliest(in.Now, in.Server.Steady)), overlap) // by a clock that is ahead alone, it would be over early
}

// overlapEnds returns when the overlap of a predecessor is over, by this process's clock.
func (in *Inputs) overlapEnds(b *v1beta1.ServiceBinding, p v1beta1.PredecessorBinding) time.Time {
	return in.Now.Add(in.overlapLeft(b, p))
}

// retire records that the binding of an id was replaced, and when it is removed: after the overlap, at the latest when its credentials
// expire. Where they have expired already by this clock, that says nothing about the applications that use them.
func retire(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus, id string, now time.Time) {
	at := overlapEnd(b, now)
	if end := s.ExpiresAt; end != nil && end.After(now) && end.Before(&at) {
		at = *times.Timestamp(end.Time)
	}
	s.Predecessors = append(s.Predecessors, v1beta1.PredecessorBinding{ID: id, RemoveAt: at})
}

// overlapEnd returns when a binding is removed whose credentials are replaced now.
func overlapEnd(b *v1beta1.ServiceBinding, now time.Time) metav1.Time {
	return *times.Timestamp(now.Add(catalog.RotationOverlap(b)))
}

// recordReplaced has the overlap of predecessors begin that nothing had replaced yet.
func recordReplaced(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus, now time.Time) {
	for i := range s.Predecessors {
		if p := &s.Predecessors[i]; p.Unreplaced {
			p.RemoveAt, p.Unreplaced = overlapEnd(b, now), false
		}
	}
}

// sortPredecessors puts the predecessors into the order of their removal. The recorded times stay: one that is further away than the overlap may be of a
// clock that was ahead, or the present clock is behind, by which the overlap of credentials in use would be over once that clock is put right (R11).
func (in *Inputs) sortPredecessors(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) {
	slices.SortStableFunc(s.Predecessors, func(p, q v1beta1.PredecessorBinding) int {
		return cmp.Compare(in.overlapLeft(b, p), in.overlapLeft(b, q))
	})
}

// preferPredecessor puts the first predecessor for which something holds before the others.
func preferPredecessor(s *v1beta1.ServiceBindingStatus, holds func(v1beta1.PredecessorBinding) bool) {
	if i := slices.IndexFunc(s.Predecessors, holds); i > 0 {
		first := s.Predecessors[i]
		s.Predecessors = slices.Insert(slices.Delete(s.Predecessors, i, i+1), 0, first)
	}
}
