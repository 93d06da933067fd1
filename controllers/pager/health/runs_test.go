// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// jobLists is an API server with a Job of each CronJob in each namespace.
type jobLists struct {
	client.Reader

	mu      sync.Mutex
	version string
	lists   int
	jobs    int // of a namespace
}

func (l *jobLists) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	time.Sleep(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := (&client.ListOptions{}).ApplyOptions(options)
	first := 0
	if asked.Continue == "" {
		l.lists++
	} else {
		first, _ = strconv.Atoi(asked.Continue)
	}
	page := into.(*batchv1.JobList)
	page.ResourceVersion = l.version
	for i := first; i < min(l.jobs, first+int(asked.Limit)); i++ {
		owner := metav1.OwnerReference{Kind: "CronJob", UID: uidOf(asked.Namespace, i), Controller: new(true)}
		scheduled := metav1.ObjectMeta{Name: fmt.Sprint(i), OwnerReferences: []metav1.OwnerReference{owner}}
		manual := *scheduled.DeepCopy()
		manual.Annotations = map[string]string{startedBy: "manual"}
		page.Items = append(page.Items, batchv1.Job{ObjectMeta: scheduled}, batchv1.Job{ObjectMeta: manual})
	}
	if next := first + int(asked.Limit); next < l.jobs {
		page.Continue = strconv.Itoa(next)
	}
	return nil
}

func uidOf(namespace string, i int) types.UID { return types.UID(fmt.Sprintf("%s/%d", namespace, i)) }

// delays is a queue that records what is added after a time.
type delays struct {
	workqueue.TypedRateLimitingInterface[request]

	mu sync.Mutex
	of map[string]time.Duration
}

func (d *delays) AddAfter(req request, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of[req.Name] = after
}

// activeCronJob is one of which a run is active.
func activeCronJob(namespace string, i int, version string) *situation {
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "batch/v1", "kind": "CronJob",
		"metadata": map[string]any{"namespace": namespace, "name": fmt.Sprint(i), "uid": string(uidOf(namespace, i)), "resourceVersion": version},
		"status":   map[string]any{"lastScheduleTime": "2026-01-01T00:00:00Z", "active": []any{map[string]any{"kind": "Job"}}},
	}}
	return &situation{req: request{Namespace: namespace, Name: fmt.Sprint(i)}, object: o}
}

// One list has the runs of all CronJobs of a namespace, in whatever number they are looked at, for some seconds.
func TestRunsAreListedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cronJobs = 1200
		live, queue := &jobLists{version: "50", jobs: cronJobs}, &delays{of: map[string]time.Duration{}}
		r := &Reconciler{live: live, now: time.Now, objects: &objects{queue: queue}}
		lookAtAll := func(version string, areOld bool) {
			t.Helper()
			var all sync.WaitGroup
			for i := range cronJobs {
				all.Go(func() {
					e, err := r.evidence(t.Context(), activeCronJob("shop", i, version))
					if err != nil || len(e.Runs) != 1 || e.Runs[0].Name != fmt.Sprint(i) || e.AreRunsOld != areOld {
						t.Errorf("CronJob %d has %+v, old: %t, %v", i, e.Runs, e.AreRunsOld, err)
					}
				})
			}
			all.Wait()
		}
		lookAtAll("49", false)
		lookAtAll("50", false)
		if live.lists != 1 || len(queue.of) != 0 {
			t.Errorf("%d lists, and %d CronJobs are looked at again", live.lists, len(queue.of))
		}
		lookAtAll("51", true)
		if live.lists != 1 || len(queue.of) != cronJobs || queue.of["7"] <= 0 || queue.of["7"] > runsLast {
			t.Errorf("%d lists; %d CronJobs are looked at again, one after %s", live.lists, len(queue.of), queue.of["7"])
		}
		live.version = "60"
		time.Sleep(queue.of["7"])
		lookAtAll("51", false)
		if live.lists != 2 {
			t.Errorf("%d lists", live.lists)
		}
		time.Sleep(runsLast)
		synctest.Wait()
		if len(r.runs.kept) != 0 || r.runs.count != 0 || r.runs.turns.Len() != 0 {
			t.Errorf("%d lists of %d runs, and %d semaphores are kept", len(r.runs.kept), r.runs.count, r.runs.turns.Len())
		}
	})
}

// The runs of many namespaces are kept as far as there is room.
func TestRunsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := &jobLists{version: "50", jobs: maxRuns / 4}
		var r runs
		for i := range 10 {
			if _, err := r.of(t.Context(), live, time.Now, activeCronJob(fmt.Sprint(i), 0, "1").object); err != nil {
				t.Fatal(err)
			}
			if len(r.kept) > 3 || r.kept[fmt.Sprint(i)] == nil {
				t.Fatalf("%d lists are kept after %d", len(r.kept), i+1)
			}
		}
		live.jobs = maxRuns + 1
		for range 2 {
			if _, err := r.of(t.Context(), live, time.Now, activeCronJob("large", 0, "1").object); err != nil {
				t.Fatal(err)
			}
		}
		if live.lists != 11 || len(r.kept) != 1 {
			t.Errorf("%d lists, of which %d are kept", live.lists, len(r.kept))
		}
	})
}
