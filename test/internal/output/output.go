// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package output buffers the output of the processes that tests start.
package output

import (
	"bytes"
	"sync"
)

// Buffer has the text that was written since the last Take. It is safe for concurrent use: a process writes while a test reads.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends to the buffer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns the text since the last Take, which stays in the buffer.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Take returns the text since the last Take, and empties the buffer.
func (b *Buffer) Take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.String()
	b.text = bytes.Buffer{} // Reset would not free the memory
	return text
}
