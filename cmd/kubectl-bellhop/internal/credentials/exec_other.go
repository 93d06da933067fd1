//go:build !unix

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"errors"
	"os"
	"os/exec"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// replaceProcess runs a command, and waits for its end: this system cannot replace a process. Ctrl-C reaches both.
func replaceProcess(e *cli.Environment, path string, command, env []string) error {
	cmd := &exec.Cmd{Path: path, Args: command, Env: env, Stdin: e.Raw.In, Stdout: e.Raw.Out, Stderr: e.Raw.ErrOut}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &cli.ExitStatus{Code: exitCodeOf(exit.ProcessState)}
	default:
		return cannotRun(e, command[0], err)
	}
}

// terminate ends a command: this system has no signal that requests it.
func terminate(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func exitCodeOf(state *os.ProcessState) int { return state.ExitCode() }
