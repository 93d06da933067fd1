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

package operator

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Drain returns a context that ends a delay after stopping: until then API servers learn that the webhooks are served elsewhere.
func Drain(stopping context.Context, delay time.Duration) context.Context {
	if delay == 0 {
		return stopping
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(stopping))
	context.AfterFunc(stopping, func() {
		ctrl.Log.Info("Stopping, webhooks are served until then", "delay", delay.String())
		time.AfterFunc(delay, stop)
	})
	return ctx
}
