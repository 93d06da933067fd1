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

package sweep

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

	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// Options are those of the command line.
type Options struct {
	Scenario, Fault, Class string  // the only ones to try; "": all
	Operator               string  // the binary that is tried; "": it is built
	Part                   float64 // how much of each class of faults is tried, between 0 and 1
	Parallel, Walks        int
	Seed                   uint64
	Within                 time.Duration // no run begins later; 0: all are made
	Verbose, Fixed         bool
	Checkpoint             string // the file of the runs that are done; "": none
}

// Run sweeps all scenarios that are asked for.
func Run(ctx context.Context, o Options, out io.Writer) (err error) {
	began := time.Now()
	l, err := harness.StartCluster(ctx, o.Operator)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	done, err := openCheckpoint(&o, l.Binary, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done.close()) }()
	sweeps, err := selectScenarios(o)
	if err != nil {
		return err
	}
	if err := forEach(o.Parallel, sweeps, func(s *scenarioSweep) error { return s.learn(ctx, l, out, o.Seed) }); err != nil {
		return err
	}
	if err := planFaults(sweeps, o); err != nil {
		return err
	}
	if o.Fixed {
		printPlan(out, sweeps)
	}
	err = forEach(o.Parallel, shuffledJobs(sweeps, o.Seed), func(j job) error {
		if o.Within > 0 && time.Since(began) > o.Within {
			return nil
		}
		return j.try(ctx, l, done, j.Fault, out, o.Seed)
	})
	if err != nil {
		return err
	}
	return report(out, sweeps, o, time.Since(began))
}

// A job is one run.
type job struct {
	*scenarioSweep
	proxy.Fault
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
func selectScenarios(o Options) (sweeps []*scenarioSweep, err error) {
	var names []string
	for _, sc := range append(scenario.All(), scenario.Walks(o.Scenario, o.Seed, o.Walks)...) {
		names = append(names, sc.Name)
		if like, _ := path.Match(o.Scenario, sc.Name); like || o.Scenario == "" { // a bad pattern is like none
			sweeps = append(sweeps, &scenarioSweep{scenario: sc})
		}
	}
	for _, sc := range scenario.ForVariants() {
		if sc.Name == o.Scenario {
			sweeps = append(sweeps, &scenarioSweep{scenario: sc})
		}
	}
	if len(sweeps) == 0 {
		return nil, fmt.Errorf("there is no scenario %q, only %v", o.Scenario, names)
	}
	return sweeps, nil
}

// planFaults chooses the faults.
func planFaults(sweeps []*scenarioSweep, o Options) error {
	for i, s := range sweeps {
		if o.Fault != "" {
			f, err := proxy.ParseFault(o.Fault)
			if err != nil {
				return err
			}
			s.faults = []proxy.Fault{f}
			continue
		}
		d := newDraw(o.Seed, s.scenario.Name)
		all := allFaults(s.learned, d)
		if s.scenario.Unordered {
			all = atNthCall(all, s.learned.Calls)
		}
		if o.Class != "" {
			all = slices.DeleteFunc(all, func(f proxy.Fault) bool { return classOf(f) != o.Class })
		}
		if n := s.scenario.MaxCrashes; n > 0 {
			all = slices.DeleteFunc(all, func(f proxy.Fault) bool { return !f.HasSuccessor() })
			all = d.pick(all, n)
		}
		if o.Fixed {
			s.faults = oneOfClass(all, i, d)
			continue
		}
		s.faults = sampleFaults(all, o.Part, d)
	}
	return nil
}

// printPlan prints the runs that are planned.
func printPlan(out io.Writer, sweeps []*scenarioSweep) {
	for _, s := range sweeps {
		for _, f := range s.faults {
			fmt.Fprintf(out, "%s with %s\n", s.scenario.Name, f)
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
