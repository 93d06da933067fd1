// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// report prints the results; the error says what was wrong.
func report(out io.Writer, sweeps []*scenarioSweep, o Options, took time.Duration) error {
	if err := printTable(out, sweeps); err != nil {
		return err
	}
	if o.Verbose {
		for _, s := range sweeps {
			printDetails(out, s)
		}
	}
	var runs, violations, planned int
	for _, s := range sweeps {
		for _, v := range s.violations { // again, at the end of the output
			fmt.Fprint(out, v.text)
		}
		runs += len(s.tried)
		planned += len(s.faults)
		violations += len(s.violations)
	}
	fmt.Fprintf(out, "%d runs, %d violations, %s, seed %d\n", runs, violations, took.Round(time.Second), o.Seed)
	if runs < planned {
		fmt.Fprintf(out, "%d more were not made within %s\n", planned-runs, o.Within)
	}
	switch {
	case violations > 0:
		return fmt.Errorf("%d violations", violations)
	case 2*runs < planned:
		return fmt.Errorf("less than half of %d runs within %s", planned, o.Within)
	case planned == 0:
		return errors.New("there is nothing to try")
	}
	return nil
}

// printTable prints a row for each scenario, and one of their sums.
func printTable(out io.Writer, sweeps []*scenarioSweep) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "scenario\tcalls\teffects\t")
	for _, c := range classes {
		fmt.Fprintf(table, "%s\t", c.name)
	}
	fmt.Fprintln(table, "runs\tnot reached\tviolations\ts a run\t")
	var sum scenarioSweep
	for _, s := range sweeps {
		printRow(table, s.scenario.Name, s)
		sum.learned.Calls = append(sum.learned.Calls, s.learned.Calls...)
		sum.tried = append(sum.tried, s.tried...)
		sum.notReached += s.notReached
		sum.violations = append(sum.violations, s.violations...)
		sum.duration += s.duration
	}
	printRow(table, "all", &sum)
	return table.Flush()
}

// printRow prints the numbers of runs and of what they found.
func printRow(table io.Writer, name string, s *scenarioSweep) {
	fmt.Fprintf(table, "%s\t%d\t%d\t", name, len(s.learned.Calls), count(s.learned.Calls, func(c proxy.Call) bool { return c.Mutates }))
	for _, c := range classes {
		fmt.Fprintf(table, "%d\t", count(s.tried, c.is))
	}
	runs := len(s.tried)
	fmt.Fprintf(table, "%d\t%d\t%d\t%.1f\t\n", runs, s.notReached, len(s.violations), s.duration.Seconds()/float64(max(1, runs)))
}

// count returns how many elements have a property.
func count[T any](all []T, is func(T) bool) (n int) {
	for _, one := range all {
		if is(one) {
			n++
		}
	}
	return n
}

// printDetails prints the calls and the end state of a scenario, and the output of the operator in runs that went wrong.
func printDetails(out io.Writer, s *scenarioSweep) {
	for i, c := range s.learned.Calls {
		fmt.Fprintf(out, "%s %3d %s %s\n", s.scenario.Name, i+1, c.Seam, c.Name)
	}
	fmt.Fprintf(out, "%s events %v\n%s\n", s.scenario.Name, s.learned.Events, s.learned.State)
	for _, v := range s.violations {
		fmt.Fprintf(out, "---- %s%s\n", v.text, v.log)
	}
}
