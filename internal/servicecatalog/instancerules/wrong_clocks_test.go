// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

func TestAnOperationEndsThoughAClockWasAhead(t *testing.T) {
	const year = 365 * 24 * time.Hour
	inProgress := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.InProgress)) }
	serverAhead := func(by time.Duration) func(*fixture) { return func(f *fixture) { f.ahead -= by } }
	for name, is := range map[string][]func(*fixture){
		"no clock was":             edits(provisioning, later(8*24*time.Hour), inProgress),
		"the operator was ahead":   edits(clockMoves(year), provisioning, clockMoves(-year), later(8*24*time.Hour), inProgress, later(8*24*time.Hour), inProgress),
		"the API server was ahead": edits(serverAhead(year), provisioning, serverAhead(-year), later(8*24*time.Hour), inProgress, later(8*24*time.Hour), inProgress),
	} {
		f := newFixture(is...)
		if got := Decide(f.si, f.inputs()).describe(); got != "deprovision id small-id" {
			t.Errorf("%s: after 16 days in progress: %s; began %s, now %s", name, got, f.si.Status.OperationStartTime, f.in.Now)
		}
	}
}
