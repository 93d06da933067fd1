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

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Definition is what a live read found of a kind's CustomResourceDefinition.
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
