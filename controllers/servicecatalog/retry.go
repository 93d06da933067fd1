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

package servicecatalog

import (
	"fmt"
	"hash/fnv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
)

const (
	// firstRetry and lastRetry bound how long it takes until a failed request is repeated.
	firstRetry, lastRetry = time.Second, 10 * time.Minute
	// firstPoll and lastPoll bound how long it takes until an operation is asked for again.
	firstPoll, lastPoll = time.Second, time.Minute
)

const (
	// maxRepeats is how often a request whose outcome is not known is repeated as it was
	// before what it may have left is removed.
	maxRepeats = 3
	// maxRemovals is how often that happens quickly for one generation; then it happens
	// after firstRemovalDelay, which doubles up to lastRemovalDelay.
	maxRemovals                         = 3
	firstRemovalDelay, lastRemovalDelay = time.Hour, 24 * time.Hour
)

// backoff is how long to wait after the count-th failure: ever longer, as long as the
// broker asks at least, and not the same for all that failed at once.
func backoff(uid types.UID, count int32, asked time.Duration) time.Duration {
	return max(jittered(min(firstRetry<<min(count-1, 20), lastRetry), uid, count), asked)
}

// jittered is a delay, or up to a fifth more or less.
func jittered(wait time.Duration, uid types.UID, count int32) time.Duration {
	hash := fnv.New32a()
	fmt.Fprintf(hash, "%s/%d", uid, count)
	jitter := time.Duration(hash.Sum32()%400) * wait / 1000 // up to 40 %
	return wait*4/5 + jitter
}

// misconfiguredBackoff is how long to wait after the count-th answer in a row that looks like
// a misconfiguration.
func misconfiguredBackoff(uid types.UID, count int32, asked time.Duration) time.Duration {
	return max(jittered(limiter.MisconfigurationDelay(int(count)), uid, count), asked)
}

// misconfigured is how many of the last answers look like a misconfiguration.
func misconfigured(a *v1beta1.Attempts) int32 {
	if a == nil {
		return 0
	}
	return a.Misconfigured
}

// isSlow says whether requests are repeated seldom, so that a person should look.
func isSlow(a *v1beta1.Attempts) bool {
	return a != nil && (a.Misconfigured > limiter.QuickRetries || a.Removals >= maxRemovals)
}

// repeats is how often a request whose outcome is not known is repeated as it was.
func repeats(a *v1beta1.Attempts) int32 {
	if a.Removals >= maxRemovals {
		return 0
	}
	return maxRepeats
}

// pollInterval is how long to wait until an operation is asked for again: longer the
// longer it runs, as the broker asks, but never so long that a user who waits is kept
// from knowing.
func pollInterval(running, asked time.Duration) time.Duration {
	return min(max(running/4, firstPoll, asked), lastPoll)
}

// isOverdue says whether an operation that began at start has taken longer than it may.
func isOverdue(start *metav1.Time, limit time.Duration, now time.Time) bool {
	return start != nil && !now.Before(start.Add(limit))
}

// nextPoll is when an operation that began at start is to be asked for again, which was
// last done at a time; zero: it was not yet. What began together is not asked for together
// for ever: the moment of the last poll is as good as chance.
func nextPoll(start *metav1.Time, polled time.Time, asked time.Duration, now time.Time) time.Time {
	if polled.IsZero() {
		return time.Time{}
	}
	running := time.Duration(0)
	if start != nil {
		running = now.Sub(start.Time)
	}
	wait := pollInterval(running, asked)
	chance := time.Duration(polled.Nanosecond() % 1000)
	return polled.Add(min(wait+wait*chance/4000, lastPoll))
}

// noteAnswer is for a broker that does what it is asked for: nothing looks misconfigured any more.
func noteAnswer(a *v1beta1.Attempts) {
	if a != nil {
		a.Misconfigured, a.OwnFault, a.FailingSince = 0, false, nil
	}
}

