// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rulestest

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// Gone observes answers 410 Gone and successes of a broker, as the engine does. The zero value is for a process that has just started.
type Gone struct {
	steps   time.Duration
	since   map[string]time.Time
	success time.Time
}

// now returns a time of a clock that never jumps.
func (g *Gone) now() time.Time {
	g.steps++
	return T0.Add(g.steps * time.Millisecond)
}

// Inputs returns the observations for a decision about an object with a status.
func (g *Gone) Inputs(s *v1beta1.OperationStatus) operation.GoneInputs {
	g.since = operation.GoneSince(g.since, s, g.now())
	return operation.GoneInputs{Since: g.since, Success: g.success, Broker: "ClusterServiceBroker \"broker\""}
}

// Observe observes the outcome of a request to the broker.
func (g *Gone) Observe(out osbresult.Outcome) {
	if out.IsSuccess() {
		g.Succeed()
	}
}

// Succeed has the broker answer a request with success, such as that for its catalog.
func (g *Gone) Succeed() { g.success = g.now() }

const (
	// FirstAddress is the digest of a broker's first address, and OtherAddress the digest of another one.
	FirstAddress, OtherAddress = "v1.key.first", "v1.key.other"
)

// Addresses are the addresses of a broker that has its first one, or has become another one.
func Addresses(isElsewhere bool) operation.AddressInputs {
	if isElsewhere {
		return operation.AddressInputs{Current: OtherAddress, Former: FirstAddress}
	}
	return operation.AddressInputs{Current: FirstAddress, Former: FirstAddress}
}

// AddressesInWalk are the addresses of a broker in a walk. At its end a person confirms that nothing was left at the other address.
func AddressesInWalk(isElsewhere, isEnd bool) operation.AddressInputs {
	in := Addresses(isElsewhere)
	if isEnd {
		in.Confirmed = []string{OtherAddress}
	}
	return in
}

// CleanUpBrokers are the brokers of ids left behind, by id. All are the broker of the id in force, which in describes.
func CleanUpBrokers(s *v1beta1.OperationStatus, b v1beta1.Broker, in *operation.Inputs) map[string]operation.CleanUpBroker {
	all := map[string]operation.CleanUpBroker{}
	for _, l := range s.LeftBehind {
		all[l.ID] = operation.CleanUpBroker{Broker: b, Success: in.Gone.Success, Address: in.Address}
	}
	return all
}
