//go:build unix

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// fakeConnection is a tunnel that a test ends.
type fakeConnection struct {
	done chan struct{}
	err  error
}

func (c *fakeConnection) Done() <-chan struct{} { return c.done }
func (c *fakeConnection) Err() error            { return c.err }

// runChild runs a shell script while a connection lasts, and returns its output.
func runChild(ctx context.Context, c *fakeConnection, script string, in string) (string, error) {
	var out bytes.Buffer
	e := cli.New(genericiooptions.IOStreams{In: strings.NewReader(in), Out: &out, ErrOut: &out})
	err := runWhileConnected(ctx, e, c, "/bin/sh", []string{"sh", "-c", script}, []string{"DB_host=127.0.0.1"})
	return out.String(), err
}

func TestACommandRunsWhileConnected(t *testing.T) {
	for script, code := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143} {
		_, err := runChild(t.Context(), &fakeConnection{done: make(chan struct{})}, script, "")
		var exit *cli.ExitStatus
		if code == 0 && err != nil || code != 0 && (!errors.As(err, &exit) || exit.Code != code) {
			t.Errorf("%s: %v, want exit code %d", script, err, code)
		}
	}
	out, err := runChild(t.Context(), &fakeConnection{done: make(chan struct{})}, "read line; echo $line from $DB_host", "hello\n")
	if err != nil || out != "hello from 127.0.0.1\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestALostConnectionEndsTheCommand(t *testing.T) {
	c := &fakeConnection{done: make(chan struct{}), err: errors.New("lost")}
	time.AfterFunc(200*time.Millisecond, func() { close(c.done) })
	start := time.Now()
	_, err := runChild(t.Context(), c, "exec sleep 30", "")
	if !errors.Is(err, c.err) || time.Since(start) > 10*time.Second {
		t.Errorf("%v, after %s", err, time.Since(start))
	}
}

func TestAnInterruptIsLeftToTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out, err := runChild(ctx, &fakeConnection{done: make(chan struct{})}, "echo goes on", "")
	if err != nil || out != "goes on\n" {
		t.Errorf("%q, %v", out, err)
	}
}
