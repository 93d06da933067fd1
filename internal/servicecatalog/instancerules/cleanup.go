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

package instancerules

import (
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// cleanUp adds to the decision what is due for the ids left behind.
func (d *decision) cleanUp() {
	left := d.Status.Common()
	if why := d.AwaitCleanUps(&d.in.Inputs, d.si, left, &names); why != nil {
		d.blockRemoval(why)
	}
	if len(left.LeftBehind) == 0 || d.Request != nil {
		return
	}
	due, isPoll := d.NextCleanUp(&d.in.Inputs, d.si, left, !d.isChanged())
	if due == nil {
		return
	}
	d.Request = d.newRequest(rules.Deprovision)
	d.Request.ServiceID, d.Request.PlanID, d.Request.Properties = due.Target.ServiceID, operation.CleanUpPlan(due, isPoll), nil
	d.Request.MakeCleanUp(&d.in.Inputs, left, due, isPoll)
}
