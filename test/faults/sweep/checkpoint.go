// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/test/faults/harness"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// checkpoint is a file of the finished runs of a sweep, one JSON object a line. A sweep that is started again reads it and makes the other
// runs only.
type checkpoint struct {
	mu   sync.Mutex
	file *os.File // nil: nothing is recorded
	done map[string]checkpointRun
}

// checkpointHeader is the first line. The runs are valid for the same header only.
type checkpointHeader struct {
	Operators harness.Binaries // checksums
	Sweep     string           // checksum
	Choice    string
	Seed      uint64
}

// checkpointRun is a finished run.
type checkpointRun struct {
	Scenario, Fault string
	Happened        bool
	Took            time.Duration
	Problems        []string `json:",omitempty"`
}

// openCheckpoint continues the file of the same operators, sweep and choice of runs, and takes its seed; otherwise it begins a new file.
func openCheckpoint(o *Options, operators harness.Binaries, out io.Writer) (*checkpoint, error) {
	c := &checkpoint{done: map[string]checkpointRun{}}
	if o.Checkpoint == "" {
		return c, nil
	}
	header := checkpointHeader{Seed: o.Seed, Choice: fmt.Sprintf("scenario %q, class %q, part %v, each %t, share %v, %d walks", o.Scenario, o.Class, o.Part, o.Each, o.Share, o.Walks)}
	self, err := os.Executable()
	if err == nil {
		header.Sweep, err = checksum(self)
	}
	if err == nil {
		header.Operators, err = checksums(operators)
	}
	if err != nil {
		return nil, err
	}
	former, err := c.read(o.Checkpoint)
	if err != nil {
		return nil, err
	}
	seed := former.Seed
	if former.Seed = header.Seed; former != header {
		c.done = map[string]checkpointRun{}
		fmt.Fprintf(out, "%s: beginning, seed %d\n", o.Checkpoint, o.Seed)
		if c.file, err = os.Create(o.Checkpoint); err != nil {
			return nil, err
		}
		return c, json.NewEncoder(c.file).Encode(header)
	}
	o.Seed = seed
	fmt.Fprintf(out, "%s: %d runs are done, going on with seed %d; remove the file to begin anew\n", o.Checkpoint, len(c.done), o.Seed)
	if c.file, err = os.OpenFile(o.Checkpoint, os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	_, err = c.file.WriteString("\n") // the last line may be incomplete
	return c, err
}

// checksums returns the checksums of operators.
func checksums(operators harness.Binaries) (harness.Binaries, error) {
	for _, path := range []*string{&operators.Operator, &operators.Successor, &operators.Webhooks} {
		sum, err := checksum(*path)
		if err != nil {
			return harness.Binaries{}, err
		}
		*path = sum
	}
	return operators, nil
}

// checksum returns the SHA-256 of a file.
func checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	return hex.EncodeToString(hash.Sum(nil)), err
}

// read reads a file; an incomplete last line is ignored.
func (c *checkpoint) read(path string) (header checkpointHeader, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return header, nil
	}
	if err != nil {
		return header, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for first := true; lines.Scan(); first = false {
		if first {
			if json.Unmarshal(lines.Bytes(), &header) != nil {
				return checkpointHeader{}, nil // it is not a checkpoint
			}
			continue
		}
		var run checkpointRun
		if json.Unmarshal(lines.Bytes(), &run) == nil {
			c.done[run.Scenario+" "+run.Fault] = run
		}
	}
	return header, lines.Err()
}

// find returns the result of a finished run.
func (c *checkpoint) find(name string, f proxy.Fault) (found harness.Result, ok bool) {
	run, ok := c.done[name+" "+f.String()]
	return harness.Result{Happened: run.Happened, Duration: run.Took, Problems: run.Problems}, ok
}

// runsOf returns the finished runs of a scenario.
func (c *checkpoint) runsOf(name string) (some []checkpointRun) {
	for _, key := range slices.Sorted(maps.Keys(c.done)) {
		if run := c.done[key]; run.Scenario == name {
			some = append(some, run)
		}
	}
	return some
}

// add records the result of a run.
func (c *checkpoint) add(name string, f proxy.Fault, found harness.Result) error {
	if c.file == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return json.NewEncoder(c.file).Encode(checkpointRun{Scenario: name, Fault: f.String(), Happened: found.Happened, Took: found.Duration, Problems: found.Problems})
}

// close closes the file.
func (c *checkpoint) close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}
