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

package alert

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// planFiring sends a firing alert, unless the receiver has it or may not get it.
func (d *DeliveryPlan) planFiring(a *v1beta1.Alert, p Target, w Inputs) {
	page, until, now := ContentHash(&a.Spec), expiry(a), w.Now
	switch {
	case confirmed(d.Row, page):
		d.rest(v1beta1.DeliverySent, "")
		return
	case isOutcomeUnknown(d.Row, page, p):
		d.planUnknown()
		return
	case d.Row.FilteredHash == page: // an edited minSeverity applies to the next content
		d.rest(v1beta1.DeliveryFiltered, v1beta1.ReasonFiltered)
		return
	case expired(a, now):
		d.rest(v1beta1.DeliveryExpired, v1beta1.ReasonExpired)
		return
	case isRestored(a) && d.Row.LastAttemptedHash == "":
		d.waitFor(Problem{
			Reason:  v1beta1.ReasonRestored,
			Message: "restored from a backup, so it may be old news; to send it, remove the label " + restoreLabel,
		})
	case p.Problem != nil:
		d.waitFor(*p.Problem)
		d.allowForOrder(a, now)
	case rank(a.Spec.Severity) < rank(p.Spec.MinSeverity):
		d.Row.FilteredHash = page
		d.rest(v1beta1.DeliveryFiltered, v1beta1.ReasonFiltered)
		return
	case IsNotified(d.Row) && !isResolved(d.Row.LastAttemptedHash):
		d.request(p, page, result.Updated, v1beta1.ReasonRetrying, w)
	default:
		d.request(p, page, result.Fired, v1beta1.ReasonRetrying, w)
	}
	d.writeAhead(isEdited(a))
	d.Wake = Earliest(d.Wake, future(until, now))
}

// writeAhead has the content recorded before it is sent, where another content was attempted before, or may have been (R1).
func (d *DeliveryPlan) writeAhead(edited bool) {
	if d.Send != nil && d.Send.Hash != d.Row.LastAttemptedHash && (d.Row.LastAttemptedHash != "" || edited) {
		d.Send.WriteAhead = true
	}
}
