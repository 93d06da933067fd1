// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/kube/keyed"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

const (
	// runsLast is for how long the runs of a namespace count for all its CronJobs.
	runsLast = 5 * time.Second
	// maxRuns is how many runs are kept of all namespaces together; one namespace alone may have more.
	maxRuns = 50_000
	// runsPage is how many Jobs are decoded at once.
	runsPage = 500
)

// runs are the runs of CronJobs. Where many CronJobs of a namespace are looked at, as at the full hour, one list has the runs of all. The zero value
// is ready to use.
type runs struct {
	turns keyed.Semaphores[string] // by namespace

	mu    sync.Mutex
	kept  map[string]*listedRuns // by namespace
	count int
}

// listedRuns are the runs of a namespace.
type listedRuns struct {
	namespace string
	version   string    // up to which they show the API server's state
	until     time.Time // they count
	byOwner   map[types.UID][]healthrules.Run
	count     int
}

// of returns the runs in the namespace of a CronJob, as they are now, or were read less than runsLast before.
func (r *runs) of(ctx context.Context, live client.Reader, now func() time.Time, cronJob *unstructured.Unstructured) (*listedRuns, error) {
	namespace := cronJob.GetNamespace()
	release, err := r.turns.Acquire(ctx, namespace, 1, 1)
	if err != nil {
		return nil, err
	}
	defer release()
	if found := r.find(namespace); found != nil && now().Before(found.until) {
		return found, nil
	}
	listed, err := listRuns(ctx, live, namespace)
	if err != nil {
		return nil, err
	}
	if listed.isBefore(cronJob) { // Jobs are stored elsewhere
		listed.version = cronJob.GetResourceVersion()
	}
	listed.until = now().Add(runsLast)
	r.keep(listed)
	return listed, nil
}

// isBefore reports whether an object is of a later version than the runs, so that its last runs may be missing.
func (l *listedRuns) isBefore(o *unstructured.Unstructured) bool {
	order, err := resourceversion.CompareResourceVersion(l.version, o.GetResourceVersion())
	return err == nil && order < 0
}

func (r *runs) find(namespace string) *listedRuns {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept[namespace]
}

// keep keeps the runs of a namespace as long as they count, or until the runs of other namespaces need the room.
func (r *runs) keep(listed *listedRuns) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(r.kept[listed.namespace])
	for len(r.kept) > 0 && r.count+listed.count > maxRuns {
		r.drop(slices.MinFunc(slices.Collect(maps.Values(r.kept)), func(a, b *listedRuns) int { return a.until.Compare(b.until) }))
	}
	if r.kept == nil {
		r.kept = map[string]*listedRuns{}
	}
	r.kept[listed.namespace] = listed
	r.count += listed.count
	time.AfterFunc(runsLast, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.drop(listed)
	})
}

// drop forgets runs, unless others of the namespace have taken their place. The mutex is locked.
func (r *runs) drop(listed *listedRuns) {
	if listed != nil && r.kept[listed.namespace] == listed {
		delete(r.kept, listed.namespace)
		r.count -= listed.count
	}
}

// startedBy is the annotation that "kubectl create job --from" sets. Such a run says nothing about the schedule.
const startedBy = "cronjob.kubernetes.io/instantiate"

// listRuns reads the runs of a namespace, page by page, and keeps little of each.
func listRuns(ctx context.Context, live client.Reader, namespace string) (*listedRuns, error) {
	listed := &listedRuns{namespace: namespace, byOwner: map[types.UID][]healthrules.Run{}, count: 1}
	for next, more := "", true; more; more = next != "" {
		var page batchv1.JobList
		if err := live.List(ctx, &page, client.InNamespace(namespace), client.Limit(runsPage), client.Continue(next)); err != nil {
			return nil, err
		}
		for i := range page.Items {
			job := &page.Items[i]
			if owner := metav1.GetControllerOf(job); owner != nil && owner.Kind == "CronJob" && job.Annotations[startedBy] != "manual" {
				listed.byOwner[owner.UID] = append(listed.byOwner[owner.UID], healthrules.RunOf(job))
				listed.count++
			}
		}
		next, listed.version = page.Continue, cmp.Or(listed.version, page.ResourceVersion)
	}
	return listed, nil
}
