// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Metadata is how a process knows which Secrets exist, and in which version. It reads their metadata, and everything else from the cache.
type Metadata interface {
	// Reader shows of a Secret its name, UID and resource version. An error is ErrBusy while that is not known yet.
	client.Reader
	// Changes is a source of a controller. It reconciles the dependents of a Secret that was created, replaced, edited or deleted.
	Changes(dependents handler.MapFunc) source.Source
	// ReadSoon has the metadata read again if they were read before a time at which something failed that other credentials may mend.
	ReadSoon(ctx context.Context, secret types.NamespacedName, failed time.Time)
	// ReadNow is ReadSoon for a caller that waits. It reports whether the metadata were read since that time. An error is ErrBusy.
	ReadNow(ctx context.Context, secret types.NamespacedName, failed time.Time) (isRead bool, err error)
	// ReadInterval is between two reads of a Secret. ReadNow is not busy for long if the metadata were last read before. 0: they are up to date.
	ReadInterval() time.Duration
}

var kind = corev1.SchemeGroupVersion.WithKind("Secret")

func newMetadata() *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(kind)
	return meta
}

// isMetadata reports whether an object is for the metadata of a Secret.
func isMetadata(obj client.Object) bool {
	meta, ok := obj.(*metav1.PartialObjectMetadata)
	return ok && meta.GroupVersionKind() == kind
}

// Watched is the Metadata of a process that lists and watches Secrets: its cache is up to date.
type Watched struct{ cache.Cache }

// Changes is the watch.
func (w Watched) Changes(dependents handler.MapFunc) source.Source {
	return source.Kind[client.Object](w.Cache, newMetadata(), handler.EnqueueRequestsFromMapFunc(dependents))
}

// ReadSoon does nothing: the watch shows each version.
func (Watched) ReadSoon(context.Context, types.NamespacedName, time.Time) {}

// ReadNow does nothing: the watch shows each version.
func (Watched) ReadNow(context.Context, types.NamespacedName, time.Time) (bool, error) {
	return false, nil
}

// ReadInterval is 0: the watch shows each version.
func (Watched) ReadInterval() time.Duration { return 0 }

// Assumed is a cache for webhooks of a process that does not watch Secrets, which do not wait for reads: in it each Secret exists.
type Assumed struct{ client.Reader }

// Get gets an object. The metadata of a Secret stay empty.
func (a Assumed) Get(ctx context.Context, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	if isMetadata(obj) {
		return nil
	}
	return a.Reader.Get(ctx, key, obj, options...)
}
