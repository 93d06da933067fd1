// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	pagerv1alpha1 "github.com/gophernetes/bellhop/api/pager/v1alpha1"
	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
)

var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1beta1.AddToScheme, pagerv1alpha1.AddToScheme, pagerv1beta1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

// labelling is a defaulter that sets a label and a field of the status, and refuses a broker without a URL.
type labelling struct{}

func (labelling) Default(ctx context.Context, b *v1beta1.ServiceBroker) error {
	if b.Spec.URL == "" {
		return errors.New("no URL")
	}
	if b.Status.ReconciledGeneration != 0 {
		return errors.New("a status is shown")
	}
	admission.Warn(ctx, "labelled")
	b.Labels = map[string]string{"a": "b"}
	b.Status.ReconciledGeneration = 7
	return nil
}

// TestWithoutStatus is F-S57: the status of a request has no effect on a defaulter, and neither have its changes of it on the
// object; what does not decode is refused with the field.
func TestWithoutStatus(t *testing.T) {
	hook := admission.WithoutStatus[*v1beta1.ServiceBroker](scheme, admission.Defaulting(scheme, labelling{}))
	for _, c := range []struct {
		name, object, old string
		refused           string
	}{
		{name: "no status", object: `{"spec":{"url":"x"}}`},
		{name: "a status", object: `{"spec":{"url":"x"},"status":{"reconciledGeneration":1}}`},
		{name: "a status of a wrong kind", object: `{"spec":{"url":"x"},"status":7}`},
		{name: "a status that does not decode", object: `{"spec":{"url":"x"},"status":{"conditions":7}}`},
		{name: "an old status that does not decode", object: `{"spec":{"url":"x"}}`, old: `{"spec":{"url":"x"},"status":{"conditions":7}}`},
		{name: "an old spec that does not decode", object: `{"spec":{"url":"x"}}`, old: `{"spec":{"url":7}}`},
		{name: "a refusal of the defaulter", object: `{"spec":{}}`, refused: "no URL"},
		{name: "a spec that does not decode", object: `{"spec":{"url":"x","authInfo":{"basic":[]}}}`, refused: `ServiceBroker.servicecatalog.k8s.io "b" is invalid: spec.authInfo.basic: Invalid value: "array": must be an object`},
		{name: "a spec of a wrong kind", object: `{"spec":"x"}`, refused: `spec: Invalid value: "string": must be an object`},
		{name: "no object", object: `7`, refused: "must be an object"},
	} {
		request := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create, Name: "b",
			Kind: metav1.GroupVersionKind{Group: "servicecatalog.k8s.io", Kind: "ServiceBroker"}}}
		request.Object.Raw = typed(c.object)
		if c.old != "" {
			request.Operation, request.OldObject.Raw = admissionv1.Update, typed(c.old)
		}
		response := hook.Handle(t.Context(), request)
		if c.refused != "" {
			if response.Allowed || len(response.Patches) > 0 || !strings.Contains(response.Result.Message, c.refused) {
				t.Errorf("%s: %+v", c.name, response)
			}
			continue
		}
		if !response.Allowed || len(response.Patches) == 0 || len(response.Warnings) != 1 {
			t.Errorf("%s: %+v", c.name, response)
		}
		for _, p := range response.Patches {
			if strings.HasPrefix(p.Path, "/status") {
				t.Errorf("%s: the status is patched: %+v", c.name, p)
			}
		}
	}
}

// typed adds the type to an object.
func typed(object string) []byte {
	return []byte(strings.Replace(object, "{", `{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBroker",`, 1))
}

// comparing is a validator that refuses a change of the URL, and a deletion of a broker with a URL that it can read.
type comparing struct{}

func (comparing) ValidateCreate(context.Context, *v1beta1.ServiceBroker) (ctrladmission.Warnings, error) {
	return nil, nil
}

func (comparing) ValidateUpdate(_ context.Context, old, b *v1beta1.ServiceBroker) (ctrladmission.Warnings, error) {
	if old.Spec.URL != b.Spec.URL {
		return nil, errors.New("another URL")
	}
	return nil, nil
}

func (comparing) ValidateDelete(_ context.Context, b *v1beta1.ServiceBroker) (ctrladmission.Warnings, error) {
	return ctrladmission.Warnings{b.Spec.URL}, nil
}

