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
	// minRelist bounds how often a catalog is read while all is well.
	minRelist = time.Minute
	// minDemanded bounds how often it is read because a broker's answers ask for it, or
	// because a Secret was changed.
	minDemanded = 10 * time.Second
)

// brokerFacts are what is to be known about a broker beside itself.
type brokerFacts struct {
	now time.Time
	// interval is after how long a catalog is read again where the broker does not say.
	interval time.Duration
	// credentials is the version of the Secrets that authInfo names; touched: it is another
	// than is on record, but only we have changed them.
	credentials string
	touched     bool
	// digest is that of the classes and plans that are offered.
	digest string
	// demanded: a broker's answer said that its catalog has changed.
	demanded bool
}

// relist says when a catalog is to be read.
type relist struct {
	// at: not before then; zero: not before something changes.
	at time.Time
	// etag is what is held; empty: that is not known.
	etag string
}

func (r relist) isDue(now time.Time) bool { return !r.at.IsZero() && !r.at.After(now) }

// decideRelist says when the catalog of a broker is to be read next. It is pure.
func decideRelist(b v1beta1.Broker, f brokerFacts) relist {
	return relist{at: relistAt(b, f), etag: heldETag(b, f)}
}

func relistAt(b v1beta1.Broker, f brokerFacts) time.Time {
	spec, status, generation := b.Common(), b.CommonStatus(), b.GetGeneration()
	failing, manual := status.Attempts > 0, spec.RelistBehavior == v1beta1.RelistManual
	switch {
	case status.ObservedGeneration != generation && status.ReconciledGeneration != generation: // not even tried
		return f.now
	case failing && status.CredentialsVersion != f.credentials:
		return f.now
	case status.NextAttemptTime != nil:
		return status.NextAttemptTime.Time
	case failing: // until the spec or a Secret changes
		return time.Time{}
	case status.ReconciledGeneration == 0: // it was abandoned, or there is no knowing
		return f.now
	case status.LastCatalogRetrievalTime == nil, status.OperationStartTime != nil: // of the former service-catalog
		return f.now
	}
	last := status.LastCatalogRetrievalTime.Time
	if f.demanded || !manual && status.CredentialsVersion != f.credentials {
		return last.Add(minDemanded)
	}
	switch {
	case manual:
		return time.Time{}
	case status.CatalogDigest != f.digest: // edited or deleted behind our back
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

// heldETag is the broker's name for the catalog that is held, if that can be relied on:
// nothing that made classes and plans of it has changed, and neither have they.
func heldETag(b v1beta1.Broker, f brokerFacts) string {
	status := b.CommonStatus()
	if ready := conditionOf(status.Conditions, v1beta1.ConditionReady); ready != nil && !isTrue(ready) {
		return "" // an unchanged catalog says nothing that its conditions could be made from
	}
	if status.ReconciledGeneration != b.GetGeneration() || status.Attempts > 0 || status.CatalogDigest != f.digest {
		return ""
	}
	return status.CatalogETag
}
