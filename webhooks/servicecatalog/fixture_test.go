// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
)

// t0 is when every catalog here was read.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var decoder = ctrladmission.NewDecoder(scheme())

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

// indexer puts the indexes of the manager's cache into a fake one.
type indexer struct{ *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, obj client.Object, field string, values client.IndexerFunc) error {
	i.WithIndex(obj, field, values)
	return nil
}

func fakeCache(t testing.TB, objs ...client.Object) client.Client {
	t.Helper()
	builder := fake.NewClientBuilder().WithScheme(scheme()).WithObjects(objs...)
	if err := index.AddIndexes(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}
	return builder.Build()
}

// knowing is what webhooks know once they have read these objects.
func knowing(t testing.TB, objs ...client.Object) knowledge {
	t.Helper()
	return knowledge{index: index.Index{Cache: fakeCache(t, objs...)}, synced: func(context.Context, ...client.Object) bool { return true }}
}

// starting is what they know before.
func starting(t testing.TB, objs ...client.Object) knowledge {
	t.Helper()
	k := knowing(t, objs...)
	k.synced = func(context.Context, ...client.Object) bool { return false }
	return k
}

// reviewer lets everybody get the Secrets of these names, and counts what it is asked.
func reviewer(t testing.TB, asked *[]string, names ...string) admission.Reviewer {
	t.Helper()
	return admission.NewReviewer(interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme()).Build(), interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
			review := obj.(*authorizationv1.SubjectAccessReview)
			a := review.Spec.ResourceAttributes
			*asked = append(*asked, a.Namespace+"/"+a.Name)
			for _, name := range names {
				review.Status.Allowed = review.Status.Allowed || a.Verb == "get" && a.Resource == "secrets" && a.Name == name
			}
			return nil
		},
	}))
}

// request is the context of one, made by a user with everything that a user can have.
func request(t testing.TB, old client.Object) context.Context {
	t.Helper()
	r := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create, UserInfo: authenticationv1.UserInfo{
		Username: "alice", UID: "uid-alice", Groups: []string{"system:authenticated"}, Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a", "b"}},
	}}}
	if old != nil {
		raw, err := json.Marshal(old)
		if err != nil {
			t.Fatal(err)
		}
		r.Operation, r.OldObject.Raw = admissionv1.Update, raw
	}
	return ctrladmission.NewContextWithRequest(t.Context(), r)
}

func namespaceName(o client.Object, namespace, name string) {
	o.SetNamespace(namespace)
	o.SetName(name)
	o.SetCreationTimestamp(metav1.NewTime(t0.Add(-time.Hour)))
}

func clusterBroker(name string, read bool) *v1beta1.ClusterServiceBroker {
	b := &v1beta1.ClusterServiceBroker{}
	namespaceName(b, "", name)
	if read {
		b.Status.LastCatalogRetrievalTime = &metav1.Time{Time: t0}
	}
	return b
}

func clusterClass(broker, name string, edits ...func(*v1beta1.ClusterServiceClass)) *v1beta1.ClusterServiceClass {
	c := &v1beta1.ClusterServiceClass{}
	namespaceName(c, "", name)
	c.Spec.ExternalName, c.Spec.ExternalID, c.Spec.ClusterServiceBrokerName, c.Spec.Bindable = "ext-"+name, "id-"+name, broker, true
	for _, edit := range edits {
		edit(c)
	}
	return c
}

func clusterPlan(class *v1beta1.ClusterServiceClass, name string, edits ...func(*v1beta1.CommonServicePlanSpec)) *v1beta1.ClusterServicePlan {
	p := &v1beta1.ClusterServicePlan{}
	namespaceName(p, "", name)
	p.Spec.ExternalName, p.Spec.ExternalID = "ext-"+name, "id-"+name
	p.SetOwners(class.Spec.ClusterServiceBrokerName, class.Name)
	for _, edit := range edits {
		edit(&p.Spec.CommonServicePlanSpec)
	}
	return p
}

func instance(edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	i := &v1beta1.ServiceInstance{}
	namespaceName(i, "ns", "i")
	i.Spec.ClusterServiceClassExternalName = "ext-class"
	for _, edit := range edits {
		edit(i)
	}
	return i
}

// live is an instance as admission made it, and as the controller provisioned it.
func live(edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	return instance(append([]func(*v1beta1.ServiceInstance){func(i *v1beta1.ServiceInstance) {
		i.Finalizers = []string{v1beta1.Finalizer}
		i.Annotations = map[string]string{v1beta1.MadeIDAnnotation: "made 2026-01-02T03:04:05Z"}
		i.Spec.ExternalID, i.Spec.ClusterServicePlanExternalName = "made", "ext-plan"
		i.Spec.ClusterServiceClassRef = &v1beta1.ClusterObjectReference{Name: "class"}
		i.Spec.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: "plan"}
		i.Spec.UserInfo = &v1beta1.UserInfo{Username: "bob"}
		i.Status.ProvisionStatus = v1beta1.Provisioned
	}}, edits...)...)
}

// refs are those to the class that most here is of.
func refs(plan string) catalog.Refs { return catalog.Refs{Class: "class", Plan: plan} }

func raw(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

// says checks the text of an error or of warnings: each of parts is in it, and where there
// are none there is no text.
func says(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	if len(parts) == 0 && text != "" {
		t.Errorf("%s: unexpected: %s", what, text)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q is not in %q", what, part, text)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func lines(warnings ctrladmission.Warnings) string { return strings.Join(warnings, "\n") }
