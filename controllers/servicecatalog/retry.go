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

// deadline is when an operation that began at start is taken for failed; zero: never.
func deadline(start *metav1.Time, limit time.Duration) time.Time {
	if start == nil {
		return time.Time{}
	}
	return start.Add(limit)
}

// renewed is a new budget, for another generation or other parameters, with what earlier
// requests may have left; nil: they have left nothing.
func renewed(a *v1beta1.Attempts, generation int64, parametersVersion string) *v1beta1.Attempts {
	if a.Unknown == 0 && !a.Conflict {
		return nil
	}
	return &v1beta1.Attempts{Generation: generation, Unknown: a.Unknown, Conflict: a.Conflict, ParametersVersion: parametersVersion}
}
