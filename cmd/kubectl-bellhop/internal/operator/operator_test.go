// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

func TestFlags(t *testing.T) {
	for name, test := range map[string]struct {
		args       []string
		listens    bool
		namespaces []string
	}{
		"none":                 {nil, false, nil},
		"off":                  {[]string{"--ingest-bind-address=0"}, false, nil},
		"on":                   {[]string{"--leader-elect", "--ingest-bind-address=:9444"}, true, nil},
		"on, in two arguments": {[]string{"-ingest-bind-address", ":9444", "--namespaces", "a,b"}, true, []string{"a", "b"}},
		"the last value":       {[]string{"--ingest-bind-address=:9444", "--ingest-bind-address=0"}, false, nil},
		"no flag":              {[]string{"ingest-bind-address=:9444"}, false, nil},
	} {
		d := &appsv1.Deployment{}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar"}, {Name: "manager", Args: test.args}}
		if got := Of(d); got.Listens() != test.listens || !slices.Equal(got.Namespaces(), test.namespaces) || got.ServiceAccount != "default" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestServing(t *testing.T) {
	of := func(name, args string, replicas int32) *Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}}
		d.Spec.Replicas = &replicas
		d.Spec.Template.Spec.Containers = []corev1.Container{{Args: strings.Fields(args)}}
		return Of(d)
	}
	for name, test := range map[string]struct {
		deployments      []*Deployment
		alerts, services string
	}{
		"none":                       {nil, "", ""},
		"both groups":                {[]*Deployment{of("both", "--leader-elect", 1)}, "both", "both"},
		"the pager alone":            {[]*Deployment{of("pager", "--apis=pager", 1)}, "pager", ""},
		"two halves":                 {[]*Deployment{of("pager", "--apis=pager", 1), of("services", "--apis servicecatalog", 1)}, "pager", "services"},
		"a former form":              {[]*Deployment{of("both", "", 0), of("pager", "--apis=pager", 2)}, "pager", "both"},
		"a group of a later version": {[]*Deployment{of("later", "--apis=pager,other", 1)}, "later", "later"},
	} {
		for group, want := range map[string]string{cli.PagerGroup: test.alerts, cli.ServicesGroup: test.services} {
			got := ""
			if d := Serving(test.deployments, group); d != nil {
				got = d.Name
			}
			if got != want {
				t.Errorf("%s: %s serves %s, want %s", name, got, group, want)
			}
		}
	}
}

// F-U20
func TestVersion(t *testing.T) {
	for image, want := range map[string]string{
		"ghcr.io/gophernetes/bellhop:v1.2.3":                      "v1.2.3",
		"registry.example.com:5000/bellhop:v1.2.3@sha256:0123abc": "v1.2.3",
		"registry.example.com:5000/bellhop@sha256:0123abc":        "v1.2.2",
		"registry.example.com:5000/bellhop":                       "v1.2.2",
	} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/version": "v1.2.2"}}}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Image: image}, {Image: "sidecar:v9"}}
		if got := Of(d).Version(); got != want {
			t.Errorf("%s: %s, want %s", image, got, want)
		}
	}
	if got := Of(&appsv1.Deployment{}).Version(); got != "unknown" {
		t.Error(got)
	}
}
