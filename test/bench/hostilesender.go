// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

const (
	// hostileMaxAlerts is maxAlerts of the source whose token the hostile client has: one Alert more has what is beyond.
	hostileMaxAlerts = 200
	// hostileGroups is how many groups it posts at once, which is as many alerts as a post may have.
	hostileGroups = 5000
	// hostileIdle and hostileSlow are its connections that send nothing, and very slowly. The operator takes 512 from all clients.
	hostileIdle, hostileSlow = 380, 2
	// tooLarge is one byte more than a body may have.
	tooLarge = 4<<20 + 1
	// hostileDepth is how deep its JSON is. encoding/json refuses more than 10,000 levels.
	hostileDepth = 1 << 20
	// hostileGroupsRate is how many posts of groups there are in a second, from hostileFloods connections: 10,000 groups in 10 seconds.
	hostileGroupsRate, hostileFloods = 0.2, 2
	// hostileHeavyRate is how many bodies of 4 MiB and of each other kind it posts in a second, and hostileLightRate how many wrong tokens.
	hostileHeavyRate, hostileLightRate = 1.0, 40.0
	// hostileMemoryLimit is by how much the client may raise the largest resident memory, in MiB: its AlertSource has 4 requests at a time.
	hostileMemoryLimit = 192
	// hostileLimit is how much slower the answers to others may be, as 99th percentiles.
	hostileLimit = 1.15
)

const aboutHostile = `
p50, p99, max: of the answer to a post of %d alerts, of which one begins to fire. with: a hostile client posts at the same time. It has the token of
another AlertSource, by which it posts %d groups at once, others each time, %g times a second, and %g times bodies of 4 MiB and a byte, and JSON of
%d levels; it posts %g a second with wrong tokens, half of which the API server has to review, and has %d connections that are idle and %d that are slow.
other: the answers to its posts with a token that are no success; MiB: the peak of the resident memory. Limits, which fail the benchmark: no post of
the others is refused or lost; the Alerts of the hostile client are %d; it adds %d MiB to the peak (here %.0f);
and unless it is -short with / without of p99 is at most %g (here %.2f).

`

// hostileFigures are the figures of one run.
type hostileFigures struct {
	isolationFigures
	peak    float64 // MiB, of the process so far
	refused int     // posts of the hostile client with a token
	posts   int     // of the hostile client
}

func hostileTable() *table[hostileFigures] {
	return newTable(
		column[hostileFigures]{"posts/s", 1, func(f hostileFigures) float64 { return f.created }},
		column[hostileFigures]{"p50 ms", 1, func(f hostileFigures) float64 { return milliseconds(f.p50) }},
		column[hostileFigures]{"p99 ms", 1, func(f hostileFigures) float64 { return milliseconds(f.p99) }},
		column[hostileFigures]{"max ms", 1, func(f hostileFigures) float64 { return milliseconds(f.max) }},
		column[hostileFigures]{"busy %", 0, func(f hostileFigures) float64 { return f.busy }},
		column[hostileFigures]{"hostile", 0, func(f hostileFigures) float64 { return float64(f.posts) }},
		column[hostileFigures]{"refused", 0, func(f hostileFigures) float64 { return float64(f.refused) }},
		column[hostileFigures]{"MiB", 1, func(f hostileFigures) float64 { return f.peak }},
	)
}

// hostilePart measures how much a hostile client slows down a sender of another AlertSource.
func (b *bench) hostilePart(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "hostile: %d posts in a run, %g a second; runs: %d with a hostile client, %d without, in turn\n\n", b.runAlerts, b.rate, b.runs, b.runs)
	if b.runAlerts >= alertsOfLimit {
		return fmt.Errorf("-run-alerts has to be less than %d, which an AlertSource may have", alertsOfLimit)
	}
	o, address, err := b.withListener(environmentOptions{binary: b.operator})
	if err != nil {
		return err
	}
	var with, without []hostileFigures
	var added float64
	t := hostileTable()
	err = b.runInEnvironment(ctx, o, func(ctx context.Context, s *environment) (err error) {
		_, before := s.readMemory()
		with, without, err = b.alternateHostileRuns(ctx, s, address, t)
		_, after := s.readMemory()
		added = after - before
		return err
	})
	t.addMedians("median with", with)
	t.addMedians("median without", without)
	t.addRatio("with / without", with, without)
	t.write(out)
	if err != nil {
		return err
	}
	ratio := ratioOfP99(with, without)
	fmt.Fprintf(out, aboutHostile, batchSize, hostileGroups, hostileGroupsRate, hostileHeavyRate, hostileDepth, hostileLightRate, hostileIdle, hostileSlow, hostileMaxAlerts+1, hostileMemoryLimit, added, hostileLimit, ratio)
	return checkHostile(ratio, added, !b.short)
}

// ratioOfP99 returns the ratio of the medians.
func ratioOfP99(with, without []hostileFigures) float64 {
	p99 := column[hostileFigures]{of: func(f hostileFigures) float64 { return milliseconds(f.p99) }}
	return p99.median(with) / p99.median(without)
}

