// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"cmp"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// heldProperties returns the properties that the broker has, as far as they are recorded.
func heldProperties(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstancePropertiesState {
	if IsProvisioned(s) && s.ExternalProperties != nil {
		return s.ExternalProperties
	}
	return cmp.Or(s.InProgressProperties, s.ExternalProperties)
}

// RecordedPlans returns the ids of the plans that the instance may have at the broker according to the status, the most likely one
// first.
func RecordedPlans(s *v1beta1.ServiceInstanceStatus) []string {
	ids := []string{rules.PlanID(rules.NonNil(heldProperties(s))), rules.PlanID(rules.NonNil(s.InProgressProperties))}
	if s.Attempts != nil {
		ids = append(ids, s.Attempts.PlanIDs...)
	}
	return rules.Distinct(ids...)
}

// OperationProperties returns the properties that the operation in progress leads to, or removes; nil: there is no operation.
func OperationProperties(s *v1beta1.ServiceInstanceStatus) *v1beta1.ServiceInstancePropertiesState {
	switch phase := PhaseOf(s); {
	case !phase.Accepted:
		return nil
	case phase == Updating.accepted():
		return s.InProgressProperties
	default:
		return heldProperties(s)
	}
}
