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
	"context"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/limiter"
)

// queued is for what waits for a slot: at first in silence, and always if it has nothing
// to say. Who does not ask again in time loses its place, so that it does not come after others.
func (r *reconciler[O, S, M]) queued(ctx context.Context, v *view[O, S, M], wait limiter.Wait, silent bool) (ctrl.Result, error) {
	if v.known.unrecorded == nil {
		now := r.clock.Now()
		at := wait.Since.Add(patience)
		if !now.Before(at) && !silent {
			at = r.line.sayAt(v.known.queued, now)
		}
		if now.Before(at) {
			return enqueue.Requeue(at, now), nil
		}
	}
	status := *r.status(v.object)
	if !silent && !isSlow(r.attempts(&status)) { // what is retried slowly says why already
		status = v.troubled(whyQueued(wait.Cause, v.known.queued.broker))
	}
	now := r.clock.Now()
	return enqueue.Requeue(now.Add(askAgain), now), r.record(ctx, v, status)
}

// whyQueued is what keeps an object that waits for a slot at its broker.
func whyQueued(cause limiter.Cause, broker brokerKey) *blocker {
	message := "Other requests to the broker come first"
	switch cause {
	case limiter.Misconfigured:
		return &blocker{failed: true, word: word{v1beta1.ReasonQueued, "The broker answers all requests as one that is misconfigured; this one is retried with " + brokerNamed(broker) + ", see its status"}}
	case limiter.Down:
		message = "The broker does not answer, or asked to be left alone; one request at a time tries it until it answers"
	case limiter.Failing:
		message = "The broker fails again at what it is asked for again; until it does better, that is a few requests each second, in turn"
	case limiter.Busy, limiter.Throttled:
	}
	return inProgress(v1beta1.ReasonQueued, message)
}
