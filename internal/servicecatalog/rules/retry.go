// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

const (
	// firstPoll and lastPoll bound the interval between two polls of an operation.
	firstPoll, lastPoll = time.Second, time.Minute
)

const (
	// MaxRepeats is how often a request with an unknown outcome is repeated unchanged before orphan mitigation.
	MaxRepeats = 3
	// MaxRemovals is the number of orphan mitigations of one generation without a delay; the following ones wait as slowBackoff says.
	MaxRemovals = 3
)

var (
	// backoff has the delays after failed requests, and slowBackoff the delays of orphan mitigations after MaxRemovals.
	backoff     = times.Backoff{First: time.Second, Last: 10 * time.Minute, Jitter: 20, Steps: 400}
	slowBackoff = times.Backoff{First: time.Hour, Last: 24 * time.Hour, Jitter: 20, Steps: 400}
)

// Backoff returns the delay after the count-th failure: exponential, with a jitter that is fixed for a UID and count, and at least
// as long as the broker's Retry-After, asked.
func Backoff(uid types.UID, count int32, asked time.Duration) time.Duration {
	return max(backoff.Delay(seedOf(uid), count), asked)
}

// seedOf is the seed of the jitter of an object's delays.
func seedOf(uid types.UID) string { return string(uid) + "/" }

// MisconfiguredBackoff returns the delay after the count-th answer in a row that looks like a misconfiguration (R12).
func MisconfiguredBackoff(uid types.UID, count int32, asked time.Duration) time.Duration {
	return max(backoff.Spread(limiter.MisconfigurationDelay(int(count)), seedOf(uid), count), asked)
}

// MisconfiguredAnswers returns how many of the last answers in a row look like a misconfiguration.
func MisconfiguredAnswers(a *v1beta1.Attempts) int32 {
	if a == nil {
		return 0
	}
	return a.Misconfigured
}

// IsSlow reports whether requests are retried slowly, so that the object is Stalled.
func IsSlow(a *v1beta1.Attempts) bool {
	return a != nil && (a.Misconfigured > limiter.QuickRetries || isMitigationSlow(a.Mitigation))
}

// isMitigationSlow reports whether the next attempt after the orphan mitigations is due after hours.
func isMitigationSlow(m v1beta1.Mitigation) bool { return m.Removals >= MaxRemovals || m.Unremoved > 0 }

// IsConflictUnexplained reports whether the broker has something under the id that no request on record can have created.
func IsConflictUnexplained(a *v1beta1.Attempts) bool {
	return a != nil && a.Conflict && a.Unknown == 0
}

// MaxRepeatsAfter returns how often a request with an unknown outcome is repeated unchanged after orphan mitigations.
func MaxRepeatsAfter(m v1beta1.Mitigation) int32 {
	if isMitigationSlow(m) {
		return 0
	}
	return MaxRepeats
}

// PollInterval returns the delay before the next poll of an operation: a quarter of its running time or the broker's Retry-After,
// asked, within firstPoll and lastPoll.
func PollInterval(running, asked time.Duration) time.Duration {
	return min(max(running/4, firstPoll, asked), lastPoll)
}

// RecordAnswer ends a series of answers that looked like a misconfiguration.
func RecordAnswer(a *v1beta1.Attempts) {
	if a != nil {
		a.Misconfigured, a.OwnFault, a.FailingSince = 0, false, nil
	}
}

// HasFailed reports whether an attempt has failed since the last success.
func HasFailed(a *v1beta1.Attempts) bool { return a != nil && a.Count > 0 }

// Failure describes a failed attempt.
type Failure struct {
	// Misconfigured: the answer looks like a misconfiguration.
	Misconfigured bool
	// OwnFault: requests of other objects succeeded meanwhile, so that the object is at fault.
	OwnFault bool
	// Probed: the broker looks misconfigured, and the object waits for the broker's probe.
	Probed bool
	// RetryAfter is the broker's Retry-After.
	RetryAfter time.Duration
}

