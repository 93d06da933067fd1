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

// Command bench measures the real operator against a real control plane on this machine, and prints what it finds; see
// docs/development.md.
//
//	bench [flags] [alerts] [isolation] [services] [brokers]
//
// alerts is how fast Alerts are sent, beside two floors: loops that do the least that can be done (test/bench/floor).
// isolation is how much receivers that fail slow down one that does not. services is how fast instances and bindings are made
// and removed, beside a floor. brokers is how much brokers that fail slow down one that does not. Without arguments it is all.
//
// It judges no figure. It fails where an Alert is lost or sent twice, and where a broker gets anything but one PUT and one DELETE
// for an instance or binding, or is left with one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

type options struct {
	parts []string

	creators, rounds int
	alerts           int
	rest             time.Duration
	services         int

	runs         int
	rate         float64
	runAlerts    int
	runInstances int
	settle       time.Duration

	verbose bool
}

// parts are what can be measured, in this order.
var parts = []string{"alerts", "isolation", "services", "brokers"}

// quick are the flags of a run that only shows that everything works.
var quick = map[string]string{
	"rounds": "1", "alerts": "200", "rest": "1s", "services": "50",
	"runs": "1", "run-alerts": "100", "run-instances": "50", "settle": "1s",
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.IntVar(&o.creators, "creators", 32, "alerts, services: how many clients create and delete objects at once")
	fs.IntVar(&o.rounds, "rounds", 3, "alerts, services: how often each subject is measured")
	fs.IntVar(&o.alerts, "alerts", 2000, "alerts: how many Alerts are created")
	fs.DurationVar(&o.rest, "rest", 5*time.Second, "alerts: how long nothing happens before memory at rest is read")
	fs.IntVar(&o.services, "services", 500, "services: how many instances are created, and as many bindings")
	fs.IntVar(&o.runs, "runs", 10, "isolation, brokers: how many runs with what fails, and as many without")
	fs.Float64Var(&o.rate, "rate", 20, "isolation, brokers: how many objects are created in a second")
	fs.IntVar(&o.runAlerts, "run-alerts", 300, "isolation: how many Alerts are created in a run")
	fs.IntVar(&o.runInstances, "run-instances", 200, "brokers: how many instances are created at the healthy broker in a run, and as many at those that fail")
	fs.DurationVar(&o.settle, "settle", 3*time.Second, "brokers: how long the instances at brokers that fail are there before the healthy one gets any")
	fs.BoolVar(&o.verbose, "v", false, "show what the subjects print")
	short := fs.Bool("short", false, "few objects, one round: shows that everything works, its figures mean little")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if *short {
		given := map[string]bool{}
		fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range quick {
			if given[name] {
				continue
			}
			if err := fs.Set(name, value); err != nil {
				return o, err
			}
		}
	}
	if min(o.creators, o.rounds, o.alerts, o.services, o.runs, o.runAlerts, o.runInstances) < 1 || o.rate <= 0 {
		return o, errors.New("counts and rates have to be at least 1")
	}
	o.parts = fs.Args()
	if len(o.parts) == 0 {
		o.parts = parts
	}
	for _, part := range o.parts {
		if !slices.Contains(parts, part) {
			return o, fmt.Errorf("there is no part %q, only %v", part, parts)
		}
	}
	return o, nil
}

func main() {
	log.SetLogger(logr.Discard()) // what there is to say is said here
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	where := machine(ctx) // before we load it ourselves
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	fmt.Fprintf(out, "%s\n\n", where)
	for _, part := range []struct {
		name string
		run  func(context.Context, io.Writer) error
	}{
		{"alerts", b.alertsPart},
		{"isolation", b.isolationPart},
		{"services", b.servicesPart},
		{"brokers", b.brokersPart},
	} {
		if !slices.Contains(o.parts, part.name) {
			continue
		}
		if err := part.run(ctx, out); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}
