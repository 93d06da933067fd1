// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

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

// walk leads an object through random specs that its CRD and its plan allow, and back to the first one. The object must end like one that
// was created with that spec.
type walk struct {
	*Environment
	r    *rand.Rand
	kind walkKind
	spec *schema
	// skipsWaits: the user does not wait until each spec has taken effect.
	skipsWaits bool
}

// walkKind is what differs between the kinds of objects.
type walkKind struct {
	crd, kind string
	prepare   func(*Environment)
	// restrict adds to a schema what the CRD does not say.
	restrict func(*schema)
	// recreated: the spec is immutable, so that another one needs another object.
	recreated bool
	// mutate edits a spec that is not the last one.
	mutate func(w *walk, spec map[string]any)
	// waitDone waits until a spec has taken effect.
	waitDone func(w *walk, name string)
	// outside returns what the broker, the receivers or Secrets have of an object.
	outside func(w *walk, name string) string
}

const walkerName, twinName = "walker-one", "walker-two"

var walkKinds = map[string]walkKind{
	"alert": {
		crd: "pager.k8s.co_alerts", kind: "Alert", prepare: CreateThreeReceivers, restrict: restrictAlert, mutate: maybeExpireSoon,
		waitDone: func(w *walk, name string) { w.waitDecided(&pagerv1beta1.Alert{ObjectMeta: w.objectMeta(name)}) }, outside: receivedContent,
	},
	"instance": instanceWalk(SyncClass, SyncPlan, SyncOther),
	"async":    instanceWalk(AsyncClass, AsyncPlan, AsyncOther),
	"binding": {
		crd: "servicecatalog.k8s.io_servicebindings", kind: "ServiceBinding", restrict: restrictBinding, recreated: true,
		prepare: func(e *Environment) {
			registerSchemaBroker(e)
			db := e.NewInstance("db", SyncClass, SyncPlan)
			e.create(db)
			e.waitReady(db)
		},
		waitDone: func(w *walk, name string) { w.waitReady(&v1beta1.ServiceBinding{ObjectMeta: w.objectMeta(name)}) }, outside: bindingOutcome,
	},
}

// instanceWalk returns the walk of instances of some plans.
func instanceWalk(class string, plans ...string) walkKind {
	return walkKind{
		crd: "servicecatalog.k8s.io_serviceinstances", kind: "ServiceInstance", prepare: registerSchemaBroker, restrict: func(s *schema) { restrictInstance(s, class, plans) },
		waitDone: func(w *walk, name string) { w.waitReady(&v1beta1.ServiceInstance{ObjectMeta: w.objectMeta(name)}) }, outside: brokerInstance,
	}
}

var walkName = regexp.MustCompile(`^walk-([a-z]+)-(\d+)$`)

// Walks returns n walks of each kind, with random seeds; or the one that pattern names.
func Walks(pattern string, seed uint64, n int) (all []Scenario) {
	if m := walkName.FindStringSubmatch(pattern); m != nil && walkKinds[m[1]].crd != "" {
		own, _ := strconv.ParseUint(m[2], 10, 64) // digits
		return []Scenario{newWalk(m[1], own)}
	}
	r := rand.New(rand.NewPCG(seed, 3))
	for _, kind := range slices.Sorted(maps.Keys(walkKinds)) {
		for range n {
			all = append(all, newWalk(kind, r.Uint64N(1e6)))
		}
	}
	return all
}

// crashesInWalk is how many crashes a walk is tried with.
const crashesInWalk = 4

func newWalk(kind string, seed uint64) Scenario {
	k := walkKinds[kind]
	hurried := seed%2 == 1
	return Scenario{
		Name: fmt.Sprintf("walk-%s-%d", kind, seed), Prepare: k.prepare, timingDependent: hurried, MaxCrashes: crashesInWalk, Troubled: true,
		endsByTime: kind == "alert", // the schema generates expiries
		Steps: func(e *Environment) {
			definition, err := readCRD(k.crd)
			e.must(err)
			spec, err := definition.specSchema()
			e.must(err)
			k.restrict(spec)
			w := &walk{Environment: e, r: rand.New(rand.NewPCG(seed, 4)), kind: k, spec: spec, skipsWaits: hurried}
			w.run()
		},
	}
}
