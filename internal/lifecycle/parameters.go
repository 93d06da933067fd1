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

package lifecycle

import "github.com/gophernetes/bellhop/internal/catalog"

// Parameters are sent to a broker.
type Parameters struct {
	catalog.Parameters
	// Known: they were read. Before that only their version is known.
	Known bool
	// SecretMissing: a Secret does not exist, or could not be read.
	SecretMissing bool
	// Version changes with the Secrets that they are read from; empty: there are none.
	Version string
	// Blocker is why they cannot be put together; nil: they can.
	Blocker *Blocker
	// Invalid is why the plan's schema refuses them; nil: it accepts them.
	Invalid *Blocker
}
