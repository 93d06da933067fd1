// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package consistency

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// firstProbe and lastProbe bound how long a read waits for the cache before it asks the API server.
const firstProbe, lastProbe = 2 * time.Second, 30 * time.Second

// ReadYourWrites returns a reader that waits up to firstProbe until the cache shows this process's own writes, and then reads from the cache. A list
// waits for the writes of all objects of its kind; after a relist the cache may never show the write of an object that was deleted since, so that the
// wait has to end. Callers must tolerate an older state.
func ReadYourWrites(c, cache client.Reader) client.Reader { return ourWrites{c, cache} }

type ourWrites struct{ client, cache client.Reader }

func (o ourWrites) Get(ctx context.Context, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	return o.read(ctx, func(ctx context.Context, r client.Reader) error { return r.Get(ctx, key, obj, options...) })
}

func (o ourWrites) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return o.read(ctx, func(ctx context.Context, r client.Reader) error { return r.List(ctx, list, options...) })
}

func (o ourWrites) read(ctx context.Context, read func(context.Context, client.Reader) error) error {
	waiting, cancel := context.WithTimeout(ctx, firstProbe)
	defer cancel()
	if err := read(waiting, o.client); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	return read(ctx, o.cache)
}

// Read is a Get that waits until the cache shows this process's last write of the object. After a relist the cache may never show
// the last write of an object that was deleted since; Read therefore asks the API server every few seconds, and returns NotFound
// if the object does not exist. options are passed to Get.
func (f *ObjectFreshness) Read(ctx context.Context, c client.Reader, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	for interval := firstProbe; ; interval = min(2*interval, lastProbe) {
		waiting, cancel := context.WithTimeout(ctx, interval)
		err := c.Get(waiting, key, obj, options...)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return err
		}
		if err := f.probe(ctx, key); apierrors.IsNotFound(err) {
			return err
		}
	}
}
