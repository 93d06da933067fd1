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

// The demo of Bellhop: a real control plane, the real operator, an inbox and a broker of MySQL databases, on this machine and
// with nothing but Go.
//
//	make demo           shows how a page reaches people and an application its database, and stays up for playing on
//	make demo ONCE=1    checks that they do, and ends
//
// It does what a user would do, with kubectl; every command that it prints is run by a shell exactly as printed.
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

// errInterrupted is how a demo ends that is told to.
var errInterrupted = errors.New("interrupted")

func main() {
	log.SetLogger(logr.Discard()) // what there is to say is said here

	ctx, stop := context.WithCancelCause(context.Background())
	endWhenTold(stop)
	os.Exit(run(ctx, os.Getenv("ONCE")))
}

// run returns the exit code.
func run(ctx context.Context, once string) int {
	began := time.Now()
	d := &demo{screen: newScreen(os.Stdout)}
	check := once != "" && once != "0"
	err := d.perform(ctx, check)
	if errors.Is(context.Cause(ctx), errInterrupted) {
		err = nil
		if !d.up || check { // it had something to show or to prove, and did not
			err = errInterrupted
		}
	}
	err = d.end(err)
	if err != nil {
		d.screen.flush()
		fmt.Fprintf(os.Stderr, "\n✗ The demo ended early, after %s: %v\n", seconds(began), err)
		return 1
	}
	d.screen.say("\nEverything is stopped. It took %s.", seconds(began))
	return 0
}

// perform shows the demo; with check it also holds what happened against what should have.
func (d *demo) perform(ctx context.Context, check bool) error {
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.showPage(ctx); err != nil {
		return err
	}
	if err := d.showService(ctx); err != nil {
		return err
	}
	if check {
		return d.check(ctx)
	}
	d.up = true
	d.explainHowToPlayOn()
	select {
	case <-ctx.Done():
		return nil
	case <-d.operator.Ended():
		return errors.New("the operator ended by itself")
	}
}

// endWhenTold ends the demo on a signal. "go run" dies of SIGTERM without passing it on, so losing the parent counts as one.
// A second signal changes nothing: nothing may be left running.
func endWhenTold(stop context.CancelCauseFunc) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as by nohup
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

func seconds(since time.Time) string { return fmt.Sprintf("%.1f s", time.Since(since).Seconds()) }
