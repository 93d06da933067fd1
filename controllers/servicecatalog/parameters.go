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

package servicecatalog

import (
	"github.com/gophernetes/bellhop/internal/catalog"
)

// parameters are sent to a broker.
type parameters struct {
	catalog.Parameters
	// known: they were read. Before that only their version is known.
	known bool
	// absent: a Secret does not exist, or could not be read.
	absent bool
	// version changes with the Secrets that they are read from; empty: there are none.
	version string
	// problem is why they cannot be put together; nil: they can.
	problem *blocker
	// unfit is why the plan's schema refuses them; nil: it accepts them.
	unfit *blocker
}
