// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
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

// R11: what a process has measured outlasts its reconciles, whatever clocks show.
func TestMeasuredAgesAreRemembered(t *testing.T) {
	start := metav1.NewTime(rulestest.T0)
	ledger, si := newPending(), rulestest.NewInstance()
	s := si.Status.Common()
	s.AsyncOpInProgress, s.OperationStartTime = true, &start
	s.Attempts = &v1beta1.Attempts{Mitigation: v1beta1.Mitigation{UnremovedSince: &start}}
	for uptime, clocks := range []time.Duration{0, -24 * time.Hour, 24 * time.Hour} {
		memory, _ := ledger.of(si)
		in := memory.Inputs()
		now := rulestest.T0.Add(clocks)
		in.Now, in.Server, in.Uptime = now, rulestest.ServerTime(now, false), time.Duration(uptime)*time.Minute
		memory.measure(&in, s)
		if in.Operation.Age != in.Uptime || in.Unremoved.Age != in.Uptime {
			t.Errorf("after %s, with clocks that differ by %s: %s and %s old", in.Uptime, clocks, in.Operation.Age, in.Unremoved.Age)
		}
	}
	ledger.forgetIdle(si)
	if memory, _ := ledger.of(si); memory.unremoved == nil {
		t.Error("how long the orphan mitigation has failed is forgotten between two attempts")
	}
}
