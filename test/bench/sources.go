// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/audit"
)

const (
	// lapseMinutes is for how many minutes of the sender alerts are posted: within them the operator writes the time of each lapse once.
	lapseMinutes = 20
	// writeLimit is how many writes a second alertsOfLimit alerts may cost that are posted each minute.
	writeLimit, alertsOfLimit = 2.0, 1000
	// postLimit is how long the answer to a post may take, as the 99th percentile.
	postLimit = 200 * time.Millisecond
)

// sourceWrites are writes of the operator to the API server.
type sourceWrites struct{ created, spec, status, source, events, others float64 }

// perMinute counts the time of the last post, which the operator writes once in a minute of its own clock, for each minute of the sender.
func (w sourceWrites) perMinute(minutes float64) float64 {
	return (w.created + w.spec + w.status + w.events + w.others + max(w.source, minutes)) / minutes
}

// countWrites counts the writes in an audit log, but for leases, which are renewed without any post.
func countWrites(made []audit.Event) (w sourceWrites) {
	for _, e := range made {
		isAlert := e.ObjectRef.Resource == "alerts"
		switch {
		case !slices.Contains([]string{"create", "patch", "update", "delete"}, e.Verb):
		case e.ObjectRef.Resource == "leases" || e.ObjectRef.APIGroup == "authentication.k8s.io" || e.ObjectRef.APIGroup == "authorization.k8s.io":
		case e.ObjectRef.Resource == "events":
			w.events++
		case isAlert && e.Verb == "create":
			w.created++
		case isAlert && e.ObjectRef.Subresource == "status":
			w.status++
		case isAlert && e.ObjectRef.Subresource == "":
			w.spec++
		case e.ObjectRef.Resource == "alertsources":
			w.source++
		default:
			w.others++
		}
	}
	return w
}

// sourceFigures are those of a step of the sender.
type sourceFigures struct {
	posts         int
	minutes       float64 // of the sender
	p50, p99, max time.Duration
	cpu           float64 // milliseconds for each post, with all that follows from it
	sourceWrites
	footprint
}

func sourcesTable() *table[sourceFigures] {
	return newTable(
		column[sourceFigures]{"posts", 0, func(f sourceFigures) float64 { return float64(f.posts) }},
		column[sourceFigures]{"p50 ms", 1, func(f sourceFigures) float64 { return milliseconds(f.p50) }},
		column[sourceFigures]{"p99 ms", 1, func(f sourceFigures) float64 { return milliseconds(f.p99) }},
		column[sourceFigures]{"max ms", 1, func(f sourceFigures) float64 { return milliseconds(f.max) }},
		column[sourceFigures]{"CPU ms", 1, func(f sourceFigures) float64 { return f.cpu }},
		column[sourceFigures]{"created", 0, func(f sourceFigures) float64 { return f.created }},
		column[sourceFigures]{"spec", 0, func(f sourceFigures) float64 { return f.spec }},
		column[sourceFigures]{"status", 0, func(f sourceFigures) float64 { return f.status }},
		column[sourceFigures]{"source", 0, func(f sourceFigures) float64 { return f.source }},
		column[sourceFigures]{"events", 0, func(f sourceFigures) float64 { return f.events }},
		column[sourceFigures]{"others", 0, func(f sourceFigures) float64 { return f.others }},
		column[sourceFigures]{"writes/s", 2, func(f sourceFigures) float64 { return f.perMinute(f.minutes) / 60 }},
		column[sourceFigures]{"resident MiB", 1, func(f sourceFigures) float64 { return f.resident }},
		column[sourceFigures]{"peak MiB", 1, func(f sourceFigures) float64 { return f.peak }},
		column[sourceFigures]{"heap MiB", 2, func(f sourceFigures) float64 { return f.heap }},
	)
}

const aboutSources = `
One sender posts %d alerts of as many groups once a minute of its clock, %d in a post, one post after the other; the description of each differs
in each post. Here its minute takes %s, so that the operator has the work of a minute in that time; with -minute=1m it is in real time. Posts say
when their alerts end by the sender's clock, by which the operator writes lapses: each once in %d minutes, which is what is measured.
p50, p99, max: of the answer to a post. CPU: of the operator, for each post, with all that follows from it. spec, status: patches of Alerts; source:
of the status of the AlertSource. writes/s: all of these and events, in a second of the sender; the time of the last post counts once for each
minute. Heap added by an Alert: %.0f bytes. Limits, which fail the benchmark: %g writes a second for %d alerts, no message by a re-post, and unless it is
-short a p99 of %s.

`

// sourcesPart measures what alerts cost that fire, and are posted again each minute.
func (b *bench) sourcesPart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "sources: %d alerts of as many groups, posted again each minute for %d minutes\n\n", b.posted, lapseMinutes)
	o, address, err := b.withListener(b.deployedOptions())
	if err != nil {
		return err
	}
	t := sourcesTable()
	var before, fired, repeated sourceFigures
	err = b.runInEnvironment(ctx, o, func(ctx context.Context, s *environment) (err error) {
		before, fired, repeated, err = b.measureSources(ctx, s, address, t)
		return err
	})
	t.write(out)
	if err != nil {
		return err
	}
	added := (fired.heap - before.heap) * (1 << 20) / float64(b.posted)
	fmt.Fprintf(out, aboutSources, b.posted, batchSize, b.minute, lapseMinutes, added, writeLimit, alertsOfLimit, postLimit)
	return repeated.check(b.posted, !b.short)
}

