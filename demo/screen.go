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
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// A screen is the terminal. While a command runs, lines of the inbox and the broker are buffered, so that they follow its output.
type screen struct {
	out    io.Writer
	colour bool

	mu        sync.Mutex
	buffering bool
	buffered  bytes.Buffer
}

func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &screen{out: out, colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Write is for inbox and broker, which write a line for each event.
func (s *screen) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buffering {
		s.buffered.WriteString(indent(string(line)))
	} else {
		fmt.Fprint(s.out, indent(string(line)))
	}
	return len(line), nil
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

func (s *screen) printTitle(text string) { s.printf("%s\n", s.bold(text)) }

func (s *screen) printStep(text string) { s.printf("\n%s", s.bold(text)) }

// printCommand prints a command after a prompt, and buffers lines of Write until flush.
func (s *screen) printCommand(prompt, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffering = true
	first, rest, more := strings.Cut(text, "\n")
	fmt.Fprintf(s.out, "\n  %s %s\n", prompt, s.bold(first))
	if more {
		fmt.Fprint(s.out, indent(rest))
	}
}

func (s *screen) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffering = false
	_, _ = s.buffered.WriteTo(s.out)
}

func (s *screen) bold(text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// indent indents all lines.
func indent(text string) string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

// lastLines returns the last n lines of a file, or "" where there is no such file.
func lastLines(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