// latest is the later one of two times.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// nextAttempt is when an object's next attempt may be made; zero: now. removing: those
// that were made are of its removal.
func nextAttempt(o metav1.Object, a *v1beta1.Attempts, removing bool, now time.Time) time.Time {
	if a == nil || a.NextTime == nil || !a.NextTime.After(now) {
		return time.Time{}
	}
	if a.LastTime != nil && a.LastTime.After(now) {
		return time.Time{} // the clock was ahead and is put right: its times say nothing (R11)
	}
	if a.Generation != o.GetGeneration() && !o.GetDeletionTimestamp().IsZero() && !removing {
		return time.Time{} // they were not for the removal
	}
	return a.NextTime.Time
}

// hasFailed says whether the broker has failed at what is tried again.
func hasFailed(a *v1beta1.Attempts) bool { return a != nil && a.Count > 0 }

// failure is what is known of an attempt that has failed.
type failure struct {
	// misconfigured: the answer looks like a misconfiguration.
	misconfigured bool
	// ownFault: it is due to the object, as requests of others succeeded meanwhile.
	ownFault bool
	// probed: the broker looks misconfigured, and the object waits for the broker's probe.
	probed bool
	// asked is how long the broker asks to be left alone.
	asked time.Duration
}

// countFailure counts an attempt that has failed, and says when the next one is made. One that
// waits for the broker's probe has no time of its own, and is counted once.
func countFailure(a *v1beta1.Attempts, uid types.UID, f failure, now time.Time) {
	if f.probed && isSlow(a) && a.NextTime == nil {
		return
	}
	a.Count++
	if a.FailingSince == nil {
		a.FailingSince = timeOf(now)
	}
	a.OwnFault, a.LastTime = f.misconfigured && f.ownFault, timeOf(now)
	wait := backoff(uid, a.Count, f.asked)
	if f.misconfigured {
		a.Misconfigured++
		wait = misconfiguredBackoff(uid, a.Misconfigured, f.asked)
	} else {
		a.Misconfigured = 0
	}
	a.NextTime = timeOf(now.Add(max(wait, time.Second)))
	if f.probed {
		a.Misconfigured, a.NextTime = max(a.Misconfigured, limiter.QuickRetries+1), nil
	}
}

// countRemoval counts a removal of what failures had left, after which a new attempt is
// made, unless what was asked for is refused.
func countRemoval(a *v1beta1.Attempts, uid types.UID, now time.Time) {
	a.Removals++
	a.Count, a.Misconfigured, a.Refusals, a.Unknown, a.Conflict = 0, 0, 0, 0, false
	wait := backoff(uid, a.Removals, 0)
	if a.Removals >= maxRemovals {
		wait = jittered(min(firstRemovalDelay<<min(a.Removals-maxRemovals, 10), lastRemovalDelay), uid, a.Removals)
	}
	if a.NextTime = timeOf(now.Add(wait)); a.Stopped {
		a.NextTime = nil
	}
}

// isRecovered says whether the broker has done for other objects, after this one's last
// attempt, what it failed to do before: then the next attempt is not put off, once.
func isRecovered(a *v1beta1.Attempts, recovered time.Time) bool {
	return a != nil && a.Removals >= maxRemovals && !a.Stopped && !a.Recovered && a.LastTime != nil && recovered.After(a.LastTime.Time)
}

// renewed is a new budget, for another generation or other parameters, with what earlier
// requests may have left; nil: they have left nothing.
func renewed(a *v1beta1.Attempts, generation int64, parametersVersion string) *v1beta1.Attempts {
	if a.Unknown == 0 && !a.Conflict {
		return nil
	}
	return &v1beta1.Attempts{Generation: generation, Unknown: a.Unknown, Conflict: a.Conflict, PlanIDs: a.PlanIDs, ParametersVersion: parametersVersion}
}

// blame is whose fault an answer is that looks like a misconfiguration.
type blame struct {
	// ownFault: it is the object's own, as requests of others succeeded meanwhile.
	ownFault bool
	// probed is the broker with whose probe the object is retried; empty: it has its own times.
	probed string
}
