//go:build mutation

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

package lifecycle_test

import (
	"testing"

	"github.com/gophernetes/bellhop/internal/mutationtest"
)

// mutations are mistakes in the rules, which the walks have to detect beside the rules' own tests.
var mutations = []mutationtest.Mutation{
	{Name: "what was removed is provisioned again under its id", Package: "instance", File: "apply_remove.go", Test: "TestInstanceWalks",
		Right: "	s.ExternalID = lifecycle.NextInstanceID(ap.si, ap.call.InstanceID) // a late removal by a former leader may still arrive (R2)\n", Wrong: ""},
}

func TestMutations(t *testing.T) { mutationtest.Run(t, mutations) }
