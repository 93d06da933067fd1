// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientfake "sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// newReconcilerWithoutJobs returns a reconciler whose cache has no Job. Its objects.api has what the API server has.
func newReconcilerWithoutJobs(t *testing.T) *Reconciler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1beta1.AddToScheme(scheme), corev1.AddToScheme(scheme), batchv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{v1beta1.PageByLabelLabel: "enabled"}}}
	c := clientfake.NewClientBuilder().WithScheme(scheme).WithObjects(namespace).
		WithIndex(&v1beta1.Alert{}, subjectIndex, func(o client.Object) []string { return subjectKeys(o.(*v1beta1.Alert)) }).Build()
	failures, err := newFailures(prometheus.NewRegistry(), events.NewFakeRecorder(10), leaseOf("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := newUnknownObjects(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	newAPI := func() *dynamicfake.FakeDynamicClient {
		return dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{jobs.WithVersion("v1"): "JobList"})
	}
	all := newObjects(newAPI(), nil, failures, []healthrules.Watched{{GroupVersionResource: jobs.WithVersion("v1")}}, nil)
	all.queue = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[request]())
	all.startedAt = time.Now()
	all.deleted.dropped = func(request) {}
	if err := all.startKind(t.Context(), jobs.WithVersion("v1")); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		_, isKnown, err := all.get(t.Context(), request{Resource: jobs, Kind: "Job", Namespace: "shop", Name: "none"}, time.Time{})
		return isKnown && err == nil
	})
	all.api = newAPI()
	return &Reconciler{client: c, live: c, objects: all, recorder: events.NewFakeRecorder(10), now: time.Now, resolveAfter: time.Minute, unknown: unknown}
}

// handleAll handles the queue until it is empty.
func handleAll(t *testing.T, r *Reconciler) {
	t.Helper()
	for range 1000 {
		if r.objects.queue.Len() == 0 {
			return
		}
		req, _ := r.objects.queue.Get()
		if _, err := r.Reconcile(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		r.objects.queue.Done(req)
	}
	t.Fatal("the queue does not end")
}

func succeeded(name string, labels map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{"namespace": "shop", "name": name, "uid": name, "creationTimestamp": time.Now().UTC().Format(time.RFC3339), "labels": labels},
		"status": map[string]any{"conditions": []any{map[string]any{
			"type": "Complete", "status": "True", "reason": "CompletionsReached", "lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
		}}},
	}}
}

// A Job that has lost the label takes no place of a deleted one, of which a namespace has 100.
func TestUnlabelledJobsAreForgotten(t *testing.T) {
	r := newReconcilerWithoutJobs(t)
	for i := range 3 {
		name := fmt.Sprint("import-", i)
		last, err := healthrules.Trim(succeeded(name, map[string]any{v1beta1.PageLabel: "true"}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.objects.api.Resource(jobs.WithVersion("v1")).Namespace("shop").Create(t.Context(), succeeded(name, map[string]any{}), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		r.objects.drop(requestFor(jobs, last), last) // as the informer does once the label is removed
		handleAll(t, r)
	}
	if n := len(r.objects.deleted.byKey); n > 0 {
		t.Errorf("%d Jobs that exist without the label wait in the room for 100 deleted ones", n)
	}
}

// Of what does not exist and never was a Job, there is nothing to forget.
func TestAnObjectThatIsNoJobIsForgotten(t *testing.T) {
	r := newReconcilerWithoutJobs(t)
	req := request{Resource: schema.GroupResource{Group: "apps", Resource: "deployments"}, Kind: "Deployment", Namespace: "shop", Name: "quiet", UID: "1"}
	if s, err := r.observe(t.Context(), r.client, req, found{isGone: true}); s != nil || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// Nothing is remembered of a Job that succeeded and was deleted.
func TestDeletedJobsAreForgotten(t *testing.T) {
	r := newReconcilerWithoutJobs(t)
	for i := range 50 {
		last, err := healthrules.Trim(succeeded(fmt.Sprint("import-", i), map[string]any{v1beta1.PageLabel: "true"}))
		if err != nil {
			t.Fatal(err)
		}
		req := requestFor(jobs, last)
		r.objects.changed.add(req.key()) // as the informer did when the Job was created
		r.objects.drop(req, last)
		handleAll(t, r)
	}
	if seen, changed := len(r.seen.byObject), len(r.objects.changed.byKey); seen > 0 || changed > 0 {
		t.Errorf("of 50 Jobs that do not exist, and have no Alert, %d observations and %d changes are kept", seen, changed)
	}
}
