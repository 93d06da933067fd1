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
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Namespace is what is known of the deletion of an object's namespace.
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
