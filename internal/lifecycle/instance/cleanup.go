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

package instance

import (
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/operation"
)

// cleanUp adds to the decision what is due for the ids left behind.
func (d *decision) cleanUp() {
	left := d.Status.Common()
	if why := d.AwaitCleanUps(&d.in.Inputs, d.si, left, &names); why != nil {
		d.blockRemoval(why)
	}
	if d.Request != nil {
		return
	}
	if due, isPoll := d.NextCleanUp(&d.in.Inputs, d.si, left, equality.Semantic.DeepEqual(d.Status, d.si.Status)); due != nil {
		d.Request = d.newCleanUp(due, isPoll)
	}
}

// newCleanUp returns the request to remove what may be under an id left behind, or to poll that.
func (d *decision) newCleanUp(l *v1beta1.LeftBehind, isPoll bool) *Request {
	call := d.newRequest(lifecycle.Deprovision)
	call.ID, call.CleanUp, call.Properties = l.ID, true, nil
	call.ServiceID, call.PlanID = l.Target.ServiceID, operation.CleanUpPlan(l, isPoll)
	call.ConfirmsGone = d.in.ConfirmsCleanUp(d.Status.Common(), l)
	if isPoll {
		call.Operation, call.Removal, call.LastOperation = lifecycle.Poll, true, l.LastOperation
	}
	return call
}
