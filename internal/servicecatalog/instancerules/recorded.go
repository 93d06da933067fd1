// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// candidatePlans returns the ids of the plans that the instance may have, the most likely one first. The original service-catalog did not
// always record one; then it is the plan of the spec.
func (d *decision) candidatePlans() []string {
	ids := RecordedPlans(&d.Status)
	if len(ids) == 0 && d.in.Offering.Plan != nil {
		ids = append(ids, d.in.Offering.Plan.Common().ExternalID)
	}
	return ids
}

// newRecordedRequest returns a request without an operation. Its ids of service and plan come from the status, since the spec may have changed, or
// else from the spec; a Blocker if neither has them.
func (d *decision) newRecordedRequest() (*Request, *rules.Blocker) {
	call := d.newRequest("")
	if known := d.Status.Broker; known != nil && known.ServiceID != "" {
		call.ServiceID = known.ServiceID
	} else if d.in.Offering.Class != nil {
		call.ServiceID = d.in.Offering.Class.Common().ExternalID
	}
	call.PlanID, call.HasOtherPlans = CandidatePlan(d.candidatePlans(), d.Status.Attempts)
	if call.ServiceID != "" && call.PlanID != "" {
		return call, nil
	}
	if d.in.Offering.Missing != nil {
		return nil, d.in.Offering.Missing
	}
	return nil, rules.BlockedBy(v1beta1.ReasonReferencesNonexistentServicePlan, "the status does not say which plan the instance has")
}

// CandidatePlan returns which of the recorded plans the next request names: a broker may refuse a request that names another plan than
// the instance has, and then the next one is tried. hasOthers: not all recorded plans were refused.
func CandidatePlan(plans []string, a *v1beta1.Attempts) (id string, hasOthers bool) {
	if len(plans) == 0 {
		return "", false
	}
	n := refusals(a)
	return plans[n%len(plans)], len(plans) > 1 && n < len(plans)
}

// refusals returns how often the broker has refused the plan of a request.
func refusals(a *v1beta1.Attempts) int {
	if a == nil {
		return 0
	}
	return int(a.Refusals)
}
