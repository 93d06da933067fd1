// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sweep runs scenarios with the faults that are possible at each of their calls and events, and checks with variants of the operator
// that it would find mistakes.
package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// Options choose the runs of a sweep.
type Options struct {
	Scenario, Fault, Class string // restrict the runs to these; "": all
	Binaries               harness.Binaries
	Part                   float64 // which part of each class of faults is tried, above 0 and at most 1
	Each                   bool    // one fault of each class at each injection point is tried, instead of Part
	Share                  Share   // of the runs that the other options choose
	Parallel, Walks        int
	Seed                   uint64
	Within                 time.Duration // no run starts later; 0: no limit
	Verbose, Fixed         bool
	Checkpoint             string // the file with the finished runs; "": none
}

// repeatFlags returns the flags that repeat a run.
func (o Options) repeatFlags(scenario string, f proxy.Fault) string {
	flags := []string{fmt.Sprintf("-scenario %s -fault %s -seed %d", scenario, f, o.Seed)}
	for _, given := range []struct{ flag, value string }{{"-operator", o.Binaries.Operator}, {"-successor", o.Binaries.Successor}, {"-webhooks", o.Binaries.Webhooks}, {"-uncompared", o.Binaries.Uncompared}} {
		if given.value != "" {
			flags = append(flags, given.flag, given.value)
		}
	}
	return strings.Join(flags, " ")
}

// Run runs the chosen scenarios without faults, and then with the planned ones.
func Run(ctx context.Context, o Options, out io.Writer) (err error) {
	start := time.Now()
	cluster, err := harness.StartCluster(ctx, o.Binaries)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	done, err := openCheckpoint(&o, cluster.Binaries, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done.close()) }()
	under, err := newOperators(ctx, cluster, o.Binaries)
	if err != nil {
		return err
	}
	sweeps, err := selectScenarios(o, under)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(sweeps, isIngest) || o.Fault == "" && slices.Contains(o.classes(), "time") {
		go func() { _, _ = under.adapted() }() // the first run that needs it returns the error
	}
	err = forEach(o.Parallel, learningOrder(sweeps, o.Parallel), func(s *scenarioSweep) error { return s.learn(ctx, under, out, o) })
	if err != nil {
		return err
	}
	if err := planFaults(sweeps, o); err != nil {
		return err
	}
	for _, s := range sweeps {
		if err := s.resume(done, out, o); err != nil {
			return err
		}
	}
	if o.Fixed {
		printPlan(out, sweeps)
	}
	err = forEach(o.Parallel, jobsOf(sweeps, o), func(j job) error {
		if o.Within > 0 && time.Since(start) > o.Within {
			return nil
		}
		return j.try(ctx, under, done, j.Fault, out, o)
	})
	if err != nil {
		return err
	}
	return report(out, sweeps, o, time.Since(start))
}

func isIngest(s *scenarioSweep) bool { return s.scenario.Ingest }

// learningOrder has the scenarios of AlertSources, which are long, after the first ones: then their operator is built.
func learningOrder(sweeps []*scenarioSweep, first int) []*scenarioSweep {
	others := slices.DeleteFunc(slices.Clone(sweeps), isIngest)
	long := slices.DeleteFunc(slices.Clone(sweeps), func(s *scenarioSweep) bool { return !isIngest(s) })
	return slices.Insert(others, min(first, len(others)), long...)
}

// job is one run.
type job struct {
	*scenarioSweep
	proxy.Fault
}

// jobsOf returns all runs: the longest first, so that the others fill the time while these end, or in random order where the time may be over before the
// last one.
func jobsOf(sweeps []*scenarioSweep, o Options) (jobs []job) {
	for _, s := range sweeps {
		for _, f := range s.faults {
			jobs = append(jobs, job{s, f})
		}
	}
	rand.New(rand.NewPCG(o.Seed, 1)).Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	if o.Within == 0 {
		slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(b.expected(), a.expected()) })
	}
	return jobs
}

// expected returns how long the run takes at least.
func (j job) expected() time.Duration {
	if j.IsOfTime() {
		return j.learned.Duration + proxy.StopDuration
	}
	return j.learned.Duration
}

// selectScenarios returns the scenarios that the options name, and the operators can run.
func selectScenarios(o Options, under *operators) (sweeps []*scenarioSweep, err error) {
	var names []string
	for _, sc := range append(scenario.All(), scenario.Walks(o.Scenario, o.Seed, o.Walks)...) {
		if !under.canRun(sc) || sc.OnlySampled && o.Fixed && o.Scenario == "" {
			continue
		}
		names = append(names, sc.Name)
		if like, _ := path.Match(o.Scenario, sc.Name); like || o.Scenario == "" { // an invalid pattern matches nothing
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

// classes returns the names of the classes of faults that are tried.
func (o Options) classes() []string {
	if o.Class != "" {
		return strings.Split(o.Class, ",")
	}
	names := classNames()
	if o.Binaries != (harness.Binaries{}) { // the clocks of given binaries cannot be shifted
		names = slices.DeleteFunc(names, func(name string) bool { return name == "time" })
	}
	return names
}

// planFaults chooses the faults of each scenario.
func planFaults(sweeps []*scenarioSweep, o Options) error {
	names := o.classes()
	for i, s := range sweeps {
		if o.Fault != "" {
			f, err := proxy.ParseFault(o.Fault)
			if err != nil {
				return err
			}
			s.faults = []proxy.Fault{f}
			continue
		}
		if s.scenario.WithoutFaults {
			continue
		}
		d := newDraw(o.Seed, s.scenario.Name)
		all := allFaults(s.learned, d)
		if s.scenario.Unordered {
			all = atNthCall(all, s.learned.Calls)
		}
		all = slices.DeleteFunc(all, func(f proxy.Fault) bool { return !slices.Contains(names, classOf(f)) })
		all = slices.DeleteFunc(all, s.scenario.HasNoEnd)
		if n := s.scenario.MaxCrashes; n > 0 {
			all = slices.DeleteFunc(all, func(f proxy.Fault) bool { return !f.HasSuccessor() })
			all = d.pick(all, n)
		}
		if s.scenario.Replicas { // both processes make calls, so that it is not the leader who fails at one
			all = slices.DeleteFunc(all, proxy.Fault.NeedsStandby)
		}
		if n := s.scenario.MaxFaults; n > 0 {
			all = ofEachClass(all, names, n, d)
		}
		if o.Fixed {
			s.faults = oneOfClass(all, names, o.Seed-1+uint64(i), d)
			continue
		}
		if o.Each {
			all = oneAtEachPoint(all, d)
		} else {
			all = sampleFaults(all, o.Part, d)
		}
		s.faults = o.Share.of(all, d)
	}
	return nil
}

// printPlan prints the planned runs.
func printPlan(out io.Writer, sweeps []*scenarioSweep) {
	for _, s := range sweeps {
		for _, f := range s.faults {
			fmt.Fprintf(out, "%s with %s\n", s.scenario.Name, f)
		}
	}
}

// forEach calls a function for each element, n at a time, until one fails.
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
