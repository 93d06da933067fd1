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
	// maxRemovals is how often that happens for one generation.
	maxRemovals = 3
	// maxAttempts is how often a request that may have had an effect is made for one
	// generation. Requests that had none are repeated for ever.
	maxAttempts = 20
)

// backoff is how long to wait after the count-th failure: ever longer, as long as the
// broker asks at least, and not the same for all that failed at once.
func backoff(uid types.UID, count int32, asked time.Duration) time.Duration {
	wait := min(firstRetry<<min(count-1, 20), lastRetry)
	hash := fnv.New32a()
	fmt.Fprintf(hash, "%s/%d", uid, count)
	jitter := time.Duration(hash.Sum32()%400) * wait / 1000 // up to 40 %
	return max(wait*4/5+jitter, asked)
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

// countFailure counts an attempt that has failed, and says when the next one is made.
func countFailure(a *v1beta1.Attempts, uid types.UID, asked time.Duration, now time.Time) {
	a.Count++
	a.LastTime = timeOf(now)
	a.NextTime = timeOf(now.Add(max(backoff(uid, a.Count, asked), time.Second)))
}

// countRemoval counts a removal of what failures had left, after which a new attempt is
// made, unless nothing is tried any more. tooOften: that is so from now on.
func countRemoval(a *v1beta1.Attempts, uid types.UID, now time.Time) (tooOften bool) {
	a.Removals++
	a.Unknown, a.Conflict, a.NextTime = 0, false, timeOf(now.Add(backoff(uid, a.Removals, 0)))
	tooOften = !a.Stopped && a.Removals >= maxRemovals
	if a.Stopped = a.Stopped || tooOften; a.Stopped {
		a.NextTime = nil
	}
	return tooOften
}

// renewed is a new budget, for another generation or other parameters, with what earlier
// requests may have left; nil: they have left nothing.
func renewed(a *v1beta1.Attempts, generation int64, parametersVersion string) *v1beta1.Attempts {
	if a.Unknown == 0 && !a.Conflict {
		return nil
	}
	return &v1beta1.Attempts{Generation: generation, Unknown: a.Unknown, Conflict: a.Conflict, ParametersVersion: parametersVersion}
}
