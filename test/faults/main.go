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

// Command faults tries what can go wrong at each point of what users do: it runs the
// operator's own binary, lets it see the API server and the outside only through seams at
// which it has things fail, kills it, and looks whether what is true afterwards is what has
// to be. See docs/reliability.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path"
	"slices"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

type options struct {
	scenario, fault, class, operator string
	part                             float64
	parallel, walks                  int
	seed                             uint64
	within, soak                     time.Duration
	svg                              string
	verbose, variants                bool
	names                            []string
}

func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("faults", flag.ContinueOnError)
	fs.StringVar(&o.scenario, "scenario", "", "the only ones to try, such as alert or binding-*")
	fs.StringVar(&o.fault, "fault", "", "the only one to try, such as crash-after@3; none: just the scenario")
	fs.StringVar(&o.class, "class", "", "the only class of faults to try")
	fs.StringVar(&o.operator, "operator", "", "the operator's binary that is tried; default: it is built")
	fs.Float64Var(&o.part, "part", 1, "how much of each class of faults is tried, between 0 and 1")
	fs.IntVar(&o.parallel, "parallel", 16, "how many runs go on at once")
	fs.IntVar(&o.walks, "walks", 2, "how many walks through states of each kind are tried; one again: -scenario walk-alert-SEED")
	fs.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()%1e6), "of what is chosen by chance")
	fs.DurationVar(&o.within, "within", 0, "no run begins later than that; 0: all are made")
	fs.DurationVar(&o.soak, "soak", 0, "no sweep: users do what they like for so long, while this and that fails")
	fs.StringVar(&o.svg, "svg", "", "the file into which memory and goroutines of -soak are drawn")
	fs.BoolVar(&o.verbose, "v", false, "show what the operator prints in runs with violations, and all calls of a scenario")
	fs.BoolVar(&o.variants, "variants", false, "try the sweep itself, on operators with mistakes: all, or those of the names")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.part <= 0 || o.part > 1 || o.parallel < 1 {
		return o, errors.New("-part has to be above 0 and at most 1, -parallel at least 1")
	}
	if o.names = fs.Args(); len(o.names) > 0 && !o.variants {
		return o, fmt.Errorf("%q: there are only flags", o.names)
	}
	return o, nil
}

func main() {
	log.SetLogger(logr.Discard())
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if err == nil {
		do := campaign
		switch {
		case o.soak > 0:
			do = soakFor
		case o.variants:
			do = prove
		}
		err = do(ctx, o, os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "faults: %v\n", err)
		os.Exit(1)
	}
}

// scenarios are all there are.
func scenarios() []scenario {
	return slices.Concat(pagerScenarios(), serviceScenarios(), bindingScenarios())
}

// campaign sweeps all scenarios that are asked for.
func campaign(ctx context.Context, o options, out io.Writer) (err error) {
	sweeps, err := chosen(o)
	if err != nil {
		return err
	}
	began := time.Now()
	l, err := newLab(ctx, o.operator)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := inParallel(o.parallel, sweeps, func(s *sweep) error { return s.learn(ctx, l, out, o.seed) }); err != nil {
		return err
	}
	if err := plan(sweeps, o); err != nil {
		return err
	}
	type job struct {
		*sweep
		fault
	}
	var jobs []job
	for _, s := range sweeps {
		for _, f := range s.faults {
			jobs = append(jobs, job{s, f})
		}
	}
	r := rand.New(rand.NewPCG(o.seed, 1))
	r.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	err = inParallel(o.parallel, jobs, func(j job) error {
		if o.within > 0 && time.Since(began) > o.within {
			return nil
		}
		return j.sweep.try(ctx, l, j.fault, out, o.seed)
	})
	if err != nil {
		return err
	}
	return report(out, sweeps, o, time.Since(began))
}

func chosen(o options) (sweeps []*sweep, err error) {
	var names []string
	for _, sc := range append(scenarios(), walks(o)...) {
		names = append(names, sc.name)
		like, _ := path.Match(o.scenario, sc.name) // a bad pattern is like none
		if like || o.scenario == "" {
			sweeps = append(sweeps, &sweep{scenario: sc})
		}
	}
	if len(sweeps) == 0 {
		return nil, fmt.Errorf("there is no scenario %q, only %v", o.scenario, names)
	}
	return sweeps, nil
}

// plan chooses the faults.
func plan(sweeps []*sweep, o options) error {
	for _, s := range sweeps {
		if o.fault != "" {
			f, err := parseFault(o.fault)
			if err != nil {
				return err
			}
			s.faults = []fault{f}
			continue
		}
		r := rand.New(rand.NewPCG(o.seed, 2))
		all := faultsOf(s.learned, r)
		if o.class != "" {
			all = slices.DeleteFunc(all, func(f fault) bool { return classOf(f) != o.class })
		}
		if n := s.scenario.crashes; n > 0 {
			all = slices.DeleteFunc(all, func(f fault) bool { return !f.kills() })
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			all = all[:min(n, len(all))]
		}
		s.faults = share(all, o.part, r)
	}
	return nil
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

// report prints the table.
func report(out io.Writer, sweeps []*sweep, o options, took time.Duration) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "scenario\tcalls\teffects\t")
	for _, c := range classes {
		fmt.Fprintf(table, "%s\t", c.name)
	}
	fmt.Fprintln(table, "runs\tnot reached\tviolations\ts a run\t")
	var runs, violations int
	for _, s := range sweeps {
		effects := 0
		for _, c := range s.learned.calls {
			if c.changes {
				effects++
			}
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t", s.scenario.name, len(s.learned.calls), effects)
		for _, c := range classes {
			n := 0
			for _, f := range s.faults {
				if c.is(f) {
					n++
				}
			}
			fmt.Fprintf(table, "%d\t", n)
		}
		fmt.Fprintf(table, "%d\t%d\t%d\t%.1f\t\n", s.runs, s.idle, len(s.violations), s.took.Seconds()/float64(max(1, s.runs)))
		runs += s.runs
		violations += len(s.violations)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, s := range sweeps {
		if !o.verbose {
			break
		}
		for i, c := range s.learned.calls {
			fmt.Fprintf(out, "%s %3d %s %s\n", s.scenario.name, i+1, c.seam, c.what)
		}
		fmt.Fprintf(out, "%s events %v\n%s\n", s.scenario.name, s.learned.events, s.learned.state)
		for _, v := range s.violations {
			fmt.Fprintf(out, "---- %s with %s\n%v\n%s\n", s.scenario.name, v.fault, v.problems, v.log)
		}
	}
	fmt.Fprintf(out, "%d runs, %d violations, %s, seed %d\n", runs, violations, took.Round(time.Second), o.seed)
	if violations > 0 {
		return fmt.Errorf("%d violations", violations)
	}
	return nil
}
