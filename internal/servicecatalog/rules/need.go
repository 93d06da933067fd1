// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import "fmt"

// Need names the input that a decision lacks. The reconciler supplies it, and decides again.
type Need string

const (
	// NeedFinalizer is the finalizer, and where it is missing the id, which have to be added first.
	NeedFinalizer Need = "Finalizer"
	// NeedReferences are the references to class and plan, which have to be written into the spec first.
	NeedReferences Need = "References"
	// NeedDefinition is a read of the CustomResourceDefinition, which may be terminating (R10).
	NeedDefinition Need = "Definition"
	// NeedParameters are the parameters of the spec, which have to be read from Secrets.
	NeedParameters Need = "Parameters"
	// NeedSecret is the binding's Secret, which has to be read.
	NeedSecret Need = "Secret"
	// NeedSources are the Secrets whose keys the binding's Secret gets, which have to be read.
	NeedSources Need = "Sources"
	// NeedNamespace is a read of the namespace, whose deletion the cache may not show yet.
	NeedNamespace Need = "Namespace"
	// NeedPermission is that the API server would accept the binding's Secret, which it has refused before.
	NeedPermission Need = "Permission"
)

// IsWritten reports whether it is written to the API server rather than read. The object is reconciled again then.
func (n Need) IsWritten() bool { return n == NeedFinalizer || n == NeedReferences }

// UnknownNeed is the programming error that decisions of a kind of object need no such thing.
func UnknownNeed(kind string, n Need) error { return fmt.Errorf("a %s needs no %q", kind, n) }
