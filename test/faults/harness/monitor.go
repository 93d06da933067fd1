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

package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"time"
)

// logMonitor passes the output of a process on, counts the reconciles that began and ended, and records when objects are due again.
type logMonitor struct {
	out io.Writer

	mu           sync.Mutex
	line         []byte // the beginning of an incomplete line
	begun, ended int
	due          map[reconcileKey]time.Time
}

// reconcileKey is a controller and an object.
type reconcileKey struct{ Controller, Namespace, Name string }

// Write reads complete lines and passes all on.
func (m *logMonitor) Write(text []byte) (int, error) {
	m.mu.Lock()
	m.line = append(m.line, text...)
	for {
		line, rest, ended := bytes.Cut(m.line, []byte("\n"))
		if !ended {
			break
		}
		m.read(line)
		m.line = rest
	}
	m.line = bytes.Clone(m.line)
	m.mu.Unlock()
	return m.out.Write(text)
}

// read reads a log line of controller-runtime about a reconcile.
func (m *logMonitor) read(line []byte) {
	var of struct {
		Msg string
		reconcileKey
	}
	if !bytes.Contains(line, []byte(`"msg":"Reconcil`)) || json.Unmarshal(line, &of) != nil {
		return
	}
	if of.Msg == "Reconciling" {
		m.begun++
		delete(m.due, of.reconcileKey)
		return
	}
	m.ended++
	_, after, _ := strings.Cut(of.Msg, "requeueing after ")
	if wait, err := time.ParseDuration(after); err == nil {
		if m.due == nil {
			m.due = map[reconcileKey]time.Time{}
		}
		m.due[of.reconcileKey] = time.Now().Add(wait)
	}
}

// isBusy reports whether the process reconciles, or will within a time.
func (m *logMonitor) isBusy(soon time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, due := range m.due {
		if time.Until(due) < soon {
			return true
		}
	}
	return m.begun > m.ended
}
