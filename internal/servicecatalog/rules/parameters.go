// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Parameters are sent to a broker.
type Parameters struct {
	catalog.Parameters
	// Known: they were read. Before that only their version is known, and their digest where this process has read the same version.
	Known bool
	// SecretMissing: a Secret does not exist, or could not be read.
	SecretMissing bool
	// Version changes with any change of the Secrets that they are read from; empty: there are no Secrets.
	Version string
	// Digest of the parameters as they are sent; empty: it is not known. The digest decides whether parameters have changed, not the version.
	Digest string
	// Blocker is why they cannot be put together; nil: they can.
	Blocker *Blocker
	// Invalid is why the plan's schema refuses them; nil: it accepts them.
	Invalid *Blocker
	// Required are the names of parameters that the plan's schema requires; none where an annotation says that the broker decides.
	Required []string
}

// MaySend reports whether the parameters have been read, and can be sent.
func (p Parameters) MaySend() bool { return p.Known && p.Blocker == nil }

// Comparison is how parameters compare with the parameters that a status records.
type Comparison int

const (
	// SameParameters: the parameters that are sent are the same, as far as it is known.
	SameParameters Comparison = iota
	// OtherParameters: the parameters that are sent have changed.
	OtherParameters
	// UnreadParameters: the Secrets have changed, and have to be read.
	UnreadParameters
)

// Compare compares parameters with the record of parameters in a status, by version, digest and checksum. Parameters that cannot be put together
// are no change.
func (p Parameters) Compare(version, digest, checksum string) Comparison {
	switch {
	case p.Version == version, p.Known && p.Blocker != nil:
		return SameParameters
	case !p.Known && p.Digest == "":
		return UnreadParameters
	}
	same, isComparable := catalog.CompareDigests(digest, p.Digest)
	if !isComparable && !p.Known && checksum != "" {
		return UnreadParameters
	}
	if !isComparable { // recorded by an earlier version, or under a key that is lost
		same = checksum != "" && checksum == p.Checksum
	}
	if same {
		return SameParameters
	}
	return OtherParameters
}

// SameParametersSent reports whether two properties have the same parameters. Where their digests cannot be compared, the checksum decides, which
// takes large numbers for equal, and then the parameters that the status shows.
func SameParametersSent(a, b *v1beta1.ServiceInstancePropertiesState) bool {
	if a.ParameterChecksum != b.ParameterChecksum {
		return false
	}
	same, isComparable := catalog.CompareDigests(a.ParametersDigest, b.ParametersDigest)
	return same || !isComparable && (a.Parameters == nil || b.Parameters == nil || catalog.SameJSON(a.Parameters, b.Parameters))
}
