// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// applyInspection records the resource that the broker has under an id of ours after a conflict. It is removed only if a request on record, whose
// outcome is not known, may have created it: a record that was restored from a backup does not show which resources were created later.
func (ap *application) applyInspection() {
	a, found := ap.Attempts(), ap.Answer.Instance
	isLeftover := a.Unknown > 0 && ap.call.Owned && !ap.call.Retained
	why := rules.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: "the broker has a resource with other properties under the id, from an earlier version of the spec"}
	switch class := ap.Answer.Class; {
	case class == osbresult.Gone && !isLeftover: // nothing
		ap.RecordNoConflict()
	case class == osbresult.Done && found != nil && ap.isRequested(found.PlanID):
		ap.adoptExisting(found)
	case class == osbresult.Done && found != nil:
		ap.setConditions(ap.HoldConflict(fmt.Sprintf("an instance of the plan with id %q, and it is taken over where the spec names this plan", found.PlanID)))
		ap.status.InProgressProperties = rules.WithPlanID(*ap.call.Properties, found.PlanID) // a removal names this plan
	case class == osbresult.Done && ap.Answer.State == osbresult.InProgress, class == osbresult.Retry, ap.Answer.Misconfigured(), class == osbresult.Concurrency, class == osbresult.NeedsCatalog,
		ap.call.Retrievable && class != osbresult.Done && class != osbresult.Gone: // a refusal to fetch it proves nothing
		ap.setConditions(ap.RetryRequest(provision.Name, v1beta1.ReasonConflict))
	case !isLeftover, class == osbresult.Done && ap.Answer.State == osbresult.Succeeded:
		ap.setConditions(ap.HoldConflict("an instance with other properties, which cannot be fetched: " + cmp.Or(ap.Answer.OperationDescription, "its last operation: "+cmp.Or(string(ap.Answer.State), ap.DescribeOutcome()))))
	default:
		a.Conflict = false
		ap.startMitigation(why)
	}
}

// isRequested reports whether one of the requests on record, or the present one, is for a plan. A broker need not tell the plan.
func (ap *application) isRequested(plan string) bool {
	if plan == "" || plan == rules.PlanID(ap.call.Properties) {
		return ap.call.Owned
	}
	return ap.call.Owned && ap.status.Attempts.Unknown > 0 && slices.Contains(RecordedPlans(&ap.status), plan)
}

// adoptExisting records the broker's instance as this object's: an earlier form of the spec created it. An update follows.
func (ap *application) adoptExisting(instance *osbresult.Instance) {
	s := &ap.status
	found := *ap.call.Properties
	if instance.PlanID != "" && instance.PlanID != rules.PlanID(&found) {
		found = *rules.WithPlanID(found, instance.PlanID)
	}
	found.Parameters, found.ParameterChecksum, found.ParametersVersion, found.ParametersDigest = nil, "", "", ""
	found.MaintenanceVersion = instance.MaintenanceVersion
	if instance.DashboardURL != "" {
		s.DashboardURL = &instance.DashboardURL
	}
	s.ExternalProperties, s.InProgressProperties, s.OperationStartTime, s.Attempts = &found, nil, nil, nil
	ap.phase = Updating // with an unknown outcome, so that everything is sent
	ap.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonUpdateInstanceRequestInFlight, Message: "The broker has an instance of an earlier version of the spec, which is being updated"})
}
