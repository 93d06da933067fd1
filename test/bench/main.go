// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the real operator against a real control plane on this machine, and prints what it finds; see
// docs/contributing/benchmarks.md.
//
//	bench [flags] [part ...]
//
// Without arguments it measures all parts; -help lists them.
//
// It judges the figures of the parts labelled, injection, sources and hostile alone, which have limits. It also fails where an Alert is lost or sent twice, where a broker gets anything but one PUT and one DELETE for an
// instance or binding, and where a broker still has an instance or binding in the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

type options struct {
	parts []string

	creators, rounds int
	alerts, services sizes
	subjects         string
	rest             time.Duration

	runs         int
	failing      string
	rate         float64
	runAlerts    int
	runInstances int
	settle       time.Duration
	waiting      int
	hanging      int

	held                 sizes
	secrets              int
	crds, largeSecrets   int
	unlabelled, labelled int
	quiet                time.Duration
	restart              int
	classes, plans       int
	reviews              int
	posted               int
	minute               time.Duration
	pprof                string
	short, full, verbose bool
}

// A part is one of the measurements.
type part struct {
	name, about string
	run         func(*bench, context.Context, io.Writer) error
}

// parts are in the order in which they run.
var parts = []part{
	{"alerts", "how fast Alerts are sent and removed, beside two floors", (*bench).alertsPart},
	{"services", "how fast instances and bindings are made and removed, beside a floor", (*bench).servicesPart},
	{"isolation", "how much receivers that fail slow down one that does not", (*bench).isolationPart},
	{"brokers", "how much brokers that fail slow down one that does not", (*bench).brokersPart},
	{"tenth", "how much one dead of ten receivers, and of ten brokers, slows down the other nine", (*bench).oneOfTenDownPart},
	{"tenant", "how much hundreds of hanging brokers and receivers of one namespace slow down other namespaces", (*bench).hangingTenantPart},
	{"waiting", "how much many instances that poll or retry slow down a user's change", (*bench).waitingPart},
	{"memory", "what objects and unrelated Secrets cost at rest: memory, and requests", (*bench).memoryPart},
	{"labelled", "what objects cost that may request Alerts by a label, without it and with it: memory, and requests", (*bench).labelledPart},
	{"restart", "how long a restart takes, and what it asks for", (*bench).restartPart},
	{"catalog", "what it takes to read a large catalog, and to read it again", (*bench).catalogPart},
	{"admission", "how long admission and conversion take", (*bench).admissionPart},
	{"injection", "how much longer Pods take to be created with credentials", (*bench).injectionPart},
	{"sources", "what alerts cost that are posted again each minute: time, writes, memory", (*bench).sourcesPart},
	{"hostile", "how much a hostile client slows down a sender of alerts that is none", (*bench).hostilePart},
}

// presets are the values of other flags that a flag sets.
var presets = map[string]map[string]string{
	"short": {
		"rounds": "1", "alerts": "40", "services": "20", "rest": "100ms",
		"runs": "1", "run-alerts": "20", "run-instances": "20", "settle": "100ms", "waiting": "20", "hanging": "10",
		"held": "20,40", "secrets": "20", "crds": "5", "large-secrets": "2", "quiet": "2s", "unlabelled": "100", "labelled": "50", "restart": "20", "classes": "5", "plans": "4", "reviews": "20",
		"posted": "100", "minute": "200ms",
	},
	"full": {"alerts": "500,2000,10000,50000", "services": "500,2000,10000,50000", "held": "10000,50000"},
}

// sizes are numbers of objects, in ascending order.
type sizes []int

func (s *sizes) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint([]int(*s)), " ", ","), "[]")
}

// Set parses numbers that are separated by commas.
func (s *sizes) Set(text string) error {
	*s = nil
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		*s = append(*s, n)
	}
	if !slices.IsSorted(*s) || (*s)[0] < 1 {
		return errors.New("they have to be at least 1, and to rise")
	}
	return nil
}

