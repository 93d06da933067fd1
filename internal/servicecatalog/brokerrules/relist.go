// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package brokerrules has the rules of brokers: when a catalog is read again, and the status after that.
package brokerrules

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// minRelist is the shortest time between two relists of a catalog that is read without errors.
	minRelist = time.Minute
	// MinDemanded is the shortest time between two relists that a broker's answer requests, or a changed Secret.
	MinDemanded = 10 * time.Second
	// maxCheck is the longest time between two relists of a broker whose other requests fail, although its catalog can be read.
	maxCheck = 10 * time.Minute
	// secretRetry is when the Secrets of a broker are read again that could not be read: no event follows.
	secretRetry = 30 * time.Second
	// maxRetry is the longest time to the next attempt that a broker's Retry-After may set.
	maxRetry = 25 * time.Hour
)

// Inputs are the observations that the decision about a broker depends on, beside the object.
type Inputs struct {
	Now time.Time
	// Interval between two relists where the spec has none.
	Interval time.Duration
	// Credentials is the version of the content of the Secrets that authInfo names; the recorded one where it is not known.
	Credentials        string
	CredentialsUnknown bool
	// Digest of the classes and plans that exist.
	Digest string
	// RelistRequested: an answer of the broker said that the catalog has changed.
	RelistRequested bool
	// CheckAt is when the catalog is read to see whether the broker answers with success; zero: no deletion waits for that.
	CheckAt time.Time
	// Health is the health of the broker by the requests of instances and bindings.
	Health Health
}

// Health has the results of requests of instances and bindings to a broker since its catalog was last read. The relist that follows decides whether
// the broker is Ready: one request that fails proves nothing.
type Health struct {
	// Failed: the last request was not answered, or with the answer that the broker is unavailable.
	Failed bool
	// Checks is the number of relists for that reason that succeeded, since a request was answered.
	Checks int
	// Recovered: a request was answered after others had failed.
	Recovered bool
	// LastRelist is when this process last tried to read the catalog; zero: it has not.
	LastRelist time.Time
}

// Decision is when a catalog is read next.
type Decision struct {
	// RelistAt is the time, or when to decide again; zero: with the next event.
	RelistAt time.Time
	// ETag of the catalog that classes and plans were created from; empty: it is not known.
	ETag string
}

// IsDue reports whether the catalog is to be read now.
func (d Decision) IsDue(now time.Time) bool { return !d.RelistAt.IsZero() && !d.RelistAt.After(now) }

// Decide returns when the catalog of a broker is read next.
func Decide(b v1beta1.Broker, in Inputs) Decision {
	at := relistAt(b, in)
	if in.CredentialsUnknown {
		at = times.Earliest(at, in.Now.Add(secretRetry))
	}
	return Decision{RelistAt: at, ETag: HeldETag(b, in)}
}

func relistAt(b v1beta1.Broker, in Inputs) time.Time {
	spec, status, generation := b.Common(), b.CommonStatus(), b.GetGeneration()
	failing := status.Attempts > 0
	switch {
	case status.ObservedGeneration != generation && status.ReconciledGeneration != generation: // not tried yet
		return in.Now
	case failing && status.CredentialsVersion != in.Credentials:
		return in.Now
	case status.NextAttemptTime != nil:
		return in.Health.hasten(times.DueAt(status.NextAttemptTime.Time, maxRetry, in.Now), in.Now)
	case failing: // until the spec or a Secret changes
		return time.Time{}
	case status.ReconciledGeneration == 0: // it was abandoned, or the record is incomplete
		return in.Now
	case status.LastCatalogRetrievalTime == nil, status.OperationStartTime != nil: // of the original service-catalog
		return in.Now
	}
	return times.Earliest(in.CheckAt, in.rereadAt(spec, status))
}

// rereadAt returns when the catalog of a broker is read again that was read.
func (in Inputs) rereadAt(spec *v1beta1.CommonServiceBrokerSpec, status *v1beta1.ServiceBrokerStatus) time.Time {
	last, manual := status.LastCatalogRetrievalTime.Time, spec.RelistBehavior == v1beta1.RelistManual
	if in.RelistRequested || !manual && status.CredentialsVersion != in.Credentials {
		return times.DueAfter(last, MinDemanded, in.Now)
	}
	var regular time.Time
	switch {
	case manual:
	case status.CatalogDigest != in.Digest: // classes or plans were edited or deleted by others
		regular = times.DueAfter(last, minRelist, in.Now)
	default:
		regular = times.DueAfter(last, intervalOf(spec, in.Interval), in.Now)
	}
	if !in.Health.Failed {
		return regular
	}
	return times.Earliest(regular, times.DueAfter(last, in.Health.checkInterval(), in.Now))
}

// hasten returns when the catalog of a broker that could not be read is read again: before the backoff ends, if the broker answers other
// requests again.
func (h Health) hasten(backoff, now time.Time) time.Time {
	if !h.Recovered {
		return backoff
	}
	return times.Earliest(backoff, times.DueAfter(h.LastRelist, MinDemanded, now))
}

// checkInterval returns the time between two relists of a broker whose requests keep failing although its catalog can be read.
func (h Health) checkInterval() time.Duration { return min(MinDemanded<<min(h.Checks, 10), maxCheck) }

func intervalOf(spec *v1beta1.CommonServiceBrokerSpec, usual time.Duration) time.Duration {
	if spec.RelistDuration != nil {
		usual = spec.RelistDuration.Duration
	}
	return max(usual, minRelist)
}

// HeldETag returns the ETag of the catalog that classes and plans were created from. It is empty if they, the spec or the status have changed
// since: then the catalog has to be read as a whole.
func HeldETag(b v1beta1.Broker, in Inputs) string {
	status := b.CommonStatus()
	if ready := rules.FindCondition(status.Conditions, v1beta1.ConditionReady); ready != nil && !rules.IsTrue(ready) {
		return "" // the conditions cannot be set from an unchanged catalog
	}
	if status.ReconciledGeneration != b.GetGeneration() || status.Attempts > 0 || status.CatalogDigest != in.Digest {
		return ""
	}
	return status.CatalogETag
}
