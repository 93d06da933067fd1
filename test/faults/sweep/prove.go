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
	cluster *harness.Cluster
	repo    string
	// scenarios by name, and their end states without a fault.
	scenarios        map[string]scenario.Scenario
	endStates        map[string]string
	building         chan struct{} // one build at a time, as each uses all cores
	baselineFailures int           // failed runs of the unmodified operator
}

// VariantOptions choose the variants that are tried.
type VariantOptions struct {
	Names    []string // none: all
	Parallel int
	Verbose  bool
}

// ProveVariants checks that each variant is found by its fault and oracle, and that the unmodified operator passes the same runs.
func ProveVariants(ctx context.Context, o VariantOptions, out io.Writer) (err error) {
	chosen := slices.DeleteFunc(variants(), func(v variant) bool { return len(o.Names) > 0 && !slices.Contains(o.Names, v.name) })
	if len(chosen) == 0 {
		return fmt.Errorf("there is no variant of %v", o.Names)
	}
	repo, err := local.FindRepo()
	if err != nil {
		return err
	}
	l, err := harness.StartCluster(ctx, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	p := &variantRunner{cluster: l, repo: repo, scenarios: map[string]scenario.Scenario{}, endStates: map[string]string{}, building: make(chan struct{}, 1)}
	for _, sc := range append(scenario.All(), scenario.ForVariants()...) {
		p.scenarios[sc.Name] = sc
	}
	if err := p.runBaseline(ctx, o.Parallel, chosen, out); err != nil {
		return err
	}
	var proofs []variantResult
	var mu sync.Mutex
	err = forEach(o.Parallel, chosen, func(v variant) error {
		found, err := p.try(ctx, v)
		mu.Lock()
		defer mu.Unlock()
		proofs = append(proofs, found)
		for _, w := range found.failures {
			fmt.Fprintf(out, "%s: %s\n", v.name, w)
		}
		if o.Verbose {
			fmt.Fprintf(out, "%s: found by %v\n", v.name, found.oracles)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := reportVariants(out, proofs, len(o.Names) == 0); err != nil {
		return err
	}
	if p.baselineFailures > 0 {
		return fmt.Errorf("%d runs of the unmodified operator went wrong", p.baselineFailures)
	}
	return nil
}

// runBaseline makes the runs of the variants with the unmodified operator, which must pass.
func (p *variantRunner) runBaseline(ctx context.Context, parallel int, chosen []variant, out io.Writer) error {
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
	wrong := 0
	check := func(t trial) error {
		mu.Lock()
		expected := p.endStates[t.scenario]
		mu.Unlock()
		found, err := p.run(ctx, p.cluster, t, expected)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if expected == "" {
			p.endStates[t.scenario] = found.State
		}
		if problems := found.Problems; len(problems) > 0 || !found.Happened && t.fault != "none" {
			wrong++
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
	p.baselineFailures = wrong
	return nil
}

// run makes one run.
func (p *variantRunner) run(ctx context.Context, l *harness.Cluster, t trial, expected string) (harness.Result, error) {
	f, err := proxy.ParseFault(t.fault)
	if err != nil {
		return harness.Result{}, err
	}
	sc, ok := p.scenarios[t.scenario]
	if !ok {
		return harness.Result{}, fmt.Errorf("there is no scenario %q", t.scenario)
	}
	return l.TryScenario(ctx, sc, f, expected)
}

// try builds a variant and makes its runs: only its own fault may reveal the mistake.
func (p *variantRunner) try(ctx context.Context, v variant) (variantResult, error) {
	found := variantResult{variant: v}
	p.building <- struct{}{}
	binary, err := v.build(ctx, p.repo, p.cluster.Dir)
	<-p.building
	if err != nil {
		found.failures = append(found.failures, err.Error())
		return found, nil
	}
	all := v.trials()
	for i, t := range all {
		r, err := p.run(ctx, p.cluster.WithBinary(binary), t, p.endStates[t.scenario])
		switch {
		case err != nil:
			return found, err
		case i == len(all)-1:
			found.evaluate(r)
		case len(r.Problems) > 0 && (!v.byChance || t.fault != "none"):
			found.failures = append(found.failures, fmt.Sprintf("%s reveals it, too: %s", t.fault, r.Problems[0]))
		}
	}
	return found, nil
}

// evaluate checks the run that must reveal the mistake.
func (p *variantResult) evaluate(r harness.Result) {
	for _, problem := range r.Problems {
		if o := oracle.NameOf(problem); !slices.Contains(p.oracles, o) {
			p.oracles = append(p.oracles, o)
		}
	}
	if !r.Happened && p.fault != "none" {
		p.failures = append(p.failures, p.fault+" was not reached")
	}
	if !slices.Contains(p.oracles, p.oracle) {
		p.failures = append(p.failures, fmt.Sprintf("oracle %s does not report it with %s in %s, but %q", p.oracle, p.fault, p.scenario, r.Problems))
	}
}

// generalOracles report the consequences of most mistakes, beside a more specific oracle.
var generalOracles = []string{"reached", "end", "rest", "orphan", "protocol"}

// isFoundOnlyBy reports whether the faults of no other class reveal the mistake.
func (p variantResult) isFoundOnlyBy(f proxy.Fault) bool {
	left := map[string]bool{}
	for _, c := range classes {
		left[c.name] = !c.is(f)
	}
	for _, text := range p.others {
		other, err := proxy.ParseFault(text)
		if err != nil {
			return false
		}
		left[classOf(other)] = false
	}
	return !slices.Contains(slices.Collect(maps.Values(left)), true)
}

// reportVariants prints the results. all: each class and each oracle must have a variant that no other one finds.
func reportVariants(out io.Writer, proofs []variantResult, all bool) error {
	slices.SortFunc(proofs, func(a, b variantResult) int { return strings.Compare(a.name, b.name) })
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "variant\tscenario\tclass\tfault\tother faults\tfound by\t")
	var wrong []string
	classed, judged := map[string]bool{}, map[string]bool{}
	for _, p := range proofs {
		f, err := proxy.ParseFault(p.fault)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t\n", p.name, p.scenario, classOf(f), p.fault, len(p.others), strings.Join(p.oracles, ", "))
		if len(p.failures) > 0 {
			wrong = append(wrong, "see "+p.name)
		}
		classed[classOf(f)] = classed[classOf(f)] || p.isFoundOnlyBy(f)
		for _, o := range p.oracles {
			judged[o] = judged[o] || len(slices.DeleteFunc(slices.Clone(p.oracles), func(other string) bool { return other == o || slices.Contains(generalOracles, other) })) == 0
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, c := range classes {
		if all && !classed[c.name] {
			wrong = append(wrong, fmt.Sprintf("no variant is found by the class %q alone", c.name))
		}
	}
	for _, name := range oracle.Names() {
		if all && !judged[name] {
			wrong = append(wrong, fmt.Sprintf("no variant is found by the oracle %q alone", name))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the sweep misses mistakes:\n  %s", strings.Join(wrong, "\n  "))
	}
	return nil
}
