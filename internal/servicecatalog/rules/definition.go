// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Definition is the result of a live read of a kind's CustomResourceDefinition.
type Definition int

// DefinitionRetry is how often a definition that is being deleted is read again: no watch tells that it was created again.
const DefinitionRetry = time.Minute

const (
	DefinitionUnknown Definition = iota
	DefinitionLives
	DefinitionTerminating
)

// TerminatingDefinition is the blocker of a deletion while the definition is being deleted.
func TerminatingDefinition() *Blocker {
	return BlockedBy(v1beta1.ReasonDefinitionTerminating, "the CustomResourceDefinition is being deleted: resources at brokers are retained")
}
