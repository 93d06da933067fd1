// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/sourcerules"
)

const (
	// recordEvery is how often the status of an AlertSource is written while posts arrive.
	recordEvery = time.Minute
	// maxKept is of how many AlertSources something is kept. Another one's is read from its status, which the cache may show late: then it
	// is written once more.
	maxKept = 4096
)

// recorded is this process's last record about an AlertSource.
type recorded struct {
	// received is the time of the last post, truncated of one that its sender had cut, cut of one that was cut here, and broken of one that was
	// refused.
	received, truncated, cut, broken time.Time
	// isRefused: a post was refused, and no status says so yet.
	isRefused bool
	// reported is when an event last said that the clock of a sender is behind.
	reported time.Time
	// series has the posts of alerts to the API, also those that were not written.
	series sourcerules.Series
}

// memory has the records of this process about the AlertSources that got the last posts.
type memory struct {
	mu   sync.Mutex
	last *lru.Cache // types.NamespacedName → recorded
}

// of returns the record about a source; zero: none.
func (m *memory) of(name types.NamespacedName) recorded {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.get(name)
}

// update changes the record about a source.
func (m *memory) update(name types.NamespacedName, change func(*recorded)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.get(name)
	change(&r)
	m.last.Add(name, r)
}

func (m *memory) get(name types.NamespacedName) recorded {
	if m.last == nil {
		m.last = lru.New(maxKept)
	}
	found, _ := m.last.Get(name)
	r, _ := found.(recorded)
	return r
}

// lastOf returns the later one of a time of this process and of that in a status, unless that was recorded by a clock that was ahead.
func lastOf(own time.Time, written *metav1.Time, now time.Time) time.Time {
	if times.IsAhead(own, now) {
		own = time.Time{}
	}
	if written == nil || times.IsAhead(written.Time, now) {
		return own
	}
	return times.Latest(own, written.Time)
}

// lastReceived returns when a source last received a post, as far as this process knows.
func (s *Store) lastReceived(source *v1beta1.AlertSource, now time.Time) time.Time {
	return lastOf(s.memory.of(client.ObjectKeyFromObject(source)).received, source.Status.LastReceivedTime, now)
}

// seriesOf returns the series of posts to a source, as far as this process knows. A refusal has ended it, also one that is not written yet.
func (s *Store) seriesOf(source *v1beta1.AlertSource) sourcerules.Series {
	written, own := sourcerules.SeriesOf(source), s.memory.of(client.ObjectKeyFromObject(source))
	if own.isRefused {
		return sourcerules.Series{}
	}
	return sourcerules.Series{Since: times.Latest(written.Since, own.series.Since), Until: times.Latest(written.Until, own.series.Until)}
}

// record records a post that was stored. One at an unknown time is no part of a series, as one that was refused.
func (s *Store) record(ctx context.Context, source *v1beta1.AlertSource, plan sourcerules.Plan, isOfSeries bool) {
	if s.Times.areUnknown() {
		_ = s.recordRefusal(ctx, source) // nothing ends at an unknown time, also if this fails
		isOfSeries = false
	}
	s.recordStored(ctx, source, plan, isOfSeries)
}

// recordStored records a post that was stored in the status of its source: its time, that its sender has cut it, how many of its alerts were cut
// here, and, if it is part of the series of the source, that. Each is written at most once a minute, but a new series, and a refusal that could not
// be written, at once. That it cannot be written does not matter: the next post writes it, and until then nothing lapses.
func (s *Store) recordStored(ctx context.Context, source *v1beta1.AlertSource, plan sourcerules.Plan, isOfSeries bool) {
	now, _ := s.Times.Now()
	key, written, status := client.ObjectKeyFromObject(source), &metav1.Time{Time: now}, source.Status
	own := s.memory.of(key)
	if now.Sub(s.lastReceived(source, now)) >= recordEvery {
		status.LastReceivedTime = written
	}
	if plan.IsTruncated && now.Sub(lastOf(own.truncated, status.LastTruncatedTime, now)) >= recordEvery {
		status.LastTruncatedTime = written
	}
	if plan.Cut > 0 && now.Sub(lastOf(own.cut, status.LastCutTime, now)) >= recordEvery {
		status.LastCutTime, status.CutAlerts = written, int32(plan.Cut) //nolint:gosec // at most the alerts of a post
	}
	if own.isRefused {
		status.ReceivingBrokenTime = written
	}
	if isOfSeries {
		before := s.seriesOf(source)
		series := before.With(now, plan.Gap)
		s.memory.update(key, func(r *recorded) { r.series = series })
		if until := status.ReceivingUntil; !series.Since.Equal(before.Since) || until == nil || now.Sub(until.Time) >= recordEvery {
			status.ReceivingSince, status.ReceivingUntil = &metav1.Time{Time: series.Since}, written
		}
	}
	_ = s.patch(ctx, source, status)
}

// recordRefusal records that a post was refused, at most once a minute. Its source is not silent, and alerts of the post may fire that no record has.
// A refusal that cannot be written is kept for the next post that is stored: a sender may not repeat this one.
func (s *Store) recordRefusal(ctx context.Context, source *v1beta1.AlertSource) error {
	if isWritten := s.keepRefusal(source); isWritten {
		return nil
	}
	now, _ := s.Times.Now()
	if now.IsZero() {
		return busy("the time of the API server is not known yet")
	}
	written, status := &metav1.Time{Time: now}, source.Status
	status.LastReceivedTime, status.ReceivingBrokenTime = written, written
	return s.patch(ctx, source, status)
}

// keepRefusal keeps that a post was refused until a status says so, and reports whether one has done so within a minute.
func (s *Store) keepRefusal(source *v1beta1.AlertSource) (isWritten bool) {
	now, _ := s.Times.Now()
	s.memory.update(client.ObjectKeyFromObject(source), func(r *recorded) {
		isWritten = !now.IsZero() && now.Sub(r.broken) < recordEvery && !times.IsAhead(r.broken, now)
		r.isRefused = r.isRefused || !isWritten
	})
	return isWritten
}

// patch writes a status, if it differs, and keeps its times. It is a copy of the present one in which pointers were replaced.
func (s *Store) patch(ctx context.Context, source *v1beta1.AlertSource, status v1beta1.AlertSourceStatus) error {
	if equality.Semantic.DeepEqual(source.Status, status) {
		return nil
	}
	after := source.DeepCopy()
	after.Status = *status.DeepCopy()
	if err := s.Client.Status().Patch(ctx, after, client.MergeFrom(source)); err != nil {
		log.FromContext(ctx).V(1).Info("The time of a post was not recorded", "namespace", source.Namespace, "alertSource", source.Name, "why", err.Error())
		return err
	}
	s.memory.update(client.ObjectKeyFromObject(source), func(r *recorded) {
		if at := status.LastReceivedTime; at != nil {
			r.received = at.Time
		}
		if at := status.LastTruncatedTime; at != nil {
			r.truncated = at.Time
		}
		if at := status.LastCutTime; at != nil {
			r.cut = at.Time
		}
		if at := status.ReceivingBrokenTime; at != source.Status.ReceivingBrokenTime { // a time that another process wrote does not count here
			r.broken, r.isRefused = at.Time, false
		}
	})
	return nil
}
