// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Inputs are the observations that every decision depends on, beside the object.
type Inputs struct {
	Now time.Time
	// Server is the API server's time.
	Server times.Server
	// Uptime is how long the process runs, by the monotonic clock, which no change of a time of day affects.
	Uptime time.Duration
	// NextNumber is a random number, from 1 to catalog.NextNumbers, for the next id, where the object needs one.
	NextNumber int32
	// BrokerBlocker is why no request can be sent to the broker now.
	BrokerBlocker *rules.Blocker
	// Recovered is when the broker last recovered from failures to create resources of the kind.
	Recovered time.Time
	// Parameters are the parameters of the spec, or the reason why they cannot be read.
	Parameters rules.Parameters
	// Claimants are the other objects of the broker that have the same id.
	Claimants rules.Claimants
	// FormerClaimants, by id, are the other objects that have a former id of the object: the id of a predecessor, or one left behind.
	FormerClaimants map[string]rules.Claimants
	// CleanUpBrokers are the brokers of ids left behind, by id, as far as they exist. They may differ from the broker of the id in force.
	// CleanUpPolls are when this process last polled the removals there.
	CleanUpBrokers map[string]CleanUpBroker
	CleanUpPolls   map[string]time.Time
	// Definition is the result of a read of the CRD that began after the deletion was seen.
	Definition rules.Definition
	// Namespace says whether the object's namespace is being deleted, as far as it is known.
	Namespace rules.Namespace
	// SeenRunning: this process has seen the broker accept the operation on record, or report it in progress. Otherwise it is only on
	// record, which may have been restored from a backup.
	SeenRunning bool
	// Operation is how long the broker has been working on the operation, as this process has measured it when it last looked; nil: it has not looked.
	Operation *Age
	// Unremoved is how long the orphan mitigation has failed, as this process has measured it when it last looked; nil: it does not fail, or the
	// process has not looked.
	Unremoved *Age
	// LastPoll is when this process last polled the operation, and PollAfter the Retry-After of that answer.
	LastPoll  time.Time
	PollAfter time.Duration
	// Gone has this process's observations of answers 410 Gone to deletions.
	Gone GoneInputs
	// Address has the addresses of the broker.
	Address AddressInputs
}

// CleanUpBroker is the broker of an id left behind, with its last success and its address.
type CleanUpBroker struct {
	v1beta1.Broker
	// Blocker is why no request can be sent to it; nil: requests can.
	Blocker *rules.Blocker
	// Success is when the last request that it has answered with success was sent; zero: there is no such request.
	Success time.Time
	Address AddressInputs
}

// BeginningNow returns the present as the beginning of something that ends later.
func (in *Inputs) BeginningNow() *metav1.Time { return times.Timestamp(in.Server.Begin(in.Now)) }

// Schedule returns when requests about an object with a status are due.
func (in *Inputs) Schedule(o metav1.Object, s *v1beta1.OperationStatus) rules.Schedule {
	return rules.Schedule{Object: o, Attempts: s.Attempts, Now: in.Now, Parameters: in.Parameters, Recovered: in.Recovered,
		Running: in.running(s), LastPoll: in.LastPoll, PollAfter: in.PollAfter}
}

// Decision is the next step of the reconciler for an object.
type Decision struct {
	// Need names the input that has to be supplied before the decision; "": no input is missing.
	Need rules.Need
	// WriteAhead: the status has to be written before the request (R1).
	WriteAhead bool
	// Release is why the finalizer is removed; nil: it is not.
	Release *rules.Cause
	// Requested: a person has asked for another attempt at the same spec, which does not wait for other retries at the broker.
	Requested bool
	// CheckAvailability: the broker's catalog is requested, to see whether the broker answers with success. CheckCleanUps are the ids left
	// behind for whose brokers that is done.
	CheckAvailability bool
	CheckCleanUps     []string
	// RequeueAt is when to reconcile again; zero: with the next event.
	RequeueAt time.Time
}

// AwaitAttempt has the object reconciled when the next attempt is due.
func (d *Decision) AwaitAttempt(s rules.Schedule) { d.RequeueAt = s.NextAttempt() }
