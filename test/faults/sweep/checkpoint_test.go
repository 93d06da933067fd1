// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

func TestCheckpointContinuesASweep(t *testing.T) {
	dir := t.TempDir()
	operator, path := filepath.Join(dir, "operator"), filepath.Join(dir, "checkpoint")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func(o Options) (*checkpoint, uint64) {
		t.Helper()
		j, err := openCheckpoint(&o, harness.Binaries{Operator: operator, Successor: operator, Webhooks: operator}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.close() })
		return j, o.Seed
	}
	write(operator, "one")
	f, err := proxy.ParseFault("crash-after@3+crash-before@1")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := open(Options{Checkpoint: path, Seed: 7, Part: 1})
	if _, ok := first.find("alert", f); ok {
		t.Error("a new checkpoint has a run")
	}
	want := harness.Result{Happened: true, Duration: time.Second, Problems: []string{"it is wrong"}}
	if err := first.add("alert", f, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(path, string(text)+`{"Scenario":"binding","Fau`) // killed while it wrote

	second, seed := open(Options{Checkpoint: path, Seed: 8, Part: 1})
	got, ok := second.find("alert", f)
	if !ok || seed != 7 || got.Duration != want.Duration || !got.Happened || len(got.Problems) != 1 || got.Problems[0] != want.Problems[0] {
		t.Errorf("it goes on with seed %d and %+v", seed, got)
	}
	if err := second.add("binding", f, want); err != nil {
		t.Fatal(err)
	}
	if third, _ := open(Options{Checkpoint: path, Seed: 8, Part: 1}); len(third.done) != 2 {
		t.Errorf("after a line that was cut off it has %v", third.done)
	}
	if other, seed := open(Options{Checkpoint: path, Seed: 8, Part: 0.5}); len(other.done) != 0 || seed != 8 {
		t.Errorf("another choice of runs goes on with seed %d and %v", seed, other.done)
	}
	if err := first.add("alert", f, want); err != nil {
		t.Fatal(err)
	}
	write(operator, "two")
	if other, _ := open(Options{Checkpoint: path, Seed: 9, Part: 0.5}); len(other.done) != 0 {
		t.Errorf("another operator goes on with %v", other.done)
	}
	if none, _ := open(Options{Seed: 9}); none.add("alert", f, want) != nil || none.close() != nil {
		t.Error("an empty path is an error")
	}
}

func TestFilesThatAreNoCheckpointAreOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(path, []byte(strings.Repeat("no checkpoint\n", 3)), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := openCheckpoint(&Options{Checkpoint: path, Seed: 7}, harness.Binaries{Operator: path, Successor: path, Webhooks: path}, io.Discard)
	if err != nil || len(j.done) != 0 {
		t.Errorf("it has %v, %v", j, err)
	}
}

// The plan of a sweep that is continued is made of calls that were learned again, so that it may not have all runs that are done.
func TestContinuedSweepReportsAllViolations(t *testing.T) {
	o := Options{Each: true, Seed: 1}
	for name, calls := range map[string][]proxy.Call{"the same calls": callsOf(30), "one more read": callsOf(30, "GET secrets/x"), "a write less": callsOf(29)} {
		c := &checkpoint{done: map[string]checkpointRun{"other none": {Scenario: "other", Fault: "none", Problems: []string{"it is another scenario"}}}}
		tried := map[place]bool{}
		for _, f := range planOf(t, callsOf(30), o).faults {
			c.done["db "+f.String()] = checkpointRun{Scenario: "db", Fault: f.String(), Happened: true, Took: time.Second, Problems: []string{"paged twice"}}
			tried[placeOf(f)] = true
		}
		s := planOf(t, calls, o)
		if err := s.resume(c, io.Discard, o); err != nil {
			t.Fatal(err)
		}
		for _, f := range s.faults {
			switch _, isDone := c.find("db", f); {
			case !isDone && tried[placeOf(f)]:
				t.Errorf("%s: another fault is tried at %+v", name, placeOf(f))
			case isDone:
				if err := s.try(t.Context(), nil, c, f, io.Discard, o); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := len(s.violations); n != len(c.done)-1 {
			t.Errorf("%s: of %d runs with a violation %d are reported", name, len(c.done)-1, n)
		}
	}
}
