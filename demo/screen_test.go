// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCommandsCanBeCopiedFromTheScreen(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, colour: true}
	want := []string{"kubectl get alerts", "kubectl apply -f - <<EOF\nkind: Alert\nmetadata:\n  name: one\nEOF", "true"}
	s.printStep("1. A step")
	for _, command := range want {
		s.printCommand("$", command)
		if _, err := s.Write([]byte("an event\n")); err != nil {
			t.Fatal(err)
		}
		s.printf("%s", "  $ output")
		s.flush()
	}
	if got := s.printedCommands(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if !strings.HasSuffix(out.String(), "  $ output\n  an event\n") {
		t.Errorf("an event comes before the output of the command: %q", out.String())
	}
}

func TestProgressIsReportedWhileNothingIsPrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := &screen{out: &out}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.reportProgress(ctx, quietTime)
		s.printf("begin")
		s.setActivity("compiling")
		time.Sleep(21 * time.Second)
		s.printf("compiled")
		s.setActivity("")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := out.String(), "begin\n  … compiling: 8 s so far\n  … compiling: 16 s so far\ncompiled\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
