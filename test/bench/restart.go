// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// restartFigures are the figures of one restart.
type restartFigures struct {
	ready, works  float64 // seconds since the start of the process
	requestCounts         // to the API server, until the operator works and is idle again
	calls         float64 // requests to the broker
	footprint
}

func restartTable() *table[restartFigures] {
	return newTable(
		column[restartFigures]{"ready s", 2, func(r restartFigures) float64 { return r.ready }},
		column[restartFigures]{"works s", 2, func(r restartFigures) float64 { return r.works }},
		column[restartFigures]{"lists", 0, func(r restartFigures) float64 { return r.lists }},
		column[restartFigures]{"GET", 0, func(r restartFigures) float64 { return r.get + r.secretGets }},
		column[restartFigures]{"writes", 0, func(r restartFigures) float64 { return r.writes() }},
		column[restartFigures]{"events", 0, func(r restartFigures) float64 { return r.events }},
		column[restartFigures]{"broker", 0, func(r restartFigures) float64 { return r.calls }},
		column[restartFigures]{"resident MiB", 1, func(r restartFigures) float64 { return r.resident }},
		column[restartFigures]{"peak MiB", 1, func(r restartFigures) float64 { return r.peak }},
	)
}

const aboutRestart = `
From the start of the process, after the former one was stopped: ready until /readyz answers 200, works until an instance is Ready
that was created as soon as the operator was ready. lists, GET, writes, events: requests of the operator to the API server in all,
without those about its lease and that instance; broker: requests to the broker, without those about that instance. The one event is
about the leader election. Aims: 0 writes, 0 requests to the broker.

`

// restartPart measures what a restart costs.
func (b *bench) restartPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "restart: of an operator with %d instances and as many bindings; restarts: %d\n\n", b.restart/2, b.rounds)
	t := restartTable()
	err := b.runInEnvironment(ctx, b.deployedOptions(), func(ctx context.Context, s *environment) error {
		tn, err := newRegisteredTenant(ctx, s.api, newService(b.uniqueName("restart"), osbtest.Behavior{}))
		if err != nil {
			return err
		}
		defer tn.broker.close()
		logProgress("making %d instances, and as many bindings", b.restart/2)
		if err := tn.createUpTo(ctx, 0, b.restart/2, b.creators); err != nil {
			return err
		}
		var all []restartFigures
		for round := range b.rounds {
			r, err := b.measureRestart(ctx, s, tn, b.restart/2+round)
			if err != nil {
				return err
			}
			all = append(all, r)
			t.addRun(fmt.Sprintf("restart %d", round+1), r)
		}
		t.addMedians("median", all)
		return nil
	})
	if err != nil {
		return err
	}
	t.write(out)
	fmt.Fprint(out, aboutRestart)
	return nil
}

// measureRestart restarts the operator, and creates instance number next.
func (b *bench) measureRestart(ctx context.Context, s *environment, tn *tenant, next int) (r restartFigures, err error) {
	if _, err = s.waitForSilence(ctx); err != nil {
		return r, err
	}
	if err = s.stopSubject(); err != nil {
		return r, err
	}
	since, err := s.waitForSilence(ctx)
	if err != nil {
		return r, err
	}
	calls, start := tn.broker.requestCount(), time.Now()
	if err = s.startSubject(ctx); err != nil {
		return r, err
	}
	r.ready = time.Since(start).Seconds()
	if err = tn.instances.create(ctx, next); err != nil {
		return r, err
	}
	if _, err = tn.instances.timeline.waitReady(ctx, next+1); err != nil {
		return r, err
	}
	r.works = time.Since(start).Seconds()
	if r.requestCounts, err = s.countRequests(ctx, since, objectName(next)); err != nil { // the instance's own requests are left out: their number depends on whether admission already knows the class
		return r, err
	}
	r.calls = float64(tn.broker.requestCount() - calls - 1) // without the provisioning of that instance
	r.footprint, err = s.measureFootprint(ctx, b.rest)
	return r, err
}
