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
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/ingest/alertmanager"
	"github.com/gophernetes/bellhop/internal/lifecycle/source"
)

// maxLate is of how many alerts the ends are kept that were in the past when they were posted. Of more, those that were posted last.
const maxLate = 16384

// reportEvery is how often an event says that the clock of a sender is behind.
const reportEvery = time.Hour

// reasonSenderClockBehind is the reason of that event.
const reasonSenderClockBehind = "SenderClockBehind"

// correctEnds has the alerts of a post to the API fire that do so by the clock of their sender.
func (s *Store) correctEnds(to *v1beta1.AlertSource, alerts []alertmanager.Alert) {
	now, _ := s.Times.Now()
	key := client.ObjectKeyFromObject(to)
	behind := s.late.correct(key, alerts, now)
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
		s.Recorder.Eventf(to, nil, corev1.EventTypeWarning, reasonSenderClockBehind, "Receive",
			"Alerts that are posted again and again had ended %s before, by their endsAt and the clock of the API server: they fire, and the clock of their sender is behind", behind)
	}
}

// lateEnds has the ends in the past that were posted to the API, by alert. The zero value has none.
type lateEnds struct {
	mu   sync.Mutex
	last *lru.Cache // endKey → source.Ends
}

type endKey struct {
	source types.NamespacedName
	alert  string
}

// correct gives the alerts of a post an end in the future that fire by the clock of their sender, which is behind. It returns how far behind that is
// at least; 0: there are none.
func (l *lateEnds) correct(to types.NamespacedName, alerts []alertmanager.Alert, now time.Time) (behind time.Duration) {
	for i := range alerts {
		if !source.IsLate(alerts[i], now) {
			continue
		}
		ends := l.with(endKey{to, source.KeyOf(alerts[i])}, alerts[i])
		if lapses, fires := ends.Fires(now); fires {
			alerts[i].EndsAt = lapses
			behind = max(behind, ends.BehindBy(now))
		}
	}
	return behind
}

// with records the end of an alert, and returns all.
func (l *lateEnds) with(key endKey, a alertmanager.Alert) source.Ends {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = lru.New(maxLate)
	}
	found, _ := l.last.Get(key)
	ends, _ := found.(source.Ends)
	ends = ends.With(a)
	l.last.Add(key, ends)
	return ends
}
