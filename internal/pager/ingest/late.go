// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
	"github.com/gophernetes/bellhop/internal/pager/sourcerules"
)

// maxLate is of how many alerts the ends are kept that were in the past when they were posted. Of more, those that were posted last, and of the source
// with most of them fewer.
const maxLate = 16384

// reportEvery is how often an event says that the clock of a sender is behind.
const reportEvery = time.Hour

// reasonSenderClockBehind is the reason of that event.
const reasonSenderClockBehind = "SenderClockBehind"

// learning is for how long after the start of the listener an end in the past that it has not seen before says nothing: alerts that fire by a clock
// that is behind would end with each restart. Alerts that have ended are posted again.
const learning = 5 * time.Minute

// correctEnds has the alerts of a post to the API fire that do so by the clock of their sender.
func (s *Store) correctEnds(source *v1beta1.AlertSource, post *alertmanager.Post) {
	now, servedSince := s.Times.Now()
	key := client.ObjectKeyFromObject(source)
	corrected, behind := s.late.correct(key, post.Alerts, now, now.Sub(servedSince) < learning)
	post.Alerts = corrected
	if behind == 0 {
		return
	}
	isDue := false
	s.memory.update(key, func(r *recorded) {
		if isDue = r.reported.IsZero() || now.Sub(r.reported).Abs() >= reportEvery; isDue {
			r.reported = now
		}
	})
	if isDue {
		s.Recorder.Eventf(source, nil, corev1.EventTypeWarning, reasonSenderClockBehind, "Receive",
			"Alerts that are posted again and again had ended %s before, by their endsAt and the clock of the API server: they fire, and the clock of their sender is behind", behind)
	}
}

// lateEnds has the ends in the past that were posted to the API, by alert. The zero value has none.
type lateEnds struct {
	mu    sync.Mutex
	last  map[types.NamespacedName]*lru.Cache // endKey → source.Ends, by AlertSource
	count int
}

// endKey is an alert of one sender: the senders of a pair have noticed it at different times.
type endKey struct {
	alert string
	start int64 // in nanoseconds since 1970
}

// correct gives the alerts of a post an end in the future that fire by the clock of their sender, which is behind, and returns how far behind that is
// at least; 0: there are no such alerts. While it is learning, it leaves out alerts that may fire or have ended.
func (l *lateEnds) correct(to types.NamespacedName, alerts []alertmanager.Alert, now time.Time, isLearning bool) (corrected []alertmanager.Alert, behind time.Duration) {
	corrected = alerts[:0]
	for _, a := range alerts {
		if sourcerules.IsLate(a, now) {
			ends, isNew := l.with(to, endKey{sourcerules.KeyOf(a), a.StartsAt.UnixNano()}, a, now)
			lapses, fires := ends.Fires(now)
			switch {
			case fires:
				a.EndsAt, behind = lapses, max(behind, ends.BehindBy(now))
			case isNew && isLearning:
				continue
			}
		}
		corrected = append(corrected, a)
	}
	return corrected, behind
}

// with records the end of an alert, and returns all, and whether the last one differs from that before.
func (l *lateEnds) with(to types.NamespacedName, key endKey, a alertmanager.Alert, now time.Time) (after sourcerules.Ends, isNew bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[types.NamespacedName]*lru.Cache{}
	}
	if l.last[to] == nil {
		l.last[to] = lru.New(maxLate + 1)
	}
	found, isKnown := l.last[to].Get(key)
	before, _ := found.(sourcerules.Ends)
	after = before.With(a, now)
	l.last[to].Add(key, after)
	if !isKnown {
		l.count++
		l.makeRoom()
	}
	return after, after != before
}

// makeRoom drops ends of the source with most of them, if there are too many. The mutex is locked.
func (l *lateEnds) makeRoom() {
	if l.count <= maxLate {
		return
	}
	most := slices.MaxFunc(slices.Collect(maps.Keys(l.last)), func(a, b types.NamespacedName) int { return l.last[a].Len() - l.last[b].Len() })
	l.last[most].RemoveOldest()
	l.count--
}
