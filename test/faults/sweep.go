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
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A sweep is what is tried of a scenario: all faults that can be done to it, or a part.
type scenarioSweep struct {
	scenario Scenario
	learned  result
	faults   []fault

	mu         sync.Mutex
	tried      []fault
	notReached int // runs that were over before the fault could happen
	violations []violation
	duration   time.Duration
}

// violation is a run that went wrong: what was wrong with it, how to see it again, and what the
// operator has printed.
type violation struct{ text, log string }

// learn runs the scenario without a fault.
func (s *scenarioSweep) learn(ctx context.Context, l *cluster, out io.Writer, seed uint64) error {
	var err error
	if s.learned, err = s.run(ctx, l, fault{}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recordProblems(fault{}, s.learned, out, seed)
	return nil
}

// try runs the scenario with a fault, unless the journal has what came of that.
func (s *scenarioSweep) try(ctx context.Context, l *cluster, j *checkpoint, f fault, out io.Writer, seed uint64) error {
	found, done := j.find(s.scenario.name, f)
	if !done {
		var err error
		if found, err = s.run(ctx, l, f); err != nil {
			return err
		}
		if err := j.add(s.scenario.name, f, found); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = append(s.tried, f)
	s.duration += found.duration
	if !found.happened && f.kind != "" {
		s.notReached++
	}
	s.recordProblems(f, found, out, seed)
	return nil
}

// run makes one run. It begins again where the preparation fails: nothing was tried yet, and a machine that is busy elects leaders badly.
func (s *scenarioSweep) run(ctx context.Context, l *cluster, f fault) (found result, err error) {
	for range 4 {
		found, err = l.tryScenario(ctx, s.scenario, f, s.learned.state)
		if ctx.Err() != nil { // it was interrupted, and says nothing
			return result{}, ctx.Err()
		}
		if err == nil {
			return found, nil
		}
	}
	return result{}, fmt.Errorf("%s with %s: %w", s.scenario.name, f, err)
}

// recordProblems keeps in mind what went wrong, and says how to see it again.
func (s *scenarioSweep) recordProblems(f fault, found result, out io.Writer, seed uint64) {
	if len(found.problems) == 0 {
		return
	}
	text := fmt.Sprintf("VIOLATION %s with %s (seed %d)\n  %s\n  again: make sweep ARGS='-scenario %s -fault %s -seed %d'\n",
		s.scenario.name, f, seed, strings.Join(found.problems, "\n  "), s.scenario.name, f, seed)
	s.violations = append(s.violations, violation{text, found.log})
	fmt.Fprint(out, text)
}
