// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A loadGenerator creates and deletes objects of one kind in a namespace. The objects are numbered; object 0 is for warming up.
type loadGenerator struct {
	api       client.WithWatch
	newObject func(i int) client.Object
	timeline  *timeline
}

// objectName has one length for all numbers, so that all requests have one size.
func objectName(i int) string { return fmt.Sprintf("a%05d", i) }

func (g *loadGenerator) create(ctx context.Context, i int) error {
	return g.api.Create(ctx, g.newObject(i))
}

func (g *loadGenerator) remove(ctx context.Context, i int) error {
	return g.api.Delete(ctx, g.newObject(i))
}

// warmUp creates object 0 and waits until it is ready, which fills caches and opens connections.
func (g *loadGenerator) warmUp(ctx context.Context) error {
	if err := g.create(ctx, 0); err != nil {
		return err
	}
	_, err := g.timeline.waitReady(ctx, 1)
	return err
}

// removeAll deletes all objects, of which there are n, and returns once they are gone.
func (g *loadGenerator) removeAll(ctx context.Context, n int) error {
	first := g.newObject(0)
	if err := g.api.DeleteAllOf(ctx, first, client.InNamespace(first.GetNamespace())); err != nil {
		return err
	}
	_, err := g.timeline.waitDeleted(ctx, n)
	return err
}

type (
	// objectAction does something with object i.
	objectAction func(ctx context.Context, i int) error
	// waitForAll returns when a watch showed the result for each of the first n objects, once it did for all of them.
	waitForAll func(ctx context.Context, n int) ([]time.Time, error)
)

// runBurst calls an action for objects 1 to n as fast as a number of concurrent clients can. accepted has the time at which the
// call for each object returned.
func runBurst(ctx context.Context, n, clients int, do objectAction) (accepted []time.Time, err error) {
	accepted, errs := make([]time.Time, n+1), make([]error, clients)
	var last atomic.Int64
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for i := last.Add(1); i <= int64(n) && errs[c] == nil; i = last.Add(1) {
				errs[c] = do(ctx, int(i))
				accepted[i] = time.Now()
			}
		})
	}
	running.Wait()
	return accepted, errors.Join(errs...)
}

// runAtRate calls an action for objects 1 to n at a rate, without waiting for earlier calls to return. accepted has the time at
// which the call for each object returned.
func runAtRate(ctx context.Context, n int, perSecond float64, do objectAction) (accepted []time.Time, err error) {
	accepted, errs := make([]time.Time, n+1), make([]error, n+1)
	ticks := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
	defer ticks.Stop()
	var running sync.WaitGroup
	for i := 1; i <= n; i++ {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		running.Go(func() {
			errs[i] = do(ctx, i)
			accepted[i] = time.Now()
		})
	}
	running.Wait()
	return accepted, errors.Join(errs...)
}

// speed is how fast objects reached a state after the API server accepted the requests about them.
type speed struct {
	perSecond     float64 // from the first accepted request to the last object that reached the state
	p50, p99, max time.Duration
	cpuBaseline   float64 // milliseconds, meanwhile
}

// measureBurst calls an action for objects 1 to n, and waits until all of them reached a state.
func measureBurst(ctx context.Context, n, clients int, do objectAction, wait waitForAll) (speed, error) {
	baseline := startCPUBaseline()
	accepted, err := runBurst(ctx, n, clients, do)
	var reached []time.Time
	if err == nil {
		reached, err = wait(ctx, len(accepted))
	}
	milliseconds := baseline.stop()
	if err != nil {
		return speed{}, err
	}
	figures := computeSpeed(accepted, reached)
	figures.cpuBaseline = milliseconds
	return figures, nil
}

// computeSpeed leaves out object 0, which was for warming up.
func computeSpeed(accepted, reached []time.Time) speed {
	accepted, reached = accepted[1:], reached[1:]
	latencies := make([]time.Duration, len(accepted))
	for i := range accepted {
		latencies[i] = max(0, reached[i].Sub(accepted[i])) // the watch can show a result before the request returns
	}
	first, last := slices.MinFunc(accepted, time.Time.Compare), slices.MaxFunc(reached, time.Time.Compare)
	return speed{
		perSecond: float64(len(accepted)) / last.Sub(first).Seconds(),
		p50:       percentile(latencies, 50),
		p99:       percentile(latencies, 99),
		max:       slices.Max(latencies),
	}
}
