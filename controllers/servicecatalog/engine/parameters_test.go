// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// F-S40: the Secrets of parameters were read and kept as a whole, whatever they had together.
func TestSecretsOfParametersThatAreTooLargeAreNotRead(t *testing.T) {
	si, reads := rulestest.NewInstance(), 0
	objects := []client.Object{si}
	for i := range 32 {
		name := fmt.Sprintf("parameters-%02d", i)
		objects = append(objects, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: si.Namespace, Name: name}, Data: map[string][]byte{
			"k": []byte("{" + strings.Repeat(" ", 400<<10) + "}"), "unused": []byte("x"),
		}})
		si.Spec.ParametersFrom = append(si.Spec.ParametersFrom, v1beta1.ParametersFromSource{SecretKeyRef: &v1beta1.SecretKeyReference{Name: name, Key: "k"}})
	}
	cluster := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
		reads++
		return c.Get(ctx, key, obj, opts...)
	}}, objects...)
	p, err := newStub(cluster, &Config{}).ReadParameters(t.Context(), si, Sources{From: si.Spec.ParametersFrom}, rules.Parameters{})
	if err != nil || p.Blocker == nil || !strings.Contains(p.Blocker.Message, "have more than the 262144 bytes that they may have together") {
		t.Errorf("%+v, %v", p.Blocker, err)
	}
	if reads != 3 {
		t.Errorf("%d Secrets were read", reads)
	}
	if kept := keysOf(objects[1].(*corev1.Secret), si.Spec.ParametersFrom); len(kept) != 1 || kept["k"] == nil {
		t.Errorf("%d keys are kept", len(kept))
	}
}

// Parameters of more than 256 KiB that the broker has got before there was that bound continue to work until they change.
func TestLargerParametersOfStoredObjects(t *testing.T) {
	si := rulestest.NewInstance()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: si.Namespace, Name: "large"}}
	si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: secret.Name, Key: "k"}}}
	has := `{"a":"` + strings.Repeat("x", 300<<10) + `"}`
	inline, bad := catalog.Merge(&runtime.RawExtension{Raw: []byte(has)}, nil)
	if bad != nil {
		t.Fatal(bad)
	}
	for why, c := range map[string]struct {
		value   string
		sent    []string
		blocked bool
	}{
		"as the broker has them":  {has, []string{inline.Checksum}, false},
		"changed":                 {strings.Replace(has, "x", "y", 1), []string{inline.Checksum}, true},
		"of a new object":         {has, nil, true},
		"changed, and small then": {`{"a":"x"}`, []string{inline.Checksum}, false},
	} {
		secret.Data = map[string][]byte{"k": []byte(c.value)}
		cluster := controllertest.NewCluster(t, interceptor.Funcs{}, si, secret)
		key := brokers.NewDigestKey(cluster, cluster, client.ObjectKey{Namespace: "bellhop-system", Name: brokers.DigestKeySecret})
		p, err := newStub(cluster, &Config{DigestKey: key}).ReadParameters(t.Context(), si, Sources{From: si.Spec.ParametersFrom, Sent: c.sent}, rules.Parameters{})
		if err != nil || (p.Blocker != nil) != c.blocked || !c.blocked && string(p.Sent) != c.value {
			t.Errorf("%s: blocked %+v, %d bytes, %v", why, p.Blocker, len(p.Sent), err)
		}
	}
}

