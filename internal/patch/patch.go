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

// Package kube is the few lines that every reconciler shares: writes that land
// only on the object that was read, and knowing whether a cache can be trusted.
// It knows no kind of ours.
package patch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrStale means that the object was changed or replaced since it was read.
// Nothing was written; an event with the new object is on its way.
var ErrStale = errors.New("the object has changed since it was read")

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// guarded is a JSON patch that lands on obj as it was read and on nothing else.
// A merge patch would take a UID for a change and land on a re-created object.
func guarded(obj client.Object, ops ...operation) (client.Patch, error) {
	data, err := json.Marshal(append([]operation{
		{"test", "/metadata/uid", obj.GetUID()},
		{"test", "/metadata/resourceVersion", obj.GetResourceVersion()},
	}, ops...))
	if err != nil {
		return nil, fmt.Errorf("encoding patch: %w", err)
	}
	return client.RawPatch(types.JSONPatchType, data), nil
}

// PatchStatus replaces the status of obj, which is left as the server answered.
// Errors: ErrStale, NotFound, and what the API server says otherwise.
func PatchStatus(ctx context.Context, c client.Client, obj client.Object, status any) error {
	patch, err := guarded(obj, operation{"add", "/status", status})
	if err != nil {
		return err
	}
	return staleOr(c.Status().Patch(ctx, obj, patch))
}

// AddFinalizer puts the finalizer onto obj. Errors as PatchStatus.
func AddFinalizer(ctx context.Context, c client.Client, obj client.Object, finalizer string) error {
	return setFinalizers(ctx, c, obj, append(slices.Clone(obj.GetFinalizers()), finalizer))
}

// RemoveFinalizer takes the finalizer off obj. Errors as PatchStatus.
func RemoveFinalizer(ctx context.Context, c client.Client, obj client.Object, finalizer string) error {
	rest := slices.DeleteFunc(slices.Clone(obj.GetFinalizers()), func(f string) bool { return f == finalizer })
	return setFinalizers(ctx, c, obj, rest)
}

func setFinalizers(ctx context.Context, c client.Client, obj client.Object, finalizers []string) error {
	patch, err := guarded(obj, operation{"add", "/metadata/finalizers", finalizers})
	if err != nil {
		return err
	}
	return staleOr(c.Patch(ctx, obj, patch))
}

// Delete deletes obj as it was read, and nothing that has changed since. No read waits until the
// cache shows that: where somebody creates the name again, a cache that lists anew shows an update
// and no deletion, and reads would wait for that one for ever. Errors: conflicts, NotFound, and
// what the API server says otherwise.
func Delete(ctx context.Context, c client.Client, obj client.Object) error {
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	return c.Delete(ctx, obj, client.Preconditions{UID: &uid, ResourceVersion: &version}, client.DisableReadYourWritesConsistency)
}

// staleOr tells a failed test from other errors. The API server answers it with
// 422, as it does for an invalid object or one that a policy refuses, but with no
// cause and a message of its own.
func staleOr(err error) error {
	if apierrors.IsConflict(err) {
		return ErrStale
	}
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) {
		return err
	}
	if s := status.Status(); s.Message == testFailed && (s.Details == nil || len(s.Details.Causes) == 0) {
		return ErrStale
	}
	return err
}

// testFailed is what apimachinery's NewGenericServerResponse says with 422.
const testFailed = "the server rejected our request due to an error in our request"
