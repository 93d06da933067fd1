// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package repost

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/alertmanager"
)

func newItem(namespace string, number int) item {
	a := &v1beta1.Alert{}
	a.Namespace, a.Name = namespace, fmt.Sprintf("%s-%d", namespace, number)
	return item{alert: a}
}

// F-P36: 20,000 alerts at an Alertmanager that takes a second for each request are posted again before they end there, and those of a small
// namespace do not wait for those of a large one.
func TestRoundIsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var items []item
		for i := range 20_000 {
			items = append(items, newItem("large", i))
		}
		items = append(items, newItem("small", 0))
		began := time.Now()
		var mu sync.Mutex
		var ofSmall time.Duration
		all := postAll(t.Context(), items, func(_ context.Context, batch []item) answer {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			if slices.ContainsFunc(batch, func(i item) bool { return i.alert.Namespace == "small" }) {
				ofSmall = time.Since(began)
			}
			return answer{outcome: outcome{posted: batch}}
		})
		if took := time.Since(began); len(all.posted) != len(items) || took > alertmanager.Validity/2 || ofSmall != time.Second {
			t.Errorf("posted %d alerts in %s, that of the small namespace in %s", len(all.posted), took, ofSmall)
		}
	})
}

// A batch that the receiver refuses is posted in halves after the others, until what it refuses was posted alone. What does not fit into a
// request is posted by another one.
func TestRoundSplitsBatches(t *testing.T) {
	numbers := func(n int) (items []item) {
		for i := range n {
			items = append(items, newItem("ns", i))
		}
		return items
	}
	for name, test := range map[string]struct {
		items    []item
		refuses  string // the name of an alert
		fits     int    // alerts in a request
		requests []int  // alerts in each
		failed   int
	}{
		"all":                {items: numbers(130), fits: batchSize, requests: []int{64, 64, 2}},
		"one is refused":     {items: numbers(70), refuses: "ns-3", fits: batchSize, requests: []int{64, 6, 32, 32, 16, 16, 8, 8, 4, 4, 2, 2, 1, 1}, failed: 1},
		"alone, and refused": {items: numbers(1), refuses: "ns-0", fits: batchSize, requests: []int{1}, failed: 1},
		"all are refused":    {items: numbers(64 * 40), refuses: "all", fits: batchSize, requests: slices.Concat(slices.Repeat([]int{64}, 40), slices.Repeat([]int{32}, 64)), failed: 64 * 40},
		"large alerts":       {items: numbers(5), fits: 2, requests: []int{2, 2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var requests []int
			all := postAll(t.Context(), test.items, func(_ context.Context, batch []item) answer {
				mu.Lock()
				defer mu.Unlock()
				n := min(len(batch), test.fits)
				sent, rest := batch[:n], batch[n:]
				requests = append(requests, n)
				isRefused := slices.ContainsFunc(sent, func(i item) bool { return test.refuses == "all" || i.alert.Name == test.refuses })
				switch {
				case isRefused && n > 1:
					return answer{split: sent, rest: rest}
				case isRefused:
					return answer{outcome: outcome{refused: sent}, rest: rest}
				}
				return answer{outcome: outcome{posted: sent}, rest: rest}
			})
			descending := func(a, b int) int { return b - a }
			slices.SortFunc(requests, descending)
			slices.SortFunc(test.requests, descending)
			if diff := cmp.Diff(test.requests, requests); diff != "" {
				t.Errorf("alerts in each request (-want +got):\n%s", diff)
			}
			if len(all.refused) != test.failed || len(all.posted) != len(test.items)-test.failed {
				t.Errorf("posted %d, refused %d", len(all.posted), len(all.refused))
			}
		})
	}
}

func TestNamespacesTakeTurns(t *testing.T) {
	items := []item{newItem("a", 0), newItem("a", 1), newItem("a", 2), newItem("b", 0), newItem("c", 0), newItem("c", 1)}
	var names []string
	for _, i := range inTurns(items) {
		names = append(names, i.alert.Name)
	}
	if got, want := strings.Join(names, " "), "a-0 b-0 c-0 a-1 c-1 a-2"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}
