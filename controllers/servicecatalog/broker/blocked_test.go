// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokerrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestABlockedBroker has F-R12: its status says what is wrong, when the next request is made, and
// ends with the next catalog that is read, though that has not changed.
func TestABlockedBroker(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.AllKinds[0], "https://broker.example.com")
	b.SetGeneration(1)
	*b.CommonStatus() = brokerrules.Apply(b, brokerrules.RelistResult{Generation: 1, ETag: "e", Digest: "d", Classes: 1}, rulestest.T0)
	if got := brokerrules.HeldETag(b, brokerrules.Inputs{Digest: "d"}); got != "e" {
		t.Errorf("a broker that works is asked with %q", got)
	}
	r := &Reconciler{connections: &brokers.Clients{}}
	key := brokers.KeyOf(b)
	r.connections.RecordMisconfiguration(key, rules.Provision, osbresult.Outcome{Class: osbresult.Misconfigured, Status: 403, Description: "words of one object's broker"})
	endpoint := r.connections.Limiters.Of(key, rulestest.T0)
	for range 4 {
		leave, _ := endpoint.Enter(limiter.Request{ID: "db", Misconfigured: 3, Notify: func() {}}, rulestest.T0)
		if leave == nil {
			break
		}
		leave(rulestest.T0, limiter.Result{Outcome: limiter.Misconfigured})
	}
	set := r.misconfiguredConditions(key, rulestest.T0)
	b.CommonStatus().Conditions = set.Conditions(b.CommonStatus().Conditions, rulestest.T0)
	rulestest.WantState(t, "blocked", b.CommonStatus().Conditions, "Stalled Failed")
	if message := rules.FindCondition(b.CommonStatus().Conditions, v1beta1.ConditionFailed).Message; !strings.Contains(message, "provision: HTTP 403") || !strings.Contains(message, "one of them is repeated at 2026-11-20T12:") || strings.Contains(message, "words of one") {
		t.Errorf("it says %s", message)
	}
	if got := brokerrules.HeldETag(b, brokerrules.Inputs{Digest: "d"}); got != "" {
		t.Errorf("a blocked broker is asked with %q", got)
	}
}
