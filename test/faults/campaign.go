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
	journal                string // the file of the runs that are done; "": none
}

// campaign sweeps all scenarios that are asked for.
func campaign(ctx context.Context, o sweepOptions, out io.Writer) (err error) {
	began := time.Now()
	l, err := newLab(ctx, o.operator)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	done, err := openJournal(&o, l.binary, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done.close()) }()
	sweeps, err := chosen(o)
	if err != nil {
		return err
	}
	if err := inParallel(o.parallel, sweeps, func(s *sweep) error { return s.learn(ctx, l, out, o.seed) }); err != nil {
		return err
	}
	if err := plan(sweeps, o); err != nil {
		return err
	}
	if o.fixed {
		list(out, sweeps)
	}
	err = inParallel(o.parallel, jobsOf(sweeps, o.seed), func(j job) error {
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
	*sweep
	fault
}

// jobsOf are all runs, by chance in one order or another: time may be over before the last.
func jobsOf(sweeps []*sweep, seed uint64) (jobs []job) {
	for _, s := range sweeps {
		for _, f := range s.faults {
			jobs = append(jobs, job{s, f})
		}
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	return jobs
}

// chosen are the scenarios that are asked for.
func chosen(o sweepOptions) (sweeps []*sweep, err error) {
	var names []string
	for _, sc := range append(scenarios(), walks(o.scenario, o.seed, o.walks)...) {
		names = append(names, sc.name)
		if like, _ := path.Match(o.scenario, sc.name); like || o.scenario == "" { // a bad pattern is like none
			sweeps = append(sweeps, &sweep{scenario: sc})
		}
	}
	for _, sc := range trials() {
		if sc.name == o.scenario {
			sweeps = append(sweeps, &sweep{scenario: sc})
		}
	}
	if len(sweeps) == 0 {
		return nil, fmt.Errorf("there is no scenario %q, only %v", o.scenario, names)
	}
	return sweeps, nil
}

// plan chooses the faults.
func plan(sweeps []*sweep, o sweepOptions) error {
	for i, s := range sweeps {
		if o.fault != "" {
			f, err := parseFault(o.fault)
			if err != nil {
				return err
			}
			s.faults = []fault{f}
			continue
		}
		d := drawing(o.seed, s.scenario.name)
		all := faultsOf(s.learned, d)
		if s.scenario.unordered {
			all = numbered(all, s.learned.calls)
		}
		if o.class != "" {
			all = slices.DeleteFunc(all, func(f fault) bool { return classOf(f) != o.class })
		}
		if n := s.scenario.crashes; n > 0 {
			all = slices.DeleteFunc(all, func(f fault) bool { return !f.kills() })
			all = d.some(all, n)
		}
		if o.fixed {
			s.faults = oneInTurn(all, i, d)
			continue
		}
		s.faults = share(all, o.part, d)
	}
	return nil
}

// list prints the runs that are planned.
func list(out io.Writer, sweeps []*sweep) {
	for _, s := range sweeps {
		for _, f := range s.faults {
			fmt.Fprintf(out, "%s with %s\n", s.scenario.name, f)
		}
	}
}

// inParallel does something with each, some at a time, until one fails.
func inParallel[T any](n int, all []T, do func(T) error) error {
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