// RecordFailure records a failed attempt and when the next one is due. An object that waits for the broker's probe has no time of
// its own, and its failure is counted once.
func RecordFailure(b *v1beta1.Backoff, uid types.UID, f Failure, now time.Time) {
	if f.Probed && b.Misconfigured > limiter.QuickRetries && b.NextTime == nil {
		return
	}
	b.Count++
	if b.FailingSince == nil {
		b.FailingSince = times.Timestamp(now)
	}
	b.OwnFault, b.LastTime = f.Misconfigured && f.OwnFault, times.Timestamp(now)
	wait := Backoff(uid, b.Count, f.RetryAfter)
	if f.Misconfigured {
		b.Misconfigured++
		wait = MisconfiguredBackoff(uid, b.Misconfigured, f.RetryAfter)
	} else {
		b.Misconfigured = 0
	}
	b.NextTime = times.Timestamp(now.Add(max(wait, time.Second)))
	if f.Probed {
		b.Misconfigured, b.NextTime = max(b.Misconfigured, limiter.QuickRetries+1), nil
	}
}

// RecordRemoval records an orphan mitigation and when the next attempt is due; after a refusal no attempt is.
func RecordRemoval(a *v1beta1.Attempts, uid types.UID, now time.Time) {
	a.Removals++
	endMitigation(a, uid, now)
}

// RecordLeftBehind records an orphan mitigation that has failed, whose id is left behind, and when the next attempt is due.
func RecordLeftBehind(a *v1beta1.Attempts, uid types.UID, now time.Time) {
	a.Unremoved++
	endMitigation(a, uid, now)
}

func endMitigation(a *v1beta1.Attempts, uid types.UID, now time.Time) {
	a.Count, a.Misconfigured, a.Refusals, a.Unknown, a.Conflict, a.UnremovedSince = 0, 0, 0, 0, false, nil
	if a.NextTime = times.Timestamp(now.Add(mitigationDelay(uid, a.Mitigation))); a.Stopped {
		a.NextTime = nil
	}
}

// RemovalsOf returns how many resources that requests had left were removed at the broker since a person last requested an attempt.
func RemovalsOf(a *v1beta1.Attempts) int32 {
	if a == nil {
		return 0
	}
	return a.Removals
}

// RemovalOf returns the part of the attempts that counts until the credentials are in the Secret.
func RemovalOf(a *v1beta1.Attempts) *v1beta1.Attempts {
	if a == nil || a.Removals == 0 && a.Unremoved == 0 {
		return nil
	}
	return &v1beta1.Attempts{AttemptedSpec: a.AttemptedSpec, Mitigation: v1beta1.Mitigation{Removals: a.Removals, Unremoved: a.Unremoved}}
}

// RefusalOf returns the part of the attempts that stays once credentials are in the Secret: that the broker has refused to replace them.
func RefusalOf(a *v1beta1.Attempts) *v1beta1.Attempts {
	if a == nil || !a.Stopped {
		return nil
	}
	return &v1beta1.Attempts{
		AttemptedSpec: a.AttemptedSpec,
		Backoff:       v1beta1.Backoff{LastTime: a.LastTime},
		Outcome:       v1beta1.Outcome{Stopped: true, LastError: a.LastError},
	}
}

// mitigationDelay returns the delay of the attempt that follows orphan mitigations. The first one whose id is left behind has taken an hour
// already.
func mitigationDelay(uid types.UID, m v1beta1.Mitigation) (wait time.Duration) {
	if m.Removals >= MaxRemovals {
		wait = SlowDelay(uid, m.Removals-MaxRemovals+1)
	} else if m.Removals > 0 {
		wait = Backoff(uid, m.Removals, 0)
	}
	if m.Unremoved > 1 {
		wait = max(wait, SlowDelay(uid, m.Unremoved-1))
	}
	return wait
}

// SlowDelay returns the delay after the count-th clean-up at the slow schedule: an hour, which doubles up to a day.
func SlowDelay(uid types.UID, count int32) time.Duration {
	return slowBackoff.Delay(seedOf(uid), count)
}

// Attribution attributes an answer that looks like a misconfiguration to the object or to the broker.
type Attribution struct {
	// OwnFault: the object is at fault, as requests of others succeeded meanwhile.
	OwnFault bool
	// Probed names the broker whose probe decides when the object is retried; empty: the object has times of its own.
	Probed string
}
