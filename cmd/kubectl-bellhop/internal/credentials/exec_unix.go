//go:build unix

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// replaceProcess runs a command in place of this process, so that the terminal, signals and the exit code are the command's own. It
// returns only if that fails.
func replaceProcess(e *cli.Environment, path string, command, env []string) error {
	return cannotRun(e, command[0], syscall.Exec(path, command, env))
}

// terminate sends a command the signal to end.
func terminate(cmd *exec.Cmd) error { return cmd.Process.Signal(syscall.SIGTERM) }

// exitCodeOf is the exit code of a process that has ended; after a signal, as in shells, 128 plus the signal's number.
func exitCodeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
