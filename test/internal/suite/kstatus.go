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
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Verdicts are what kstatus makes of objects, from the first version of each on. Flux and
// Helm wait by them.
type Verdicts struct {
	client client.Client

	mu   sync.Mutex
	seen map[types.UID]verdicts
}

// verdicts are those on one object.
type verdicts struct {
	version string // the resourceVersion of the last one
	inTurn  []string
}

// Verdicts follows all objects of some kinds until the spec ends: those in the namespace, or
// of the cluster.
func (s *Suite) Verdicts(ctx context.Context, namespace string, kinds ...client.Object) *Verdicts {
	ginkgo.GinkgoHelper()
	api, err := dynamic.NewForConfig(s.Cluster.Config)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	v := &Verdicts{client: s.Client, seen: map[types.UID]verdicts{}}
	for _, kind := range kinds {
		gvk, err := s.Client.GroupVersionKindFor(kind)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		mapping, err := s.Client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		var resource dynamic.ResourceInterface = api.Resource(mapping.Resource)
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			resource = api.Resource(mapping.Resource).Namespace(namespace)
		}
		changes, err := resource.Watch(context.WithoutCancel(ctx), metav1.ListOptions{})
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		var reading sync.WaitGroup
		reading.Go(func() { v.read(changes) })
		ginkgo.DeferCleanup(func() {
			changes.Stop()
			reading.Wait()
		})
	}
	return v
}

func (v *Verdicts) read(changes watch.Interface) {
	defer ginkgo.GinkgoRecover()
	for change := range changes.ResultChan() {
		o, ok := change.Object.(*unstructured.Unstructured)
		if !ok || change.Type == watch.Deleted {
			continue
		}
		result, err := status.Compute(o)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		v.mu.Lock()
		of := v.seen[o.GetUID()]
		if n := len(of.inTurn); n == 0 || of.inTurn[n-1] != result.Status.String() {
			of.inTurn = append(of.inTurn, result.Status.String())
		}
		of.version = o.GetResourceVersion()
		v.seen[o.GetUID()] = of
		v.mu.Unlock()
	}
}

// On are the verdicts on an object in turn, without repeats, up to its present version.
func (v *Verdicts) On(ctx context.Context, o client.Object) func() (string, error) {
	return func() (string, error) {
		if err := v.client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return "", err
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		seen := v.seen[o.GetUID()]
		if seen.version != o.GetResourceVersion() {
			return "", fmt.Errorf("resourceVersion %s was not seen yet", o.GetResourceVersion())
		}
		return strings.Join(seen.inTurn, " "), nil
	}
}
