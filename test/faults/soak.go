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
type soak struct {
	*run
	out     io.Writer
	seed    uint64
	began   time.Time
	meter   *meter
	actions atomic.Int64
	round   int
	bad     int
}

const (
	users = 4
	// each has so many objects of a kind.
	belongings = 4
	roundTime  = 20 * time.Second
	// restTime is how long it may take until all is at rest: whoever was told to wait does.
	restTime = 3 * time.Minute
)

// soakOptions are those of the command line.
type soakOptions struct {
	operator string // the binary that is tried; "": it is built
	duration time.Duration
	seed     uint64
	svg      string // the file into which memory and goroutines are drawn; "": none
}

// soakFor goes on for a time, and draws what it took into a file, if there is a path.
func soakFor(ctx context.Context, o soakOptions, out io.Writer) (err error) {
	l, err := newLab(ctx, o.operator)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := l.newRun(ctx, scenario{})
	if err != nil {
		return err
	}
	s := &soak{run: r, out: out, seed: o.seed, began: time.Now()}
	defer s.close()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "seed %d\n%s\n", o.seed, soakHeader)
	for time.Since(s.began) < o.duration && ctx.Err() == nil {
		if err := s.turn(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d rounds, %d actions, %d violations, %s, seed %d\n", s.round, s.actions.Load(), s.bad, time.Since(s.began).Round(time.Second), o.seed)
	if o.svg != "" {
		if err := os.WriteFile(o.svg, s.meter.svg(), 0o600); err != nil {
			return err
		}
	}
	if s.bad > 0 {
		return fmt.Errorf("%d violations", s.bad)
	}
	return nil
}

func (s *soak) prepare(ctx context.Context) (err error) {
	if s.meter, err = newMeter(ctx, s.lab, s.world.namespace); err != nil {
		return err
	}
	s.follow = func(p *process) { s.meter.follow(p.pid()) }
	if err := s.startLeader(ctx); err != nil {
		return err
	}
	err = s.world.play(func(w *world) {
		threeReceivers(w)
		registered(w)
		w.repeats = math.MaxInt32 // the operator is killed again and again
		w.broker.Change(func(o *osbtest.Options) { o.Terse, o.Patient = true, true })
	})
	if err != nil {
		return fmt.Errorf("preparing: %w\n%s", err, s.log)
	}
	go s.meter.run(ctx)
	return nil
}

// startLeader has a new process.
func (s *soak) startLeader(ctx context.Context) error {
	p, err := s.start(ctx, false, "", "--metrics-bind-address="+s.meter.address)
	if err != nil {
		return err
	}
	s.lead(p)
	return nil
}

// turn is one round.
func (s *soak) turn(ctx context.Context) error {
	s.round++
	r := rand.New(rand.NewPCG(s.seed, uint64(s.round)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.director.arm(fault{})
	watched := s.oracle.watch(ctx)
	trouble := troubles[r.IntN(len(troubles))]
	busy, rest := context.WithTimeout(ctx, roundTime)
	var all sync.WaitGroup
	for user := range users {
		random := rand.New(rand.NewPCG(r.Uint64(), uint64(user)))
		all.Go(func() { s.use(busy, random, user) })
	}
	wait(busy, time.Duration(r.IntN(5))*time.Second)
	err := trouble.do(s, busy, r)
	all.Wait()
	rest()
	if err != nil {
		return fmt.Errorf("%s: %w", trouble.name, err)
	}
	quiet := time.Now()
	problem := s.settle()
	took := time.Since(quiet)
	s.oracle.check(true)
	s.world.broker.Forget()
	if problem != nil {
		s.world.blame("%v", problem)
	}
	reading := s.meter.rest(s.world)
	cancel()
	watched()
	s.tell(trouble.name, took, reading)
	return nil
}

const soakHeader = " time  round  trouble                        actions  calls  at rest after  resident MiB  goroutines  violations"

// tell prints a line of the table, and what was wrong.
func (s *soak) tell(trouble string, took time.Duration, reading sample) {
	log := s.log.Take()
	s.oracle.checkLog(log, false)
	problems := s.world.takeProblems()
	s.bad += len(problems)
	fmt.Fprintf(s.out, "%5s  %5d  %-29s  %7d  %5d  %12.1fs  %12.1f  %10d  %10d\n", clock(time.Since(s.began)), s.round, trouble, s.actions.Load(),
		len(s.director.calls()), took.Seconds(), reading.resident/(1<<20), int(reading.goroutines), len(problems))
	if len(problems) == 0 {
		return
	}
	file := filepath.Join(os.TempDir(), fmt.Sprintf("bellhop-soak-%d-%d.log", s.seed, s.round))
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		file = err.Error()
	}
	fmt.Fprintf(s.out, "VIOLATION in round %d with %s\n  %s\n  the operator's log: %s\n  again: make soak MINUTES=%.0f SEED=%d\n", s.round, trouble,
		strings.Join(problems, "\n  "), file, time.Since(s.began).Minutes()+1, s.seed)
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
