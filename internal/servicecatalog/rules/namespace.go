// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Namespace says whether an object's namespace is being deleted, as far as it is known.
type Namespace int

const (
	// NamespaceUnconfirmed: the cache shows no deletion, and may be behind.
	NamespaceUnconfirmed Namespace = iota
	// NamespaceLives: a live read has found no deletion.
	NamespaceLives
	// NamespaceTerminating: the namespace is being deleted, with all that is in it.
	NamespaceTerminating
)

// TerminatingNamespace is the blocker of requests that create or change something for an object whose namespace is being deleted: the object
// is deleted next.
func TerminatingNamespace(name string) *Blocker {
	return InProgress(v1beta1.ReasonNamespaceTerminating, fmt.Sprintf("namespace %q is being deleted: the broker is sent no request that creates, changes or fetches anything", name))
}
