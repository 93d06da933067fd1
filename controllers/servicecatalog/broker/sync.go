// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/panics"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

const (
	// maxWrites bounds the concurrent writes of classes and plans of a broker.
	maxWrites = 8
	// maxFailures is the number of failed writes after which a sync writes no more objects.
	maxFailures = 100
)

// catalogWriter writes the classes and plans of brokers.
type catalogWriter struct {
	catalogsync.Kinds
	client     client.Client
	index      index.Index // shows this process's own writes
	leadership *leadership.Lease
}

// readExisting returns the classes and plans of a broker that exist.
func (w catalogWriter) readExisting(ctx context.Context, b v1beta1.Broker) (existing catalogsync.Existing, err error) {
	classes, err := w.index.Classes(ctx, b)
	if err != nil {
		return existing, fmt.Errorf("listing %s: %w", w.ClassKind(), err)
	}
	plans, err := w.index.Plans(ctx, b)
	if err != nil {
		return existing, fmt.Errorf("listing %s: %w", w.PlanKind(), err)
	}
	return catalogsync.Existing{Classes: byName(classes), Plans: byName(plans)}, nil
}

func byName[T client.Object](list []T) map[string]T {
	named := make(map[string]T, len(list))
	for _, o := range list {
		named[o.GetName()] = o
	}
	return named
}

// sync writes the changes that lead to the desired classes and plans, and returns a text for each object that could not be written.
//
// A class is created after all its plans, once the cache shows them: with only one of them, admission would default to it.
func (w catalogWriter) sync(ctx context.Context, b v1beta1.Broker, desired catalogsync.Desired, existing catalogsync.Existing) ([]string, error) {
	plans := catalogsync.Diff(existing.Plans, desired.Plans, desired.KeptPlans, w.IsOurs)
	classes := catalogsync.Diff(existing.Classes, desired.Classes, desired.KeptClasses, w.IsOurs)
	failed := failures{leadership: w.leadership}
	var early []v1beta1.Class
	writeChanges(ctx, w, plans, &failed)
	if len(plans.Create) > 0 {
		seen, err := w.index.Plans(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("waiting for plans to be in the cache: %w", err)
		}
		classes.Create, early = complete(classes.Create, plans.Create, byName(seen), &failed)
	}
	writeChanges(ctx, w, classes, &failed)
	forEach(ctx, classes.SetRemoved, &failed, w.setRemoved(true))
	forEach(ctx, plans.SetRemoved, &failed, w.setRemoved(true))
	for _, class := range early {
		failed.add(class, errTooEarly)
	}
	return failed.list, w.leadership.Stopping(ctx) // the next leader may have read a later catalog
}

// complete returns the classes whose plans the cache shows, except for plans that the API server refuses. The others are created by
// the next sync.
func complete(classes []v1beta1.Class, plans []v1beta1.Plan, seen map[string]v1beta1.Plan, failed *failures) (ready, early []v1beta1.Class) {
	lacks := map[string]bool{}
	for _, plan := range plans {
		if seen[plan.GetName()] == nil && !failed.refused[plan] {
			lacks[plan.ClassName()] = true
		}
	}
	for _, class := range classes {
		if lacks[class.GetName()] {
			early = append(early, class)
		} else {
			ready = append(ready, class)
		}
	}
	return ready, early
}

// errTooEarly is about a class whose plans the cache does not show yet.
var errTooEarly = errors.New("not all of its plans exist yet")

// writeChanges creates and updates objects.
func writeChanges[T client.Object](ctx context.Context, w catalogWriter, changes catalogsync.Changes[T], failed *failures) {
	forEach(ctx, changes.Create, failed, func(ctx context.Context, o client.Object) error { return w.client.Create(ctx, o) })
	forEach(ctx, changes.Update, failed, func(ctx context.Context, o client.Object) error { return w.client.Update(ctx, o) })
	forEach(ctx, changes.ClearRemoved, failed, w.setRemoved(false))
}

// setRemoved returns a function that records in the status of a class or plan whether it was removed from the catalog.
func (w catalogWriter) setRemoved(removed bool) func(context.Context, client.Object) error {
	return func(ctx context.Context, o client.Object) error {
		return patch.Status(ctx, w.client, o, v1beta1.ServiceClassStatus{RemovedFromBrokerCatalog: removed})
	}
}

