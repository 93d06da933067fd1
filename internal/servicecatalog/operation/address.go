// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// A status has a keyed digest of the address at which the resource was requested. Another address may lead to another broker, which
// answers 410 Gone about a resource that it never had.

// AddressInputs are the addresses of a broker, as keyed digests.
type AddressInputs struct {
	// Current is the present one; empty: it is not known.
	Current string
	// Former is the first address on record in the broker's status. Objects without an address on record are at this one. Empty: no address is on
	// record.
	Former string
	// Others are the addresses on record in the broker's status except for the present one. They tell two addresses apart even if their digests
	// have different keys.
	Others []string
	// Confirmed are the addresses from which the broker has moved to the present one, by its annotation.
	Confirmed []string
	// Unknown: the key of the digests cannot be read.
	Unknown bool
}

// isConfirmed reports whether the broker has moved from an address.
func (in AddressInputs) isConfirmed(recorded string) bool {
	return slices.Contains(in.Confirmed, recorded)
}

// isElsewhere reports whether an address is known to be another one than the present one, from which the broker has not moved.
func (in AddressInputs) isElsewhere(recorded string) bool {
	same, isComparable := catalog.CompareDigests(recorded, in.Current)
	isOther := isComparable && !same || slices.Contains(in.Others, recorded)
	return isOther && !in.isConfirmed(recorded)
}

// next returns the address to record. isFirst: the next request is the first one about the resource.
func (in AddressInputs) next(recorded string, isFirst bool) string {
	switch {
	case in.Current == "":
		return recorded
	case isFirst, in.isConfirmed(recorded):
		return in.Current
	}
	return cmp.Or(recorded, in.Former, in.Current)
}

// RecordAddress records the address with the next write of a status; the address alone causes no write. isWritten reports whether a status without
// a request is written. isFirst: the request is the first one about the resource. An address is recorded ahead where a request to another one would
// be the first trace of it.
func (d *Decision) RecordAddress(in *Inputs, s *v1beta1.OperationStatus, hasRequest, isFirst bool, isWritten func() bool) {
	former, next := s.BrokerAddress, in.Address.next(s.BrokerAddress, isFirst)
	if next == former || !hasRequest && !isWritten() {
		return
	}
	s.BrokerAddress = next
	if hasRequest && former == "" && in.Address.isElsewhere(next) {
		d.WriteAhead = true
	}
}

// confirmAddress records the address at which the broker has created or changed the resource.
func (ap *Application) confirmAddress() {
	ap.Common.BrokerAddress = cmp.Or(ap.Call.Address, ap.Common.BrokerAddress)
}

// movedBlocker returns the blocker of a deletion that another address of the broker has answered with 410.
func (p place) movedBlocker(gone *v1beta1.GoneResource) *rules.Blocker {
	return rules.BlockedBy(v1beta1.ReasonBrokerMoved, fmt.Sprintf(
		"The broker answered 410 Gone at %s when %q was to be deleted there, and %s has another address than the one at which that was requested; status.addresses of the broker has both. If it is the same broker, set its annotation %s to the former address. Otherwise set the former address in its spec.url again, or delete the resource by hand and set the annotation %s=%s of this object",
		times.Format(gone.Time.Time), gone.ID, p.gone.Broker, v1beta1.MovedFromAnnotation, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain))
}
