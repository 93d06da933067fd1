// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// stepFigures are the figures of one step, such as reading a catalog.
type stepFigures struct {
	took float64 // seconds
	requestCounts
	footprint
}

func catalogTable() *table[stepFigures] {
	return newTable(
		column[stepFigures]{"s", 2, func(b stepFigures) float64 { return b.took }},
		column[stepFigures]{"POST", 0, func(b stepFigures) float64 { return b.post }},
		column[stepFigures]{"PATCH", 0, func(b stepFigures) float64 { return b.patch }},
		column[stepFigures]{"DELETE", 0, func(b stepFigures) float64 { return b.del }},
		column[stepFigures]{"GET", 0, func(b stepFigures) float64 { return b.get + b.secretGets }},
		column[stepFigures]{"events", 0, func(b stepFigures) float64 { return b.events }},
		column[stepFigures]{"resident MiB", 1, func(b stepFigures) float64 { return b.resident }},
		column[stepFigures]{"peak MiB", 1, func(b stepFigures) float64 { return b.peak }},
		column[stepFigures]{"heap MiB", 1, func(b stepFigures) float64 { return b.heap }},
	)
}

const aboutCatalog = `
s: from the broker's accepted create, or from the accepted request to read it again, until its status says that this was done. POST,
PATCH, DELETE, GET, events: requests of the operator to the API server. One PATCH of each line is the broker's own status: what is
above that is of classes and plans. Aim: one for one plan that changed, none for none.

`

// catalogPart measures what reading a large catalog costs.
func (b *bench) catalogPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "catalog: %d classes with %d plans each\n\n", b.classes, b.plans)
	t := catalogTable()
	err := b.runInEnvironment(ctx, b.deployedOptions(), func(ctx context.Context, s *environment) error {
		tn, err := newTenantWithBroker(ctx, s.api, b.largeCatalog()...)
		if err != nil {
			return err
		}
		defer tn.broker.close()
		again := func(ctx context.Context) error { return tn.relistCatalog(ctx) }
		for _, step := range []struct {
			name string
			do   func(context.Context) error
		}{
			{"before", func(context.Context) error { return nil }},
			{"read for the first time", tn.addBroker},
			{"read again, nothing changed", again},
			{"read again, one plan changed", func(ctx context.Context) error {
				tn.broker.Change(func(o *osbtest.Options) { o.Services[0].Plans[0].Description = "another" })
				return again(ctx)
			}},
			{"removed", tn.removeBroker},
		} {
			logProgress("%s", step.name)
			figures, err := s.measureStep(ctx, b.rest, step.do)
			if err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
			t.addRun(step.name, figures)
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.write(out)
	fmt.Fprint(out, aboutCatalog)
	return nil
}

// largeCatalog returns -classes services with -plans plans each.
func (b *bench) largeCatalog() []osbtest.Service {
	name := b.uniqueName("catalog")
	services := make([]osbtest.Service, b.classes)
	for i := range services {
		services[i] = newService(fmt.Sprintf("%s-%03d", name, i), osbtest.Behavior{})
		services[i].Plans = nil
		for j := range b.plans {
			services[i].Plans = append(services[i].Plans, osbtest.Plan{
				ID: string(uuid.NewUUID()), Name: fmt.Sprintf("plan-%02d", j), Description: fmt.Sprintf("As many as %d units of it", j)})
		}
	}
	return services
}

// measureStep measures what the subject needs for an action.
func (env *environment) measureStep(ctx context.Context, rest time.Duration, do func(context.Context) error) (f stepFigures, err error) {
	since, err := env.waitForSilence(ctx)
	if err != nil {
		return f, err
	}
	start := time.Now()
	if err = do(ctx); err != nil {
		return f, err
	}
	f.took = time.Since(start).Seconds()
	if f.requestCounts, err = env.countRequests(ctx, since); err != nil {
		return f, err
	}
	f.footprint, err = env.measureFootprint(ctx, rest)
	return f, err
}

// relistCatalog makes the operator read the broker's catalog again, and returns once it did.
func (t *tenant) relistCatalog(ctx context.Context) error {
	b := &v1beta1.ClusterServiceBroker{}
	b.Name = t.namespace
	if err := t.api.Get(ctx, client.ObjectKeyFromObject(b), b); err != nil {
		return err
	}
	b.Spec.RelistRequests++
	if err := t.api.Update(ctx, b); err != nil {
		return err
	}
	asked := b.Generation
	return pollUntil(ctx, func(ctx context.Context) (bool, error) {
		err := t.api.Get(ctx, client.ObjectKeyFromObject(b), b)
		return b.Status.ReconciledGeneration >= asked, err
	})
}
