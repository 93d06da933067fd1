// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

const (
	// labelledLimit is how much heap an object with the label may take, in bytes: 5,000 take at most 10 MiB.
	labelledLimit = 10 << 20 / 5000
	// unlabelledLimit is how much an object without it may seem to take. An operator that knows of an object has at least a pointer to it.
	unlabelledLimit = 8
	// heapNoise is by how much two readings of the same heap differ at most, in bytes: buffers of connections and of metrics come and go.
	heapNoise = 64 << 10
	// labelledQuiet is how long requests at rest are counted at most, in which the lease is renewed at least twice.
	labelledQuiet = 30 * time.Second
)

// labelledController is the name of the controller of objects with the label, by which its metrics are found.
const labelledController = "page-by-label"

// labelledRows are the steps whose figures have limits.
type labelledRows struct {
	before, again, unlabelled, labelled, atRest, restarted stepFigures
}

const aboutLabelled = `
The Deployments with the label have three containers, and managedFields and annotations of %.0f kB in all as JSON; all are healthy. heap: how
much is in use after garbage collections; each: how much more of it for each Deployment that came since the line before, and after the restart
for each of all with the label since the first line. lease: renewals; watch: those that ended and began anew; both happen without any Deployment.
Limits, which fail the benchmark: no other request before the restart; %d bytes of heap for a Deployment with the label, which is 10 MiB for 5000;
%d bytes for one without it, which is as much as a reference to it takes. %d KiB more are noise: here %.0f KiB between the first two lines.

`

// labelledPart measures what Deployments cost an operator that sends Alerts about those with a label.
func (b *bench) labelledPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "labelled: an operator with --page-by-label, %d Deployments without the label and %d with it\n\n", b.unlabelled, b.labelled)
	o := b.deployedOptions()
	o.unshared = true
	o.args = append(o.args, "--page-by-label")
	t := labelledTable()
	var rows labelledRows
	var size int
	err := b.runInEnvironment(ctx, o, func(ctx context.Context, s *environment) (err error) {
		rows, size, err = b.measureLabelled(ctx, s, t)
		return err
	})
	t.write(out)
	if err != nil {
		return err
	}
	noise := math.Abs(rows.again.heap-rows.before.heap) * 1024
	fmt.Fprintf(out, aboutLabelled, float64(size)/1000, labelledLimit, unlabelledLimit, heapNoise>>10, noise)
	return rows.check(b.unlabelled, b.labelled)
}

func labelledTable() *table[stepFigures] {
	return newTable(
		column[stepFigures]{"s", 1, func(f stepFigures) float64 { return f.took }},
		column[stepFigures]{"resident MiB", 1, func(f stepFigures) float64 { return f.resident }},
		column[stepFigures]{"heap MiB", 2, func(f stepFigures) float64 { return f.heap }},
		column[stepFigures]{"heap B each", 1, func(f stepFigures) float64 { return f.added }},
		column[stepFigures]{"lease", 0, func(f stepFigures) float64 { return f.leases }},
		column[stepFigures]{"watch", 0, func(f stepFigures) float64 { return f.watches }},
		column[stepFigures]{"list", 0, func(f stepFigures) float64 { return f.lists }},
		column[stepFigures]{"GET", 0, func(f stepFigures) float64 { return f.get + f.secretGets }},
		column[stepFigures]{"writes", 0, func(f stepFigures) float64 { return f.writes() }},
		column[stepFigures]{"events", 0, func(f stepFigures) float64 { return f.events }},
	)
}

