// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Metadata returns an empty PartialObjectMetadata of a core kind, to read the metadata cache into.
func Metadata(kind string) *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return meta
}

// IsTerminating reports whether a cache shows that a namespace is being deleted, with all that is in it. It is false for the empty name, the
// namespace of cluster-scoped objects.
func IsTerminating(ctx context.Context, cache client.Reader, name string) bool {
	namespace := Metadata("Namespace")
	return name != "" && cache.Get(ctx, types.NamespacedName{Name: name}, namespace, client.UnsafeDisableDeepCopy) == nil && !namespace.DeletionTimestamp.IsZero()
}

// ReadTerminating reads whether a namespace is being deleted, or was. An error is the API server's.
func ReadTerminating(ctx context.Context, live client.Reader, name string) (bool, error) {
	namespace := Metadata("Namespace")
	if err := live.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}
