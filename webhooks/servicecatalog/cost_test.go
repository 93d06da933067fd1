// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// F-S60: what an object of twice the size allocates is at most 2.5 times as much, and makes no more access reviews and no longer answer.
// The objects are larger than the schema allows: a client that reaches the port of the webhooks sends what it likes.
func TestTheCostOfAReviewIsLinear(t *testing.T) {
	sources := func(n int, name string) (from []v1beta1.ParametersFromSource) {
		for i := range n {
			from = append(from, v1beta1.ParametersFromSource{SecretKeyRef: &v1beta1.SecretKeyReference{Name: fmt.Sprintf(name, i), Key: fmt.Sprint(i)}})
		}
		return from
	}
	instanceFrom := func(from []v1beta1.ParametersFromSource) *v1beta1.ServiceInstance {
		return live(func(i *v1beta1.ServiceInstance) { i.Spec.ParametersFrom = from })
	}
	transforms := func(n int, transform func(i int) v1beta1.SecretTransform) *v1beta1.ServiceBinding {
		return binding(func(b *v1beta1.ServiceBinding) {
			for i := range n {
				b.Spec.SecretTransforms = append(b.Spec.SecretTransforms, transform(i))
			}
		})
	}
	const (
		everything = ""     // the name by which all Secrets of a namespace are permitted
		nothing    = "none" // permits no Secret that is used here
	)
	type review struct {
		permitted string
		validate  func(k knowledge, asked *[]string, n int) (answer string)
	}
	creation := func(permitted string, newObject func(n int) client.Object) review {
		return review{permitted, func(k knowledge, asked *[]string, n int) string {
			var warnings []string
			var err error
			access := reviewer(t, asked, permitted)
			switch o := newObject(n).(type) {
			case *v1beta1.ServiceInstance:
				warnings, err = instanceValidator{k, access}.ValidateCreate(request(t, nil), o)
			case *v1beta1.ServiceBinding:
				warnings, err = bindingValidator{k, access}.ValidateCreate(request(t, nil), o)
			case *v1beta1.ServiceBroker:
				warnings, err = brokerValidator[*v1beta1.ServiceBroker]{k, access, Options{Guard: outbound.NewGuard(nil, nil)}}.ValidateCreate(request(t, nil), o)
			}
			return lines(warnings) + text(err)
		}}
	}
	restricted := func(selectors func(n int) []string) func(n int) client.Object {
		return func(n int) client.Object {
			return broker("https://broker.example.com", func(s *v1beta1.CommonServiceBrokerSpec) {
				s.CatalogRestrictions = &v1beta1.CatalogRestrictions{ServiceClass: selectors(n)}
			})
		}
	}
	listed := func(n int, format string) string {
		var values strings.Builder
		for i := range n {
			fmt.Fprintf(&values, format, i)
		}
		return values.String()
	}
	for name, c := range map[string]review{
		"many Secrets, permitted":     creation(everything, func(n int) client.Object { return instanceFrom(sources(n, "s%d")) }),
		"many Secrets, not permitted": creation(nothing, func(n int) client.Object { return instanceFrom(sources(n, "s%d")) }),
		"one Secret many times":       creation("sint", func(n int) client.Object { return instanceFrom(sources(n, "s%[1]T")) }),
		"a binding with many Secrets": creation(everything, func(n int) client.Object {
			return binding(func(b *v1beta1.ServiceBinding) { b.Spec.ParametersFrom = sources(n, "s%d") })
		}),
		"keys from many Secrets": creation(everything, func(n int) client.Object {
			return transforms(n, func(i int) v1beta1.SecretTransform {
				return v1beta1.SecretTransform{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Name: fmt.Sprintf("s%d", i)}}}
			})
		}),
		"many wrong keys": creation(everything, func(n int) client.Object {
			return transforms(n, func(i int) v1beta1.SecretTransform {
				return v1beta1.SecretTransform{RenameKey: &v1beta1.RenameKeyTransform{To: fmt.Sprintf("not a key %d", i)}}
			})
		}),
		"many expressions that are no paths": creation(everything, func(n int) client.Object {
			return transforms(n, func(i int) v1beta1.SecretTransform {
				return v1beta1.SecretTransform{AddKey: &v1beta1.AddKeyTransform{Key: "k", JSONPathExpression: new(fmt.Sprint(i))}}
			})
		}),
		"a long expression": creation(everything, func(n int) client.Object {
			return transforms(1, func(int) v1beta1.SecretTransform {
				return v1beta1.SecretTransform{AddKey: &v1beta1.AddKeyTransform{Key: "k", JSONPathExpression: new("{" + strings.Repeat("[?(@.a==1)]", n) + "}")}}
			})
		}),
		"many wrong restrictions": creation(everything, restricted(func(n int) []string { return strings.Split(listed(n, "-%d,"), ",") })),
		"a restriction with many wrong values": creation(everything, restricted(func(n int) []string {
			return []string{"name in (" + listed(n, "-%d,") + "a)"}
		})),
		"a restriction with many values": creation(everything, restricted(func(n int) []string { return []string{"name in (" + listed(n, "v%d,") + "a)"} })),
		"many other Secrets": {everything, func(k knowledge, asked *[]string, n int) string {
			old := instanceFrom(sources(n, "old%d"))
			warnings, err := instanceValidator{k, reviewer(t, asked, everything)}.ValidateUpdate(request(t, old), old, instanceFrom(sources(n, "new%d")))
			return lines(warnings) + text(err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := knowing(t)
			cost := func(n int) (bytes uint64) {
				var asked []string
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				answer := c.validate(k, &asked, n)
				runtime.ReadMemStats(&after)
				if len(asked) > 32 || len(answer) > 64<<10 {
					t.Fatalf("%d objects: %d access reviews and an answer of %d bytes", n, len(asked), len(answer))
				}
				return after.TotalAlloc - before.TotalAlloc
			}
			cost(10) // what is set up once
			if half, whole := cost(1000), cost(2000); float64(whole) > 2.5*float64(half) {
				t.Errorf("allocates %d bytes for 1000, and %d for 2000", half, whole)
			}
		})
	}
}

