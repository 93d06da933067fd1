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
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
	"github.com/gophernetes/bellhop/internal/lifecycle/source"
)

const (
	// recordEvery is how often the status of an AlertSource is written while posts arrive.
	recordEvery = time.Minute
	// maxKept is of how many AlertSources something is kept. Another one's is read from its status, which the cache may show late: then it
	// is written once more.
	maxKept = 4096
)

// kept has a value for each AlertSource, of those that were set last.
type kept[V any] struct {
	once  sync.Once
	cache *lru.Cache // types.NamespacedName → V
}

func (k *kept[V]) lru() *lru.Cache {
	k.once.Do(func() { k.cache = lru.New(maxKept) })
	return k.cache
}

func (k *kept[V]) set(name types.NamespacedName, value V) { k.lru().Add(name, value) }

// of returns the value of a source; the zero value if there is none.
func (k *kept[V]) of(name types.NamespacedName) V {
	found, _ := k.lru().Get(name)
	value, _ := found.(V)
	return value
}

// lastOf returns the later one of the time of a source and of that in its status, unless that was recorded by a clock that was ahead.
func lastOf(k *kept[time.Time], to *v1beta1.AlertSource, recorded *metav1.Time, now time.Time) time.Time {
	at := k.of(client.ObjectKeyFromObject(to))
	if lifecycle.IsAhead(at, now) {
		at = time.Time{}
	}
	if recorded == nil || lifecycle.IsAhead(recorded.Time, now) {
		return at
	}
	return lifecycle.Latest(at, recorded.Time)
}

// heardAt returns when a source was last heard from, as far as this process knows.
func (s *Store) heardAt(to *v1beta1.AlertSource, now time.Time) time.Time {
	return lastOf(&s.heard, to, to.Status.LastReceivedTime, now)
}

// seriesOf returns the series of posts to a source, as far as this process knows.
func (s *Store) seriesOf(to *v1beta1.AlertSource) source.Series {
	recorded, own := source.SeriesOf(to), s.series.of(client.ObjectKeyFromObject(to))
	return source.Series{Since: lifecycle.Latest(recorded.Since, own.Since), Until: lifecycle.Latest(recorded.Until, own.Until)}
}

// record records a post that was stored. One at an unknown time is no part of a series, as one that was refused.
func (s *Store) record(ctx context.Context, to *v1beta1.AlertSource, plan source.Plan, isOfSeries bool) {
	if s.Times.areUnknown() {
		_ = s.recordRefusal(ctx, to) // nothing ends at an unknown time, whatever is recorded
		isOfSeries = false
	}
	s.recordStored(ctx, to, plan, isOfSeries)
}

// recordStored records a post that was stored in the status of its source: its time, how many of its alerts were cut, and, if it is part of the
// series of the source, that. Each is written at most once a minute, but a new series at once. That it cannot be written does not matter: the
// next post writes it, and until then nothing lapses.
func (s *Store) recordStored(ctx context.Context, to *v1beta1.AlertSource, plan source.Plan, isOfSeries bool) {
	now, _ := s.Times.Now()
	key, written, after := client.ObjectKeyFromObject(to), &metav1.Time{Time: now}, to.DeepCopy()
	status := &after.Status
	if now.Sub(s.heardAt(to, now)) >= recordEvery {
		status.LastReceivedTime = written
	}
	if plan.Cut > 0 && now.Sub(lastOf(&s.cut, to, status.LastCutTime, now)) >= recordEvery {
		status.LastCutTime, status.CutAlerts = written, int32(plan.Cut) //nolint:gosec // at most the alerts of a post
	}
	if isOfSeries {
		before := s.seriesOf(to)
		series := before.With(now, plan.Gap)
		s.series.set(key, series)
		if until := status.ReceivingUntil; !series.Since.Equal(before.Since) || until == nil || now.Sub(until.Time) >= recordEvery {
			status.ReceivingSince, status.ReceivingUntil = &metav1.Time{Time: series.Since}, written
		}
	}
	_ = s.patch(ctx, to, after)
}

// recordRefusal records that a post was refused, at most once a minute. Its source is not silent, and what the post had may fire, though nothing
// says so.
func (s *Store) recordRefusal(ctx context.Context, to *v1beta1.AlertSource) error {
	now, _ := s.Times.Now()
	if now.IsZero() {
		return busy("the time of the API server is not known yet")
	}
	key, written := client.ObjectKeyFromObject(to), &metav1.Time{Time: now}
	if last := s.broken.of(key); now.Sub(last) < recordEvery && !lifecycle.IsAhead(last, now) {
		return nil
	}
	after := to.DeepCopy()
	after.Status.LastReceivedTime, after.Status.ReceivingBrokenTime = written, written
	if err := s.patch(ctx, to, after); err != nil {
		return err
	}
	s.broken.set(key, now)
	return nil
}

// patch writes a status, if it differs, and keeps its times.
func (s *Store) patch(ctx context.Context, before, after *v1beta1.AlertSource) error {
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	if err := s.Client.Status().Patch(ctx, after.DeepCopy(), client.MergeFrom(before)); err != nil {
		log.FromContext(ctx).V(1).Info("The time of a post was not recorded", "namespace", before.Namespace, "alertSource", before.Name, "why", err.Error())
		return err
	}
	key := client.ObjectKeyFromObject(before)
	if at := after.Status.LastReceivedTime; at != nil {
		s.heard.set(key, at.Time)
	}
	if at := after.Status.LastCutTime; at != nil {
		s.cut.set(key, at.Time)
	}
	return nil
}
