// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import "fmt"

// Operation is an operation of the Open Service Broker API.
type Operation string

const (
	// of service instances
	Provision   Operation = "provision"
	Update      Operation = "update"
	Deprovision Operation = "deprovision"
	// Inspect fetches the instance, or polls it where it cannot be fetched, to learn which resource the broker has under an id.
	Inspect Operation = "inspect"

	// of service bindings
	Bind   Operation = "bind"
	Unbind Operation = "unbind"
	// Fetch fetches a binding for its credentials.
	Fetch Operation = "fetch"

	// Poll polls the last operation of either.
	Poll Operation = "poll"
)

// UnknownOperation is the programming error that a kind of object has no such operation. It must never be taken for another operation.
func UnknownOperation(kind string, o Operation) error {
	return fmt.Errorf("a %s has no operation %q", kind, o)
}
