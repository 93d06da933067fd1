// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

func TestAlertName(t *testing.T) {
	const one, another types.UID = "6fd5f0d6-3b0a-4a6e-9d2f-5b8f1a2c3d4e", "0e2c7a52-64a1-4b57-8c8e-0b6f6e2d9f11"
	for _, name := range []string{"orders", strings.Repeat("a.", 126) + "a", strings.Repeat("a", 253)} {
		got := alertName("Deployment", name, one)
		if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 || !strings.HasPrefix(got, "deployment-"+name[:6]) {
			t.Errorf("%q: %q", got, problems)
		}
		if got == alertName("Deployment", name, another) {
			t.Errorf("%s is the name for an object that was created again, too", got)
		}
	}
}

// An Alert names the object that it is about, so that a change of the Alert is one of the object.
func TestRequestOfAlert(t *testing.T) {
	since := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		req      request
		resource schema.GroupVersionResource
		owners   int
	}{
		"a Deployment": {
			request{Resource: schema.GroupResource{Group: "apps", Resource: "deployments"}, Kind: "Deployment", Namespace: "shop", Name: "orders", UID: "6fd5f0d6"},
			schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, 1,
		},
		"a Job":             {request{Resource: jobs, Kind: "Job", Namespace: "shop", Name: "import"}, jobs.WithVersion("v1"), 0},
		"Jobs of a CronJob": {request{Resource: jobs, Kind: "CronJob", Namespace: "shop", Name: "backup"}, jobs.WithVersion("v1"), 0},
	} {
		object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment"}}
		object.SetUID("6fd5f0d6")
		applied := newAlert(c.req, c.resource, object, healthrules.Ask{}, healthrules.Result{Reason: "Failed", Since: since}, "")
		alert := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: *applied.Namespace, Name: *applied.Name, Annotations: applied.Annotations}}
		if got, ok := requestOf(alert); !ok || got != c.req || !isRecorded(alert) || !firedFor(alert).Equal(since) || len(applied.OwnerReferences) != c.owners {
			t.Errorf("%s: got %+v, %t, want %+v; owners: %v", name, got, ok, c.req, applied.OwnerReferences)
		}
		delete(alert.Annotations, v1beta1.PagedResourceAnnotation)
		if got, ok := requestOf(alert); ok {
			t.Errorf("an Alert that a person has created is about %+v", got)
		}
	}
	more := newOverflowAlert("shop", 3, healthrules.Ask{})
	alert := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: *more.Namespace, Name: *more.Name, Annotations: more.Annotations}}
	if got, ok := requestOf(alert); !ok || got != overflowRequest("shop") {
		t.Errorf("got %+v, %t", got, ok)
	}
}

// An Alert of an earlier version is about its owner.
func TestRequestOfAnEarlierAlert(t *testing.T) {
	alert := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Annotations: map[string]string{v1beta1.PagedResourceAnnotation: "apps/v1/deployments"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "orders", UID: "6fd5f0d6"}},
	}}
	want := request{Resource: schema.GroupResource{Group: "apps", Resource: "deployments"}, Kind: "Deployment", Namespace: "shop", Name: "orders", UID: "6fd5f0d6"}
	if got, ok := requestOf(alert); !ok || got != want || isRecorded(alert) {
		t.Errorf("got %+v, %t", got, ok)
	}
	alert.OwnerReferences = nil
	if got, ok := requestOf(alert); ok {
		t.Errorf("it is about %+v", got)
	}
}

func TestRuleFor(t *testing.T) {
	for text, want := range map[string]string{
		"cert-manager.io/v1/certificates": `{apiGroups: ["cert-manager.io"], resources: [certificates], verbs: [list, watch]}`,
		"v1/configmaps":                   `{apiGroups: [""], resources: [configmaps], verbs: [list, watch]}`,
	} {
		resource, err := healthrules.ParseResource(text)
		if got := ruleFor(resource); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}