// F-S59: the parser of expressions recurses, and a stack overflow ends the process. What the schema would refuse is refused before it is
// parsed.
func TestALongExpressionIsNotParsed(t *testing.T) {
	var asked []string
	validator := bindingValidator{knowing(t), reviewer(t, &asked)}
	long := v1beta1.SecretTransform{AddKey: &v1beta1.AddKeyTransform{Key: "k", JSONPathExpression: new("{" + strings.Repeat(".a", 1_100_000) + "}")}}
	for want, transforms := range map[string][]v1beta1.SecretTransform{
		"spec.secretTransforms[0].addKey.jsonPathExpression: Too long: may not be more than 16384 bytes": {long},
		"spec.secretTransforms: Too many: 1000: must have at most 64 items":                              make([]v1beta1.SecretTransform, 1000),
	} {
		b := binding(func(b *v1beta1.ServiceBinding) { b.Spec.SecretTransforms = transforms })
		if _, err := validator.ValidateCreate(request(t, nil), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200v, want %s", err, want)
		}
	}
}

// F-S60: parameters that are too large are refused for less than their size.
func TestTheCostOfTooLargeParameters(t *testing.T) {
	class := clusterClass("broker", "class")
	plan := clusterPlan(class, "plan", func(p *v1beta1.CommonServicePlanSpec) {
		p.InstanceCreateParameterSchema, p.ServiceBindingCreateParameterSchema = raw(`{"type":"object"}`), raw(`{"type":"object"}`)
	})
	k := knowing(t, class, plan, live(func(i *v1beta1.ServiceInstance) { i.Name, i.Namespace = "i", "ns" }))
	var fields strings.Builder
	for i := 0; fields.Len() < 3<<20; i++ {
		fmt.Fprintf(&fields, `"%x":0,`, i)
	}
	parameters := raw("{" + fields.String() + `"a":0}`)
	var asked []string
	for kind, validate := range map[string]func() error{
		"ServiceBinding": func() error {
			_, err := bindingValidator{k, reviewer(t, &asked)}.ValidateCreate(request(t, nil), binding(func(b *v1beta1.ServiceBinding) { b.Spec.Parameters = parameters }))
			return err
		},
		"ServiceInstance": func() error {
			_, err := instanceValidator{k, reviewer(t, &asked)}.ValidateCreate(request(t, nil), live(func(i *v1beta1.ServiceInstance) { i.Name, i.Spec.Parameters = "other", parameters }))
			return err
		},
	} {
		var err error
		cost := costtest.Of(func() { err = validate() })
		if cost.Bytes > uint64(len(parameters.Raw)) || !strings.Contains(text(err), "store large values where the service can read them") {
			t.Errorf("%s: %d bytes are allocated: %.200s", kind, cost.Bytes, text(err))
		}
	}
}
