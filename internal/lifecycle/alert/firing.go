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
func (t *DeliveryPlan) planFiring(a *v1beta1.Alert, p Target, w Inputs) {
	page, until, now := ContentHash(&a.Spec), expiry(a), w.Now
	switch {
	case confirmed(t.Row, page):
		t.rest(v1beta1.DeliverySent, "")
		return
	case isOutcomeUnknown(t.Row, page, p):
		t.planUnknown()
		return
	case t.Row.FilteredHash == page: // an edited minSeverity applies to the next content
		t.rest(v1beta1.DeliveryFiltered, v1beta1.ReasonFiltered)
		return
	case expired(a, now):
		t.rest(v1beta1.DeliveryExpired, v1beta1.ReasonExpired)
		return
	case isRestored(a) && t.Row.LastAttemptedHash == "":
		t.waitFor(Problem{
			Reason:  v1beta1.ReasonRestored,
			Message: "restored from a backup, so it may be old news; to send it, remove the label " + restoreLabel,
		})
	case p.Problem != nil:
		t.waitFor(*p.Problem)
		t.allowForOrder(a, now)
	case rank(a.Spec.Severity) < rank(p.Spec.MinSeverity):
		t.Row.FilteredHash = page
		t.rest(v1beta1.DeliveryFiltered, v1beta1.ReasonFiltered)
		return
	case IsNotified(t.Row) && !isResolved(t.Row.LastAttemptedHash):
		t.request(p, page, result.Updated, v1beta1.ReasonRetrying, w)
	default:
		t.request(p, page, result.Fired, v1beta1.ReasonRetrying, w)
	}
	t.writeAhead(isEdited(a))
	t.Wake = Earliest(t.Wake, future(until, now))
}

// writeAhead has the content recorded before it is sent, where another content was attempted before, or may have been (R1).
func (t *DeliveryPlan) writeAhead(edited bool) {
	if t.Send != nil && t.Send.Hash != t.Row.LastAttemptedHash && (t.Row.LastAttemptedHash != "" || edited) {
		t.Send.WriteAhead = true
	}
}
