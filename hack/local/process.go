// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"syscall"
	"time"
)

// startTimeout is how long a program may take until it answers, on a busy machine.
const startTimeout = time.Minute

// A process is a running program.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of Wait; may be read once ended is closed
}

// startProcess runs a command in a process group of its own, so that Ctrl-C does not reach it, as its parent ends the processes in
// order. Where the kernel supports it, the process is killed with its parent.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = processAttributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop sends SIGTERM, and SIGKILL after the timeout. It returns how the process ended.
func (p *process) stop(timeout time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.ended:
		return p.err
	case <-time.After(timeout):
		p.kill()
		return fmt.Errorf("%s did not end within %s and was killed", p.cmd.Path, timeout)
	}
}

// kill sends SIGKILL, and waits until the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// waitForURL returns once the URL answers with 200.
func (p *process) waitForURL(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if isAnswering(ctx, client, url) {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended before it was ready: %w", errors.Join(p.err, errors.New(p.cmd.ProcessState.String())))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", url, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func isAnswering(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
