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
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/demo/inbox"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
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
func walks(o options) (all []scenario) {
	if m := walkName.FindStringSubmatch(o.scenario); m != nil && walkKinds[m[1]].crd != "" {
		seed, _ := strconv.ParseUint(m[2], 10, 64) // digits
		return []scenario{walkOf(m[1], seed)}
	}
	r := rand.New(rand.NewPCG(o.seed, 3))
	for _, kind := range slices.Sorted(maps.Keys(walkKinds)) {
		for range o.walks {
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

// there is there and back again.
func (w *walk) there() {
	first := w.state()
	w.put(walker, first)
	w.kind.done(w, walker)
	for range 2 + w.r.IntN(3) {
		w.refusals()
		next := w.state()
		if w.kind.between != nil {
			w.kind.between(w, next)
		}
		w.put(walker, next)
		if !w.hurried || w.r.IntN(2) == 0 {
			w.kind.done(w, walker)
		}
	}
	w.put(walker, first)
	w.kind.done(w, walker)
	w.put(twin, first)
	w.kind.done(w, twin)
	w.compare()
}

// state is a spec that chance has made.
func (w *walk) state() map[string]any { return w.spec.object(w.r).(map[string]any) }

func (w *walk) object(name string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(strings.SplitN(w.kind.crd, "_", 2)[0] + "/v1beta1")
	o.SetKind(w.kind.kind)
	meta := w.meta(name)
	o.SetName(name)
	o.SetNamespace(meta.Namespace)
	o.SetLabels(meta.Labels)
	if spec != nil {
		o.Object["spec"] = copied(spec)
	}
	return o
}

// copied is as the API server reads it.
func copied(spec map[string]any) map[string]any {
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err) // it is made of what JSON has
	}
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(`{"apiVersion":"v1","kind":"Any","spec":`+string(text)+`}`), o); err != nil {
		panic(err)
	}
	return o.Object["spec"].(map[string]any)
}

// put gives an object a spec.
func (w *walk) put(name string, spec map[string]any) {
	o := w.object(name, nil)
	switch err := w.get(o); {
	case apierrors.IsNotFound(err):
	case err != nil:
		w.must(err)
	case w.kind.remade:
		w.remove(o)
		w.gone(o)
	default:
		edit(w.world, o, func(o *unstructured.Unstructured) { o.Object["spec"] = copied(spec) })
		return
	}
	w.create(w.object(name, spec))
}

// refusals tries some of what is wrong: admission has to say where.
func (w *walk) refusals() {
	all := slices.DeleteFunc(w.spec.slips(w.r, "spec"), func(m slip) bool {
		_, ok := m.value.(map[string]any)
		return !ok
	})
	for range 3 {
		m := all[w.r.IntN(len(all))]
		spec := m.value.(map[string]any)
		if strings.HasPrefix(m.field, "spec.parameters.") { // else a Secret may have what is missing
			delete(spec, "parametersFrom")
		}
		o := w.object("mistake", spec)
		try := func() error { return w.lab.client.Create(w.ctx, o) }
		if !w.kind.remade && w.r.IntN(2) == 0 {
			o = w.object(walker, nil)
			try = func() error {
				w.must(w.get(o))
				o.Object["spec"] = copied(spec)
				return w.lab.client.Update(w.ctx, o)
			}
		}
		err := try()
		for apierrors.IsConflict(err) {
			err = try()
		}
		text, _ := json.Marshal(spec)
		switch {
		case err == nil:
			w.blame("a mistake at %s was not refused: %s", m.field, text)
		case !strings.Contains(err.Error(), m.field):
			w.blame("a mistake at %s was refused without saying so: %v", m.field, err)
		}
	}
}

// compare holds the one that has come back beside the one that was made so.
func (w *walk) compare() {
	w.await("it is as one made so", func() error {
		one, err := w.whole(walker)
		if err != nil {
			return err
		}
		two, err := w.whole(twin)
		if err == nil && one != two {
			err = errors.New("\n" + difference(two, one))
		}
		return err
	})
}

// history is how an object came to be as it is, beside what describe leaves out.
var history = regexp.MustCompile(`"[a-zA-Z]*[gG]eneration":\d+,?`)

// whole is all there is of an object.
func (w *walk) whole(name string) (string, error) {
	o := w.object(name, nil)
	if err := w.get(o); err != nil {
		return "", err
	}
	withoutHistory(o)
	text := describe(o) + "\n" + w.kind.held(w, name)
	return history.ReplaceAllString(strings.ReplaceAll(text, name, "it"), ""), nil
}

