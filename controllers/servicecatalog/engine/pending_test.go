// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestAPlaceInAQueueBelongsToTheName: the next object of the name has it, and gives it up.
func TestAPlaceInAQueueBelongsToTheName(t *testing.T) {
	ledger := newPending()
	si := rulestest.NewInstance()
	first, _ := ledger.of(si)
	first.Queue = &brokers.Key{Name: "former"}
	si.UID = "another"
	if e, _ := ledger.of(si); e.uid != "another" || e.Queue == nil || *e.Queue != (brokers.Key{Name: "former"}) {
		t.Errorf("%+v", e)
	}
}

// F-S73: of an id that is left behind nothing is remembered once its removal has ended, however it was confirmed.
func TestThePollsOfARemovalThatHasEndedAreForgotten(t *testing.T) {
	r, poll := &Memory{}, &operation.Request{ID: "left", Operation: rules.Poll, PollsRemoval: true}
	for _, end := range []func(){
		func() { r.RememberCleanUp(poll, true, rulestest.T0) },
		func() {
			r.RememberCleanUp(&operation.Request{ID: "left", Operation: rules.Unbind}, false, rulestest.T0)
		},
	} {
		if r.RememberCleanUp(poll, false, rulestest.T0); !r.CleanUpPolls["left"].Equal(rulestest.T0) {
			t.Errorf("polled at %v", r.CleanUpPolls)
		}
		if end(); len(r.CleanUpPolls) > 0 {
			t.Errorf("remembered are %v", r.CleanUpPolls)
		}
	}
}
