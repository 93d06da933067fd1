// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
)

// registerSchemaBroker prepares a broker whose plans have schemas.
func registerSchemaBroker(e *Environment) {
	e.createSecret("more", map[string]string{"json": `{"note":"from a Secret"}`})
	registerBrokerWith(func(s *osbtest.Service) {
		for i := range s.Plans {
			s.Plans[i].Schemas = []byte(`{"service_instance":{"create":{"parameters":` + instanceSchema + `},"update":{"parameters":` + instanceSchema +
				`}},"service_binding":{"create":{"parameters":` + bindingSchema + `}}}`)
		}
	})(e)
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

// maybeFromSecret refers to a Secret, in one of four specs.
func maybeFromSecret(r *rand.Rand) any {
	if r.IntN(4) > 0 {
		return nil
	}
	return []any{map[string]any{"secretKeyRef": map[string]any{"name": "more", "key": "json"}}}
}

// constant returns a generator of one value.
func constant(value any) func(*rand.Rand) any { return func(*rand.Rand) any { return value } }

func restrictInstance(s *schema, class string, plans []string) {
	s.keepOnly("parameters", "parametersFrom", "serviceClassExternalName", "servicePlanExternalName")
	parameters := parseSchema(instanceSchema)
	parameters.Properties["note"].generate = omit // the Secret may have it
	s.Properties["parameters"] = parameters
	s.Properties["parametersFrom"].generate = maybeFromSecret
	s.Properties["serviceClassExternalName"].generate, s.Properties["serviceClassExternalName"].alwaysPresent = constant(class), true
	s.Properties["servicePlanExternalName"].alwaysPresent = true
	s.Properties["servicePlanExternalName"].generate = func(r *rand.Rand) any { return plans[r.IntN(len(plans))] }
	s.dropProperties("clusterServiceClassRef", "clusterServicePlanRef", "serviceClassRef", "servicePlanRef", "userInfo")
}

// brokerInstance returns what the broker holds of an instance.
func brokerInstance(w *walk, name string) string {
	si := &v1beta1.ServiceInstance{ObjectMeta: w.objectMeta(name)}
	w.must(w.get(si))
	i := w.Broker.Holds().Instances[ExternalID(si)]
	if string(i.Parameters) == "{}" {
		i.Parameters = nil // an instance that never had parameters has none
	}
	return fmt.Sprintf("%s %s %s", i.PlanID, i.State, i.Parameters)
}

func restrictBinding(s *schema) {
	s.keepOnly("instanceRef", "parameters", "parametersFrom", "secretTransforms")
	parameters := parseSchema(bindingSchema)
	parameters.anyType = true // admission warns about another type
	parameters.Properties["note"].generate = omit
	s.Properties["parameters"] = parameters
	s.Properties["parametersFrom"].generate = maybeFromSecret
	s.Properties["instanceRef"].generate = constant(map[string]any{"name": "db"})
	s.Properties["secretTransforms"].Items.exactlyOne = true
	s.Properties["secretTransforms"].generate = func(r *rand.Rand) any {
		all := []any{
			map[string]any{"renameKey": map[string]any{"from": "username", "to": "user"}},
			map[string]any{"addKey": map[string]any{"key": "added", "stringValue": "by hand"}},
			map[string]any{"removeKey": map[string]any{"key": "uri"}},
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all[:r.IntN(len(all)+1)]
	}
	s.Properties["parameters"].alwaysPresent = true // the schema requires a member
	s.dropProperties("userInfo")
}

// bindingOutcome returns the Secret of a binding and what the broker holds of it.
func bindingOutcome(w *walk, name string) string {
	b := &v1beta1.ServiceBinding{ObjectMeta: w.objectMeta(name)}
	w.must(w.get(b))
	s := &corev1.Secret{ObjectMeta: w.objectMeta(name)}
	w.must(w.get(s))
	return fmt.Sprintf("%s %s\n%s", snapshot.Describe(s), s.Data["added"], w.Broker.Holds().Bindings[ExternalID(b)].Parameters)
}
