// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instances_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/apitest"
)

func bindingOf(instance, name string) *v1beta1.ServiceBinding {
	binding := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	binding.Spec.InstanceRef.Name = instance
	return binding
}

// The instance is read again between the question and its deletion.
func TestDeprovisionOfAnInstanceThatIsBoundMeanwhile(t *testing.T) {
	for args, test := range map[string]struct {
		isBound bool
		code    int
		want    string
		left    []string
	}{
		"deprovision -l app=orders":                {true, 1, "has ServiceBindings: late", []string{"servicebindings/late", "serviceinstances/orders"}},
		"deprovision -l app=orders --unbind":       {true, 1, "has servicebinding.servicecatalog.k8s.io/late since it was shown", []string{"servicebindings/early", "servicebindings/late", "serviceinstances/orders"}},
		"deprovision orders --unbind -i":           {false, 0, "serviceinstance.servicecatalog.k8s.io/orders deleted", nil},
		"deprovision -l app=orders --unbind --yes": {false, 0, "serviceinstance.servicecatalog.k8s.io/orders deleted", nil},
	} {
		s := apitest.New(t)
		s.Put(t, "serviceinstances", &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: "orders", Labels: map[string]string{"app": "orders"}}})
		if strings.Contains(args, "--unbind") {
			s.Put(t, "servicebindings", bindingOf("orders", "early"))
		}
		s.Before = func(_ http.ResponseWriter, r *http.Request) bool {
			if test.isBound && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/serviceinstances/orders") {
				s.Put(t, "servicebindings", bindingOf("orders", "late"))
			}
			return false
		}
		out, code := s.Run(t, "y\n", args)
		if code != test.code || !strings.Contains(out, test.want) || !slices.Equal(s.Names(), test.left) {
			t.Errorf("%s: exit code %d, left %q, want %q:\n%s", args, code, s.Names(), test.left, out)
		}
	}
}
