// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pagebylabel

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/operator"
)

func deploymentWith(args ...string) *operator.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "bellhop-system", Name: "manager"}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar"}, {Name: "manager", Args: args}}
	return operator.Of(d)
}

func TestOperatorOf(t *testing.T) {
	for name, test := range map[string]struct {
		args       []string
		isEnabled  bool
		last       string // of what is watched
		namespaces []string
	}{
		"none":                   {nil, false, "", nil},
		"off":                    {[]string{"--page-by-label=false", "--leader-elect"}, false, "", nil},
		"on":                     {[]string{"--leader-elect", "--page-by-label"}, true, "servicecatalog.k8s.io/v1beta1/servicebindings", nil},
		"on with one dash":       {[]string{"-page-by-label"}, true, "servicecatalog.k8s.io/v1beta1/servicebindings", nil},
		"the last value":         {[]string{"--page-by-label=false", "--page-by-label=true"}, true, "servicecatalog.k8s.io/v1beta1/servicebindings", nil},
		"kinds":                  {[]string{"--page-by-label", "--page-kinds=v1/pods,cert-manager.io/v1/certificates"}, true, "cert-manager.io/v1/certificates", nil},
		"conditions":             {[]string{"--page-by-label", "--page-kinds=rollouts.argoproj.io:Available=False|InvalidSpec=True"}, true, "rollouts.argoproj.io:Available=False|InvalidSpec=True", nil},
		"kinds in two arguments": {[]string{"--page-by-label", "--page-kinds", "v1/pods"}, true, "v1/pods", nil},
		"namespaces":             {[]string{"--page-by-label", "--namespaces=a,b"}, true, "servicecatalog.k8s.io/v1beta1/servicebindings", []string{"a", "b"}},
		"no flag":                {[]string{"page-by-label"}, false, "", nil},
	} {
		o := operatorOf(deploymentWith(test.args...))
		last := ""
		if n := len(o.Watched); n > 0 {
			last = o.Watched[n-1].String()
		}
		if (len(o.Watched) > 0) != test.isEnabled || last != test.last || !slices.Equal(o.Namespaces, test.namespaces) || o.ServiceAccount != "default" {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if o := operatorOf(deploymentWith("--page-by-label", "--page-kinds=$(KINDS)")); o != nil {
		t.Errorf("kinds that are not known: %+v", o)
	}
}

func TestUnmetPrecondition(t *testing.T) {
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1beta2", Resource: "deployments"}
	pods := schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	for _, test := range []struct {
		args     []string
		resource schema.GroupVersionResource
		want     string
	}{
		{nil, deployments, "without --page-by-label"},
		{[]string{"--page-by-label"}, deployments, ""},
		{[]string{"--page-by-label"}, pods, "without --page-kinds=v1/pods"},
		{[]string{"--page-by-label", "--page-kinds=v1/pods"}, pods, ""},
		{[]string{"--page-by-label", "--namespaces=a,shop"}, deployments, ""},
		{[]string{"--page-by-label", "--namespaces=a,b"}, deployments, "--namespaces=a,b"},
	} {
		got := operatorOf(deploymentWith(test.args...)).UnmetPrecondition(test.resource, "shop")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%v, %s: %q", test.args, test.resource.Resource, got)
		}
	}
}
