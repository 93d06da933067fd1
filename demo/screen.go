// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A screen is the terminal. While a command runs, lines of the inbox and the broker are buffered, so that they follow its output.
//
// A command is printed from the first column, after "$ ", so that all of it can be copied: a shell would not end a here-document at an
// indented line. All other lines below the title of a step are indented.
type screen struct {
	out    io.Writer
	colour bool

	mu        sync.Mutex
	buffering bool
	buffered  bytes.Buffer
	// transcript has what was printed, without colours.
	transcript bytes.Buffer

	lastOutput time.Time
	activity   string // what the user waits for; empty: nothing
	since      time.Time
}

func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &screen{out: out, colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// print prints text. The lock is held by the caller.
func (s *screen) print(text string, bold bool) {
	s.lastOutput = time.Now()
	s.transcript.WriteString(text)
	if bold && s.colour {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	fmt.Fprint(s.out, text)
}

// Write is for inbox and broker, which write a line for each event.
func (s *screen) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buffering {
		s.buffered.WriteString(indent(string(line)))
	} else {
		s.print(indent(string(line)), false)
	}
	return len(line), nil
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(fmt.Sprintf(format, args...)+"\n", false)
}

func (s *screen) printTitle(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(text, true)
	s.print("\n\n", false)
}

func (s *screen) printStep(text string) {
	s.printf("")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(text, true)
	s.print("\n", false)
}

// printCommand prints a command after a prompt, and buffers lines of Write until flush.
func (s *screen) printCommand(prompt, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffering = true
	first, rest, more := strings.Cut(text, "\n")
	s.print("\n"+prompt+" ", false)
	s.print(first, true)
	s.print("\n", false)
	if more {
		s.print(rest+"\n", false)
	}
}

func (s *screen) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffering = false
	if s.buffered.Len() > 0 {
		s.print(s.buffered.String(), false)
		s.buffered.Reset()
	}
}

// setActivity says what the user waits for from now on; empty: nothing.
func (s *screen) setActivity(activity string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.activity, s.since = activity, time.Now()
}

// quietTime is how long nothing is printed before a line says what the demo waits for.
const quietTime = 8 * time.Second

// reportProgress prints a line about the activity whenever nothing was printed for a while, until the context ends.
func (s *screen) reportProgress(ctx context.Context, quiet time.Duration) {
	for tick := time.NewTicker(quiet / 16); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			s.reportActivity(quiet)
		}
	}
}

func (s *screen) reportActivity(quiet time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.activity != "" && time.Since(s.lastOutput) >= quiet {
		s.print(fmt.Sprintf("  … %s: %d s so far\n", s.activity, int(time.Since(s.since).Seconds())), false)
	}
}

// printedCommands returns the commands that were printed after "$ ", in order, as they were printed.
func (s *screen) printedCommands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return findCommands(s.transcript.String())
}

// findCommands finds the commands in a transcript. One that has a here-document ends with it.
func findCommands(transcript string) (commands []string) {
	lines := strings.Split(transcript, "\n")
	for i := 0; i < len(lines); i++ {
		command, found := strings.CutPrefix(lines[i], "$ ")
		if !found {
			continue
		}
		for document := strings.Contains(command, "<<EOF"); document && i+1 < len(lines); {
			i++
			command += "\n" + lines[i]
			document = lines[i] != "EOF"
		}
		commands = append(commands, command)
	}
	return commands
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