// measureLabelled adds a row for each step, and returns the size of a Deployment with the label, too.
func (b *bench) measureLabelled(ctx context.Context, s *environment, t *table[stepFigures]) (rows labelledRows, size int, err error) {
	d := &deploymentLoad{api: s.api, namespace: b.uniqueName("labelled")}
	if err := b.startPageByLabel(ctx, s, d); err != nil {
		return rows, 0, err
	}
	nothing := func(context.Context) error { return nil }
	for _, step := range []struct {
		name    string
		figures *stepFigures
		from    *stepFigures // the row from which the heap grew
		added   int          // objects since then
		do      func(context.Context) error
	}{
		{"no Deployments", &rows.before, nil, 0, nothing},
		{"no Deployments, again", &rows.again, nil, 0, nothing},
		{fmt.Sprintf("%d without the label", b.unlabelled), &rows.unlabelled, &rows.again, b.unlabelled, func(ctx context.Context) error {
			_, err := runBurst(ctx, b.unlabelled, b.creators, d.createUnlabelled)
			return err
		}},
		{fmt.Sprintf("%d more with the label", b.labelled), &rows.labelled, &rows.unlabelled, b.labelled, func(ctx context.Context) error {
			return s.reconcileLabelled(ctx, b.labelled, func() error {
				_, err := runBurst(ctx, b.labelled, b.creators, d.createLabelled)
				return err
			})
		}},
		{"at rest", &rows.atRest, nil, 0, func(ctx context.Context) error { return sleep(ctx, min(b.quiet, labelledQuiet)) }},
		{"the same, after a restart", &rows.restarted, &rows.again, b.labelled, func(ctx context.Context) error {
			if err := s.restartSubject(ctx); err != nil {
				return err
			}
			return s.waitForReconciles(ctx, b.labelled)
		}},
	} {
		logProgress("%s", step.name)
		if *step.figures, err = s.measureStep(ctx, b.rest, step.do); err != nil {
			return rows, 0, fmt.Errorf("%s: %w", step.name, err)
		}
		step.figures.added = math.NaN()
		if step.from != nil {
			step.figures.added = (step.figures.heap - step.from.heap) * (1 << 20) / float64(step.added)
		}
		t.addRun(step.name, *step.figures)
	}
	size, err = d.size(ctx)
	return rows, size, err
}

// startPageByLabel gives the operator the rights of config/page-by-label, and returns once it has reconciled an object with the label.
func (b *bench) startPageByLabel(ctx context.Context, s *environment, d *deploymentLoad) error {
	for _, name := range []string{"role.yaml", "role_binding.yaml"} {
		if out, err := s.cluster.Kubectl(ctx, "apply", "-f", filepath.Join(b.repo, "config/page-by-label", name)).CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: d.namespace, Labels: map[string]string{v1beta1.PageByLabelLabel: "enabled"}}}
	if err := s.api.Create(ctx, ns); err != nil {
		return err
	}
	if err := s.restartSubject(ctx); err != nil { // it would try again after a while only
		return err
	}
	if err := d.createUnlabelled(ctx, 0); err != nil {
		return err
	}
	if err := d.createLabelled(ctx, 0); err != nil {
		return err
	}
	return s.waitForReconciles(ctx, 1)
}

// reconcileLabelled creates n objects with the label, and returns once all of them are reconciled.
func (env *environment) reconcileLabelled(ctx context.Context, n int, create func() error) error {
	before, err := env.readMetrics(ctx)
	if err != nil {
		return err
	}
	if err := create(); err != nil {
		return err
	}
	return env.waitForReconciles(ctx, int(before.sum(reconciles, labelledController))+n)
}

// waitForReconciles returns once the process has reconciled objects with the label n times, and has nothing left to reconcile.
func (env *environment) waitForReconciles(ctx context.Context, n int) error {
	return pollUntil(ctx, func(ctx context.Context) (bool, error) {
		families, err := env.readMetrics(ctx)
		if err != nil {
			return false, nil //nolint:nilerr // a process that was just started may be ready, and not serve metrics yet
		}
		return families.sum(reconciles, labelledController) >= float64(n) && families.sum(queued, labelledController) == 0, nil
	})
}

// check returns an error for each limit that is exceeded.
func (rows *labelledRows) check(unlabelled, labelled int) error {
	var errs []error
	for _, step := range []struct {
		name string
		stepFigures
	}{{"Deployments without the label", rows.unlabelled}, {"Deployments with the label", rows.labelled}, {"the operator at rest", rows.atRest}} {
		others := step.requestCounts
		others.leases, others.watches = 0, 0
		if others != (requestCounts{}) {
			errs = append(errs, fmt.Errorf("%s: the operator sent other requests than for its lease and its watches: %+v", step.name, others))
		}
	}
	for _, step := range []struct {
		name         string
		is, was      stepFigures
		limit, count int
	}{
		{"Deployments without the label", rows.unlabelled, rows.again, unlabelledLimit, unlabelled},
		{"Deployments with the label", rows.labelled, rows.unlabelled, labelledLimit, labelled},
		{"Deployments with the label after a restart", rows.restarted, rows.again, labelledLimit, labelled},
	} {
		added, limit := (step.is.heap-step.was.heap)*(1<<20), float64(step.limit*step.count+heapNoise)
		if added > limit {
			errs = append(errs, fmt.Errorf("%d %s take %.0f bytes of heap: the limit is %.0f", step.count, step.name, added, limit))
		}
	}
	return errors.Join(errs...)
}

// sleep waits for a duration.
func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-time.After(duration):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
