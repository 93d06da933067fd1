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
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/test/faults/soak"
	"github.com/gophernetes/bellhop/test/faults/sweep"
)

type options struct {
	sweep    sweep.Options
	soak     soak.Options
	variants sweep.VariantOptions
	prove    bool
}

func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("faults", flag.ContinueOnError)
	fs.StringVar(&o.sweep.Scenario, "scenario", "", "the only ones to try, such as alert or binding-*")
	fs.StringVar(&o.sweep.Fault, "fault", "", "the only one to try, such as crash-after@3; none: just the scenario")
	fs.StringVar(&o.sweep.Class, "class", "", "the only class of faults to try")
	fs.StringVar(&o.sweep.Operator, "operator", "", "the operator's binary that is tried; default: it is built")
	fs.Float64Var(&o.sweep.Part, "part", 1, "how much of each class of faults is tried, between 0 and 1")
	fs.IntVar(&o.sweep.Parallel, "parallel", 50, "how many runs go on at once")
	fs.IntVar(&o.sweep.Walks, "walks", 2, "how many walks through states of each kind are tried; one again: -scenario walk-alert-SEED")
	fs.Uint64Var(&o.sweep.Seed, "seed", uint64(time.Now().UnixNano()%1e6), "of what is chosen by chance")
	fs.DurationVar(&o.sweep.Within, "within", 0, "no run begins later than that; 0: all are made")
	fs.DurationVar(&o.soak.Duration, "soak", 0, "no sweep: users do what they like for so long, while this and that fails")
	fs.BoolVar(&o.sweep.Fixed, "fixed", false, "the runs of the gate: every scenario with one fault, the classes in turn, seed 1 and no walks")
	fs.StringVar(&o.sweep.Checkpoint, "journal", "", "the file that keeps which runs are done, so that a sweep that was stopped goes on there")
	fs.StringVar(&o.soak.Chart, "svg", "", "the file into which memory and goroutines of -soak are drawn")
	fs.BoolVar(&o.sweep.Verbose, "v", false, "show what the operator prints in runs with violations, and all calls of a scenario")
	fs.BoolVar(&o.prove, "variants", false, "try the sweep itself, on operators with mistakes: all, or those of the names")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.sweep.Fixed {
		o.sweep.Seed, o.sweep.Walks = 1, 0
	}
	if o.sweep.Part <= 0 || o.sweep.Part > 1 || o.sweep.Parallel < 1 {
		return o, errors.New("-part has to be above 0 and at most 1, -parallel at least 1")
	}
	if fs.NArg() > 0 && !o.prove {
		return o, fmt.Errorf("%q: there are only flags", fs.Args())
	}
	o.soak.Operator, o.soak.Seed = o.sweep.Operator, o.sweep.Seed
	o.variants = sweep.VariantOptions{Names: fs.Args(), Parallel: o.sweep.Parallel, Verbose: o.sweep.Verbose}
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
		switch {
		case o.soak.Duration > 0:
			err = soak.Run(ctx, o.soak, os.Stdout)
		case o.prove:
			err = sweep.ProveVariants(ctx, o.variants, os.Stdout)
		default:
			err = sweep.Run(ctx, o.sweep, os.Stdout)
		}
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "faults: %v\n", err)
		os.Exit(1)
	}
}
