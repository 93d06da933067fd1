// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Sequences of kstatus statuses, as StatusRecorder.SequenceOf returns them.
const (
	InProgress             = "InProgress"
	Current                = "Current"
	InProgressCurrent      = InProgress + " Current"
	InProgressFailed       = InProgress + " Failed"
	CurrentThenInProgress  = InProgressCurrent + " InProgress"
	CurrentThenFailed      = InProgressCurrent + " Failed"
	CurrentThenTerminating = InProgressCurrent + " Terminating"
)

// Phase is an object that a spec has brought into a phase of its life, and a check whether the phase is reached.
type Phase struct {
	Object  client.Object
	Reached func() bool
}

// Immediately is the check of a Phase that is reached when the object was created.
func Immediately() bool { return true }

// StatusRecorder records the status that kstatus computes for each version of objects, from the first one on. Flux and Helm wait
// for these statuses.
type StatusRecorder struct {
	client client.Client

	mu   sync.Mutex
	seen map[types.UID]recordedStatuses
}

type recordedStatuses struct {
	version  string // resourceVersion of the last version
	sequence []string
}

// RecordStatuses watches all objects of some kinds until the spec ends, in the namespace or in the cluster.
func (s *Suite) RecordStatuses(ctx context.Context, namespace string, kinds ...client.Object) *StatusRecorder {
	ginkgo.GinkgoHelper()
	r := &StatusRecorder{client: s.Client, seen: map[types.UID]recordedStatuses{}}
	for _, kind := range kinds {
		existing, changes := s.Watch(ctx, namespace, kind)
		var reading sync.WaitGroup
		reading.Go(func() { r.read(existing, changes) })
		ginkgo.DeferCleanup(func() {
			changes.Stop()
			reading.Wait()
		})
	}
	return r
}

// Watch returns the objects of a kind in a namespace, or in the cluster, and a watch of what changes. It outlives ctx.
func (s *Suite) Watch(ctx context.Context, namespace string, kind client.Object) ([]unstructured.Unstructured, watch.Interface) {
	ginkgo.GinkgoHelper()
	api, err := dynamic.NewForConfig(s.Cluster.Config)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	gvk, err := s.Client.GroupVersionKindFor(kind)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	mapping, err := s.Client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	var resource dynamic.ResourceInterface = api.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = api.Resource(mapping.Resource).Namespace(namespace)
	}
	existing, changes, err := listAndWatch(context.WithoutCancel(ctx), resource)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return existing, changes
}

// listAndWatch returns what exists, and a watch of what changes. The watch goes on where the API server ends a connection, as it does
// with a client that it finds too slow.
func listAndWatch(ctx context.Context, resource dynamic.ResourceInterface) ([]unstructured.Unstructured, watch.Interface, error) {
	list, err := resource.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, nil, err
	}
	changes, err := toolswatch.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &cache.ListWatch{WatchFuncWithContext: resource.Watch})
	return list.Items, changes, err
}

func (r *StatusRecorder) read(existing []unstructured.Unstructured, changes watch.Interface) {
	defer ginkgo.GinkgoRecover()
	for i := range existing {
		r.record(&existing[i])
	}
	for change := range changes.ResultChan() {
		gomega.Expect(change.Type).NotTo(gomega.Equal(watch.Error), "the watch has missed changes: %v", change.Object)
		if change.Type != watch.Deleted {
			r.record(change.Object.(*unstructured.Unstructured))
		}
	}
}

func (r *StatusRecorder) record(o *unstructured.Unstructured) {
	result, err := status.Compute(o)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	r.mu.Lock()
	defer r.mu.Unlock()
	recorded := r.seen[o.GetUID()]
	if n := len(recorded.sequence); n == 0 || recorded.sequence[n-1] != result.Status.String() {
		recorded.sequence = append(recorded.sequence, result.Status.String())
	}
	recorded.version = o.GetResourceVersion()
	r.seen[o.GetUID()] = recorded
}

// SequenceOf returns the statuses of an object in order, without repetitions, up to its present version.
func (r *StatusRecorder) SequenceOf(ctx context.Context, o client.Object) func() (string, error) {
	return func() (string, error) {
		if err := r.client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return "", err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		recorded := r.seen[o.GetUID()]
		if recorded.version != o.GetResourceVersion() {
			return "", fmt.Errorf("resourceVersion %s was not seen yet", o.GetResourceVersion())
		}
		return strings.Join(recorded.sequence, " "), nil
	}
}
