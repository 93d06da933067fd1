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

package scenario

import (
	"regexp"
	"slices"
)

// A scenario is what a user does.
type Scenario struct {
	Name string
	// Prepare is done without faults; then come the steps.
	Prepare func(*Environment)
	Steps   func(*Environment)
	// timingDependent: how it ends has a past that depends on how fast the operator is, so that the
	// steps have to say themselves whether it is right.
	timingDependent bool
	// MaxCrashes is with how many crashes it is tried, and nothing else; 0: with all faults.
	MaxCrashes int
	// separateNamespace: the operator is in another namespace than the user.
	separateNamespace bool
	// clusterWide: brokers and receivers belong to the cluster.
	clusterWide bool
	// Unordered: somebody else decides what is done first, so that no call comes in each run.
	Unordered bool
}

// All are all there are.
func All() []Scenario {
	all := slices.Concat(alertScenarios(), instanceScenarios(), brokerScenarios(), bindingScenarios())
	return append(all, clusterWideCopies(all)...)
}

// clusterWideNames are the scenarios in which much depends on brokers and receivers, and on what they offer.
var clusterWideNames = regexp.MustCompile(`^(broker.*|receiver.*|(alert|instance|binding)(-first)?|instance-kept-async)$`)

// clusterWideCopies are those of the scenarios, with the kinds that belong to the cluster.
func clusterWideCopies(all []Scenario) (some []Scenario) {
	for _, sc := range all {
		if clusterWideNames.MatchString(sc.Name) {
			sc.Name, sc.clusterWide = "cluster-"+sc.Name, true
			some = append(some, sc)
		}
	}
	return some
}
