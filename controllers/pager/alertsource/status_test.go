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

package alertsource

import (
	"slices"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// TestConditionsHaveAnOrder: a status that differs in the order only is written for nothing, and differs from that of other replicas.
func TestConditionsHaveAnOrder(t *testing.T) {
	for range 20 {
		var kinds []string
		for _, c := range evaluate(&v1beta1.AlertSource{}, observation{}, time.Now()).Conditions {
			kinds = append(kinds, c.Type)
		}
		if want := []string{v1beta1.ConditionReady, v1beta1.ConditionReconciling, v1beta1.ConditionStalled}; !slices.Equal(kinds, want) {
			t.Fatalf("%v, not %v", kinds, want)
		}
	}
}
