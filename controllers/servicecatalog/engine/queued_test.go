// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestWhoseFaultItIs has F-R12: an object waits for the broker's probe unless the fault is its own,
// and then the broker's catalog is read, so that its status says what is wrong.
func TestWhoseFaultItIs(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.ClusterWide, "https://broker.example.com")
	for name, test := range map[string]struct {
		result   limiter.Result
		verdict  limiter.Attribution
		want     rules.Attribution
		relisted bool
		observed int
	}{
		"the broker's":   {limiter.Result{Outcome: limiter.Misconfigured}, limiter.Attribution{Slow: true}, rules.Attribution{Probed: `ClusterServiceBroker "osba"`}, true, 1},
		"its own":        {limiter.Result{Outcome: limiter.Misconfigured}, limiter.Attribution{OwnFault: true}, rules.Attribution{OwnFault: true}, false, 1},
		"not known yet":  {limiter.Result{Outcome: limiter.Misconfigured}, limiter.Attribution{}, rules.Attribution{}, false, 1},
		"another answer": {limiter.Result{Outcome: limiter.Refused}, limiter.Attribution{Slow: true, OwnFault: true}, rules.Attribution{}, false, 1},
		"not sent":       {limiter.Result{Outcome: limiter.NotSent}, limiter.Attribution{}, rules.Attribution{}, false, 0},
	} {
		relisted, observed := false, 0
		r := &Reconciler{Config: &Config{
			RequestRelist:  func(brokers.Key) { relisted = true },
			ObserveRequest: func(brokers.Key, limiter.Result) { observed++ },
		}}
		if got := r.attribute(b, test.result, test.verdict); got != test.want || relisted != test.relisted || observed != test.observed {
			t.Errorf("%s: %+v, its catalog is read: %v, its status follows %d requests", name, got, relisted, observed)
		}
	}
}

// TestWhatWaitsForAProbeIsStalled has F-R12: what was never sent to a broker that is blocked.
func TestWhatWaitsForAProbeIsStalled(t *testing.T) {
	for cause, want := range map[limiter.Cause]string{
		limiter.LooksMisconfigured: "Stalled Failed", limiter.Down: "Reconciling", limiter.Busy: "Reconciling", limiter.RateLimited: "Reconciling", limiter.Failing: "Reconciling",
		limiter.TenantBusy: "Reconciling",
	} {
		why := BlockerForQueue(cause, brokers.Key{Name: "osba"})
		rulestest.WantState(t, string(cause), instancerules.StatusForBlocker(rulestest.NewInstance(), why, rulestest.T0).Conditions, want)
		if names := strings.Contains(why.Message, `retried with ClusterServiceBroker "osba", see its status`); names != (cause == limiter.LooksMisconfigured) {
			t.Errorf("%s: %s", cause, why.Message)
		}
	}
}
