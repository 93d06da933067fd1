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

// A crowd is the objects of one kind in a namespace. They are numbered; 0 is the one that warms everything up.
type crowd struct {
	api    client.WithWatch
	object func(i int) client.Object
	seen   *journal
}

// objectName is of one length for all, so that all requests are of one size.
func objectName(i int) string { return fmt.Sprintf("a%05d", i) }

// create makes an object.
func (c *crowd) create(ctx context.Context, i int) error { return c.api.Create(ctx, c.object(i)) }

// remove deletes an object.
func (c *crowd) remove(ctx context.Context, i int) error { return c.api.Delete(ctx, c.object(i)) }

// warmUp creates the first object and waits until it is ready: now caches are filled and connections are open.
func (c *crowd) warmUp(ctx context.Context) error {
	if err := c.create(ctx, 0); err != nil {
		return err
	}
	_, err := c.seen.readyAt(ctx, 1)
	return err
}

// clear deletes the first n objects, which is all, and returns once they are gone.
func (c *crowd) clear(ctx context.Context, n int) error {
	one := c.object(0)
	if err := c.api.DeleteAllOf(ctx, one, client.InNamespace(one.GetNamespace())); err != nil {
		return err
	}
	_, err := c.seen.goneAt(ctx, n)
	return err
}

// doing does something for the i-th object; seeing is when that was seen of the first n.
type (
	doing  func(ctx context.Context, i int) error
	seeing func(ctx context.Context, n int) ([]time.Time, error)
)

// burst does something for objects 1 to n as fast as it goes, by some clients at once. accepted is when each was done.
func burst(ctx context.Context, n, clients int, do doing) (accepted []time.Time, err error) {
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

// steady does something for objects 1 to n at a rate, whether or not those before were done by then. accepted is when each
// was done.
func steady(ctx context.Context, n int, perSecond float64, do doing) (accepted []time.Time, err error) {
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

// speed is how fast objects got from being accepted to what was waited for.
type speed struct {
	perSecond     float64 // from the first accepted to the last seen
	p50, p99, max time.Duration
	pace          float64 // of the machine, in milliseconds
}

// timed does something for objects 1 to n, and waits until that was seen of all.
func timed(ctx context.Context, n, clients int, do doing, seen seeing) (speed, error) {
	machine := startPace()
	accepted, err := burst(ctx, n, clients, do)
	var shown []time.Time
	if err == nil {
		shown, err = seen(ctx, len(accepted))
	}
	pace := machine.end()
	if err != nil {
		return speed{}, err
	}
	of := speedOf(accepted, shown)
	of.pace = pace
	return of, nil
}

// speedOf is that of objects 1 to n.
func speedOf(accepted, seen []time.Time) speed {
	accepted, seen = accepted[1:], seen[1:]
	latencies := make([]time.Duration, len(accepted))
	for i := range accepted {
		latencies[i] = max(0, seen[i].Sub(accepted[i])) // the watch can be ahead of the answer
	}
	first, last := slices.MinFunc(accepted, time.Time.Compare), slices.MaxFunc(seen, time.Time.Compare)
	return speed{
		perSecond: float64(len(accepted)) / last.Sub(first).Seconds(),
		p50:       percentile(latencies, 50),
		p99:       percentile(latencies, 99),
		max:       slices.Max(latencies),
	}
}
