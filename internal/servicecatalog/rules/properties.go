// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"strings"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// AddPlan records a plan that the instance may have at the broker.
func AddPlan(plans *v1beta1.CandidatePlans, id string) {
	plans.PlanIDs = Distinct(append(plans.PlanIDs, id)...)
}

// NonNil returns props, or empty properties for nil.
func NonNil[T v1beta1.ServiceInstancePropertiesState | v1beta1.ServiceBindingPropertiesState](props *T) *T {
	if props == nil {
		return new(T)
	}
	return props
}

// PropertiesOf returns properties that name a plan.
func PropertiesOf(plan v1beta1.Plan) *v1beta1.ServiceInstancePropertiesState {
	props := &v1beta1.ServiceInstancePropertiesState{}
	if plan.GetNamespace() == "" {
		props.ClusterServicePlanExternalName, props.ClusterServicePlanExternalID = plan.Common().ExternalName, plan.Common().ExternalID
	} else {
		props.ServicePlanExternalName, props.ServicePlanExternalID = plan.Common().ExternalName, plan.Common().ExternalID
	}
	return props
}

// WithPlanID returns properties with another plan whose id alone is known.
func WithPlanID(props v1beta1.ServiceInstancePropertiesState, id string) *v1beta1.ServiceInstancePropertiesState {
	if props.ServicePlanExternalID != "" {
		props.ServicePlanExternalName, props.ServicePlanExternalID = "", id
	} else {
		props.ClusterServicePlanExternalName, props.ClusterServicePlanExternalID = "", id
	}
	return &props
}

// PlanID returns the id of the plan that properties name.
func PlanID(props *v1beta1.ServiceInstancePropertiesState) string {
	return cmp.Or(props.ClusterServicePlanExternalID, props.ServicePlanExternalID)
}

// SameProperties reports whether a request for b repeats one for a.
func SameProperties(a, b *v1beta1.ServiceInstancePropertiesState) bool {
	return PlanID(a) == PlanID(b) && SameParametersSent(a, b) && a.MaintenanceVersion == b.MaintenanceVersion
}

// Fingerprint identifies the content of an update.
func Fingerprint(props *v1beta1.ServiceInstancePropertiesState) string {
	return catalog.Hash(strings.Join([]string{PlanID(props), props.ParameterChecksum, props.MaintenanceVersion, props.ParametersDigest}, "/"))
}

// SameBindingParameters reports whether two bind requests have the same parameters.
func SameBindingParameters(a, b *v1beta1.ServiceBindingPropertiesState) bool {
	same, isComparable := catalog.CompareDigests(a.ParametersDigest, b.ParametersDigest)
	return a.ParameterChecksum == b.ParameterChecksum && (same || !isComparable)
}
