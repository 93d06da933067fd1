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
	// batchesInFlight bounds the requests to one receiver, of both of its rounds. The other slots of its limiter are left to first attempts and
	// resolves.
	batchesInFlight = 2
	// maxSplits bounds the batches of a round that are posted again in halves: a receiver that refuses all of them is misconfigured.
	maxSplits = 32
)

// item is one Alert at one receiver. The Alert is as the cache showed it when the round began.
type item struct {
	alert *v1beta1.Alert
	ref   v1beta1.ReceiverRef
	// isFinal: it is the final repost, since the Alert goes away, and the receiver keeps the alert.
	isFinal bool
}

func (i item) row() v1beta1.Delivery {
	return alertrules.DeliveryIn(i.alert.Status.Deliveries, i.ref)
}

// answer is the result of a batch. Items that the receiver does not hold any more, or that could not be claimed, are in none of the lists.
type answer struct {
	outcome

	// rest did not fit into the request.
	rest []item
	// split were refused together: one of them may be the cause.
	split []item
}

// outcome has items by the result of their posts.
type outcome struct {
	posted []item
	// failed may succeed if they are posted again.
	failed []item
	// refused would be refused again.
	refused []item
}

// postAll posts items in batches. A batch that the receiver refuses is posted again in halves, after the others, until each refused alert
// was posted alone, or maxSplits batches were split.
func postAll(ctx context.Context, items []item, post func(context.Context, []item) answer) (all outcome) {
	batches, splits := slices.Collect(slices.Chunk(inTurns(items), batchSize)), 0
	for len(batches) > 0 {
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
			all.posted, all.failed, all.refused = append(all.posted, a.posted...), append(all.failed, a.failed...), append(all.refused, a.refused...)
			if len(a.rest) > 0 {
				batches = append(batches, a.rest)
			}
			if len(a.split) == 0 {
				continue
			}
			splits++
			if splits > maxSplits {
				all.refused = append(all.refused, a.split...)
				continue
			}
			half := (len(a.split) + 1) / 2
			batches = append(batches, a.split[:half], a.split[half:])
		}
	}
	return all
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
