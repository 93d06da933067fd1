// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/oracle"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// variantResult is the outcome of a variant.
type variantResult struct {
	variant
	oracles  []string // that reported violations
	failures []string
}

// variantRunner runs variants and the unmodified operator.
type variantRunner struct {
	*operators
	repo string
	// scenarios by name, and their runs without a fault.
	scenarios        map[string]scenario.Scenario
	learned          map[string]harness.Result
	building         chan struct{} // one build at a time, as each uses all cores
	baselineFailures int           // failed runs of the unmodified operator
}

// VariantOptions choose the variants that are tried.
type VariantOptions struct {
	Names    []string // none: all
	Share    Share    // of these
	Parallel int
	Verbose  bool
}

// ProveVariants checks that each variant is found by its fault and oracle, and that the unmodified operator passes the same runs.
func ProveVariants(ctx context.Context, o VariantOptions, out io.Writer) (err error) {
	if err := checkVariants(variants()); err != nil {
		return err
	}
	chosen := slices.DeleteFunc(variants(), func(v variant) bool { return len(o.Names) > 0 && !slices.Contains(o.Names, v.name) })
	if chosen = o.Share.ofVariants(chosen); len(chosen) == 0 {
		return fmt.Errorf("there is no variant of %v in the share", o.Names)
	}
	repo, err := local.FindRepo()
	if err != nil {
		return err
	}
	cluster, err := harness.StartCluster(ctx, harness.Binaries{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	under, err := newOperators(ctx, cluster, harness.Binaries{})
	if err != nil {
		return err
	}
	runner := &variantRunner{operators: under, repo: repo, scenarios: map[string]scenario.Scenario{}, learned: map[string]harness.Result{}, building: make(chan struct{}, 1)}
	for _, sc := range append(scenario.All(), scenario.ForVariants()...) {
		runner.scenarios[sc.Name] = sc
	}
	if err := runner.runBaseline(ctx, o.Parallel, chosen, out); err != nil {
		return err
	}
	var results []variantResult
	var mu sync.Mutex
	err = forEach(o.Parallel, chosen, func(v variant) error {
		result, err := runner.try(ctx, v)
		mu.Lock()
		defer mu.Unlock()
		results = append(results, result)
		for _, failure := range result.failures {
			fmt.Fprintf(out, "%s: %s\n", v.name, failure)
		}
		if o.Verbose {
			fmt.Fprintf(out, "%s: found by %v\n", v.name, result.oracles)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := reportVariants(out, results, len(results) == len(variants())); err != nil {
		return err
	}
	if runner.baselineFailures > 0 {
		return fmt.Errorf("%d runs of the unmodified operator went wrong", runner.baselineFailures)
	}
	return nil
}

// runBaseline makes the runs of the variants with the unmodified operator, which must pass.
func (r *variantRunner) runBaseline(ctx context.Context, parallel int, chosen []variant, out io.Writer) error {
	var plain, faulty []trial
	for _, v := range chosen {
		for _, t := range v.trials() {
			to := &faulty
			if t.fault == "none" {
				to = &plain
			}
			if !slices.Contains(*to, t) {
				*to = append(*to, t)
			}
		}
	}
	var mu sync.Mutex
	failures := 0
	check := func(t trial) error {
		mu.Lock()
		learned := r.learned[t.scenario]
		mu.Unlock()
		f, err := proxy.ParseFault(t.fault)
		if err != nil {
			return err
		}
		cluster, err := r.of(r.scenarios[t.scenario], f)
		if err != nil {
			return err
		}
		found, err := r.run(ctx, cluster, t, learned)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if learned.State == "" {
			r.learned[t.scenario] = found
		}
		if problems := found.Problems; len(problems) > 0 || !found.Happened && t.fault != "none" {
			failures++
			fmt.Fprintf(out, "the unmodified operator, in %s with %s (happened: %v)\n  %s\n", t.scenario, t.fault, found.Happened, strings.Join(problems, "\n  "))
		}
		return nil
	}
	if err := forEach(parallel, plain, check); err != nil {
		return err
	}
	if err := forEach(parallel, faulty, check); err != nil {
		return err
	}
	r.baselineFailures = failures
	return nil
}

// run makes one run.
func (r *variantRunner) run(ctx context.Context, cluster *harness.Cluster, t trial, learned harness.Result) (harness.Result, error) {
	f, err := proxy.ParseFault(t.fault)
	if err != nil {
		return harness.Result{}, err
	}
	sc, ok := r.scenarios[t.scenario]
	if !ok {
		return harness.Result{}, fmt.Errorf("there is no scenario %q", t.scenario)
	}
	return cluster.TryScenario(ctx, sc, f, learned)
}

// try builds a variant and makes its runs: only its own fault may reveal the mistake.
func (r *variantRunner) try(ctx context.Context, v variant) (variantResult, error) {
	result := variantResult{variant: v}
	r.building <- struct{}{}
	if f, err := proxy.ParseFault(v.fault); err == nil && needsAdapted(r.scenarios[v.scenario], f) {
		v = v.adapted()
	}
	binary, err := v.build(ctx, r.repo, r.cluster.Dir)
	<-r.building
	if err != nil {
		result.failures = append(result.failures, err.Error())
		return result, nil
	}
	all := v.trials()
	for i, t := range all {
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		run, err := r.run(ctx, r.cluster.WithOperator(binary), t, r.learned[t.scenario])
		switch {
		case err != nil:
			return result, err
		case i == len(all)-1:
			result.evaluate(run)
		case len(run.Problems) > 0:
			result.failures = append(result.failures, fmt.Sprintf("%s reveals it, too: %s", t.fault, run.Problems[0]))
		}
	}
	return result, nil
}

// evaluate checks the run that must reveal the mistake.
func (r *variantResult) evaluate(result harness.Result) {
	for _, problem := range result.Problems {
		if o := oracle.NameOf(problem); !slices.Contains(r.oracles, o) {
			r.oracles = append(r.oracles, o)
		}
	}
	if !result.Happened && r.fault != "none" {
		r.failures = append(r.failures, r.fault+" was not reached")
	}
	isReported := func(oracle string) bool { return slices.Contains(r.oracles, oracle) }
	if !slices.ContainsFunc(strings.Split(r.oracle, "|"), isReported) {
		r.failures = append(r.failures, fmt.Sprintf("oracle %s does not report it with %s in %s, but %q", r.oracle, r.fault, r.scenario, result.Problems))
	}
}

// generalOracles report the consequences of most mistakes, beside a more specific oracle.
var generalOracles = []string{"reached", "end", "rest", "orphan", "protocol", "warning"}

// isFoundOnlyBy reports whether the faults of no other class reveal the mistake.
func (v variant) isFoundOnlyBy(f proxy.Fault) bool {
	left := map[string]bool{}
	for _, c := range classes {
		left[c.name] = !c.is(f)
	}
	for _, text := range v.others {
		other, err := proxy.ParseFault(text)
		if err != nil {
			return false
		}
		left[classOf(other)] = false
	}
	return !slices.Contains(slices.Collect(maps.Values(left)), true)
}

// checkVariants checks the table: each class and each oracle has a variant that names no other one. Whichever share of the variants runs, each of them
// has to be found as the table says.
func checkVariants(all []variant) error {
	byClass, byOracle := map[string]bool{}, map[string]bool{}
	for _, v := range all {
		f, err := proxy.ParseFault(v.fault)
		if err != nil {
			return err
		}
		byClass[classOf(f)] = byClass[classOf(f)] || v.isFoundOnlyBy(f)
		byOracle[v.oracle] = true
	}
	return missesError(slices.Concat(withoutVariant("class", classNames(), byClass), withoutVariant("oracle", oracle.Names(), byOracle)))
}

// withoutVariant returns what to report of the classes or oracles that no variant has for itself.
func withoutVariant(kind string, names []string, has map[string]bool) (missed []string) {
	for _, name := range names {
		if !has[name] {
			missed = append(missed, fmt.Sprintf("no variant is found by the %s %q alone", kind, name))
		}
	}
	return missed
}

// missesError returns an error with what is missed; nil: nothing is.
func missesError(missed []string) error {
	if len(missed) == 0 {
		return nil
	}
	return fmt.Errorf("the sweep misses mistakes:\n  %s", strings.Join(missed, "\n  "))
}

// reportVariants prints the results. all: each oracle must have reported a variant that no other one did.
func reportVariants(out io.Writer, results []variantResult, all bool) error {
	slices.SortFunc(results, func(a, b variantResult) int { return strings.Compare(a.name, b.name) })
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "variant\tscenario\tclass\tfault\tother faults\tfound by\t")
	var missed []string
	byOracle := map[string]bool{}
	for _, r := range results {
		f, err := proxy.ParseFault(r.fault)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t\n", r.name, r.scenario, classOf(f), r.fault, len(r.others), strings.Join(r.oracles, ", "))
		if len(r.failures) > 0 {
			missed = append(missed, "see "+r.name)
		}
		for _, o := range r.oracles {
			byOracle[o] = byOracle[o] || len(slices.DeleteFunc(slices.Clone(r.oracles), func(other string) bool { return other == o || slices.Contains(generalOracles, other) })) == 0
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if all {
		missed = append(missed, withoutVariant("oracle", oracle.Names(), byOracle)...)
	}
	return missesError(missed)
}
