// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokerrules

import (
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// maxAddresses is how many addresses a status has.
const maxAddresses = 8

// Addresses has the present address of a broker when its catalog is read, and the addresses in use.
type Addresses struct {
	// Current is the present one; an empty digest: it is not known, or no address.
	Current v1beta1.BrokerAddress
	// Used are the digests that instances and bindings have on record. Undated: some have none: they are at the first address.
	Used    map[string]bool
	Undated bool
}

// Use records that an object with a status uses its address, and the addresses of the ids that it has left behind.
func (a *Addresses) Use(s *v1beta1.OperationStatus) {
	a.Used[s.BrokerAddress] = true
	a.Undated = a.Undated || s.BrokerAddress == ""
	for _, l := range s.LeftBehind {
		a.Used[l.BrokerAddress] = true
	}
}

// HasAddress reports whether a status has an address, by its digest.
func HasAddress(s *v1beta1.ServiceBrokerStatus, digest string) bool {
	return slices.ContainsFunc(s.Addresses, func(a v1beta1.BrokerAddress) bool { return a.Digest == digest })
}

// Record adds the present address to a status that does not have it, and drops addresses that no object has on record. Of more than maxAddresses
// the first ones are dropped.
func (a Addresses) Record(s *v1beta1.ServiceBrokerStatus) {
	if a.Current.Digest == "" || HasAddress(s, a.Current.Digest) {
		return
	}
	isFirst := true
	kept := slices.DeleteFunc(slices.Clone(s.Addresses), func(known v1beta1.BrokerAddress) bool {
		isUnused := !a.Used[known.Digest] && (!isFirst || !a.Undated)
		isFirst = false
		return isUnused
	})
	kept = append(kept, a.Current)
	s.Addresses = kept[max(0, len(kept)-maxAddresses):]
}
