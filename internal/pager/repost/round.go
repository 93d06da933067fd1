// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package repost

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

const (
	// batchSize bounds the alerts in one request.
	batchSize = 64
	// batchesInFlight bounds the requests to one receiver. The other slots of its limiter are left to first attempts and resolves.
	batchesInFlight = 2
)

// item is what one receiver holds of one Alert. Both are as the cache showed them when the round began.
type item struct {
	alert *v1beta1.Alert
	ref   v1beta1.ReceiverRef
	// isFinal: it is the final repost, since the Alert goes away, and the receiver keeps the alert.
	isFinal bool
}

func (i item) row() v1beta1.Delivery {
	return alertrules.DeliveryIn(i.alert.Status.Deliveries, v1beta1.Delivery{Kind: i.ref.Kind, Name: i.ref.Name})
}

// answer is what became of a batch. Items that the receiver does not hold any more, or that could not be claimed, are in none of the lists.
type answer struct {
	posted, failed []item
	// rest did not fit into the request.
	rest []item
	// refused were refused together: one of them may be the cause.
	refused []item
}

// postAll posts items in batches. A batch that the receiver refuses is posted again in halves, after the others, until each refused alert
// was posted alone.
func postAll(ctx context.Context, items []item, post func(context.Context, []item) answer) (posted, failed []item) {
	batches := slices.Collect(slices.Chunk(inTurns(items), batchSize))
	for len(batches) > 0 && ctx.Err() == nil {
		answers := make([]answer, len(batches))
		var requests errgroup.Group
		requests.SetLimit(batchesInFlight)
		for i, batch := range batches {
			requests.Go(func() error {
				answers[i] = post(ctx, batch)
				return nil
			})
		}
		_ = requests.Wait() // an answer has its failure
		batches = nil
		for _, a := range answers {
			posted, failed = append(posted, a.posted...), append(failed, a.failed...)
			if len(a.rest) > 0 {
				batches = append(batches, a.rest)
			}
			if half := (len(a.refused) + 1) / 2; half > 0 {
				batches = append(batches, a.refused[:half], a.refused[half:])
			}
		}
	}
	return posted, failed
}

// inTurns orders items so that namespaces take turns.
func inTurns(items []item) []item {
	type turn struct {
		number int
		item
	}
	turns := make([]turn, len(items))
	count := map[string]int{}
	for i, item := range items {
		turns[i] = turn{count[item.alert.Namespace], item}
		count[item.alert.Namespace]++
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.number, b.number) })
	for i, t := range turns {
		items[i] = t.item
	}
	return items
}