// TestDecodable is F-S57: an old object that does not decode counts as changed, and a stored status that does not decode stops nothing.
func TestDecodable(t *testing.T) {
	hook := admission.Decodable[*v1beta1.ServiceBroker](scheme, ctrladmission.WithValidator(scheme, comparing{}).Handler)
	for _, c := range []struct {
		name, old, object string
		want              string
	}{
		{name: "the same", old: `{"spec":{"url":"x"}}`, object: `{"spec":{"url":"x"}}`},
		{name: "another", old: `{"spec":{"url":"x"}}`, object: `{"spec":{"url":"y"}}`, want: "another URL"},
		{name: "stored statuses", old: `{"spec":{"url":"x"},"status":{"conditions":7}}`, object: `{"spec":{"url":"x"},"status":{"conditions":7}}`},
		{name: "another, with stored statuses", old: `{"spec":{"url":"x"},"status":7}`, object: `{"spec":{"url":"y"},"status":7}`, want: "another URL"},
		{name: "an old spec", old: `{"spec":7}`, object: `{"spec":{"url":"x"}}`, want: "another URL"},
		{name: "a new spec", old: `{"spec":{"url":"x"}}`, object: `{"spec":{"url":"x","relistRequests":"1"}}`, want: `spec.relistRequests: Invalid value: "string": must be an integer of at most 64 bits`},
		{name: "a deletion", old: `{"spec":{"url":"x"},"status":7}`},
		{name: "a deletion of what does not decode", old: `{"spec":{"url":7}}`},
	} {
		request := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Delete, OldObject: runtime.RawExtension{Raw: typed(c.old)}}}
		if c.object != "" {
			request.Operation, request.Object.Raw = admissionv1.Update, typed(c.object)
		}
		response := hook.Handle(t.Context(), request)
		if response.Allowed != (c.want == "") || !strings.Contains(response.Result.Message, c.want) {
			t.Errorf("%s: %+v", c.name, response.Result)
		}
	}
}

// TestFieldsThatDoNotDecode: each is named as in the schema's messages, and no value is shown.
func TestFieldsThatDoNotDecode(t *testing.T) {
	hook := admission.Decodable[*v1beta1.ServiceBinding](scheme, admission.Defaulting(scheme, unchanged{}))
	for spec, want := range map[string][]string{
		`{"instanceRef":true}`:                                          {`spec.instanceRef: Invalid value: "boolean": must be an object`},
		`{"secretName":null,"externalID":7}`:                            {`spec.externalID: Invalid value: "number": must be a string`},
		`{"parametersFrom":[{"secretKeyRef":{"name":"a","key":{}}}]}`:   {`spec.parametersFrom[0].secretKeyRef.key: Invalid value: "object": must be a string`},
		`{"secretTransforms":[{},{"addKey":{"value":"%hunter2"}}]}`:     {`spec.secretTransforms[1].addKey.value: Invalid value: "string": must be a string in base64`},
		`{"userInfo":{"extra":{"a":"x"}},"secretTransforms":{"a":"b"}}`: {`spec.secretTransforms: Invalid value: "object": must be an array`, `spec.userInfo.extra[a]: Invalid value: "string": must be an array`},
	} {
		request := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}
		request.Object.Raw = []byte(`{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding","spec":` + spec + `}`)
		response := hook.Handle(t.Context(), request)
		for _, part := range want {
			if response.Allowed || !strings.Contains(response.Result.Message, part) || strings.Contains(response.Result.Message, "hunter2") {
				t.Errorf("%s: %s", spec, response.Result.Message)
			}
		}
	}
	many := strings.TrimSuffix(strings.Repeat(`7,`, 1000), ",")
	request := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}
	request.Object.Raw = []byte(`{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding","spec":{"secretTransforms":[` + many + `]}}`)
	if message := hook.Handle(t.Context(), request).Result.Message; strings.Count(message, "Invalid value") != 32 {
		t.Errorf("the answer is not bounded: %s", message)
	}
}

// unchanged is a defaulter without defaults.
type unchanged struct{}

func (unchanged) Default(context.Context, *v1beta1.ServiceBinding) error { return nil }
