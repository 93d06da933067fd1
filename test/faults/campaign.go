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
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"
)

// sweepOptions are those of the command line.
type sweepOptions struct {
	scenario, fault, class string  // the only ones to try; "": all
	operator               string  // the binary that is tried; "": it is built
	part                   float64 // how much of each class of faults is tried, between 0 and 1
	parallel, walks        int
	seed                   uint64
	within                 time.Duration // no run begins later; 0: all are made
	verbose, fixed         bool
	checkpoint             string // the file of the runs that are done; "": none
}

// campaign sweeps all scenarios that are asked for.
func campaign(ctx context.Context, o sweepOptions, out io.Writer) (err error) {
	began := time.Now()
	l, err := startCluster(ctx, o.operator)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	done, err := openCheckpoint(&o, l.binary, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done.close()) }()
	sweeps, err := selectScenarios(o)
	if err != nil {
		return err
	}
	if err := forEach(o.parallel, sweeps, func(s *scenarioSweep) error { return s.learn(ctx, l, out, o.seed) }); err != nil {
		return err
	}
	if err := planFaults(sweeps, o); err != nil {
		return err
	}
	if o.fixed {
		printPlan(out, sweeps)
	}
	err = forEach(o.parallel, shuffledJobs(sweeps, o.seed), func(j job) error {
		if o.within > 0 && time.Since(began) > o.within {
			return nil
		}
		return j.try(ctx, l, done, j.fault, out, o.seed)
	})
	if err != nil {
		return err
	}
	return report(out, sweeps, o, time.Since(began))
}

// A job is one run.
type job struct {
	*scenarioSweep
	fault
}

// shuffledJobs are all runs, by chance in one order or another: time may be over before the last.
func shuffledJobs(sweeps []*scenarioSweep, seed uint64) (jobs []job) {
	for _, s := range sweeps {
		for _, f := range s.faults {
			jobs = append(jobs, job{s, f})
		}
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	return jobs
}

// selectScenarios are the scenarios that are asked for.
func selectScenarios(o sweepOptions) (sweeps []*scenarioSweep, err error) {
	var names []string
	for _, sc := range append(all(), walks(o.scenario, o.seed, o.walks)...) {
		names = append(names, sc.name)
		if like, _ := path.Match(o.scenario, sc.name); like || o.scenario == "" { // a bad pattern is like none
			sweeps = append(sweeps, &scenarioSweep{scenario: sc})
		}
	}
	for _, sc := range forVariants() {
		if sc.name == o.scenario {
			sweeps = append(sweeps, &scenarioSweep{scenario: sc})
		}
	}
	if len(sweeps) == 0 {
		return nil, fmt.Errorf("there is no scenario %q, only %v", o.scenario, names)
	}
	return sweeps, nil
}

// planFaults chooses the faults.
func planFaults(sweeps []*scenarioSweep, o sweepOptions) error {
	for i, s := range sweeps {
		if o.fault != "" {
			f, err := parseFault(o.fault)
			if err != nil {
				return err
			}
			s.faults = []fault{f}
			continue
		}
		d := newDraw(o.seed, s.scenario.name)
		all := allFaults(s.learned, d)
		if s.scenario.unordered {
			all = atNthCall(all, s.learned.calls)
		}
		if o.class != "" {
			all = slices.DeleteFunc(all, func(f fault) bool { return classOf(f) != o.class })
		}
		if n := s.scenario.maxCrashes; n > 0 {
			all = slices.DeleteFunc(all, func(f fault) bool { return !f.hasSuccessor() })
			all = d.pick(all, n)
		}
		if o.fixed {
			s.faults = oneOfClass(all, i, d)
			continue
		}
		s.faults = sampleFaults(all, o.part, d)
	}
	return nil
}

// printPlan prints the runs that are planned.
func printPlan(out io.Writer, sweeps []*scenarioSweep) {
	for _, s := range sweeps {
		for _, f := range s.faults {
			fmt.Fprintf(out, "%s with %s\n", s.scenario.name, f)
		}
	}
}

// forEach does something with each, some at a time, until one fails.
func forEach[T any](n int, all []T, do func(T) error) error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	slots := make(chan struct{}, n)
	for _, one := range all {
		slots <- struct{}{}
		mu.Lock()
		failed := len(errs) > 0
		mu.Unlock()
		if failed {
			break
		}
		wait.Go(func() {
			defer func() { <-slots }()
			if err := do(one); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
