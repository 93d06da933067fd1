// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/kube/admission"
)

// F-S60: what a defaulter and its patch allocate grows with the object, in whatever shape what is free in it is.
func TestTheCostOfAPatchIsLinear(t *testing.T) {
	shapes := map[string]func(n int) string{
		"deep": func(n int) string {
			return strings.Repeat(`{"kkkkkkkkkkkkkkkkkkkk":`, n/30) + "1" + strings.Repeat("}", n/30)
		},
		"long name": func(n int) string { return `{"` + strings.Repeat("k", n/2) + `":[` + strings.Repeat("0,", n/4) + `0]}` },
		"elements":  func(n int) string { return `{"k":[` + strings.Repeat("{},", n/3) + `{}]}` },
		"names":     func(n int) string { return "{" + strings.Repeat(`"k":{"":0},`, n/12) + `"k":0}` },
	}
	class := classDefaulter[*v1beta1.ClusterServiceClass]{knowing(t), reviewer(t, new([]string), ""), decoder}
	for name, hook := range map[string]struct {
		handler       ctrladmission.Handler
		before, after string
	}{
		"ServiceBinding": {admission.WithoutStatus[*v1beta1.ServiceBinding](scheme(), admission.Defaulting(scheme(), bindingDefaulter{decoder, time.Now})),
			`{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding","metadata":{"name":"a","namespace":"x"},"spec":{"instanceRef":{"name":"i"},"parameters":`, "}}"},
		"ServiceInstance": {admission.WithoutStatus[*v1beta1.ServiceInstance](scheme(), admission.Defaulting(scheme(), instanceDefaulter{knowing(t), decoder, time.Now})),
			`{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceInstance","metadata":{"name":"a","namespace":"x"},"spec":{"parameters":`, "}}"},
		"ClusterServiceClass": {admission.WithoutStatus[*v1beta1.ClusterServiceClass](scheme(), admission.Defaulting(scheme(), class)),
			`{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ClusterServiceClass","metadata":{"name":"a"},"spec":{"externalName":"a","externalID":"a","externalMetadata":`, "}}"},
		"unknown field": {admission.WithoutStatus[*v1beta1.ServiceBinding](scheme(), admission.Defaulting(scheme(), bindingDefaulter{decoder, time.Now})),
			`{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding","metadata":{"name":"a","namespace":"x"},"spec":{"instanceRef":{"name":"i"},"unknown":`, "}}"},
	} {
		for shapeName, shape := range shapes {
			t.Run(name+"/"+shapeName, func(t *testing.T) {
				costtest.Linear(t, 128<<10, func(n int) ctrladmission.Request {
					r := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}
					r.Object.Raw = []byte(hook.before + shape(n) + hook.after)
					return r
				}, func(r ctrladmission.Request) {
					if response := hook.handler.Handle(t.Context(), r); !response.Allowed || len(response.Patches) == 0 {
						t.Errorf("%+v", response)
					}
				})
			})
		}
	}
}

// The patch has what the defaulter changed, and nothing else: fields that the types do not know stay.
func TestThePatchOfADefaulter(t *testing.T) {
	hook := admission.WithoutStatus[*v1beta1.ServiceBinding](scheme(), admission.Defaulting(scheme(), bindingDefaulter{decoder, func() time.Time { return t0 }}))
	const kind = `"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding"`
	for name, c := range map[string]struct{ old, object, patch string }{
		"creation": {"", `{"spec":{"instanceRef":{"name":"i","unknown":1},"unknown":{"a":1},"parameters":{"b":  1},"externalID":"e","userInfo":null},"metadata":{"name":"b"},"status":{}}`,
			`[{"op":"add","path":"/metadata/finalizers","value":["kubernetes-incubator/service-catalog"]},{"op":"add","path":"/spec/secretName","value":"b"},{"op":"add","path":"/spec/userInfo","value":{"username":"u","uid":""}}]`},
		"a record": {"", `{"spec":{"instanceRef":{"name":"i"},"externalID":"e"}}`,
			`[{"op":"add","path":"/metadata","value":{"finalizers":["kubernetes-incubator/service-catalog"]}},{"op":"add","path":"/spec/userInfo","value":{"username":"u","uid":""}}]`},
		"a field that is removed": {`{"spec":{"instanceRef":{"name":"i"},"externalID":"e"},"metadata":{}}`, `{"spec":{"instanceRef":{"name":"j"},"externalID":"e","parameters":{"a/b":1}},"metadata":{}}`,
			`[{"op":"remove","path":"/spec/parameters"},{"op":"add","path":"/spec/instanceRef","value":{"name":"i"}}]`},
		"nothing": {`{"spec":{"instanceRef":{"name":"i"}}}`, `{"spec":{"instanceRef":{"name":"i"}}}`, ""},
	} {
		r := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create, UID: "1"}}
		r.UserInfo.Username = "u"
		r.Object.Raw = []byte(strings.Replace(c.object, "{", "{"+kind+",", 1))
		if c.old != "" {
			r.Operation, r.OldObject.Raw = admissionv1.Update, []byte(strings.Replace(c.old, "{", "{"+kind+",", 1))
		}
		response := hook.Handle(t.Context(), r)
		if err := response.Complete(r); err != nil {
			t.Fatal(err)
		}
		if string(response.Patch) != c.patch || response.Result.Code != 200 || response.Result.Status == metav1.StatusFailure {
			t.Errorf("%s: %s\n%+v", name, response.Patch, response.Result)
		}
	}
}
