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

package oracle

import (
	"regexp"

	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// oracles are what is looked at of each run, by what they say of one that goes wrong.
var oracles = []struct {
	name string
	says *regexp.Regexp
}{
	{"reached", regexp.MustCompile(`: not within `)},
	{"end", regexp.MustCompile(`^it ends otherwise than without faults`)},
	{"rest", regexp.MustCompile(`^it does not come to rest`)},
	{"orphan", regexp.MustCompile(`^the broker has .*, which no object claims`)},
	{"recorded", regexp.MustCompile(`^PUT of .*, which no object has`)},
	{"finalizer", regexp.MustCompile(` is gone, and the broker still has `)},
	{"truth", regexp.MustCompile(` is Ready, and the broker has nothing of its id| says that .* who was not$`)},
	{"in use", regexp.MustCompile(`^DELETE of .* uses, and keeps`)},
	{"stranger", regexp.MustCompile(`which is not ours`)},
	{"protocol", regexp.MustCompile(`^against the protocol`)},
	{"once", regexp.MustCompile(`^receiver .* was told \d+ times`)},
	{"key", regexp.MustCompile(`^receiver .* was told of .* under the key of`)},
	{"refused", regexp.MustCompile(`^receiver .* had to refuse`)},
	{"secret", regexp.MustCompile(`^Secret .* belongs to a binding that is gone|is Ready without its Secret|has other credentials than the broker|has credentials that the broker has not|whose credentials are in Secret|^the Secret of somebody else`)},
	{"canary", regexp.MustCompile(`^a credential is in`)},
	{"panic", regexp.MustCompile(`^it panicked`)},
	{"asked", regexp.MustCompile(`^nothing was refused, and the user had to ask`)},
	{"goroutine", regexp.MustCompile(`^at rest a goroutine is left`)},
}

// NameOf is the one that says something; "": none of them.
func NameOf(problem string) string {
	for _, o := range oracles {
		if o.says.MatchString(problem) {
			return o.name
		}
	}
	return ""
}

// Checker looks at a world.
type Checker struct{ *scenario.Environment }

func NewChecker(env *scenario.Environment) Checker { return Checker{env} }

// Check looks at all that has to hold: of what is at rest, or also of what is under way.
func (c Checker) Check(atRest bool) {
	all, err := c.Objects()
	if err != nil {
		c.Reportf("looking at what is there: %v", err)
		return
	}
	if atRest {
		c.checkBroker(all)
		c.checkSecrets(all)
	}
	for _, o := range all {
		c.checkCanary(o)
	}
	c.checkEvents()
	c.checkReceivers(all)
	if c.Broker == nil {
		return
	}
	for _, violation := range c.Broker.Violations() {
		c.Reportf("against the protocol: %s", violation)
	}
}

// Names are the names of all oracles.
func Names() (names []string) {
	for _, o := range oracles {
		names = append(names, o.name)
	}
	return names
}