// check returns an error for each limit that n alerts exceed which are posted again.
func (f sourceFigures) check(n int, isTimed bool) error {
	var errs []error
	if is, limit := f.perMinute(f.minutes)/60, writeLimit*float64(n)/alertsOfLimit; is > limit {
		errs = append(errs, fmt.Errorf("%d alerts that are posted again cost %.3f writes a second: the limit is %.3f", n, is, limit))
	}
	if isTimed && f.p99 > postLimit {
		errs = append(errs, fmt.Errorf("the answer to a post takes %v in the 99th percentile: the limit is %v", f.p99, postLimit))
	}
	return errors.Join(errs...)
}

// measureSources adds rows before the alerts fire, for their first posts, and for the others.
func (b *bench) measureSources(ctx context.Context, s *environment, address string, t *table[sourceFigures]) (before, fired, repeated sourceFigures, err error) {
	recv, err := newReceiver(ctx, respondOK)
	if err != nil {
		return before, fired, repeated, err
	}
	defer recv.close()
	from, err := newSource(ctx, s.api, address, b.uniqueName("sources"), alertsOfLimit, recv)
	if err != nil {
		return before, fired, repeated, err
	}
	defer from.close()
	load := &sourceLoad{sender: from, count: b.posted, start: time.Now()}
	for _, step := range []struct {
		name    string
		figures *sourceFigures
		do      func(context.Context) error
	}{
		{"nothing fires", &before, func(context.Context) error { return nil }},
		{"all begin to fire", &fired, func(ctx context.Context) error {
			if err := load.post(ctx, 0); err != nil {
				return err
			}
			return pollUntil(ctx, func(context.Context) (bool, error) { return recv.pagedCount() >= b.posted, nil })
		}},
		{fmt.Sprintf("posted again for %d min", lapseMinutes), &repeated, func(ctx context.Context) error { return load.repeat(ctx, b.minute) }},
	} {
		logProgress("%s", step.name)
		if *step.figures, err = s.measureSourceStep(ctx, b.rest, load, step.do); err != nil {
			return before, fired, repeated, fmt.Errorf("%s: %w", step.name, err)
		}
		t.addRun(step.name, *step.figures)
	}
	return before, fired, repeated, load.checkStored(ctx, s, recv)
}

// measureSourceStep measures the posts of a step, what follows from them, and the memory at rest after it.
func (env *environment) measureSourceStep(ctx context.Context, rest time.Duration, load *sourceLoad, do func(context.Context) error) (f sourceFigures, err error) {
	since, err := env.waitForSilence(ctx)
	if err != nil {
		return f, err
	}
	start, err := env.readMetrics(ctx)
	if err != nil {
		return f, err
	}
	load.took, load.minutes = nil, 0
	if err := do(ctx); err != nil {
		return f, err
	}
	if _, err := env.waitForSilence(ctx); err != nil {
		return f, err
	}
	end, err := env.readMetrics(ctx)
	if err != nil {
		return f, err
	}
	f.posts, f.minutes = len(load.took), rateMinutes(load.minutes)
	f.p50, f.p99, f.max = percentile(load.took, 50), percentile(load.took, 99), percentile(load.took, 100)
	f.cpu = (end.sum(cpuSeconds, "") - start.sum(cpuSeconds, "")) * 1000 / float64(f.posts)
	made, err := audit.Read(env.auditLogPath, since, env.cluster.Namespace, env.cluster.ServiceAccount)
	if err != nil {
		return f, err
	}
	f.sourceWrites = countWrites(made)
	f.footprint, err = env.measureFootprint(ctx, rest)
	return f, err
}

// rateMinutes returns NaN for zero: without posts in each minute there is no rate.
func rateMinutes(minutes int) float64 {
	if minutes == 0 {
		return math.NaN()
	}
	return float64(minutes)
}

// sourceLoad posts alerts as Prometheus does.
type sourceLoad struct {
	*sender
	count   int
	start   time.Time // from when the alerts fire
	minutes int       // that were posted again
	took    []time.Duration
}

// post posts all alerts, some minutes after they began to fire.
func (l *sourceLoad) post(ctx context.Context, minute int) error {
	now := l.start.Add(time.Duration(minute) * time.Minute)
	for from := 0; from < l.count; from += batchSize {
		var alerts []firing
		for i := from; i < min(from+batchSize, l.count); i++ {
			alerts = append(alerts, newFiring("Disk"+objectName(i), i+minute, l.start, now))
		}
		body, err := bodyOf(alerts)
		if err != nil {
			return err
		}
		code, took, err := l.sender.post(ctx, body)
		if err != nil || code != http.StatusOK {
			return fmt.Errorf("a post was answered with %d, %w", code, err)
		}
		l.took = append(l.took, took)
	}
	return nil
}

// repeat posts all alerts again in each minute of the sender.
func (l *sourceLoad) repeat(ctx context.Context, minute time.Duration) error {
	ticks := time.NewTicker(minute)
	defer ticks.Stop()
	for l.minutes < lapseMinutes {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		l.minutes++
		if err := l.post(ctx, l.minutes); err != nil {
			return err
		}
	}
	return nil
}

// checkStored fails unless each alert has an Alert that fires, and one message was sent about each.
func (l *sourceLoad) checkStored(ctx context.Context, s *environment, recv *receiver) error {
	alerts, err := alertsOf(ctx, s.api, l.namespace)
	if err != nil {
		return err
	}
	fires := func(a v1beta1.Alert) bool { return a.Spec.State != v1beta1.AlertResolved }
	if alerts = slices.DeleteFunc(alerts, func(a v1beta1.Alert) bool { return !fires(a) }); len(alerts) != l.count {
		return fmt.Errorf("%d Alerts of %d fire", len(alerts), l.count)
	}
	if messages := int(recv.requests.Load()); messages != l.count || recv.pagedCount() != l.count {
		return fmt.Errorf("the receiver got %d messages about %d Alerts: there are %d, and one about each is right", messages, recv.pagedCount(), l.count)
	}
	return nil
}