func (o *options) bind(fs *flag.FlagSet) {
	o.alerts, o.services, o.held = sizes{500, 2000, 10000}, sizes{500, 2000, 10000}, sizes{10000}
	fs.Var(&o.alerts, "alerts", "alerts: how many Alerts are created; several numbers are measured one after the other")
	fs.Var(&o.services, "services", "services: how many instances are created, and as many bindings; several as above")
	fs.StringVar(&o.subjects, "subjects", "", "alerts, services: only subjects whose names this expression finds; the floors copy what bellhop did")
	fs.IntVar(&o.creators, "creators", 32, "how many clients create and delete objects at once")
	fs.IntVar(&o.rounds, "rounds", 3, fmt.Sprintf("alerts, services: how often each subject is measured; with more than %d objects it is once", maxSizeForRounds))
	fs.DurationVar(&o.rest, "rest", 5*time.Second, "alerts, memory, labelled: how long nothing happens before memory at rest is read")
	fs.IntVar(&o.runs, "runs", 10, "isolation, brokers, tenth, waiting, hostile: how many runs with what fails or waits, and as many without")
	fs.StringVar(&o.failing, "failing", providerWebhook, "isolation: the provider of the receivers that fail, webhook or grpc")
	fs.Float64Var(&o.rate, "rate", 20, "isolation, brokers, tenth, waiting, injection: how many objects are created in a second; hostile: how many posts")
	fs.IntVar(&o.runAlerts, "run-alerts", 300, "isolation, tenth: how many Alerts are created in a run; hostile: how many posts there are, 999 at most")
	fs.IntVar(&o.runInstances, "run-instances", 200, "brokers, tenth, waiting: how many instances are created at healthy brokers in a run; brokers: and as many at those that fail")
	fs.DurationVar(&o.settle, "settle", 3*time.Second, "brokers: how long the instances at brokers that fail are there before the healthy one gets any")
	fs.IntVar(&o.hanging, "hanging", 300, "tenant: how many ServiceBrokers, and Receivers, of one namespace hang")
	fs.IntVar(&o.waiting, "waiting", 10000, "waiting: how many instances poll or retry")
	fs.Var(&o.held, "held", "memory: how many instances there are, and as many bindings; several as above")
	fs.IntVar(&o.secrets, "secrets", 10000, "memory: how many unrelated Secrets there are")
	fs.IntVar(&o.crds, "crds", 1500, "memory: how many unrelated CRDs of 20 kB there are")
	fs.IntVar(&o.largeSecrets, "large-secrets", 200, "memory: how many unrelated Secrets of 500 kB are in the namespace of the operator")
	fs.IntVar(&o.unlabelled, "unlabelled", 50000, "labelled: how many Deployments without the label there are")
	fs.IntVar(&o.labelled, "labelled", 5000, "labelled: how many Deployments with the label there are")
	fs.DurationVar(&o.quiet, "quiet", 2*time.Minute, "memory, labelled: how long requests at rest are counted, of labelled for 30s at most")
	fs.IntVar(&o.restart, "restart", 10000, "restart: how many objects there are, half of them bindings")
	fs.IntVar(&o.classes, "classes", 500, "catalog: how many classes there are")
	fs.IntVar(&o.plans, "plans", 20, "catalog: how many plans each of them has")
	fs.IntVar(&o.reviews, "reviews", 500, "admission, injection: how many objects are admitted of each kind, of injection four times as many")
	fs.IntVar(&o.posted, "posted", 1000, "sources: how many alerts fire, 1,000 at most")
	fs.DurationVar(&o.minute, "minute", 3*time.Second, "sources: how long a minute of the sender takes; 1m is in real time")
	fs.BoolVar(&o.short, "short", false, "few objects, one round, one operator for most parts: shows that everything works, its figures mean nothing")
	fs.BoolVar(&o.full, "full", false, "up to 50,000 objects")
	fs.StringVar(&o.pprof, "pprof", "", "address on which what is measured serves its profiles, such as 127.0.0.1:6060")
	fs.BoolVar(&o.verbose, "v", false, "show what the subjects print")
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: bench [flags] [part ...]\n\nparts; without arguments it is all:\n")
		for _, p := range parts {
			fmt.Fprintf(fs.Output(), "  %-10s %s\n", p.name, p.about)
		}
		fmt.Fprintf(fs.Output(), "\nflags:\n")
		fs.PrintDefaults()
	}
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	o.bind(fs)
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for flag, preset := range presets {
		for name, value := range preset {
			if !given[flag] || given[name] {
				continue
			}
			if err := fs.Set(name, value); err != nil {
				return o, err
			}
		}
	}
	if min(o.creators, o.rounds, o.runs, o.runAlerts, o.runInstances, o.waiting, o.secrets, o.crds, o.largeSecrets, o.unlabelled, o.labelled, o.restart/2, o.classes, o.plans, o.reviews, o.posted) < 1 || o.rate <= 0 {
		return o, errors.New("counts and rates have to be at least 1")
	}
	if o.posted > alertsOfLimit || o.minute <= 0 {
		return o, errors.New("-posted has to be at most 1000, and -minute more than 0")
	}
	if o.failing != providerWebhook && o.failing != providerGRPC {
		return o, errors.New("-failing has to be webhook or grpc")
	}
	if o.short && o.full {
		return o, errors.New("-short and -full: it is one of them")
	}
	if _, err := regexp.Compile(o.subjects); err != nil {
		return o, fmt.Errorf("-subjects: %w", err)
	}
	o.parts = fs.Args()
	for _, name := range o.parts {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return o, fmt.Errorf("there is no part %q, see -help", name)
		}
	}
	return o, nil
}

func main() {
	log.SetLogger(logr.Discard()) // controller-runtime logs nothing: the command prints what the user needs
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
	where := describeMachine(ctx) // before the benchmark itself loads the machine
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }() //nolint:contextcheck // it ends what runs above all when the context has ended
	fmt.Fprintf(out, "%s\n\n", where)
	for _, p := range parts {
		if len(o.parts) > 0 && !slices.Contains(o.parts, p.name) {
			continue
		}
		logProgress("%s: %s", p.name, p.about)
		if err := p.run(b, ctx, out); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}
