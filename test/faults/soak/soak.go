// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package soak runs the operator for a long time, while users act at random and the operator, the API server, the broker or a receiver fails.
package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// session runs rounds in which users act at random while something fails. At the end of each round all must be as the users asked.
type session struct {
	*harness.Run
	out        io.Writer
	seed       uint64
	began      time.Time
	meter      *meter
	actions    atomic.Int64
	rounds     int
	violations int
}

const (
	users = 4
	// objectsPerUser is the number of objects of each kind.
	objectsPerUser = 4
	roundTime      = 20 * time.Second
	// settleTimeout limits the time until all is settled, retry delays included.
	settleTimeout = 3 * time.Minute
)

// Options choose a soak.
type Options struct {
	Operator string // the binary under test; "": it is built
	Duration time.Duration
	Seed     uint64
	Chart    string // the SVG file for memory and goroutines; "": none
}

// Run makes rounds for a time.
func Run(ctx context.Context, o Options, out io.Writer) (err error) {
	cluster, err := harness.StartCluster(ctx, harness.Binaries{Operator: o.Operator})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := cluster.NewRun(ctx, scenario.Scenario{Troubled: true})
	if err != nil {
		return err
	}
	s := &session{Run: r, out: out, seed: o.Seed, began: time.Now()}
	defer s.Close()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "seed %d\n%s\n", o.Seed, tableHeader)
	for time.Since(s.began) < o.Duration && ctx.Err() == nil {
		if err := s.runRound(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d rounds, %d actions, %d violations, %s, seed %d\n", s.rounds, s.actions.Load(), s.violations, time.Since(s.began).Round(time.Second), o.Seed)
	if o.Chart != "" {
		if err := os.WriteFile(o.Chart, s.meter.chart(), 0o600); err != nil {
			return err
		}
	}
	if s.violations > 0 {
		return fmt.Errorf("%d violations", s.violations)
	}
	return nil
}

// prepare starts the first process, the receivers and the broker.
func (s *session) prepare(ctx context.Context) (err error) {
	if s.meter, err = newMeter(ctx, s.Cluster, s.Env.Namespace); err != nil {
		return err
	}
	s.OnLeader = func(p *harness.Process) { s.meter.setProcess(p.ProcessID()) }
	if err := s.startLeader(ctx); err != nil {
		return err
	}
	err = s.Env.Play(func(env *scenario.Environment) {
		scenario.CreateThreeReceivers(env)
		scenario.RegisterBroker(env)
		env.MaxRepeats = math.MaxInt32 // each kill of the operator may repeat a message
		env.Broker.Change(func(o *osbtest.Options) { o.Terse, o.Patient = true, true })
	})
	if err != nil {
		return fmt.Errorf("preparing: %w\n%s", err, s.Log)
	}
	go s.meter.sampleLoop(ctx)
	return nil
}

// startLeader starts a process.
func (s *session) startLeader(ctx context.Context) error {
	p, err := s.StartProcess(ctx, harness.ProcessOptions{Binary: s.Cluster.Operator, Flags: []string{"--metrics-bind-address=" + s.meter.address}})
	if err != nil {
		return err
	}
	s.SetLeader(p)
	return nil
}

// runRound makes one round.
func (s *session) runRound(ctx context.Context) error {
	s.rounds++
	r := rand.New(rand.NewPCG(s.seed, uint64(s.rounds)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.Injector.Arm(proxy.Fault{})
	endWatches := s.Oracle.WatchObjects(ctx)
	d := disruptions[r.IntN(len(disruptions))]
	busy, endActions := context.WithTimeout(ctx, roundTime)
	var all sync.WaitGroup
	for user := range users {
		random := rand.New(rand.NewPCG(r.Uint64(), uint64(user)))
		all.Go(func() { s.userLoop(busy, random, user) })
	}
	proxy.Sleep(busy, time.Duration(r.IntN(5))*time.Second)
	err := d.do(s, busy, r)
	all.Wait()
	endActions()
	if err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	settling := time.Now()
	problem := s.waitSettled()
	took := time.Since(settling)
	s.Oracle.Check(true)
	s.Env.Broker.Forget()
	if problem != nil {
		s.Env.Reportf("%v", problem)
	}
	reading := s.meter.checkAtRest(s.Env)
	cancel()
	endWatches()
	s.printRound(d.name, took, reading)
	return nil
}

// tableHeader is the first line of the output.
const tableHeader = " time  round  trouble                        actions  calls  at rest after  resident MiB  goroutines  violations"

// printRound prints a line of the table, and the violations.
func (s *session) printRound(trouble string, took time.Duration, reading sample) {
	log := s.Log.Take()
	s.Oracle.CheckLog(log, false)
	problems := s.Env.TakeProblems()
	s.violations += len(problems)
	fmt.Fprintf(s.out, "%5s  %5d  %-29s  %7d  %5d  %12.1fs  %12.1f  %10d  %10d\n", formatClock(time.Since(s.began)), s.rounds, trouble, s.actions.Load(),
		len(s.Injector.Calls()), took.Seconds(), reading.resident/(1<<20), int(reading.goroutines), len(problems))
	if len(problems) == 0 {
		return
	}
	file := filepath.Join(os.TempDir(), fmt.Sprintf("bellhop-soak-%d-%d.log", s.seed, s.rounds))
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		file = err.Error()
	}
	fmt.Fprintf(s.out, "VIOLATION in round %d with %s\n  %s\n  the operator's log: %s\n  again: make soak MINUTES=%.0f SEED=%d\n", s.rounds, trouble,
		strings.Join(problems, "\n  "), file, time.Since(s.began).Minutes()+1, s.seed)
}

// formatClock returns minutes and seconds.
func formatClock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
