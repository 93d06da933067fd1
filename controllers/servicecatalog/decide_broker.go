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
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

const (
	// minRelist is the shortest time between two relists of a catalog that is read without errors.
	minRelist = time.Minute
	// minDemanded is the shortest time between two relists that a broker's answer requests, or a changed Secret.
	minDemanded = 10 * time.Second
)

// brokerFacts are what the decision about a broker depends on, beside the object.
type brokerFacts struct {
	now time.Time
	// interval between two relists where the spec has none.
	interval time.Duration
	// credentials is the version of the Secrets that authInfo names. touched: it differs from the recorded one by nothing but this
	// operator's finalizer.
	credentials string
	touched     bool
	// digest of the classes and plans that exist.
	digest string
	// demanded: an answer of the broker said that the catalog has changed.
	demanded bool
}

// relist is when a catalog is read next.
type relist struct {
	// at is the time; zero: with the next event.
	at time.Time
	// etag of the catalog that classes and plans were created from; empty: it is not known.
	etag string
}

func (r relist) isDue(now time.Time) bool { return !r.at.IsZero() && !r.at.After(now) }

// decideRelist returns when the catalog of a broker is read next.
func decideRelist(b v1beta1.Broker, f brokerFacts) relist {
	return relist{at: relistAt(b, f), etag: heldETag(b, f)}
}

func relistAt(b v1beta1.Broker, f brokerFacts) time.Time {
	spec, status, generation := b.Common(), b.CommonStatus(), b.GetGeneration()
	failing, manual := status.Attempts > 0, spec.RelistBehavior == v1beta1.RelistManual
	switch {
	case status.ObservedGeneration != generation && status.ReconciledGeneration != generation: // not tried yet
		return f.now
	case failing && status.CredentialsVersion != f.credentials:
		return f.now
	case status.NextAttemptTime != nil:
		return status.NextAttemptTime.Time
	case failing: // until the spec or a Secret changes
		return time.Time{}
	case status.ReconciledGeneration == 0: // it was abandoned, or the record is incomplete
		return f.now
	case status.LastCatalogRetrievalTime == nil, status.OperationStartTime != nil: // of the original service-catalog
		return f.now
	}
	last := status.LastCatalogRetrievalTime.Time
	if f.demanded || !manual && status.CredentialsVersion != f.credentials {
		return last.Add(minDemanded)
	}
	switch {
	case manual:
		return time.Time{}
	case status.CatalogDigest != f.digest: // classes or plans were edited or deleted by others
		return last.Add(minRelist)
	}
	return last.Add(intervalOf(spec, f.interval))
}

func intervalOf(spec *v1beta1.CommonServiceBrokerSpec, usual time.Duration) time.Duration {
	if spec.RelistDuration != nil {
		usual = spec.RelistDuration.Duration
	}
	return max(usual, minRelist)
}

// heldETag returns the ETag of the catalog that classes and plans were created from; empty: they, the spec or the status have changed
// since, so that the catalog has to be read as a whole.
func heldETag(b v1beta1.Broker, f brokerFacts) string {
	status := b.CommonStatus()
	if ready := conditionOf(status.Conditions, v1beta1.ConditionReady); ready != nil && !isTrue(ready) {
		return "" // the conditions cannot be set from an unchanged catalog
	}
	if status.ReconciledGeneration != b.GetGeneration() || status.Attempts > 0 || status.CatalogDigest != f.digest {
		return ""
	}
	return status.CatalogETag
}
