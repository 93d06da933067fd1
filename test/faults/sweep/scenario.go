// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// scenarioSweep is a scenario with the faults that are tried on it.
type scenarioSweep struct {
	scenario scenario.Scenario
	learned  harness.Result
	faults   []proxy.Fault

	mu         sync.Mutex
	tried      []proxy.Fault
	notReached int // runs that ended before the fault was injected
	violations []violation
	duration   time.Duration
}

// violation is a run that went wrong: the problems, how to repeat the run, and the output of the operator.
type violation struct{ text, log string }

// learn runs the scenario without a fault.
func (s *scenarioSweep) learn(ctx context.Context, under *operators, out io.Writer, o Options) error {
	var err error
	if s.learned, err = s.run(ctx, under, proxy.Fault{}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recordProblems(proxy.Fault{}, s.learned, out, o)
	return nil
}

// resume plans the faults of finished runs instead of others at the same places, where one fault is tried at each, and reports the violations of finished
// runs that are not planned any more: the plan depends on the calls that were learned, which may be others than those of the sweep that is continued.
func (s *scenarioSweep) resume(finished *checkpoint, out io.Writer, o Options) error {
	planned := map[string]bool{}
	for _, f := range s.faults {
		planned[f.String()] = true
	}
	for _, run := range finished.runsOf(s.scenario.Name) {
		f, err := proxy.ParseFault(run.Fault)
		if err != nil {
			return fmt.Errorf("%s: %w", o.Checkpoint, err)
		}
		isInstead := func(other proxy.Fault) bool {
			_, isFinished := finished.find(s.scenario.Name, other)
			return o.Each && placeOf(other) == placeOf(f) && !isFinished
		}
		switch i := slices.IndexFunc(s.faults, isInstead); {
		case planned[run.Fault]: // try reports it
		case i >= 0:
			s.faults[i] = f
		default:
			s.recordProblems(f, harness.Result{Problems: run.Problems}, out, o)
		}
	}
	return nil
}

// try runs the scenario with a fault, unless the checkpoint has the result.
func (s *scenarioSweep) try(ctx context.Context, under *operators, finished *checkpoint, f proxy.Fault, out io.Writer, o Options) error {
	result, done := finished.find(s.scenario.Name, f)
	if !done {
		var err error
		if result, err = s.run(ctx, under, f); err != nil {
			return err
		}
		if err := finished.add(s.scenario.Name, f, result); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = append(s.tried, f)
	s.duration += result.Duration
	if !result.Happened && f.Kind != "" {
		s.notReached++
	}
	s.recordProblems(f, result, out, o)
	return nil
}

// run makes one run. It starts again if the preparation fails: no fault was injected yet, and elections time out on a busy machine.
func (s *scenarioSweep) run(ctx context.Context, under *operators, f proxy.Fault) (result harness.Result, err error) {
	cluster, err := under.of(s.scenario, f)
	if err != nil {
		return harness.Result{}, err
	}
	for range 4 {
		result, err = cluster.TryScenario(ctx, s.scenario, f, s.learned)
		if ctx.Err() != nil { // an interrupted run has no result
			return harness.Result{}, ctx.Err()
		}
		if err == nil {
			return result, nil
		}
	}
	return harness.Result{}, fmt.Errorf("%s with %s: %w", s.scenario.Name, f, err)
}

// recordProblems prints the problems of a run and how to repeat it.
func (s *scenarioSweep) recordProblems(f proxy.Fault, result harness.Result, out io.Writer, o Options) {
	if len(result.Problems) == 0 {
		return
	}
	text := fmt.Sprintf("VIOLATION %s with %s (seed %d)\n  %s\n  again: make sweep ARGS='%s'\n",
		s.scenario.Name, f, o.Seed, strings.Join(result.Problems, "\n  "), o.repeatFlags(s.scenario.Name, f))
	s.violations = append(s.violations, violation{text, result.Log})
	fmt.Fprint(out, text)
}
