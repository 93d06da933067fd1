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

package rules

import "fmt"

// Operation is an operation of the Open Service Broker API.
type Operation string

const (
	// of service instances
	Provision   Operation = "provision"
	Update      Operation = "update"
	Deprovision Operation = "deprovision"
	// Inspect fetches the instance, or polls it where it cannot be fetched, to learn what the broker has under an id.
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
