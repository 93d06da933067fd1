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

package main

import (
	"regexp"
	"slices"
)

// A scenario is what a user does.
type scenario struct {
	name string
	// prepare is done without faults; then come the steps.
	prepare func(*world)
	steps   func(*world)
	// hurried: how it ends has a past that depends on how fast the operator is, so that the
	// steps have to say themselves whether it is right.
	hurried bool
	// crashes is with how many crashes it is tried, and nothing else; 0: with all faults.
	crashes int
	// apart: the operator is in another namespace than the user.
	apart bool
	// clusterWide: brokers and receivers belong to the cluster.
	clusterWide bool
	// unordered: somebody else decides what is done first, so that no call comes in each run.
	unordered bool
}

// scenarios are all there are.
func scenarios() []scenario {
	all := slices.Concat(pagerScenarios(), instanceScenarios(), brokerScenarios(), bindingScenarios())
	return append(all, clusterWide(all)...)
}

// alsoClusterWide are the scenarios in which much depends on brokers and receivers, and on what they offer.
var alsoClusterWide = regexp.MustCompile(`^(broker.*|receiver.*|(alert|instance|binding)(-first)?|instance-kept-async)$`)

// clusterWide are those of the scenarios, with the kinds that belong to the cluster.
func clusterWide(all []scenario) (some []scenario) {
	for _, sc := range all {
		if alsoClusterWide.MatchString(sc.name) {
			sc.name, sc.clusterWide = "cluster-"+sc.name, true
			some = append(some, sc)
		}
	}
	return some
}
