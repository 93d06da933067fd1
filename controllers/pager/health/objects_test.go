// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"

	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// A resource that the flag names without a version is read in another one once the former is not served any more.
func TestVersionThatIsNotServedAnyMore(t *testing.T) {
	houses := schema.GroupResource{Group: "example.com", Resource: "houses"}
	former, present := houses.WithVersion("v1beta1"), houses.WithVersion("v1")
	api := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{former: "HouseList", present: "HouseList"})
	api.PrependReactor("list", "houses", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return action.GetResource() == former, nil, apierrors.NewNotFound(houses, "")
	})
	preferred := former
	newMapper := func() (meta.RESTMapper, error) {
		mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{preferred.GroupVersion()})
		mapper.Add(preferred.GroupVersion().WithKind("House"), meta.RESTScopeNamespace)
		return mapper, nil
	}
	failures, err := newFailures(prometheus.NewRegistry(), events.NewFakeRecorder(10), leaseOf("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	all := newObjects(api, newMapper, failures, []healthrules.Watched{{GroupVersionResource: houses.WithVersion("")}}, nil)
	all.queue = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[request]())

	if err := all.startFound(t.Context(), houses); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		all.mu.Lock()
		defer all.mu.Unlock()
		return all.kinds[houses].informers == nil
	})
	preferred = present
	if err := all.startFound(t.Context(), houses); err != nil {
		t.Fatal(err)
	}
	if got := all.version(houses); got != present {
		t.Errorf("reads %s", got)
	}
	eventually(t, func() bool {
		_, isKnown, err := all.get(t.Context(), request{Resource: houses, Kind: "House", Namespace: "shop", Name: "first", UID: "1"}, time.Time{})
		return isKnown && err == nil
	})
}

// A namespace in which the operator may not read a resource delays no other one, and the Event about it names its Role.
func TestANamespaceThatIsForbidden(t *testing.T) {
	houses := schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "houses"}
	api := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{houses: "HouseList"})
	api.PrependReactor("list", "houses", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return action.GetNamespace() == "closed", nil, apierrors.NewForbidden(houses.GroupResource(), "", nil)
	})
	recorder := events.NewFakeRecorder(10)
	failures, err := newFailures(prometheus.NewRegistry(), recorder, leaseOf("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	all := newObjects(api, nil, failures, []healthrules.Watched{{GroupVersionResource: houses}}, []string{"closed", "open"})
	all.queue = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[request]())
	if err := all.startKind(t.Context(), houses); err != nil {
		t.Fatal(err)
	}
	isKnown := func(namespace string) bool {
		_, isKnown, err := all.get(t.Context(), request{Resource: houses.GroupResource(), Kind: "House", Namespace: namespace, Name: "first", UID: "1"}, time.Time{})
		return isKnown && err == nil
	}
	eventually(t, func() bool { return isKnown("open") && len(recorder.Events) > 0 })
	if isKnown("closed") {
		t.Error("that there is no object in the namespace is known, though it cannot be read")
	}
	if event := <-recorder.Events; !strings.Contains(event, "add to Role bellhop-page-by-label-role in Namespace closed the rule") {
		t.Error(event)
	}
}

func eventually(t *testing.T, isTrue func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return isTrue(), nil })
	if err != nil {
		t.Fatal(err)
	}
}

// A mapper also finds a resource by its singular name, or a part of its group.
func TestAResourceThatTheMapperCompletes(t *testing.T) {
	served := schema.GroupVersion{Group: "example.com", Version: "v1"}
	for name, flag := range map[string]string{"plural": "houses.example.com", "singular": "house.example.com", "prefix of the group": "houses.example"} {
		t.Run(name, func(t *testing.T) {
			watched, err := healthrules.ParseWatched(flag)
			if err != nil {
				t.Fatal(err)
			}
			newMapper := func() (meta.RESTMapper, error) {
				mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{served})
				mapper.Add(served.WithKind("House"), meta.RESTScopeNamespace)
				return mapper, nil
			}
			api := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{served.WithResource("houses"): "HouseList"})
			failures, err := newFailures(prometheus.NewRegistry(), events.NewFakeRecorder(10), leaseOf("a", "b"))
			if err != nil {
				t.Fatal(err)
			}
			last := watched[len(watched)-1:]
			all := newObjects(api, newMapper, failures, last, nil)
			all.queue = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[request]())
			err = all.startFound(t.Context(), last[0].GroupResource())
			if isPlural := name == "plural"; (err == nil) != isPlural || !isPlural && !strings.HasSuffix(err.Error(), "write houses.example.com") {
				t.Errorf("--page-kinds=%s: %v", flag, err)
			}
		})
	}
}
