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

package servicecatalog

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	brokerrules "github.com/gophernetes/bellhop/internal/lifecycle/broker"
	"github.com/gophernetes/bellhop/internal/lifecycle/catalogsync"
	instancerules "github.com/gophernetes/bellhop/internal/lifecycle/instance"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// TestRecoveries has F-JS4: the first success after a failure is told, and only that.
func TestRecoveries(t *testing.T) {
	var r recoveries
	key := brokerKey{name: "broker"}
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	if !r.succeeded(key, at(1)) || r.succeeded(key, at(2)) || !r.since(key).Equal(at(1)) {
		t.Errorf("of a broker of which nothing is known: %s", r.since(key))
	}
	r.failed(key)
	if !r.succeeded(key, at(3)) || !r.since(key).Equal(at(3)) {
		t.Errorf("after it failed: %s", r.since(key))
	}
}

// TestABlockedBroker has F-R12: its status says what is wrong, when the next request is made, and
// ends with the next catalog that is read, though that has not changed.
func TestABlockedBroker(t *testing.T) {
	b := newBrokerAt(catalogsync.AllKinds[0], "https://broker.example.com")
	b.SetGeneration(1)
	*b.CommonStatus() = brokerrules.Apply(b, brokerrules.RelistResult{Generation: 1, ETag: "e", Digest: "d", Classes: 1}, start)
	if got := brokerrules.HeldETag(b, brokerrules.Inputs{Digest: "d"}); got != "e" {
		t.Errorf("a broker that works is asked with %q", got)
	}
	r := &BrokerReconciler{connections: &connections{}}
	key := keyOf(b)
	r.connections.noteFault(key, lifecycle.Provision, osbresult.Outcome{Class: osbresult.Misconfigured, Status: 403, Description: "words of one object's broker"})
	bulkhead := r.connections.bulkheads.Of(key, start)
	for range 4 {
		leave, _ := bulkhead.Enter(limiter.Ticket{Who: "db", Misconfigured: 3, Call: func() {}}, start)
		if leave == nil {
			break
		}
		leave(start, limiter.Result{Misconfigured: true})
	}
	v := r.misconfigured(key, start)
	b.CommonStatus().Conditions = v.Conditions(b.CommonStatus().Conditions, start)
	lifecycletest.WantState(t, "blocked", b.CommonStatus().Conditions, "Stalled Failed")
	if message := lifecycle.FindCondition(b.CommonStatus().Conditions, v1beta1.ConditionFailed).Message; !strings.Contains(message, "provision: HTTP 403") || !strings.Contains(message, "one of them is repeated at 2026-11-20T12:") || strings.Contains(message, "words of one") {
		t.Errorf("it says %s", message)
	}
	if got := brokerrules.HeldETag(b, brokerrules.Inputs{Digest: "d"}); got != "" {
		t.Errorf("a blocked broker is asked with %q", got)
	}
}

// TestAnEndpointIsItsAddressAndCredentials has F-P7: a request to read the catalog does not reset
// what is known of the broker.
func TestAnEndpointIsItsAddressAndCredentials(t *testing.T) {
	b := newBrokerAt(catalogsync.AllKinds[0], "https://broker.example.com")
	before := endpointVersion(b, osb.Auth{Password: "c1"})
	b.Common().RelistRequests++
	b.SetGeneration(b.GetGeneration() + 1)
	if endpointVersion(b, osb.Auth{Password: "c1"}) != before {
		t.Error("a relist makes another endpoint")
	}
	if endpointVersion(b, osb.Auth{Password: "c2"}) == before {
		t.Error("other credentials make none")
	}
	if b.Common().URL += "/v2"; endpointVersion(b, osb.Auth{Password: "c1"}) == before {
		t.Error("another address makes none")
	}
}

// TestWhoseFaultItIs has F-R12: an object waits for the broker's probe unless the fault is its own,
// and then the broker's catalog is read, so that its status says what is wrong.
func TestWhoseFaultItIs(t *testing.T) {
	b := newBrokerAt(catalogsync.ClusterWide, "https://broker.example.com")
	for name, test := range map[string]struct {
		result   limiter.Result
		verdict  limiter.Verdict
		want     lifecycle.Attribution
		relisted bool
	}{
		"the broker's":   {limiter.Result{Misconfigured: true}, limiter.Verdict{Slow: true}, lifecycle.Attribution{Probed: `ClusterServiceBroker "osba"`}, true},
		"its own":        {limiter.Result{Misconfigured: true}, limiter.Verdict{OwnFault: true}, lifecycle.Attribution{OwnFault: true}, false},
		"not known yet":  {limiter.Result{Misconfigured: true}, limiter.Verdict{}, lifecycle.Attribution{}, false},
		"another answer": {limiter.Result{Error: true}, limiter.Verdict{Slow: true, OwnFault: true}, lifecycle.Attribution{}, false},
	} {
		relisted := false
		r := &InstanceReconciler{&reconciler[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]{kit: &kit{relist: func(brokerKey) { relisted = true }}}}
		if got := r.blame(b, test.result, test.verdict); got != test.want || relisted != test.relisted {
			t.Errorf("%s: %+v, its catalog is read: %v", name, got, relisted)
		}
	}
}

// TestWhatWaitsForAProbeIsStalled has F-R12: what was never sent to a broker that is blocked.
func TestWhatWaitsForAProbeIsStalled(t *testing.T) {
	for cause, want := range map[limiter.Cause]string{
		limiter.Misconfigured: "Stalled Failed", limiter.Down: "Reconciling", limiter.Busy: "Reconciling", limiter.Throttled: "Reconciling", limiter.Failing: "Reconciling",
	} {
		why := whyQueued(cause, brokerKey{name: "osba"})
		lifecycletest.WantState(t, string(cause), instancerules.StatusForBlocker(lifecycletest.NewInstance(), why, start).Conditions, want)
		if names := strings.Contains(why.Message, `retried with ClusterServiceBroker "osba", see its status`); names != (cause == limiter.Misconfigured) {
			t.Errorf("%s: %s", cause, why.Message)
		}
	}
}
