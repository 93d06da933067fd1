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
	case !phase.IsAccepted():
		return nil
	case phase == UpdateAccepted:
		return s.InProgressProperties
	default:
		return heldProperties(s)
	}
}
