// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/kube/admission"
)

const (
	maxSpec = admission.MaxSpec
	// maxObject bounds an object with its status, in bytes of JSON. etcd takes half as much again.
	maxObject = 1 << 20
)

// sizeScenarios are about objects of which each text, list and map is at its bound.
func sizeScenarios() []Scenario {
	return []Scenario{
		{Name: "sizes-admitted", WithoutFaults: true, Prepare: func(*Environment) {}, Steps: tryAllSizes},
		sizeScenario("alert", func(e *Environment) {
			for i := range receiversOfAlert {
				e.createIdempotent(longReceiver(i))
			}
		}, restrictLargeAlert),
		sizeScenario("instance", registerLargeBroker, restrictLargeInstance),
		sizeScenario("binding", func(e *Environment) {
			registerLargeBroker(e)
			e.provision(SyncClass, SyncPlan)
		}, restrictLargeBinding),
	}
}

// fromCatalogs matches the CRDs whose objects the operator creates from catalogs, which it bounds when it reads them.
var fromCatalogs = regexp.MustCompile(`(classes|plans)$`)

// tryAllSizes tries specs of all kinds: each bound is admitted, and one more is refused with its field.
func tryAllSizes(e *Environment) {
	folder, err := crdFolder()
	e.must(err)
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	e.must(err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if fromCatalogs.MatchString(name) {
			continue
		}
		definition, err := readCRD(name)
		e.must(err)
		spec, err := definition.specSchema()
		e.must(err)
		restrictLarge(spec, definition.Spec.Scope)
		for i := range max(1, len(spec.alternatives())) {
			one := spec.alternative(i)
			for round := range one.rounds() {
				e.trySizes(definition, one, round)
			}
		}
	}
}

// restrictLarge leaves out what no user gives, what excludes another field by a rule that has no common form, and a type of Kubernetes with rules of
// its own.
func restrictLarge(s *schema, scope string) {
	s.dropProperties("userInfo", "clusterServiceClassRef", "clusterServicePlanRef", "serviceClassRef", "servicePlanRef", "insecureSkipTLSVerify", "namespaceSelector")
	if s.Properties["relistDuration"] != nil {
		s.Properties["relistDuration"].generate = constant("15m") // admission writes it in its shortest form
	}
	if mattermost := s.Properties["mattermost"]; mattermost != nil { // the posts of a bot have its own name
		mattermost.dropProperties("username", "iconURL")
	}
	if scope == "Namespaced" {
		s.dropNamespaces()
	}
}

// dropNamespaces removes the namespaces of references to Secrets, which must be that of the object.
func (s *schema) dropNamespaces() {
	for name, p := range s.Properties {
		p.dropNamespaces()
		if name == "secretRef" {
			p.dropProperties("namespace")
		}
	}
	if s.Items != nil {
		s.Items.dropNamespaces()
	}
}

// trySizes tries a spec that is at all its bounds, and ones that exceed one of them.
func (e *Environment) trySizes(of *crd, spec *schema, round int) {
	try := func(l *largest) error {
		o := &unstructured.Unstructured{Object: map[string]any{"spec": decodedCopy(l.value(spec, "spec").(map[string]any))}}
		o.SetAPIVersion(of.Spec.Group + "/v1beta1")
		o.SetKind(of.Spec.Names.Kind)
		o.SetName("largest")
		if of.Spec.Scope == "Namespaced" {
			o.SetNamespace(e.Namespace)
		}
		return e.Client.Create(e.Ctx, o, client.DryRunAll)
	}
	within := &largest{round: round}
	if err := try(within); err != nil {
		e.Reportf("a %s at all its bounds is refused: %s", of.Spec.Names.Kind, ending(err))
		return
	}
	for _, place := range within.places {
		err := try(&largest{round: round, beyond: place})
		switch {
		case err == nil:
			e.Reportf("a %s whose %s is beyond its bound is not refused", of.Spec.Names.Kind, place)
		case !strings.Contains(err.Error(), lastField(place)) && !strings.Contains(err.Error(), "spec: "):
			e.Reportf("a %s whose %s is beyond its bound is refused without the field: %s", of.Spec.Names.Kind, place, ending(err))
		}
	}
}

// ending returns the end of an error: it begins with the value, which is large.
func ending(err error) string {
	text := err.Error()
	return text[max(0, len(text)-400):]
}

// lastField returns the last name of a place.
func lastField(place string) string {
	return strings.TrimRight(place[strings.LastIndex(place, ".")+1:], "[]{}*")
}

