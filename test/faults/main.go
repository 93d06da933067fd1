// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command faults runs the operator's binary behind proxies of the API server, brokers and receivers, injects a fault at a call or an event
// of a scenario, and checks what must hold afterwards. Without -soak and -variants it is a sweep over scenarios and faults. See
// docs/contributing/fault-injection.md.
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

// options are those of the three modes.
type options struct {
	sweep    sweep.Options
	soak     soak.Options
	variants sweep.VariantOptions
	prove    bool
}

// parse reads the command line.
func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("faults", flag.ContinueOnError)
	fs.StringVar(&o.sweep.Scenario, "scenario", "", "only scenarios of this name or pattern, such as alert or binding-*")
	fs.StringVar(&o.sweep.Fault, "fault", "", "only this fault, such as crash-after@3; none: without a fault")
	fs.StringVar(&o.sweep.Class, "class", "", "only these classes of faults, such as crash,leaders")
	fs.StringVar(&o.sweep.Binaries.Operator, "operator", "", "binary of the operator under test; default: it is built")
	fs.StringVar(&o.sweep.Binaries.Successor, "successor", "", "binary of the operator that leads after a crash, such as another version's; default: -operator")
	fs.StringVar(&o.sweep.Binaries.Webhooks, "webhooks", "", "binary of the operator that serves webhooks; default: it is built")
	fs.StringVar(&o.sweep.Binaries.Uncompared, "uncompared", "", "members of objects that not all versions write, such as status.addresses,spec.instances.severity: they are not compared")
	fs.Float64Var(&o.sweep.Part, "part", 1, "part of each class of faults, above 0 and at most 1")
	fs.BoolVar(&o.sweep.Each, "each", false, "one fault of each class at each injection point, instead of -part")
	fs.Var(&o.sweep.Share, "share", "make one share of the chosen runs or variants, such as 2/5: the second of five; the same -seed for all of them")
	fs.IntVar(&o.sweep.Parallel, "parallel", 20, "number of runs at the same time; with more, brokers and operators answer too late on a slow machine")
	fs.IntVar(&o.sweep.Walks, "walks", 2, "number of state walks of each kind; to repeat one: -scenario walk-alert-SEED")
	fs.Uint64Var(&o.sweep.Seed, "seed", uint64(time.Now().UnixNano()%1e6), "seed of the random choices")
	fs.DurationVar(&o.sweep.Within, "within", 0, "no run starts after this time; 0: no limit")
	fs.DurationVar(&o.soak.Duration, "soak", 0, "soak for this time instead of a sweep: users act at random while something fails")
	fs.BoolVar(&o.sweep.Fixed, "fixed", false, "the runs of the gate: each scenario with one fault, the classes alternate, seed 1 unless -seed is given, no walks")
	fs.StringVar(&o.sweep.Checkpoint, "journal", "", "file of the finished runs, with which a sweep that was stopped continues")
	fs.StringVar(&o.soak.Chart, "svg", "", "file for the chart of memory and goroutines of -soak")
	fs.BoolVar(&o.sweep.Verbose, "v", false, "print the calls of scenarios, and the output of the operator in runs with violations")
	fs.BoolVar(&o.prove, "variants", false, "check that the sweep finds operators with mistakes: all variants, or those whose names are given")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	for _, pair := range [][2]string{{"each", "part"}, {"each", "fixed"}, {"each", "fault"}, {"part", "fixed"}, {"part", "fault"}, {"share", "fixed"}, {"share", "fault"}} {
		if isSet(fs, pair[0]) && isSet(fs, pair[1]) {
			return o, fmt.Errorf("-%s and -%s exclude each other", pair[0], pair[1])
		}
	}
	if o.sweep.Fixed {
		o.sweep.Walks = 0
		if !isSet(fs, "seed") {
			o.sweep.Seed = 1
		}
	}
	if o.sweep.Part <= 0 || o.sweep.Part > 1 || o.sweep.Parallel < 1 {
		return o, errors.New("-part must be above 0 and at most 1, -parallel at least 1")
	}
	if fs.NArg() > 0 && !o.prove {
		return o, fmt.Errorf("%q: only -variants takes arguments", fs.Args())
	}
	o.soak.Operator, o.soak.Seed = o.sweep.Binaries.Operator, o.sweep.Seed
	o.variants = sweep.VariantOptions{Names: fs.Args(), Share: o.sweep.Share, Parallel: o.sweep.Parallel, Verbose: o.sweep.Verbose}
	return o, nil
}

// isSet reports whether a flag is given.
func isSet(fs *flag.FlagSet, name string) (given bool) {
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
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
