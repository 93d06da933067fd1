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
	"bytes"
	"io"
	"sync"
)

// A monitor passes on what a process prints, and counts the reconciles that it has begun and ended.
type monitor struct {
	out io.Writer

	mu           sync.Mutex
	line         []byte // that has not ended yet
	begun, ended int
}

func (m *monitor) Write(text []byte) (int, error) {
	m.mu.Lock()
	m.line = append(m.line, text...)
	if end := bytes.LastIndexByte(m.line, '\n') + 1; end > 0 {
		lines := m.line[:end]
		m.begun += bytes.Count(lines, []byte(`"msg":"Reconciling"`))
		m.ended += bytes.Count(lines, []byte(`"msg":"Reconcile `)) + bytes.Count(lines, []byte(`"msg":"Reconciler error"`))
		m.line = bytes.Clone(m.line[end:])
	}
	m.mu.Unlock()
	return m.out.Write(text)
}

// isReconciling says whether the process is at something, though it may ask for nothing.
func (m *monitor) isReconciling() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.begun > m.ended
}
