// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// Limits of the events of a reason about the objects of a kind in a namespace: a restart looks at all of them.
const (
	maxWarnings    = 10
	warningsWindow = time.Hour
)

// warn emits an event about an object, once for each message.
func (r *Reconciler) warn(s *situation, reason, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if r.seen.isNewWarning(s.req.key(), reason, message) && r.warnings.take(s.req, reason, time.Now()) {
		r.recorder.Eventf(s.object, nil, corev1.EventTypeWarning, reason, "Page", "%s", redact.Shorten(redact.Capitalize(message), redact.MaxNote))
	}
}

// warningBudget bounds events. The zero value is ready to use.
type warningBudget struct {
	mu     sync.Mutex
	recent map[warningsOf][]time.Time
}

type warningsOf struct {
	reason, namespace string
	resource          schema.GroupResource
}

// take reports whether there may be one more event.
func (b *warningBudget) take(req request, reason string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	isPast := func(at time.Time) bool { return !now.Before(at.Add(warningsWindow)) }
	of := warningsOf{reason, req.Namespace, req.Resource}
	recent := b.recent[of]
	for len(recent) > 0 && isPast(recent[0]) {
		recent = recent[1:]
	}
	if len(recent) >= maxWarnings {
		return false
	}
	if len(recent) == 0 { // others may be over, too
		maps.DeleteFunc(b.recent, func(_ warningsOf, times []time.Time) bool { return isPast(times[len(times)-1]) })
	}
	if b.recent == nil {
		b.recent = map[warningsOf][]time.Time{}
	}
	b.recent[of] = append(recent, now)
	return true
}
