// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// isReady reports whether an object claims to be Ready.
func isReady(o client.Object) bool {
	var conditions []v1beta1.Condition
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		conditions = o.Status.Conditions
	case *v1beta1.ServiceBinding:
		conditions = o.Status.Conditions
	}
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool { return c.Type == v1beta1.ConditionReady && c.Status == "True" })
}

// usedID returns the id of the usable resource that an object has at the broker, up to date or not; "": none.
func usedID(o client.Object) string {
	si, ok := o.(*v1beta1.ServiceInstance)
	if !isReady(o) && (!ok || si.Status.ProvisionStatus != v1beta1.Provisioned) {
		return ""
	}
	if b, ok := o.(*v1beta1.ServiceBinding); ok && b.Status.PredecessorID != "" { // its replacement is not in the Secret yet
		return b.Status.PredecessorID
	}
	return scenario.ExternalID(o)
}

// checkBroker compares what the broker holds with what objects claim.
func (c Checker) checkBroker(all []client.Object) {
	if c.Broker == nil {
		return
	}
	claimed, former := map[string]client.Object{}, map[string]bool{}
	for _, o := range all {
		if b, ok := o.(*v1beta1.ServiceBinding); ok {
			for _, id := range rules.PredecessorIDs(&b.Status) {
				former[id] = true
			}
		}
		if s, ok := o.(v1beta1.ServiceObject); ok {
			for _, id := range rules.LeftBehindIDs(s.CommonStatus().Common()) {
				former[id] = true
			}
		}
		if id := scenario.ExternalID(o); id != "" {
			claimed[id] = o
		}
	}
	held := c.BrokerIDs()
	for id := range held {
		if claimed[id] == nil && !former[id] && !c.Retained.Has(id) && !c.Foreign.Has(id) {
			c.Reportf("the broker has %s, which no object claims", id)
		}
	}
	for id, o := range claimed {
		if isReady(o) && !held[id] {
			c.Reportf("%s is Ready, and the broker has nothing of its id", o.GetName())
		}
	}
	for id := range c.Foreign.All {
		if !held[id] {
			c.Reportf("the broker lost %s, which the operator did not create", id)
		}
	}
}

// GuardBroker checks a request before the broker gets it. The id of a PUT must be recorded; a DELETE must not remove what a remaining object
// uses, what the operator did not create, or credentials that are still in a Secret.
func (c Checker) GuardBroker(r *http.Request) {
	id := scenario.RequestID(r)
	if r.Method != http.MethodPut && r.Method != http.MethodDelete {
		return
	}
	all, err := c.Objects()
	if err != nil {
		c.Reportf("listing the objects that claim %s: %v", id, err)
		return
	}
	if r.Method == http.MethodPut {
		if !slices.ContainsFunc(all, func(o client.Object) bool { return slices.Contains(catalog.ExternalIDs(o), id) }) {
			c.Reportf("PUT of %s, which no object has", id)
		}
		return
	}
	if c.Foreign.Has(id) {
		c.Reportf("DELETE of %s, which the operator did not create", id)
	}
	ends := scenario.PasswordOf(c.Broker.Holds().Bindings[id])
	for _, o := range all {
		if usedID(o) == id && o.GetDeletionTimestamp().IsZero() {
			c.Reportf("DELETE of %s, which the undeleted %s uses", id, o.GetName())
		}
		if s, ok := o.(*corev1.Secret); ok && ends != "" && string(s.Data["password"]) == ends && !c.Fault.MayWriteSecretLate() {
			c.Reportf("DELETE of %s, whose credentials are in Secret %s", id, s.Name)
		}
	}
}

// CheckRepeats checks that wrong clocks, and neighbours that change nothing, do not have the operator create and remove resources again and again:
// it sends about as many requests as in the run without a fault. Of two leaders, the second one repeats what the first one was stopped at. Where something
// fails in the run without a fault, or a Secret is refused, the number depends on how long that lasts.
func (c Checker) CheckRepeats(calls, learned []proxy.Call) {
	if !c.Fault.IsOfTime() && !c.Fault.ChangesNothing() || c.Fault.RefusesSecrets() || c.Troubled {
		return
	}
	for _, name := range []string{"PUT service_instances", "PUT service_instances/service_bindings", "DELETE service_instances", "DELETE service_instances/service_bindings"} {
		count := func(calls []proxy.Call) (n int) {
			for _, call := range calls {
				if call.Name == name {
					n++
				}
			}
			return n
		}
		n, before := count(calls), count(learned)
		limit := before + 1
		if c.Fault.Kind != proxy.StoppedLeader || c.Fault.IsAt(name) {
			limit += c.MaxRepeats
		}
		if n > limit {
			c.Reportf("the broker got %d requests %s, and %d without the fault", n, name, before)
		}
	}
}