// F-JS7: what is wrong with a value that comes from a Secret names the Secret and its key.
func TestAnErrorOfTheSchemaNamesWhereTheValueIs(t *testing.T) {
	plan := &runtime.RawExtension{Raw: []byte(`{"$schema":"http://json-schema.org/draft-04/schema#","required":["region"],"additionalProperties":false,"minProperties":3,
		"properties":{"region":{},"color":{"enum":["red","blue"]},"size":{"properties":{"disks":{"items":{"type":"integer"}}}},"plain":{"type":"string"}}}`)}
	secret := func(key, value string) catalog.SecretSource {
		return catalog.SecretSource{Secret: "login", Key: key, Data: map[string][]byte{key: []byte(value)}}
	}
	const first, second = `spec.parametersFrom[0] (key "a" of Secret "login").`, `spec.parametersFrom[1] (key "b" of Secret "login").`
	for name, c := range map[string]struct {
		inline string
		from   []catalog.SecretSource
		want   string
	}{
		"a value":         {`{"region":1,"plain":"x"}`, []catalog.SecretSource{secret("a", `{"color":"green"}`)}, first + `color: Invalid value: must be "red" or "blue"`},
		"an inner value":  {`{"region":1,"plain":"x"}`, []catalog.SecretSource{secret("a", `{"color":"red"}`), secret("b", `{"size":{"disks":[1,"x"]}}`)}, second + `size.disks[1]: Invalid value: must be an integer`},
		"a name":          {`{"region":1,"plain":"x"}`, []catalog.SecretSource{secret("a", `{"colour":"red"}`)}, first + `colour: Forbidden: must not be given: the schema does not define it: use color, plain, region or size`},
		"a value of spec": {`{"region":1,"plain":2}`, []catalog.SecretSource{secret("a", `{"color":"red"}`)}, `spec.parameters.plain: Invalid value: must be a string`},
		"a missing name":  {`{"plain":"x"}`, []catalog.SecretSource{secret("a", `{"color":"red","size":{}}`)}, `spec.parameters.region: Required value: must be given`},
		"all":             {`{"region":1}`, []catalog.SecretSource{secret("a", `{"color":"red"}`)}, `spec.parameters: Invalid value: must have at least 3 fields`},
	} {
		merged, err := catalog.Merge(&runtime.RawExtension{Raw: []byte(c.inline)}, c.from)
		if err != nil {
			t.Fatal(err)
		}
		got := ValidateParameters(t.Context(), &v1beta1.ServiceInstance{}, &v1beta1.ServicePlan{}, plan, rules.Parameters{Parameters: merged})
		if got.Invalid == nil || got.Invalid.Message != c.want || got.Required != nil {
			t.Errorf("%s: %+v, required %v, want %s", name, got.Invalid, got.Required, c.want)
		}
	}
}

// F-B18: an annotation on the plan or the object leaves the decision to the broker. Otherwise it is known what the schema has required.
func TestValidateParametersWithSchemaPolicy(t *testing.T) {
	planSchema := &runtime.RawExtension{Raw: []byte(`{"$schema":"http://json-schema.org/draft-04/schema#","required":["mysql_version"]}`)}
	warn := map[string]string{v1beta1.SchemaPolicyAnnotation: v1beta1.SchemaPolicyWarn}
	plain, annotated := &v1beta1.ServiceInstance{}, &v1beta1.ServiceBinding{}
	annotated.Annotations = warn
	clusterPlan := &v1beta1.ClusterServicePlan{}
	clusterPlan.Annotations = warn
	for name, c := range map[string]struct {
		obj      client.Object
		plan     v1beta1.Plan
		sent     string
		invalid  bool
		required []string
	}{
		"refused":                   {plain, &v1beta1.ServicePlan{}, `{}`, true, nil},
		"accepted":                  {plain, &v1beta1.ServicePlan{}, `{"mysql_version":"8"}`, false, []string{"mysql_version"}},
		"an annotation of the plan": {plain, clusterPlan, `{}`, false, nil},
		"one of the object":         {annotated, &v1beta1.ServicePlan{}, `{}`, false, nil},
	} {
		before := rules.Parameters{Parameters: catalog.Parameters{Sent: []byte(c.sent)}, Invalid: rules.BlockedBy(v1beta1.ReasonErrorWithParameters, "before")}
		got := ValidateParameters(t.Context(), c.obj, c.plan, planSchema, before)
		if (got.Invalid != nil) != c.invalid || !slices.Equal(got.Required, c.required) {
			t.Errorf("%s: %+v, required %v", name, got.Invalid, got.Required)
		}
		if got := RequiredParameters(c.obj, c.plan, planSchema); !c.invalid && !slices.Equal(got, c.required) {
			t.Errorf("%s: required before they are read: %v", name, got)
		}
	}
}
