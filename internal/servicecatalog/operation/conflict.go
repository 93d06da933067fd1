// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// RecordConflict records that the broker has something else under the id of a request to create the resource.
func (ap *Application) RecordConflict() {
	a, change := ap.Kind.Attempts(), ap.Kind.Change()
	switch {
	case !ap.Call.Owned:
		ap.Kind.MarkNothingSent()
		ap.RecordRetryMessage(v1beta1.ReasonConflict, rules.SuppliedConflict("service "+ap.Names.Noun, ap.Call.ID, ap.DescribeOutcome()))
	default:
		if !ap.Call.NothingAtBroker && !ap.Kind.IsConflictHeld() { // one of the requests on record may have been carried out
			a.Unknown++
		}
		if a.Conflict = true; a.Unknown == 0 && !ap.Call.Retrievable {
			ap.HoldConflict("another " + ap.Names.Noun + ", which cannot be fetched: " + ap.DescribeOutcome())
			return
		}
		ap.RecordRetry(change.Name, v1beta1.ReasonConflict)
	}
}

// HoldConflict records that the broker has something that is neither used nor removed. It is looked at again from time to time.
func (ap *Application) HoldConflict(what string) {
	ap.Kind.Attempts().Unknown = 0 // no request on record has created it
	ap.RecordSlowRetry(v1beta1.ReasonConflict, rules.Conflict(ap.Names.Resource, ap.Object, ap.Call.ID, what))
}
