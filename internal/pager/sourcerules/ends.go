// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"time"

	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

const (
	// minLate is how long an end has to have passed when it is posted, so that its sender's clock may be behind: a sender also posts alerts that end
	// now.
	minLate = time.Minute
	// minMoves is how often in a row an end has to move, so that its alert counts as firing: two senders of a pair may notice an end one after the
	// other, which moves it once.
	minMoves = 2
	// postsInLapse is how often a sender posts an alert in the time that it gives it: Prometheus gives 4 times the interval.
	postsInLapse = 4
)

// Ends are the ends in the past that posts to the API have given an alert. An alert that has ended keeps its end. If each post gives it a later one,
// it fires, and the clock of its sender is behind.
type Ends struct {
	start, last time.Time
	step        time.Duration // from the end before the last one
	moves       int           // in a row
	moved       time.Time     // when the last one was first posted
}

// KeyOf identifies a posted alert by its labels.
func KeyOf(a alertmanager.Alert) string { return keyOf(a.Labels) }

// IsLate reports whether an alert of the API ended some time ago by its end.
func IsLate(a alertmanager.Alert, now time.Time) bool {
	return !a.StartsAt.IsZero() && !a.EndsAt.IsZero() && now.Sub(a.EndsAt) > minLate
}

// With returns the ends with the end of one more post, at a time.
func (e Ends) With(a alertmanager.Alert, now time.Time) Ends {
	switch {
	case !a.StartsAt.Equal(e.start) || a.EndsAt.Before(e.last):
		return Ends{start: a.StartsAt, last: a.EndsAt, moved: now}
	case a.EndsAt.Equal(e.last): // of the other one of a pair, or it does not move any more
		return e
	}
	return Ends{start: e.start, last: a.EndsAt, step: a.EndsAt.Sub(e.last), moves: e.moves + 1, moved: now}
}

// Fires reports whether the alert fires by another clock, and when it lapses by this one, unless it is posted again.
func (e Ends) Fires(now time.Time) (lapses time.Time, fires bool) {
	after := max(defaultLapse, min(postsInLapse*e.step, maxLapse))
	return now.Add(after), e.moves >= minMoves && now.Sub(e.moved) < after
}

// BehindBy is how far a clock is behind at least that has given the ends.
func (e Ends) BehindBy(now time.Time) time.Duration { return now.Sub(e.last).Truncate(time.Second) }
