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
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// contradiction says what kstatus, and who reads conditions like it, would misread of an object
// that is not being deleted; "": nothing. The table of its verdicts is in test/servicecatalog.
func contradiction(conditions []v1beta1.Condition) string {
	if len(conditions) == 0 { // observedGeneration tells
		return ""
	}
	var are []string
	for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionReconciling, v1beta1.ConditionStalled} {
		if isTrue(conditionOf(conditions, kind)) {
			are = append(are, kind)
		}
	}
	if len(are) != 1 {
		return fmt.Sprintf("F-JS1: of Ready, Reconciling and Stalled not one is True, but %v", are)
	}
	if isTrue(conditionOf(conditions, v1beta1.ConditionFailed)) && are[0] != v1beta1.ConditionStalled {
		return fmt.Sprintf("F-JS1: Failed is True, and so is %s", are[0])
	}
	return ""
}
