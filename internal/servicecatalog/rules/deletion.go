// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

// DeletionRule is why something is deleted at a broker.
type DeletionRule string

const (
	// ObjectDeleted: the object is being deleted.
	ObjectDeleted DeletionRule = "ObjectDeleted"
	// OrphanMitigation: the outcome of earlier requests is not known, or their result cannot be used.
	OrphanMitigation DeletionRule = "OrphanMitigation"
	// CredentialRotation: a binding was replaced, and the overlap of its credentials is over.
	CredentialRotation DeletionRule = "CredentialRotation"
)
