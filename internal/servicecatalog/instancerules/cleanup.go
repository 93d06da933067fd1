// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// cleanUp adds to the decision the request or the wait that is due for the ids left behind.
func (d *decision) cleanUp() {
	left := d.Status.Common()
	if why := d.AwaitCleanUps(&d.in.Inputs, d.si, left, &kind); why != nil {
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