// threeReceivers are one of each kind, and one that wants to hear of little.
func threeReceivers(w *world) {
	w.webhook("hook")
	w.webhook("desk")
	w.webhook("boss", func(r pagerv1beta1.ReceiverObject) { r.Common().MinSeverity = pagerv1beta1.SeverityWarning })
}

// decided waits until nothing more is done about an Alert as it is now.
func (w *world) decided(a *pagerv1beta1.Alert) {
	w.until(a, a.Name+" is decided", func() bool { return isDecided(a) })
}

func isDecided(a *pagerv1beta1.Alert) bool {
	return slices.ContainsFunc(a.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == pagerv1beta1.ConditionReconciling && c.Status == metav1.ConditionFalse
	})
}

// lastTold is what a receiver accepted last of an Alert; nil: nothing.
func (w *world) lastTold(a *pagerv1beta1.Alert, receiver string) (last *inbox.Message) {
	for _, m := range w.addressees[receiver].inbox.Messages() {
		if m.UID == string(a.UID) && m.Accepted > 0 {
			last = &m
		}
	}
	return last
}

func teachAlert(s *shape) {
	s.Properties["receiverRefs"].valid = func(r *rand.Rand) any {
		var refs []any
		for _, name := range []string{"hook", "desk", "boss"} {
			if r.IntN(3) > 0 {
				refs = append(refs, map[string]any{"kind": "Receiver", "name": name})
			}
		}
		if refs == nil {
			return nil
		}
		return refs
	}
	long := func(r *rand.Rand) any { return int64(3600 + r.IntN(3600)) }
	s.Properties["expireAfterSeconds"].valid, s.Properties["ttlSecondsAfterFinished"].valid = long, long
}

// expireSoon now and then makes an Alert old news.
func expireSoon(w *walk, spec map[string]any) {
	if w.hurried && w.r.IntN(4) == 0 {
		spec["expireAfterSeconds"] = int64(1)
	}
}

// withoutHistory leaves out of an Alert's status what it has of receivers that it names no
// more; the order of the others, which is that in which it came to name them; and how many
// had been told when it was over.
func withoutHistory(o *unstructured.Unstructured) {
	list := func(fields ...string) []any {
		l, _, _ := unstructured.NestedSlice(o.Object, fields...) // there may be none
		return l
	}
	named := func(of any) string { return of.(map[string]any)["name"].(string) }
	refs := list("spec", "receiverRefs")
	kept := slices.DeleteFunc(list("status", "deliveries"), func(d any) bool {
		return !slices.ContainsFunc(refs, func(ref any) bool { return named(ref) == named(d) })
	})
	slices.SortFunc(kept, func(a, b any) int { return strings.Compare(named(a), named(b)) })
	unstructured.RemoveNestedField(o.Object, "status", "deliveries")
	if len(kept) > 0 {
		o.Object["status"].(map[string]any)["deliveries"] = kept
	}
	if state, _, _ := unstructured.NestedString(o.Object, "spec", "state"); state == string(pagerv1beta1.AlertResolved) {
		unstructured.RemoveNestedField(o.Object, "status", "receivers")
		unstructured.RemoveNestedField(o.Object, "status", "sent")
	}
}

