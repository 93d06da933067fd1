// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	for name, c := range map[string]struct {
		of   []time.Duration
		p    float64
		want time.Duration
	}{
		"of nothing":              {nil, 99, 0},
		"of one":                  {[]time.Duration{7}, 50, 7},
		"lower of two at 50":      {[]time.Duration{9, 7}, 50, 7},
		"greater of two above 50": {[]time.Duration{9, 7}, 51, 9},
		"p50 of a hundred":        {hundred, 50, 50},
		"p99 of a hundred":        {hundred, 99, 99},
		"p100 is the greatest":    {hundred, 100, 100},
		"p0 is the least":         {hundred, 0, 1},
	} {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("the durations were reordered")
	}
}

func TestMedian(t *testing.T) {
	for name, c := range map[string]struct {
		of   []float64
		want float64
	}{
		"of one":   {[]float64{3}, 3},
		"of three": {[]float64{9, 1, 4}, 4},
		"of four":  {[]float64{9, 1, 4, 5}, 4.5},
	} {
		if got := median(c.of); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("of nothing: %v, want no number", got)
	}
}
