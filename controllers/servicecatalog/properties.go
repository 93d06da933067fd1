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

package servicecatalog

import (
	"cmp"
	"strings"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// heldProperties are what the broker has, as far as that is known.
func heldProperties(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstancePropertiesState {
	if s.ProvisionStatus == v1beta1.Provisioned && s.ExternalProperties != nil {
		return s.ExternalProperties
	}
	return cmp.Or(s.InProgressProperties, s.ExternalProperties)
}

// recordedPlans are the ids of the plans that the broker may have by what is on record, the most
// likely one first.
func recordedPlans(s *v1beta1.ServiceInstanceStatus) []string {
	ids := []string{planIDOf(held(heldProperties(s))), planIDOf(held(s.InProgressProperties))}
	if s.Attempts != nil {
		ids = append(ids, s.Attempts.PlanIDs...)
	}
	return distinct(ids...)
}

// addPlan records a plan that the broker may have.
func addPlan(a *v1beta1.Attempts, id string) {
	a.PlanIDs = distinct(append(a.PlanIDs, id)...)
}

// workingProperties are those that the operation under way is to lead to, or to remove.
func workingProperties(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstancePropertiesState {
	switch {
	case !s.AsyncOpInProgress:
		return nil
	case s.CurrentOperation == v1beta1.OperationUpdate:
		return s.InProgressProperties
	}
	return heldProperties(s)
}

// held are properties, empty where there are none.
func held(props *v1beta1.ServiceInstancePropertiesState) *v1beta1.ServiceInstancePropertiesState {
	if props == nil {
		return &v1beta1.ServiceInstancePropertiesState{}
	}
	return props
}

// ofPlan are properties that name a plan.
func ofPlan(plan v1beta1.Plan) *v1beta1.ServiceInstancePropertiesState {
	props := &v1beta1.ServiceInstancePropertiesState{}
	if plan.GetNamespace() == "" {
		props.ClusterServicePlanExternalName, props.ClusterServicePlanExternalID = plan.Common().ExternalName, plan.Common().ExternalID
	} else {
		props.ServicePlanExternalName, props.ServicePlanExternalID = plan.Common().ExternalName, plan.Common().ExternalID
	}
	return props
}

// withPlanID are properties with another plan, of which only the id is known.
func withPlanID(props v1beta1.ServiceInstancePropertiesState, id string) *v1beta1.ServiceInstancePropertiesState {
	if props.ServicePlanExternalID != "" {
		props.ServicePlanExternalName, props.ServicePlanExternalID = "", id
	} else {
		props.ClusterServicePlanExternalName, props.ClusterServicePlanExternalID = "", id
	}
	return &props
}

// planIDOf is the id of the plan that properties name.
func planIDOf(props *v1beta1.ServiceInstancePropertiesState) string {
	return cmp.Or(props.ClusterServicePlanExternalID, props.ServicePlanExternalID)
}

// sameProperties says whether a request for b is a repeat of one for a.
func sameProperties(a, b *v1beta1.ServiceInstancePropertiesState) bool {
	return planIDOf(a) == planIDOf(b) && a.ParameterChecksum == b.ParameterChecksum && a.MaintenanceVersion == b.MaintenanceVersion
}

// fingerprint tells an update from others.
func fingerprint(props *v1beta1.ServiceInstancePropertiesState) string {
	return catalog.Hash(strings.Join([]string{planIDOf(props), props.ParameterChecksum, props.MaintenanceVersion}, "/"))
}
