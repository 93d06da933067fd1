// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// logMonitor writes the log of an operator process to out. From the log lines it counts the reconciles in flight, and records when each
// object is requeued. Its zero value has no reconciles.
type logMonitor struct {
	out io.Writer

	mu                sync.Mutex
	partialLine       []byte // the last line, which is incomplete
	started, finished int    // reconciles of all controllers
	requeueAt         map[reconcileKey]time.Time
}

// reconcileKey is a controller and an object. The field names are those of controller-runtime's log lines.
type reconcileKey struct{ Controller, Namespace, Name string }

// Write implements io.Writer: it parses the lines that are complete, and writes all text to out.
func (m *logMonitor) Write(text []byte) (int, error) {
	m.parseLines(text)
	return m.out.Write(text)
}

// parseLines parses the lines that text completes, and keeps the incomplete rest.
func (m *logMonitor) parseLines(text []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	unparsed := slices.Concat(m.partialLine, text)
	for {
		line, rest, isComplete := bytes.Cut(unparsed, []byte("\n"))
		if !isComplete {
			break
		}
		m.parseLine(line)
		unparsed = rest
	}
	m.partialLine = bytes.Clone(unparsed) // a slice would keep the parsed lines in memory
}

// parseLine evaluates the messages of controller-runtime about a reconcile. "Reconciling" is the first one; "Reconcile successful",
// "Reconcile done, requeueing", "Reconcile done, requeueing after 5s" and "Reconciler error" are the last ones.
func (m *logMonitor) parseLine(line []byte) {
	if !bytes.Contains(line, []byte(`"msg":"Reconcil`)) {
		return
	}
	var entry struct {
		Msg string
		reconcileKey
	}
	if json.Unmarshal(line, &entry) != nil {
		return
	}
	if entry.Msg == "Reconciling" {
		m.started++
		delete(m.requeueAt, entry.reconcileKey)
		return
	}
	m.finished++
	_, delay, _ := strings.Cut(entry.Msg, "requeueing after ")
	if after, err := time.ParseDuration(delay); err == nil {
		if m.requeueAt == nil {
			m.requeueAt = map[reconcileKey]time.Time{}
		}
		m.requeueAt[entry.reconcileKey] = time.Now().Add(after)
	}
}

// isBusy reports whether a reconcile is in flight, or an object is requeued within a time from now.
func (m *logMonitor) isBusy(within time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range m.requeueAt {
		if time.Until(at) < within {
			return true
		}
	}
	return m.started > m.finished
}
