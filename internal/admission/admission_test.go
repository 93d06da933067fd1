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

package admission_test

import (
	"context"
	"errors"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/internal/admission"
)

// strict refuses what has no label.
type strict struct{}

func (strict) Default(_ context.Context, s *corev1.Secret) error {
	if len(s.Labels) == 0 {
		return errors.New("no label")
	}
	return nil
}

func TestLeaveToSchema(t *testing.T) {
	hook := admission.LeaveToSchema(ctrladmission.WithDefaulter(clientgoscheme.Scheme, strict{}).Handler)
	for _, c := range []struct {
		why, object string
		allowed     bool
	}{
		{"the schema says what is wrong with it", `{"apiVersion":"v1","kind":"Secret","data":7}`, true},
		{"it is right", `{"apiVersion":"v1","kind":"Secret","metadata":{"labels":{"a":"b"}}}`, true},
		{"the defaulter says what is wrong with it", `{"apiVersion":"v1","kind":"Secret"}`, false},
	} {
		request := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: []byte(c.object)}}}
		if got := hook.Handle(t.Context(), request); got.Allowed != c.allowed || len(got.Patches) > 0 {
			t.Errorf("%s: %+v", c.why, got)
		}
	}
}
