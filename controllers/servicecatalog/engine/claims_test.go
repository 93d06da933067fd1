// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// Objects that vanish without a release, one after the other under the same id, leave one reservation.
func TestReservationsOfVanishedObjects(t *testing.T) {
	var c claims
	key := ClaimKey{ID: "supplied"}
	for i := range 100 {
		c.Reserve(key, types.UID(fmt.Sprint(i)), nil)
	}
	if len(c.holders) != 1 || len(c.held) != 1 {
		t.Errorf("%d holders and %d objects are left", len(c.holders), len(c.held))
	}
	c.Release("99")
	if len(c.holders)+len(c.held) != 0 {
		t.Errorf("after the release: %v, %v", c.holders, c.held)
	}
}
