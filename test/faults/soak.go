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
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// A soak has users do what they like and things fail, round by round. At the end of each
// round all is left alone, and has to be right once it has come to rest.
type session struct {
	*run
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
	// each has so many objects of a kind.
	objectsPerUser = 4
	roundTime      = 20 * time.Second
	// settleTimeout is how long it may take until all is at rest: whoever was told to wait does.
	settleTimeout = 3 * time.Minute
)

// soakOptions are those of the command line.
type soakOptions struct {
	operator string // the binary that is tried; "": it is built
	duration time.Duration
	seed     uint64
	chart    string // the file into which memory and goroutines are drawn; "": none
}

// soakFor goes on for a time, and draws what it took into a file, if there is a path.
func soakFor(ctx context.Context, o soakOptions, out io.Writer) (err error) {
	l, err := startCluster(ctx, o.operator)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := l.newRun(ctx, Scenario{})
	if err != nil {
		return err
	}
	s := &session{run: r, out: out, seed: o.seed, began: time.Now()}
	defer s.close()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "seed %d\n%s\n", o.seed, tableHeader)
	for time.Since(s.began) < o.duration && ctx.Err() == nil {
		if err := s.runRound(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d rounds, %d actions, %d violations, %s, seed %d\n", s.rounds, s.actions.Load(), s.violations, time.Since(s.began).Round(time.Second), o.seed)
	if o.chart != "" {
		if err := os.WriteFile(o.chart, s.meter.chart(), 0o600); err != nil {
			return err
		}
	}
	if s.violations > 0 {
		return fmt.Errorf("%d violations", s.violations)
	}
	return nil
}

func (s *session) prepare(ctx context.Context) (err error) {
	if s.meter, err = newMeter(ctx, s.cluster, s.env.namespace); err != nil {
		return err
	}
	s.onLeader = func(p *process) { s.meter.setProcess(p.processID()) }
	if err := s.startLeader(ctx); err != nil {
		return err
	}
	err = s.env.play(func(w *environment) {
		createThreeReceivers(w)
		registerBroker(w)
		w.maxRepeats = math.MaxInt32 // the operator is killed again and again
		w.broker.Change(func(o *osbtest.Options) { o.Terse, o.Patient = true, true })
	})
	if err != nil {
		return fmt.Errorf("preparing: %w\n%s", err, s.log)
	}
	go s.meter.sampleLoop(ctx)
	return nil
}

// startLeader has a new process.
func (s *session) startLeader(ctx context.Context) error {
	p, err := s.startProcess(ctx, false, "", "--metrics-bind-address="+s.meter.address)
	if err != nil {
		return err
	}
	s.setLeader(p)
	return nil
}

// runRound is one round.
func (s *session) runRound(ctx context.Context) error {
	s.rounds++
	r := rand.New(rand.NewPCG(s.seed, uint64(s.rounds)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.injector.arm(fault{})
	watched := s.oracle.watchObjects(ctx)
	trouble := disruptions[r.IntN(len(disruptions))]
	busy, rest := context.WithTimeout(ctx, roundTime)
	var all sync.WaitGroup
	for user := range users {
		random := rand.New(rand.NewPCG(r.Uint64(), uint64(user)))
		all.Go(func() { s.userLoop(busy, random, user) })
	}
	sleep(busy, time.Duration(r.IntN(5))*time.Second)
	err := trouble.do(s, busy, r)
	all.Wait()
	rest()
	if err != nil {
		return fmt.Errorf("%s: %w", trouble.name, err)
	}
	quiet := time.Now()
	problem := s.waitSettled()
	took := time.Since(quiet)
	s.oracle.check(true)
	s.env.broker.Forget()
	if problem != nil {
		s.env.reportf("%v", problem)
	}
	reading := s.meter.checkAtRest(s.env)
	cancel()
	watched()
	s.printRound(trouble.name, took, reading)
	return nil
}

const tableHeader = " time  round  trouble                        actions  calls  at rest after  resident MiB  goroutines  violations"

// printRound prints a line of the table, and what was wrong.
func (s *session) printRound(trouble string, took time.Duration, reading sample) {
	log := s.log.Take()
	s.oracle.checkLog(log, false)
	problems := s.env.takeProblems()
	s.violations += len(problems)
	fmt.Fprintf(s.out, "%5s  %5d  %-29s  %7d  %5d  %12.1fs  %12.1f  %10d  %10d\n", formatClock(time.Since(s.began)), s.rounds, trouble, s.actions.Load(),
		len(s.injector.calls()), took.Seconds(), reading.resident/(1<<20), int(reading.goroutines), len(problems))
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

func formatClock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
