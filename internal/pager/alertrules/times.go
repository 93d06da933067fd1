// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Earliest returns the earlier one of two times, where zero is never.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// future returns t, or zero if it has passed.
func future(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}

// clockTolerance is how far the clocks of two replicas may be apart.
const clockTolerance = time.Minute

// IsAhead reports whether a recorded time lies in the future: the clock that it was taken from has been corrected since, so that what is due
// some time after it is due now (R11).
func IsAhead(recorded, now time.Time) bool { return recorded.Sub(now) > clockTolerance }

// Latest returns the later one of two times.
func Latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Seconds is a time as statuses have it.
func Seconds(t time.Time) *metav1.Time {
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// Stamp is a time as messages have it.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
