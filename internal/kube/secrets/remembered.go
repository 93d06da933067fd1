// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"math/rand/v2"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// refreshAfter is for how long the version of a Secret is remembered. Up to a tenth of it is taken off, so that Secrets that were first read
	// together are not read together again.
	refreshAfter = 10 * time.Minute
	// firstRetry and lastRetry bound the time after which a Secret that does not exist is read again. It doubles each time, and after a read that has
	// failed only up to lastRetryOfFailure: all that waits for the Secret waits for the API server.
	firstRetry, lastRetry, lastRetryOfFailure = 2 * time.Second, time.Minute, 10 * time.Second
	// minInterval is the minimum time between two reads of a Secret, also after failures.
	minInterval = 5 * time.Second
	// forgetAfter is for how long a Secret is remembered that no caller reads.
	forgetAfter = 30 * time.Minute
)

// known are the Secrets of a namespace that are remembered, by name.
type known struct {
	secrets map[string]*remembered
	callers int                 // first reads that have not ended
	repeats int                 // other reads that were begun since the last review
	evicted map[string]struct{} // forgotten for others, and their dependents are not told yet
}

// remembered is the state of a Secret as reads have shown it.
type remembered struct {
	// isKnown: a read has shown the version, or that the Secret does not exist. Otherwise err is the error of the last read; nil: there was none yet.
	isKnown bool
	version version
	err     error

	asked   time.Time     // when it was last asked about
	began   time.Time     // when the last read began
	due     time.Time     // when it is read again
	failed  time.Time     // a read that began before is followed by another
	retries int           // reads in a row that did not find it
	reading chan struct{} // closed at the end of the read in progress; nil: no read is
}

// version is the version of a Secret; zero: the Secret does not exist.
type version struct {
	uid      types.UID
	resource string
}

// evictOne forgets the Secret that no caller has read for the longest time. Its dependents are reconciled later, and read it again.
func (k *known) evictOne() {
	var oldest string
	for name, s := range k.secrets {
		if oldest == "" || s.asked.Before(k.secrets[oldest].asked) {
			oldest = name
		}
	}
	delete(k.secrets, oldest)
	if k.evicted == nil {
		k.evicted = map[string]struct{}{}
	}
	if len(k.evicted) < maxEvicted {
		k.evicted[oldest] = struct{}{}
	}
}

// takeEvicted returns a few names of Secrets that were evicted, once each.
func (k *known) takeEvicted() (names []string) {
	for name := range k.evicted {
		if len(names) == maxRoutine {
			break
		}
		names = append(names, name)
	}
	for _, name := range names {
		delete(k.evicted, name)
	}
	return names
}

// update stores the result of a read, and reports whether it differs from the result that callers got before.
func (s *remembered) update(found version, err error, now time.Time) (isChanged bool) {
	isFirst := !s.isKnown && s.err == nil
	s.reading = nil
	switch {
	case err == nil:
		isChanged = !isFirst && (!s.isKnown || s.version != found)
		s.isKnown, s.version, s.err = true, found, nil
	case !s.isKnown:
		s.err = err
	case apierrors.IsForbidden(err): // the right was withdrawn, and the former version proves nothing any more
		isChanged = true
		s.isKnown, s.version, s.err = false, version{}, err
	}
	switch {
	case apierrors.IsForbidden(err):
		s.retry(now, lastRetry)
	case err != nil:
		s.retry(now, lastRetryOfFailure)
	case found == version{}:
		s.retry(now, lastRetry)
	default:
		s.retries, s.due = 0, now.Add(refreshAfter-rand.N(refreshAfter/10))
	}
	if s.began.Before(s.failed) {
		s.expire()
	}
	return isChanged
}

func (s *remembered) retry(now time.Time, last time.Duration) {
	s.due = now.Add(min(firstRetry<<min(s.retries, 10), last))
	s.retries++
}

// expire has the Secret read again as soon as it may be.
func (s *remembered) expire() {
	if again := s.began.Add(minInterval); again.Before(s.due) {
		s.due = again
	}
}

// due returns the names of Secrets that are due, or to be forgotten: first those that are read again after a failure, and then a few others, the
// missing ones last. So many missing Secrets delay no credentials that were replaced. Existing Secrets are due once in refreshAfter, which leaves
// room for missing ones.
func (k *known) due(now time.Time) []string {
	var failed, existing, missing []string
	for name, s := range k.secrets {
		isBusy, isDue := s.reading != nil, s.isForgotten(now) || !now.Before(s.due)
		if isBusy || !isDue {
			continue
		}
		switch {
		case s.began.Before(s.failed):
			failed = append(failed, name)
		case s.version != version{}:
			existing = append(existing, name)
		default:
			missing = append(missing, name)
		}
	}
	routine := append(k.longestDue(existing, maxRoutine), k.longestDue(missing, maxRoutine)...)
	return append(k.longestDue(failed, maxRepeats), routine[:min(len(routine), maxRoutine)]...)
}

// longestDue returns so many names of Secrets that are due for the longest time.
func (k *known) longestDue(names []string, limit int) []string {
	if len(names) > limit {
		slices.SortFunc(names, func(x, y string) int { return k.secrets[x].due.Compare(k.secrets[y].due) })
		names = names[:limit]
	}
	return names
}

func (s *remembered) isForgotten(now time.Time) bool { return now.Sub(s.asked) >= forgetAfter }
