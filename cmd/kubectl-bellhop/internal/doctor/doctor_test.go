// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// certificate returns a certificate that ends at a time, in PEM form.
func certificate(t *testing.T, end time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestBundleEnd(t *testing.T) {
	former, present := certificate(t, now), certificate(t, now.Add(time.Hour))
	if end, err := bundleEnd(slices.Concat(present, former)); err != nil || !end.Equal(now.Add(time.Hour)) {
		t.Errorf("%v, %v", end, err)
	}
	for _, bundle := range []string{"", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := bundleEnd([]byte(bundle)); err == nil {
			t.Errorf("%q is a certificate", bundle)
		}
	}
}

func definition(name string, edit func(map[string]any)) *unstructured.Unstructured {
	version := func(name string, stored bool) any {
		return map[string]any{"name": name, "served": true, "storage": stored}
	}
	condition := func(kind string) any { return map[string]any{"type": kind, "status": "True"} }
	crd := map[string]any{
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"versions": []any{version("v1alpha1", false), version("v1beta1", true)}},
		"status":   map[string]any{"conditions": []any{condition("NamesAccepted"), condition("Established")}},
	}
	if edit != nil {
		edit(crd)
	}
	return &unstructured.Unstructured{Object: crd}
}

func TestEvaluateDefinition(t *testing.T) {
	for name, test := range map[string]struct {
		crd  *unstructured.Unstructured
		want []string
	}{
		"good": {definition("alerts.pager.k8s.co", nil), nil},
		"without the old version": {definition("alerts.pager.k8s.co", func(crd map[string]any) {
			crd["spec"] = map[string]any{"versions": []any{map[string]any{"name": "v1beta1", "served": true, "storage": true}}}
		}), []string{"crd-version"}},
		"of another kind, which has one version": {definition("receivers.pager.k8s.co", func(crd map[string]any) {
			crd["spec"] = map[string]any{"versions": []any{map[string]any{"name": "v1beta1", "served": true, "storage": true}}}
		}), nil},
		"with a version of the future": {definition("receivers.pager.k8s.co", func(crd map[string]any) {
			crd["spec"] = map[string]any{"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true}}}
		}), []string{"crd-version", "crd-version"}},
		"whose names are another's": {definition("alerts.pager.k8s.co", func(crd map[string]any) { delete(crd, "status") }),
			[]string{"crd-not-established", "crd-not-established"}},
		"that is being deleted": {definition("alerts.pager.k8s.co", func(crd map[string]any) {
			crd["metadata"].(map[string]any)["deletionTimestamp"] = "2026-01-31T12:00:00Z"
		}), []string{"crd-terminating"}},
	} {
		var got []string
		for _, f := range evaluateDefinition(test.crd) {
			got = append(got, f.ID)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// F-U17
func TestEvaluateServer(t *testing.T) {
	if findings := evaluateServer("v1.36.3"); findings != nil {
		t.Error(findings)
	}
	if findings := evaluateServer("v1.30.4-eks-2d5f260"); len(findings) != 1 || findings[0].Severity != Warning || findings[0].Object != "Kubernetes/v1.30.4-eks-2d5f260" {
		t.Error(findings)
	}
}

func TestEvaluateDeployment(t *testing.T) {
	for _, test := range []struct {
		desired, ready int32
		want           string
		severity       Status
	}{{2, 2, "", ""}, {2, 1, "operator-degraded", Warning}, {2, 0, "operator-not-ready", Problem}, {0, 0, "operator-scaled-down", Problem}} {
		d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &test.desired}, Status: appsv1.DeploymentStatus{ReadyReplicas: test.ready}}
		f, found := evaluateDeployment(d)
		if f.ID != test.want || f.Severity != test.severity || found != (test.want != "") {
			t.Errorf("%d of %d: %+v", test.ready, test.desired, f)
		}
	}
}

func TestIsStale(t *testing.T) {
	duration := int32(20)
	for ago, want := range map[time.Duration]bool{10 * time.Second: false, 39 * time.Second: false, 41 * time.Second: true} {
		if got := isStale(now, now.Add(-ago), &duration); got != want {
			t.Errorf("renewed %s ago: %t", ago, got)
		}
	}
	if !isStale(now, now.Add(-time.Minute), nil) {
		t.Error("a lease without a duration is never stale")
	}
}

func TestEvaluateProbe(t *testing.T) {
	alerts := schema.GroupResource{Group: "pager.k8s.co", Resource: "alerts"}
	for name, test := range map[string]struct {
		err  error
		want outcome
	}{
		"accepted":      {nil, probeAccepted},
		"no right":      {apierrors.NewForbidden(alerts, "", errors.New(`User "jane" cannot create resource "alerts" in API group "pager.k8s.co"`)), probeSkipped},
		"no kind":       {apierrors.NewNotFound(alerts, ""), probeSkipped},
		"over quota":    {apierrors.NewForbidden(alerts, "x", errors.New("exceeded quota: alerts")), probeRefused},
		"refused":       {apierrors.NewInvalid(schema.GroupKind{Kind: "Alert"}, "x", nil), probeRefused},
		"no answer":     {apierrors.NewInternalError(errors.New(`failed calling webhook "valert.pager.k8s.co": connection refused`)), probeFailed},
		"no conversion": {apierrors.NewInternalError(errors.New("conversion webhook for pager.k8s.co/v1alpha1, Kind=Alert failed")), probeFailed},
	} {
		if got, message := evaluateProbe(test.err); got != test.want || strings.HasPrefix(message, "Internal error") {
			t.Errorf("%s: %d, %q", name, got, message)
		}
	}
}

func TestEvaluateDeletion(t *testing.T) {
	deleted := metav1.NewTime(now.Add(-10 * time.Minute))
	instance := &servicecatalogv1beta1.ServiceInstance{
		TypeMeta:   metav1.TypeMeta{Kind: "ServiceInstance", APIVersion: servicecatalogv1beta1.GroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "db", DeletionTimestamp: &deleted, Finalizers: []string{servicecatalogv1beta1.Finalizer}},
	}
	instance.Status.Conditions = []servicecatalogv1beta1.Condition{
		{Type: "Ready", Status: "Unknown", Reason: servicecatalogv1beta1.ReasonDeprovisionCallFailed, Message: "HTTP 500"},
	}
	givenUp := instance.DeepCopy() // F-S65
	givenUp.Status.DeprovisionStatus = servicecatalogv1beta1.DeprovisionFailed
	broker := &servicecatalogv1beta1.ClusterServiceBroker{
		TypeMeta:   metav1.TypeMeta{Kind: "ClusterServiceBroker", APIVersion: servicecatalogv1beta1.GroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Name: "acme", DeletionTimestamp: &deleted, Finalizers: []string{servicecatalogv1beta1.Finalizer}},
	}
	alert := &pagerv1beta1.Alert{
		TypeMeta:   metav1.TypeMeta{Kind: "Alert", APIVersion: pagerv1beta1.GroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "disk", DeletionTimestamp: &deleted, Finalizers: []string{pagerv1beta1.AlertFinalizer}},
	}
	for _, test := range []struct {
		object       cli.Object
		message, fix string
	}{
		{instance, "DeprovisionCallFailed: HTTP 500", "kubectl bellhop retain -n team db"},
		{givenUp, "DeprovisionCallFailed: HTTP 500", "kubectl annotate --overwrite -n team serviceinstance db bellhop.gophernetes.io/retry-deletion=1"},
		{givenUp, "DeprovisionCallFailed: HTTP 500", "kubectl bellhop retain -n team db"},
		{broker, servicecatalogv1beta1.Finalizer, "kubectl bellhop tree clusterservicebroker/acme -A"},
		{alert, pagerv1beta1.AlertFinalizer, "kubectl annotate -n team alert.pager.k8s.co/disk bellhop.gophernetes.io/deletion-policy=Retain"},
	} {
		f, found := evaluateDeletion(test.object, now, 5*time.Minute)
		if !found || !strings.Contains(f.Message, test.message) || !strings.Contains(f.Fix, test.fix) || !strings.Contains(f.Message, "2026-01-31T11:50:00Z") {
			t.Errorf("%+v", f)
		}
		if _, found := evaluateDeletion(test.object, now, 11*time.Minute); found {
			t.Errorf("%s is stuck before its time", test.object.GetName())
		}
	}
}

func TestDefaults(t *testing.T) {
	mark := map[string]string{pagerv1beta1.DefaultReceiverAnnotation: "true"}
	shared := func(name string, selector *metav1.LabelSelector) *pagerv1beta1.ClusterReceiver {
		r := &pagerv1beta1.ClusterReceiver{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: mark}}
		r.Spec.NamespaceSelector = selector
		return r
	}
	d := newDefaults([]cli.Object{
		&pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "own", Annotations: mark}},
		&pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "other"}},
		&pagerv1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "alert"}},
		shared("none", nil), shared("all", &metav1.LabelSelector{}), shared("some", &metav1.LabelSelector{MatchLabels: map[string]string{"paging": "on"}}),
	})
	if !slices.Equal(d.namespaces, []string{"a", "b"}) || !slices.Equal(d.own["b"], []string{"own"}) || len(d.own["a"]) != 0 {
		t.Errorf("%+v", d)
	}
	if got := d.selecting(nil); !slices.Equal(got, []string{"all"}) {
		t.Errorf("without labels: %v", got)
	}
	if got := d.selecting(labels.Set{"paging": "on"}); !slices.Equal(got, []string{"all", "some"}) {
		t.Errorf("with labels: %v", got)
	}
}

func TestReport(t *testing.T) {
	r := &Report{}
	r.add("one", result{message: "good"})
	r.add("two", result{message: "no right", skipped: true})
	if r.hasProblem() || r.summary() != "No findings" || r.Checks[0].Status != OK || r.Checks[1].Status != Skipped {
		t.Errorf("%+v", r)
	}
	r.add("three", result{findings: []Finding{{Severity: Warning}}})
	if r.hasProblem() || r.Checks[2].Status != Warning {
		t.Errorf("%+v", r)
	}
	r.add("four", result{findings: []Finding{{Severity: Warning}, {Severity: Problem}}})
	if !r.hasProblem() || r.Checks[3].Status != Problem || r.summary() != "1 problem, 2 warnings" {
		t.Errorf("%+v, %s", r, r.summary())
	}
}
