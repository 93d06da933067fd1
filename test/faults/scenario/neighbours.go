// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

const (
	// neighbourInterval is how often a neighbour writes.
	neighbourInterval = 250 * time.Millisecond
	// neighbourEdits is how many times a neighbour edits an object, and edits it back.
	neighbourEdits = 3
	// NeighbourText is the content of an Alert that a neighbour edits.
	NeighbourText = "a neighbour has edited this"
)

// ActAsNeighbour does what a fault of neighbours says, until it is done or ctx ends.
func (e *Environment) ActAsNeighbour(ctx context.Context, kind string) {
	switch kind {
	case proxy.NamespaceDeleted:
		e.deleteNamespace(ctx)
	case proxy.NeighbourLabels:
		for n := 0; ctx.Err() == nil; n++ {
			e.labelAll(ctx, n)
			proxy.Sleep(ctx, neighbourInterval)
		}
	case proxy.NeighbourApplies:
		for ctx.Err() == nil {
			e.applyAll(ctx)
			proxy.Sleep(ctx, neighbourInterval)
		}
	case proxy.NeighbourEdits:
		for range neighbourEdits {
			restore := e.editAll(ctx)
			proxy.Sleep(ctx, neighbourInterval)
			restore()
			proxy.Sleep(ctx, neighbourInterval)
		}
	}
}

// deleteNamespace deletes the namespace of the user, and ends the steps.
func (e *Environment) deleteNamespace(ctx context.Context) {
	if err := e.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}}); client.IgnoreNotFound(err) != nil {
		e.Reportf("deleting the namespace: %v", err)
	}
	e.hasEndedEarly.Store(true)
	e.endSteps()
}

// HasEndedEarly reports whether the namespace is deleted, so that the steps have ended.
func (e *Environment) HasEndedEarly() bool { return e.hasEndedEarly.Load() }

// labelAll writes a label and an annotation on each object, and on the namespace.
func (e *Environment) labelAll(ctx context.Context, n int) {
	all, err := e.Objects()
	if err != nil {
		return // the API server is not available
	}
	tick := fmt.Sprintf(`{"neighbour.example/tick":"%d"}`, n)
	change := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":`+tick+`,"annotations":`+tick+`}}`))
	for _, o := range append(all, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}}) {
		if err := e.Client.Patch(ctx, o, change); client.IgnoreNotFound(err) != nil && ctx.Err() == nil && !isBroken(err) {
			e.Reportf("a neighbour could not label %s: %v", o.GetName(), err)
		}
	}
}

// applyAll applies the spec of each object of our groups as it is, as GitOps tools do.
func (e *Environment) applyAll(ctx context.Context) {
	all, err := e.Objects()
	if err != nil {
		return // the API server is not available
	}
	for _, o := range all {
		manifest, err := manifestOf(o, e.Client.Scheme())
		if err != nil || manifest == nil {
			continue
		}
		err = e.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(manifest), client.FieldOwner("neighbour"), client.ForceOwnership)
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) && ctx.Err() == nil && !isBroken(err) { // a conflict: it has changed meanwhile
			e.Reportf("a neighbour could not apply %s: %v", o.GetName(), err)
		}
	}
}

// manifestOf returns the manifest of an object that has a spec; nil: it has none, or is deleted.
func manifestOf(o client.Object, scheme *runtime.Scheme) (*unstructured.Unstructured, error) {
	gvk, err := apiutil.GVKForObject(o, scheme)
	if err != nil || o.GetDeletionTimestamp() != nil {
		return nil, err
	}
	whole, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil || whole["spec"] == nil {
		return nil, err
	}
	manifest := &unstructured.Unstructured{Object: map[string]any{"spec": whole["spec"]}}
	manifest.SetGroupVersionKind(gvk)
	manifest.SetNamespace(o.GetNamespace())
	manifest.SetName(o.GetName())
	manifest.SetUID(o.GetUID())
	manifest.SetResourceVersion(o.GetResourceVersion())
	return manifest, nil
}

// editAll edits each object whose spec a user may edit, and returns a function that edits back what no other user has edited since.
func (e *Environment) editAll(ctx context.Context) (restore func()) {
	all, err := e.Objects()
	if err != nil {
		return func() {} // the API server is not available
	}
	var restores []func()
	for _, o := range all {
		var undo func() bool // changes the object back, if it still has the edit
		switch o := o.(type) {
		case *pagerv1beta1.Alert:
			if o.Labels[pagerv1beta1.AlertSourceLabel] == "" && o.Annotations[pagerv1beta1.PagedResourceAnnotation] == "" { // those are not a user's
				undo = replace(&o.Spec.Content, NeighbourText)
			}
		case pagerv1beta1.ReceiverObject:
			undo = replace(&o.Common().TimeoutSeconds, o.Common().TimeoutSeconds+1)
		case *v1beta1.ServiceInstance:
			undo = replaceParameters(&o.Spec.Parameters)
		}
		if undo == nil || o.GetDeletionTimestamp() != nil || e.Client.Update(ctx, o) != nil {
			continue
		}
		restores = append(restores, func() { e.undo(ctx, o, undo) })
	}
	return func() {
		for _, restore := range restores {
			restore()
		}
	}
}

// undo edits an object back.
func (e *Environment) undo(ctx context.Context, o client.Object, undo func() bool) {
	e.await("a neighbour edits "+o.GetName()+" back", func() error {
		if err := e.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil || !undo() {
			return client.IgnoreNotFound(err)
		}
		return client.IgnoreNotFound(e.Client.Update(ctx, o))
	})
}

// replace sets a value, and returns a function that sets it back if it was not changed since.
func replace[T comparable](value *T, by T) (undo func() bool) {
	before := *value
	*value = by
	return func() bool {
		isUnchanged := *value == by
		if isUnchanged {
			*value = before
		}
		return isUnchanged
	}
}

// replaceParameters is replace for parameters.
func replaceParameters(value **runtime.RawExtension) (undo func() bool) {
	before, by := *value, map[string]any{}
	if before != nil && json.Unmarshal(before.Raw, &by) != nil {
		return nil
	}
	by["neighbour"] = true
	text, err := json.Marshal(by)
	if err != nil {
		return nil
	}
	*value = &runtime.RawExtension{Raw: text}
	return func() bool {
		now := cmp.Or(*value, &runtime.RawExtension{})
		isUnchanged := string(now.Raw) == string(text)
		if isUnchanged {
			*value = before
		}
		return isUnchanged
	}
}
