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
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/gophernetes/bellhop/hack/local"
)

// A proof is what comes of a variant.
type proof struct {
	variant
	said  []string // by which oracles
	wrong []string // what is not as it has to be
}

// prover tries variants, and the operator as it is beside them.
type prover struct {
	lab  *lab
	repo string
	// scenarios, and how each ends without a fault.
	scenarios map[string]scenario
	ends      map[string]string
	building  chan struct{} // one at a time: builds use all there is
	unsound   int           // runs of the operator as it is that went wrong
}

// variantOptions are those of the command line.
type variantOptions struct {
	names    []string // the only ones to try; none: all
	parallel int
	verbose  bool
}

// prove tries all variants, or those of the names.
func prove(ctx context.Context, o variantOptions, out io.Writer) (err error) {
	chosen := slices.DeleteFunc(variants(), func(v variant) bool { return len(o.names) > 0 && !slices.Contains(o.names, v.name) })
	if len(chosen) == 0 {
		return fmt.Errorf("there is no variant of %v", o.names)
	}
	repo, err := local.FindRepo()
	if err != nil {
		return err
	}
	l, err := newLab(ctx, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	p := &prover{lab: l, repo: repo, scenarios: map[string]scenario{}, ends: map[string]string{}, building: make(chan struct{}, 1)}
	for _, sc := range append(scenarios(), trials()...) {
		p.scenarios[sc.name] = sc
	}
	if err := p.sound(ctx, o.parallel, chosen, out); err != nil {
		return err
	}
	var proofs []proof
	var mu sync.Mutex
	err = inParallel(o.parallel, chosen, func(v variant) error {
		found, err := p.try(ctx, v)
		mu.Lock()
		defer mu.Unlock()
		proofs = append(proofs, found)
		for _, w := range found.wrong {
			fmt.Fprintf(out, "%s: %s\n", v.name, w)
		}
		if o.verbose {
			fmt.Fprintf(out, "%s: found by %v\n", v.name, found.said)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := tell(out, proofs, len(o.names) == 0); err != nil {
		return err
	}
	if p.unsound > 0 {
		return fmt.Errorf("%d runs of the operator as it is went wrong", p.unsound)
	}
	return nil
}

// sound tries the operator as it is with all that variants are tried with: it has to pass.
func (p *prover) sound(ctx context.Context, parallel int, chosen []variant, out io.Writer) error {
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
		expected := p.ends[t.scenario]
		mu.Unlock()
		found, err := p.run(ctx, p.lab, t, expected)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if expected == "" {
			p.ends[t.scenario] = found.state
		}
		if problems := found.problems; len(problems) > 0 || !found.happened && t.fault != "none" {
			wrong++
			fmt.Fprintf(out, "the operator as it is, in %s with %s (happened: %v)\n  %s\n", t.scenario, t.fault, found.happened, strings.Join(problems, "\n  "))
		}
		return nil
	}
	if err := inParallel(parallel, plain, check); err != nil {
		return err
	}
	if err := inParallel(parallel, faulty, check); err != nil {
		return err
	}
	p.unsound = wrong
	return nil
}

func (p *prover) run(ctx context.Context, l *lab, t trial, expected string) (result, error) {
	f, err := parseFault(t.fault)
	if err != nil {
		return result{}, err
	}
	sc, ok := p.scenarios[t.scenario]
	if !ok {
		return result{}, fmt.Errorf("there is no scenario %q", t.scenario)
	}
	return l.try(ctx, sc, f, expected)
}

// try builds a variant and runs it: only its own fault may bring up its mistake.
func (p *prover) try(ctx context.Context, v variant) (proof, error) {
	found := proof{variant: v}
	p.building <- struct{}{}
	binary, err := v.build(ctx, p.repo, p.lab.dir)
	<-p.building
	if err != nil {
		found.wrong = append(found.wrong, err.Error())
		return found, nil
	}
	all := v.trials()
	for i, t := range all {
		r, err := p.run(ctx, p.lab.with(binary), t, p.ends[t.scenario])
		switch {
		case err != nil:
			return found, err
		case i == len(all)-1:
			found.judge(r)
		case len(r.problems) > 0 && (!v.byChance || t.fault != "none"):
			found.wrong = append(found.wrong, fmt.Sprintf("%s brings it up, too: %s", t.fault, r.problems[0]))
		}
	}
	return found, nil
}

// judge looks at the run that has to bring up the mistake.
func (p *proof) judge(r result) {
	for _, problem := range r.problems {
		if o := oracleOf(problem); !slices.Contains(p.said, o) {
			p.said = append(p.said, o)
		}
	}
	if !r.happened && p.fault != "none" {
		p.wrong = append(p.wrong, p.fault+" was not reached")
	}
	if !slices.Contains(p.said, p.oracle) {
		p.wrong = append(p.wrong, fmt.Sprintf("%s is not said with %s in %s, but %q", p.oracle, p.fault, p.scenario, r.problems))
	}
}

// general are oracles that see whatever has consequences, beside the one that says what it is.
var general = []string{"reached", "end", "rest", "orphan", "protocol"}

// isAlone says whether no other class brings the mistake up.
func (p proof) isAlone(f fault) bool {
	left := map[string]bool{}
	for _, c := range classes {
		left[c.name] = !c.is(f)
	}
	for _, text := range p.others {
		other, err := parseFault(text)
		if err != nil {
			return false
		}
		left[classOf(other)] = false
	}
	return !slices.Contains(slices.Collect(maps.Values(left)), true)
}

// tell prints what came of it. Of all variants, each class and each oracle has one that
// nothing else finds.
func tell(out io.Writer, proofs []proof, all bool) error {
	slices.SortFunc(proofs, func(a, b proof) int { return strings.Compare(a.name, b.name) })
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "variant\tscenario\tclass\tfault\tother faults\tfound by\t")
	var wrong []string
	classed, judged := map[string]bool{}, map[string]bool{}
	for _, p := range proofs {
		f, err := parseFault(p.fault)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t\n", p.name, p.scenario, classOf(f), p.fault, len(p.others), strings.Join(p.said, ", "))
		if len(p.wrong) > 0 {
			wrong = append(wrong, "see "+p.name)
		}
		classed[classOf(f)] = classed[classOf(f)] || p.isAlone(f)
		for _, o := range p.said {
			judged[o] = judged[o] || len(slices.DeleteFunc(slices.Clone(p.said), func(other string) bool { return other == o || slices.Contains(general, other) })) == 0
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
	for _, name := range oracleNames() {
		if all && !judged[name] {
			wrong = append(wrong, fmt.Sprintf("no variant is found by the oracle %q alone", name))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the sweep is not what it has to be:\n  %s", strings.Join(wrong, "\n  "))
	}
	return nil
}
