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
	"fmt"
	"io"
	"time"

	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// revival are the figures of a restart.
type revival struct {
	ready, works float64 // seconds since the process was started
	requests             // to the API server, until it worked and then was silent
	calls        float64 // to the broker
	footprint
}

func revivalTable() *table[revival] {
	return newTable(
		column[revival]{"ready s", 2, func(r revival) float64 { return r.ready }},
		column[revival]{"works s", 2, func(r revival) float64 { return r.works }},
		column[revival]{"lists", 0, func(r revival) float64 { return r.lists }},
		column[revival]{"GET", 0, func(r revival) float64 { return r.get + r.secretGets }},
		column[revival]{"writes", 0, func(r revival) float64 { return r.writes() }},
		column[revival]{"events", 0, func(r revival) float64 { return r.events }},
		column[revival]{"broker", 0, func(r revival) float64 { return r.calls }},
		column[revival]{"resident MiB", 1, func(r revival) float64 { return r.resident }},
		column[revival]{"peak MiB", 1, func(r revival) float64 { return r.peak }},
	)
}

const aboutRestart = `
From the start of the process, the first one having been asked to end: ready until /readyz says so, works until an instance is Ready
that was created as soon as the operator was ready. lists, GET, writes, events: requests of the operator to the API server in all, its
lease and that instance's own aside; broker: requests to the broker, that instance's own aside. An event is left: that it leads. Aims:
0 writes, 0 requests to the broker.

`

// restartPart measures what a restart takes.
func (b *bench) restartPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "restart: of an operator with %d instances and as many bindings; restarts: %d\n\n", b.restart/2, b.rounds)
	t := revivalTable()
	err := b.onStage(ctx, b.deployed(), func(ctx context.Context, s *stage) error {
		at, err := enter(ctx, s.api, newService(b.unused("restart"), osbtest.Behavior{}))
		if err != nil {
			return err
		}
		defer at.broker.close()
		progress("making %d instances, and as many bindings", b.restart/2)
		if err := at.fill(ctx, 0, b.restart/2, b.creators); err != nil {
			return err
		}
		var all []revival
		for round := range b.rounds {
			r, err := b.revive(ctx, s, at, b.restart/2+round)
			if err != nil {
				return err
			}
			all = append(all, r)
			t.run(fmt.Sprintf("restart %d", round+1), r)
		}
		t.medians("median", all)
		return nil
	})
	if err != nil {
		return err
	}
	t.write(out)
	fmt.Fprint(out, aboutRestart)
	return nil
}

// revive restarts the operator, which then makes the next instance.
func (b *bench) revive(ctx context.Context, s *stage, at *tenant, next int) (r revival, err error) {
	if _, err = s.silence(ctx); err != nil {
		return r, err
	}
	if err = s.stop(); err != nil {
		return r, err
	}
	since, err := s.silence(ctx)
	if err != nil {
		return r, err
	}
	calls, start := at.broker.total(), time.Now()
	if err = s.start(ctx); err != nil {
		return r, err
	}
	r.ready = time.Since(start).Seconds()
	if err = at.instances.create(ctx, next); err != nil {
		return r, err
	}
	if _, err = at.instances.seen.readyAt(ctx, next+1); err != nil {
		return r, err
	}
	r.works = time.Since(start).Seconds()
	if r.requests, err = s.requests(ctx, since, objectName(next)); err != nil { // admission may not know its class yet: then it has more than one
		return r, err
	}
	r.calls = float64(at.broker.total() - calls - 1) // the instance's own
	r.footprint, err = s.footprint(ctx, b.rest)
	return r, err
}
