// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package patch writes to exactly the object that was read: to no later version of it, and to no object created again under its
// name.
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

	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// maxRefusal bounds the API server's message in a RefusedError, in bytes: it has the text of a webhook or policy.
const maxRefusal = 1024

// RefusedError says that the API server refuses to change the finalizers of an object, as an admission policy or webhook has it do.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string {
	return "the API server refuses to change the finalizers: " + redact.NewRedactor().Clean(e.Err.Error(), maxRefusal)
}

// Unwrap returns the error of the API server.
func (e *RefusedError) Unwrap() error { return e.Err }

// ErrStale means that the object was changed or replaced since it was read. Nothing was written; the watch will bring the new
// version.
var ErrStale = errors.New("the object has changed since it was read")

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// guarded returns a JSON patch that applies only to obj as it was read. A merge patch of /status ignores the UID, and would apply
// to an object created again under the name.
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

// Status replaces the status of obj, and sets obj to the API server's answer. Errors: ErrStale, NotFound, and others of the API server.
func Status(ctx context.Context, c client.Client, obj client.Object, status any) error {
	patch, err := guarded(obj, operation{"add", "/status", status})
	if err != nil {
		return err
	}
	return staleOr(c.Status().Patch(ctx, obj, patch))
}

// AddFinalizer adds the finalizer to obj. It returns the errors of Status, and RefusedError.
func AddFinalizer(ctx context.Context, c client.Client, obj client.Object, finalizer string) error {
	return setFinalizers(ctx, c, obj, append(slices.Clone(obj.GetFinalizers()), finalizer))
}

// RemoveFinalizer removes the finalizer from obj. It returns the errors of Status, and RefusedError.
func RemoveFinalizer(ctx context.Context, c client.Client, obj client.Object, finalizer string) error {
	rest := slices.DeleteFunc(slices.Clone(obj.GetFinalizers()), func(f string) bool { return f == finalizer })
	return setFinalizers(ctx, c, obj, rest)
}

func setFinalizers(ctx context.Context, c client.Client, obj client.Object, finalizers []string) error {
	patch, err := guarded(obj, operation{"add", "/metadata/finalizers", finalizers})
	if err != nil {
		return err
	}
	err = staleOr(c.Patch(ctx, obj, patch))
	return RefusedOr(err)
}

// RefusedOr returns a RefusedError where the error of a write of finalizers is a refusal, and err otherwise. A webhook that cannot be called refuses
// the write as long as it is away.
func RefusedOr(err error) error {
	if IsRefusal(err) || isWebhookAway(err) {
		return &RefusedError{err}
	}
	return err
}

// Delete deletes obj if it has not changed since it was read. Later reads do not wait until the cache shows the deletion: if the
// name is created again and the cache relists, it shows an update instead of a deletion, and reads would wait for ever. Errors: Conflict, NotFound,
// and others of the API server.
func Delete(ctx context.Context, c client.Client, obj client.Object) error {
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	return c.Delete(ctx, obj, client.Preconditions{UID: &uid, ResourceVersion: &version}, client.DisableReadYourWritesConsistency)
}

// staleOr returns ErrStale for a failed test operation or a conflict, and err otherwise. The API server answers a failed test with
// 422, as it does for an invalid object, but without causes and with a message of its own.
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

// testFailed is the message of apimachinery's NewGenericServerResponse for 422.
const testFailed = "the server rejected our request due to an error in our request"
