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
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// A walk leads an object through specs that chance makes of what its CRD and its plan say
// of them, and back to the first. There it has to be as one that was made so.
type walk struct {
	*world
	r    *rand.Rand
	kind walkKind
	spec *shape
	// hurried: the user does not wait for each spec to take effect.
	hurried bool
}

// walkKind is what differs from kind to kind.
type walkKind struct {
	crd, kind string
	prepare   func(*world)
	// teach tells a shape what the CRD does not.
	teach func(*shape)
	// remade: there is no other way to another spec than another object.
	remade bool
	// between is of a spec on the way.
	between func(w *walk, spec map[string]any)
	// done waits until a spec has taken effect.
	done func(w *walk, name string)
	// held is what there is of an object outside.
	held func(w *walk, name string) string
}

const walker, twin = "walker-one", "walker-two"

var walkKinds = map[string]walkKind{
	"alert": {
		crd: "pager.k8s.co_alerts", kind: "Alert", prepare: threeReceivers, teach: teachAlert, between: expireSoon,
		done: func(w *walk, name string) { w.decided(&pagerv1beta1.Alert{ObjectMeta: w.meta(name)}) }, held: told,
	},
	"instance": instanceWalk(syncClass, syncPlan, syncOther),
	"async":    instanceWalk(asyncClass, asyncPlan, asyncOther),
	"binding": {
		crd: "servicecatalog.k8s.io_servicebindings", kind: "ServiceBinding", teach: teachBinding, remade: true,
		prepare: func(w *world) {
			choosy(w)
			db := w.instance("db", syncClass, syncPlan)
			w.create(db)
			w.ready(db)
		},
		done: func(w *walk, name string) { w.ready(&v1beta1.ServiceBinding{ObjectMeta: w.meta(name)}) }, held: bound,
	},
}

// instanceWalk is of instances of these plans.
func instanceWalk(class string, plans ...string) walkKind {
	return walkKind{
		crd: "servicecatalog.k8s.io_serviceinstances", kind: "ServiceInstance", prepare: choosy, teach: func(s *shape) { teachInstance(s, class, plans) },
		done: func(w *walk, name string) { w.ready(&v1beta1.ServiceInstance{ObjectMeta: w.meta(name)}) }, held: provisioned,
	}
}

var walkName = regexp.MustCompile(`^walk-([a-z]+)-(\d+)$`)

// walks are of each kind as many as asked for, with seeds by chance; or the one of a name.
func walks(pattern string, seed uint64, n int) (all []scenario) {
	if m := walkName.FindStringSubmatch(pattern); m != nil && walkKinds[m[1]].crd != "" {
		own, _ := strconv.ParseUint(m[2], 10, 64) // digits
		return []scenario{walkOf(m[1], own)}
	}
	r := rand.New(rand.NewPCG(seed, 3))
	for _, kind := range slices.Sorted(maps.Keys(walkKinds)) {
		for range n {
			all = append(all, walkOf(kind, r.Uint64N(1e6)))
		}
	}
	return all
}

// crashesInWalk is how often a walk is tried with a crash.
const crashesInWalk = 4

func walkOf(kind string, seed uint64) scenario {
	k := walkKinds[kind]
	hurried := seed%2 == 1
	return scenario{
		name: fmt.Sprintf("walk-%s-%d", kind, seed), prepare: k.prepare, hurried: hurried, crashes: crashesInWalk,
		steps: func(world *world) {
			spec, err := specOf(k.crd)
			world.must(err)
			k.teach(spec)
			w := &walk{world: world, r: rand.New(rand.NewPCG(seed, 4)), kind: k, spec: spec, hurried: hurried}
			w.there()
		},
	}
}
