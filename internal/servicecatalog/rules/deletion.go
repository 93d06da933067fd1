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

// DeletionRule is why something is deleted at a broker.
type DeletionRule string

const (
	// ObjectDeleted: the object is being deleted.
	ObjectDeleted DeletionRule = "ObjectDeleted"
	// OrphanMitigation: it is not known what came of earlier requests, or their result was of no use.
	OrphanMitigation DeletionRule = "OrphanMitigation"
	// CredentialRotation: a binding was replaced, and the overlap of its credentials is over.
	CredentialRotation DeletionRule = "CredentialRotation"
)
