// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// The demo of Bellhop: a real control plane, the real operator, an inbox, and a broker of MySQL databases, on this machine. It needs
// nothing but Go.
//
//	make demo           delivers an alert and provisions a database, and runs until it is interrupted
//	make demo ONCE=1    checks the outcome, and ends
//
// It runs kubectl as a user would: a shell runs every printed command exactly as printed, and the checks copy the commands of all steps from
// the screen and run them again.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// errInterrupted is the cause of a context that a signal has cancelled.
var errInterrupted = errors.New("interrupted")

func main() {
	log.SetLogger(logr.Discard()) // controller-runtime logs nothing: the demo prints what the user needs

	ctx, stop := context.WithCancelCause(context.Background())
	stopOnSignal(stop)
	os.Exit(run(ctx, os.Getenv("ONCE")))
}

// run returns the exit code.
func run(ctx context.Context, once string) int {
	d := &demo{screen: newScreen(os.Stdout)}
	check := once != "" && once != "0"
	err := d.play(ctx, check)
	if errors.Is(context.Cause(ctx), errInterrupted) {
		err = nil
		if !d.ready || check { // the demo or its checks did not complete
			err = errInterrupted
		}
	}
	err = d.stopAll(err)
	if err != nil {
		d.screen.flush()
		fmt.Fprintf(os.Stderr, "\n✗ The demo did not complete: %v\n", err)
		return 1
	}
	d.screen.printf("Everything that the demo started has stopped.")
	return 0
}

// play runs the demo, and the checks where check is set.
func (d *demo) play(ctx context.Context, check bool) error {
	reporting, stop := context.WithCancel(ctx)
	defer stop()
	go d.screen.reportProgress(reporting, quietTime)
	if err := d.startAll(ctx); err != nil {
		return err
	}
	if err := d.showAlert(ctx); err != nil {
		return err
	}
	if err := d.showService(ctx); err != nil {
		return err
	}
	if check {
		return d.runChecks(ctx)
	}
	d.ready = true
	d.printSuggestions()
	select {
	case <-ctx.Done():
		return nil
	case <-d.operator.Ended():
		return errors.New("the operator ended by itself")
	}
}

// stopOnSignal cancels the demo on a signal. "go run" ends on SIGTERM without forwarding it, so the end of the parent process counts
// as a signal. A second signal does not end the process, which would leave others running.
func stopOnSignal(stop context.CancelCauseFunc) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		signal.Notify(signals, syscall.SIGHUP)
	}
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			select {
			case <-signals:
				stop(errInterrupted)
			case <-time.After(200 * time.Millisecond):
			}
		}
		stop(errInterrupted)
	}()
}

func formatSecondsSince(since time.Time) string {
	return fmt.Sprintf("%.1f s", time.Since(since).Seconds())
}
