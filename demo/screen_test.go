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