// sizeScenario returns the scenario of one object: it is created at its bounds, gets another spec and the first one again, and is deleted.
func sizeScenario(of string, prepare func(*Environment), restrict func(*schema)) Scenario {
	kind := walkKinds[of]
	return Scenario{
		Name: "sizes-" + of, WithoutFaults: true, OnlySampled: true, Prepare: prepare,
		Steps: func(e *Environment) {
			definition, err := readCRD(kind.crd)
			e.must(err)
			spec, err := definition.specSchema()
			e.must(err)
			restrict(spec)
			w := &walk{Environment: e, r: rand.New(rand.NewPCG(1, 5)), kind: kind, spec: spec}
			for round := range 3 {
				w.applySpec(walkerName, (&largest{round: round}).value(spec, "spec").(map[string]any))
				kind.waitDone(w, walkerName)
				w.checkSize()
			}
			o := w.object(walkerName, nil)
			w.remove(o)
			w.waitGone(o)
		},
	}
}

// checkSize reports an object that is larger than maxObject.
func (w *walk) checkSize() {
	o := w.object(walkerName, nil)
	w.must(w.get(o))
	text, err := json.Marshal(o)
	w.must(err)
	if len(text) > maxObject {
		w.Reportf("a %s with its status has %d bytes of JSON, which are more than %d", o.GetKind(), len(text), maxObject)
	}
}

// receiversOfAlert is how many receivers an Alert may refer to.
const receiversOfAlert = 16

// longReceiver returns the name of a receiver.
func longReceiver(i int) string { return fill(fmt.Sprintf("hook-%x-", i), 253) }

// restrictLargeAlert makes receivers be those that exist, and lifetimes longer than the run.
func restrictLargeAlert(s *schema) {
	var refs []any
	for i := range receiversOfAlert {
		refs = append(refs, map[string]any{"kind": "Receiver", "name": longReceiver(i)})
	}
	s.Properties["receiverRefs"].generate = constant(refs)
	s.Properties["state"].generate = constant("Firing")
	s.Properties["joinedTime"].generate = omit
}

// registerLargeBroker prepares a broker, and a Secret with parameters.
func registerLargeBroker(e *Environment) {
	RegisterBroker(e)
	keys := map[string]string{}
	for i := range secretsOfParameters {
		keys[longKey(i)] = fmt.Sprintf(`{"p%d":"from a Secret"}`, i)
	}
	e.createSecret(longSecret, keys)
}

const secretsOfParameters = 32

// longSecret is the name of a Secret.
var longSecret = fill("more-", 253)

// longKey returns the name of a key of that Secret.
func longKey(i int) string { return fill(fmt.Sprintf("key-%d-", i), 253) }

// restrictLargeParameters has parameters of all sizes that are admitted.
func restrictLargeParameters(s *schema) {
	var from []any
	for i := range secretsOfParameters {
		from = append(from, map[string]any{"secretKeyRef": map[string]any{"name": longSecret, "key": longKey(i)}})
	}
	s.Properties["parametersFrom"].generate = constant(from)
	s.Properties["parameters"].generate = constant(map[string]any{"note": fill("", 256<<10-len(`{"note":""}`))})
	s.dropProperties("userInfo", "externalID")
}

func restrictLargeInstance(s *schema) {
	s.keepOnly("parameters", "parametersFrom", "serviceClassExternalName", "servicePlanExternalName")
	s.Validations = nil // the names of classes exclude each other
	restrictLargeParameters(s)
	s.Properties["serviceClassExternalName"].generate, s.Properties["servicePlanExternalName"].generate = constant(SyncClass), constant(SyncPlan)
	s.dropProperties("clusterServiceClassRef", "clusterServicePlanRef", "serviceClassRef", "servicePlanRef")
}

func restrictLargeBinding(s *schema) {
	s.keepOnly("instanceRef", "parameters", "parametersFrom", "secretTransforms", "secretName")
	restrictLargeParameters(s)
	s.Properties["instanceRef"].generate = constant(map[string]any{"name": "db"})
	var transforms []any
	for i := range 64 {
		transforms = append(transforms, map[string]any{"addKey": map[string]any{"key": fill(fmt.Sprintf("added-%d-", i), 253), "stringValue": fill("", 7<<10)}})
	}
	s.Properties["secretTransforms"].generate = constant(transforms)
	s.Properties["secretName"].generate = constant(walkerName)
}