// told is what those who hold an Alert were told of it last.
func told(w *walk, name string) string {
	a := &pagerv1beta1.Alert{ObjectMeta: w.meta(name)}
	w.must(w.get(a))
	var lines []string
	for _, d := range a.Status.Deliveries {
		if d.State != pagerv1beta1.DeliverySent || !isMeant(a, d) {
			continue
		}
		if m := w.lastTold(a, d.Name); m != nil {
			lines = append(lines, fmt.Sprintf("%s holds %s %s %s %s", d.Name, m.Title, m.RawContent, m.Severity, m.State))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// choosy is a world with a broker whose plans say what they take.
func choosy(w *world) {
	w.secret("more", map[string]string{"json": `{"note":"from a Secret"}`})
	registeredWith(func(s *osbtest.Service) {
		for i := range s.Plans {
			s.Plans[i].Schemas = []byte(`{"service_instance":{"create":{"parameters":` + instanceSchema + `},"update":{"parameters":` + instanceSchema +
				`}},"service_binding":{"create":{"parameters":` + bindingSchema + `}}}`)
		}
	})(w)
}

const instanceSchema = `{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,"properties":{
	"size":{"type":"integer","minimum":1,"maximum":64},
	"ratio":{"type":"number","minimum":0,"maximum":1},
	"tier":{"type":"string","enum":["basic","fast","fastest"]},
	"label":{"type":"string","minLength":1,"maxLength":20,"pattern":"^[a-z]+$"},
	"public":{"type":"boolean"},
	"zones":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"string","enum":["north","south"]}},
	"backup":{"type":"object","additionalProperties":false,"required":["hour"],"properties":{
		"hour":{"type":"integer","minimum":0,"maximum":23},"keep":{"type":"boolean"}}},
	"note":{"type":"string"}}}`

const bindingSchema = `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":false,"required":["role"],"properties":{
	"role":{"type":"string","enum":["reader","writer"]},
	"days":{"type":"integer","minimum":1,"maximum":365},
	"note":{"type":"string"}}}`

// keep leaves these properties of a spec, and has the others never be given.
func (s *shape) keep(names ...string) {
	for name, p := range s.Properties {
		if !slices.Contains(names, name) {
			p.valid = none
		}
	}
}

// admissions are properties in which admission puts something else than users say.
func (s *shape) admissions(names ...string) {
	for _, name := range names {
		delete(s.Properties, name)
	}
}

// moreParameters now and then come from a Secret.
func moreParameters(r *rand.Rand) any {
	if r.IntN(4) > 0 {
		return nil
	}
	return []any{map[string]any{"secretKeyRef": map[string]any{"name": "more", "key": "json"}}}
}

func always(value any) func(*rand.Rand) any { return func(*rand.Rand) any { return value } }

func teachInstance(s *shape, class string, plans []string) {
	s.keep("parameters", "parametersFrom", "serviceClassExternalName", "servicePlanExternalName")
	parameters := shapeOf(instanceSchema)
	parameters.Properties["note"].valid = none // it may come from the Secret
	s.Properties["parameters"] = parameters
	s.Properties["parametersFrom"].valid = moreParameters
	s.Properties["serviceClassExternalName"].valid, s.Properties["serviceClassExternalName"].given = always(class), true
	s.Properties["servicePlanExternalName"].given = true
	s.Properties["servicePlanExternalName"].valid = func(r *rand.Rand) any { return plans[r.IntN(len(plans))] }
	s.admissions("clusterServiceClassRef", "clusterServicePlanRef", "serviceClassRef", "servicePlanRef", "userInfo")
}

// provisioned is what the broker has of an instance.
func provisioned(w *walk, name string) string {
	si := &v1beta1.ServiceInstance{ObjectMeta: w.meta(name)}
	w.must(w.get(si))
	i := w.broker.Holds().Instances[idOf(si)]
	if string(i.Parameters) == "{}" {
		i.Parameters = nil // so are those of an instance that never had any
	}
	return fmt.Sprintf("%s %s %s", i.PlanID, i.State, i.Parameters)
}

func teachBinding(s *shape) {
	s.keep("instanceRef", "parameters", "parametersFrom", "secretTransforms")
	parameters := shapeOf(bindingSchema)
	parameters.anyType = true // a warning says what becomes of it
	parameters.Properties["note"].valid = none
	s.Properties["parameters"] = parameters
	s.Properties["parametersFrom"].valid = moreParameters
	s.Properties["instanceRef"].valid = always(map[string]any{"name": "db"})
	s.Properties["secretTransforms"].Items.one = true
	s.Properties["secretTransforms"].valid = func(r *rand.Rand) any {
		all := []any{
			map[string]any{"renameKey": map[string]any{"from": "username", "to": "user"}},
			map[string]any{"addKey": map[string]any{"key": "added", "stringValue": "by hand"}},
			map[string]any{"removeKey": map[string]any{"key": "uri"}},
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all[:r.IntN(len(all)+1)]
	}
	s.Properties["parameters"].given = true // its schema wants some
	s.admissions("userInfo")
}

// bound is what there is of a binding: its Secret, and what the broker has.
func bound(w *walk, name string) string {
	b := &v1beta1.ServiceBinding{ObjectMeta: w.meta(name)}
	w.must(w.get(b))
	s := &corev1.Secret{ObjectMeta: w.meta(name)}
	w.must(w.get(s))
	return fmt.Sprintf("%s %s\n%s", describe(s), s.Data["added"], w.broker.Holds().Bindings[idOf(b)].Parameters)
}
