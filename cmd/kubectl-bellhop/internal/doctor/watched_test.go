// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/pagebylabel"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

func watchedDeployment(name string, annotations map[string]string) cli.Object {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("apps/v1")
	o.SetKind("Deployment")
	o.SetNamespace("shop")
	o.SetName(name)
	o.SetLabels(map[string]string{pagerv1beta1.PageLabel: "true"})
	o.SetAnnotations(annotations)
	return o
}

func TestEvaluateAsks(t *testing.T) {
	findings := evaluateAsks([]cli.Object{
		watchedDeployment("good", map[string]string{pagerv1beta1.PageAfterAnnotation: "60"}),
		watchedDeployment("bad", map[string]string{pagerv1beta1.PageAfterAnnotation: "1m"}),
	})
	if len(findings) != 1 || findings[0].Object != "Deployment/bad" || !strings.Contains(findings[0].Message, pagerv1beta1.PageAfterAnnotation+` is "1m"`) ||
		!strings.Contains(findings[0].Fix, "kubectl bellhop watch -n shop deployment.apps/bad") {
		t.Errorf("%+v", findings)
	}
}

func TestEvaluateFlags(t *testing.T) {
	objects := []cli.Object{watchedDeployment("orders", nil)}
	enabled := []healthrules.Watched{{GroupVersionResource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}}}
	for name, test := range map[string]struct {
		operator *pagebylabel.Operator
		objects  []cli.Object
		want     string
	}{
		"not known":            {nil, objects, ""},
		"on":                   {&pagebylabel.Operator{Watched: enabled}, objects, ""},
		"on in the namespace":  {&pagebylabel.Operator{Watched: enabled, Namespaces: []string{"shop"}}, objects, ""},
		"on in another":        {&pagebylabel.Operator{Watched: enabled, Namespaces: []string{"team"}}, objects, "watched-namespace-not-served"},
		"off":                  {&pagebylabel.Operator{}, objects, "watched-by-no-operator"},
		"off, without objects": {&pagebylabel.Operator{}, nil, ""},
	} {
		got := ""
		for _, f := range evaluateFlags(test.operator, test.objects) {
			got += f.ID
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestRightsOfWatching(t *testing.T) {
	var got []string
	for _, r := range rightsOfWatching([]healthrules.Watched{
		{GroupVersionResource: schema.GroupVersionResource{Version: "v1", Resource: "secrets"}}, {GroupVersionResource: schema.GroupVersionResource{Group: "apps", Resource: "deployments"}},
	}) {
		got = append(got, strings.Join(r.Verbs, ",")+" "+r.String())
	}
	want := []string{"create alerts.pager.k8s.co", "list events", "list pods", "get storageclasses.storage.k8s.io", "list,watch secrets", "list,watch deployments.apps"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// F-B13: doctor names the objects that the operator cannot judge.
func TestEvaluateUnknown(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	house := func(name string, age time.Duration, status map[string]any) unstructured.Unstructured {
		o := unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "House", "status": status}}
		o.SetNamespace("shop")
		o.SetName(name)
		o.SetCreationTimestamp(metav1.NewTime(now.Add(-age)))
		return o
	}
	conditions := func(kind string) map[string]any {
		return map[string]any{"conditions": []any{map[string]any{"type": kind, "status": "True"}}}
	}
	w := &watching{unknown: map[pagebylabel.UnknownHealth][]cli.Object{}}
	w.add(&unstructured.UnstructuredList{Items: []unstructured.Unstructured{
		house("ready", time.Hour, conditions("Ready")), house("lit", time.Hour, conditions("Lit")), house("lit-too", time.Hour, conditions("Lit")),
		house("new", time.Minute, nil), house("old", time.Hour, nil),
	}}, nil, now)
	var got []string
	for _, f := range w.evaluateUnknown() {
		got = append(got, f.ID+": "+f.Message+"; "+f.Fix)
	}
	want := []string{
		"watched-health-unknown: its status has neither the condition Ready nor Stalled (it has Lit); no Alert is sent, whatever happens, about 2 objects: House/lit, House/lit-too; " +
			"name the conditions that mean a failure in --page-kinds, such as rollouts.argoproj.io:Available=False, or remove the label; see " + pageOfWatching,
		"watched-health-unknown: the controller of the object has not reported a status; no Alert is sent, whatever happens, about 1 object: House/old; " +
			"check that its controller runs, or remove the label; see " + pageOfWatching,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	w = &watching{unknown: map[pagebylabel.UnknownHealth][]cli.Object{}}
	w.add(&unstructured.UnstructuredList{Items: []unstructured.Unstructured{house("lit", time.Hour, conditions("Lit"))}}, []healthrules.Sign{{Condition: "Lit", Status: "False"}}, now)
	if findings := w.evaluateUnknown(); len(findings) > 0 {
		t.Errorf("%+v", findings)
	}
}
