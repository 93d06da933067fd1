// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/cli-runtime/pkg/printers"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// endDelay is how long a command may take to end after the connection was lost.
const endDelay = 10 * time.Second

// connection is a tunnel: Done is closed when it has ended, and Err is why.
type connection interface {
	Done() <-chan struct{}
	Err() error
}

// runWhileConnected runs a command until it ends, and returns its exit code as an error. If the tunnel ends before, it ends the command, and
// returns why the tunnel ended. Ctrl-C is for the command, which may go on: an interactive client cancels a query.
func runWhileConnected(ctx context.Context, e *cli.Environment, tunnel connection, path string, command, env []string) error {
	defer e.Hold()()
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	cmd := exec.CommandContext(running, path, command[1:]...)
	cmd.Args[0], cmd.Env = command[0], env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.Raw.In, e.Raw.Out, e.Raw.ErrOut
	cmd.Cancel, cmd.WaitDelay = func() error { return terminate(cmd) }, endDelay

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return cannotRun(e, command[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return childResult(err)
		case <-tunnel.Done():
			end()
			<-ended //nolint:errcheck // it was ended for the error of the tunnel
			return tunnel.Err()
		case s := <-signals:
			if s != os.Interrupt || !printers.IsTerminal(e.Raw.In) { // a terminal sends Ctrl-C to the command, too
				_ = cmd.Process.Signal(s) // fails if the command has ended
			}
		}
	}
}

// childResult is the exit code of a command as an error.
func childResult(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &cli.ExitStatus{Code: exitCodeOf(exit.ProcessState)}
	}
	return err
}