// checkHostile returns an error for each limit that is exceeded.
func checkHostile(ratio, mebibytes float64, isTimed bool) error {
	var errs []error
	if isTimed && ratio > hostileLimit {
		errs = append(errs, fmt.Errorf("beside a hostile client the answers to others take %.2f times as long in the 99th percentile: the limit is %g", ratio, hostileLimit))
	}
	if mebibytes > hostileMemoryLimit {
		errs = append(errs, fmt.Errorf("a hostile client adds %.0f MiB to the peak of the memory: the limit is %d", mebibytes, hostileMemoryLimit))
	}
	return errors.Join(errs...)
}

// answerAtOnce is a server that only reads what it gets. The hostile client posts to it in the runs without, so that what the client itself needs of
// the machine's processors is in both.
func answerAtOnce(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// alternateHostileRuns makes runs in turn in which the hostile client posts elsewhere, and to the operator.
func (b *bench) alternateHostileRuns(ctx context.Context, s *environment, address string, t *table[hostileFigures]) (with, without []hostileFigures, err error) {
	victim, err := newSource(ctx, s.api, address, b.uniqueName("hostile"), hostileMaxAlerts, nil)
	if err != nil {
		return nil, nil, err
	}
	defer victim.close()
	hostile := newHostileClient(victim)
	prompt := httptest.NewTLSServer(http.HandlerFunc(answerAtOnce))
	defer prompt.Close()
	elsewhere := newHostileClient(newSender(prompt.Listener.Addr().String(), victim.namespace, token))
	if err := errors.Join(hostile.flood(ctx), checkCount(ctx, s, victim.namespace, hostileMaxAlerts+1)); err != nil {
		return nil, nil, err
	}
	for run := range 2 * b.runs {
		name, runs, beside := fmt.Sprintf("without-%d", run/2+1), &without, elsewhere
		if run%2 == 1 {
			name, runs, beside = fmt.Sprintf("with-%d", run/2+1), &with, hostile
		}
		logProgress("run %d of %d: %s", run+1, 2*b.runs, name)
		figures, err := b.measureBesideHostile(ctx, s, address, b.uniqueName(name), beside)
		if err != nil {
			return with, without, fmt.Errorf("%s: %w", name, err)
		}
		*runs = append(*runs, figures)
		t.addRun(name, figures)
	}
	return with, without, checkCount(ctx, s, victim.namespace, hostileMaxAlerts+1)
}

// checkCount fails unless a namespace has n Alerts.
func checkCount(ctx context.Context, s *environment, namespace string, n int) error {
	alerts, err := alertsOf(ctx, s.api, namespace)
	if err == nil && len(alerts) != n {
		err = fmt.Errorf("namespace %s has %d Alerts: %d are right", namespace, len(alerts), n)
	}
	return err
}

// measureBesideHostile makes one run of posts to a new AlertSource, each of which has one alert more that fires.
func (b *bench) measureBesideHostile(ctx context.Context, s *environment, address, namespace string, hostile *hostileClient) (f hostileFigures, err error) {
	from, err := newSource(ctx, s.api, address, namespace, alertsOfLimit, nil)
	if err != nil {
		return f, err
	}
	defer from.close()
	start := time.Now()
	took := make([]time.Duration, b.runAlerts+1)
	post := func(ctx context.Context, i int) error {
		var alerts []firing
		for n := max(0, i-batchSize+1); n <= i; n++ {
			alerts = append(alerts, newFiring("Disk"+objectName(n), i+n, start, time.Now()))
		}
		body, err := bodyOf(alerts)
		if err != nil {
			return err
		}
		code, duration, err := from.post(ctx, body)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("post %d was answered with %d", i, code)
		}
		took[i] = duration
		return err
	}
	if err := post(ctx, 0); err != nil { // which opens a connection
		return f, err
	}
	hostileCtx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	ready := make(chan struct{})
	running.Go(func() { f.posts, f.refused = hostile.run(hostileCtx, func() { close(ready) }) })
	<-ready
	busyBefore, idleBefore := readCPUTimes()
	first := time.Now()
	for i := 1; i <= b.runAlerts && err == nil; i++ { // one after the other, as Prometheus and Alertmanager do
		if err = sleep(ctx, time.Until(first.Add(time.Duration(float64(i)/b.rate*float64(time.Second))))); err == nil {
			err = post(ctx, i)
		}
	}
	elapsed := time.Since(first)
	busyAfter, idleAfter := readCPUTimes()
	cancel()
	running.Wait()
	if err != nil {
		return f, err
	}
	f.created = float64(b.runAlerts) / elapsed.Seconds()
	f.busy = 100 * (busyAfter - busyBefore) / (busyAfter - busyBefore + idleAfter - idleBefore)
	f.p50, f.p99, f.max = percentile(took[1:], 50), percentile(took[1:], 99), percentile(took[1:], 100)
	_, f.peak = s.readMemory()
	return f, checkCount(ctx, s, namespace, b.runAlerts+1)
}
