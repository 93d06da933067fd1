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

package enqueue

import (
	"cmp"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Sooner returns the result that is due first.
func Sooner(result ctrl.Result, again time.Duration) ctrl.Result {
	if again <= 0 || result.Requeue || result.RequeueAfter > 0 && result.RequeueAfter <= again { //nolint:staticcheck // it comes by the queue's backoff
		return result
	}
	result.RequeueAfter, result.Priority = again, cmp.Or(result.Priority, new(0))
	return result
}
