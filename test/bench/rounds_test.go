// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestAddSeries(t *testing.T) {
	c := &series[float64]{
		subjects: []subject{{name: "ours"}, {name: "floor", loop: "some"}, {name: "ours, async", async: true}},
		sizes:    sizes{10, 20},
		results:  [][][]float64{{{1, 3}, {4, 4}, {5, 5}}, {{6}, {8}, {9}}},
	}
	table := newTable(column[float64]{"x", 2, func(x float64) float64 { return x }})
	addSeries(table, c, func(x float64) float64 { return x }, true)
	var out strings.Builder
	table.write(&out)
	for _, want := range []string{
		"10: ours, round 2 3.00", "10: ours 2.00", "10: ours / floor 0.50", "20: floor 8.00", "20: ours / floor 0.75", "ours, 20 / 10 3.00",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "20: ours, round") || strings.Contains(out.String(), "async /") {
		t.Errorf("a single round, or a ratio to what is no floor, has a line:\n%s", &out)
	}
}

func TestFloorNeedsRecordedRequests(t *testing.T) {
	_, err := (&bench{}).measureServiceSubject(t.Context(), subject{name: "floor", loop: "controller-runtime"}, 1)
	if err == nil || !strings.Contains(err.Error(), "-subjects has to leave both") {
		t.Errorf("a floor alone: %v", err)
	}
}