// deleteUnused deletes the classes and plans that were removed from the catalog and that no instance has or may return to; a class after
// its plans. It returns the number of objects that were to be deleted.
func (w catalogWriter) deleteUnused(ctx context.Context, existing catalogsync.Existing) (int, error) {
	var plans, classes []client.Object
	ofClass := map[string]int{}
	for _, plan := range existing.Plans {
		ofClass[plan.ClassName()]++
		if !*catalogsync.RemovedFlag(plan) || !plan.GetDeletionTimestamp().IsZero() {
			continue
		}
		used, err := w.index.PlanInUse(ctx, plan)
		if err != nil {
			return 0, fmt.Errorf("looking up who uses %s %s: %w", w.PlanKind(), plan.GetName(), err)
		}
		if !used {
			plans = append(plans, plan)
			ofClass[plan.ClassName()]--
		}
	}
	for _, class := range existing.Classes {
		if !*catalogsync.RemovedFlag(class) || !class.GetDeletionTimestamp().IsZero() || ofClass[class.GetName()] > 0 {
			continue
		}
		used, err := w.index.ClassInUse(ctx, class)
		if err != nil {
			return 0, fmt.Errorf("looking up who uses %s %s: %w", w.ClassKind(), class.GetName(), err)
		}
		if !used {
			classes = append(classes, class)
		}
	}
	return len(plans) + len(classes), w.deleteObjects(ctx, plans, classes)
}

// deleteAll deletes all classes and plans that come from the catalog.
func (w catalogWriter) deleteAll(ctx context.Context, existing catalogsync.Existing) error {
	var plans, classes []client.Object
	for _, plan := range existing.Plans {
		if w.IsOurs(plan) && plan.GetDeletionTimestamp().IsZero() {
			plans = append(plans, plan)
		}
	}
	for _, class := range existing.Classes {
		if w.IsOurs(class) && class.GetDeletionTimestamp().IsZero() {
			classes = append(classes, class)
		}
	}
	return w.deleteObjects(ctx, plans, classes)
}

func (w catalogWriter) deleteObjects(ctx context.Context, plans, classes []client.Object) error {
	failed := failures{leadership: w.leadership}
	forEach(ctx, plans, &failed, w.delete)
	if failed.first == nil { // a class is deleted after its plans
		forEach(ctx, classes, &failed, w.delete)
	}
	return cmp.Or(failed.first, w.leadership.Stopping(ctx)) // some are not deleted
}

func (w catalogWriter) delete(ctx context.Context, o client.Object) error {
	return client.IgnoreNotFound(patch.Delete(ctx, w.client, o))
}

// failures are the writes of a sync that have failed.
type failures struct {
	mu      sync.Mutex
	list    []string
	first   error
	refused map[client.Object]bool // by the API server: a repetition would fail, too

	leadership *leadership.Lease
}

func (f *failures) add(o client.Object, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		f.first = fmt.Errorf("%s %s: %w", kindOf(o), o.GetName(), err)
	}
	if patch.IsRefusal(err) {
		if f.refused == nil {
			f.refused = map[client.Object]bool{}
		}
		f.refused[o] = true
	}
	f.list = append(f.list, fmt.Sprintf("%s %q could not be written: %s", kindOf(o), rules.DisplayName(o.GetName()), writeError(err)))
}

// isFull reports whether the sync is to end.
func (f *failures) isFull() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.list) >= maxFailures
}

// writeError returns the message about a failed write: the API server's about an invalid object, and the reason of other errors.
func writeError(err error) string {
	if patch.IsRefusal(err) {
		return err.Error()
	}
	if reason := apierrors.ReasonForError(err); reason != "" {
		return string(reason)
	}
	return err.Error()
}

// forEach calls do for all objects, with at most maxWrites calls at a time.
func forEach[T client.Object](ctx context.Context, objects []T, failed *failures, do func(context.Context, client.Object) error) {
	var group errgroup.Group
	group.SetLimit(maxWrites)
	for _, o := range objects {
		if failed.leadership.Stopping(ctx) != nil || failed.isFull() {
			break
		}
		group.Go(func() error {
			if err := guarded(ctx, o, do); err != nil {
				failed.add(o, err)
			}
			return nil
		})
	}
	_ = group.Wait() // failed has the errors
}

// guarded calls do in a goroutine of its own, where a panic would end the process.
func guarded(ctx context.Context, o client.Object, do func(context.Context, client.Object) error) (err error) {
	defer panics.Recover(ctx, panics.Cluster, "writing a class or plan", &err)
	return do(ctx, o)
}

// kindOf returns the kind of a class or plan.
func kindOf(o client.Object) string {
	if _, ok := o.(v1beta1.Class); ok {
		return catalog.ScopeOf(o).ClassKind()
	}
	return catalog.ScopeOf(o).PlanKind()
}
