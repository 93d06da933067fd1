// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
