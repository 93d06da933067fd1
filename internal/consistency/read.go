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

package consistency

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// firstDoubt and lastDoubt bound how long a cache is waited for before the API server is asked.
const firstDoubt, lastDoubt = 2 * time.Second, 30 * time.Second

// OurWrites is a reader that shows our own writes, as long as that can be waited for. A list
// waits for all of a kind, and after a cache had to list anew it may never learn of a write of
// what has gone since: then what it has is told. Whoever acts on that must not rely on more.
func OurWrites(c, cache client.Reader) client.Reader { return ourWrites{c, cache} }

type ourWrites struct{ client, cache client.Reader }

func (o ourWrites) Get(ctx context.Context, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	return o.read(ctx, func(ctx context.Context, r client.Reader) error { return r.Get(ctx, key, obj, options...) })
}

func (o ourWrites) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return o.read(ctx, func(ctx context.Context, r client.Reader) error { return r.List(ctx, list, options...) })
}

func (o ourWrites) read(ctx context.Context, read func(context.Context, client.Reader) error) error {
	waiting, cancel := context.WithTimeout(ctx, firstDoubt)
	defer cancel()
	if err := read(waiting, o.client); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	return read(ctx, o.cache)
}

// Read is a Get that waits until the cache shows our own last write of the object. An object
// that has gone may never show it: a cache that has to list anew after that write learns
// nothing of its version. So from time to time the API server is asked whether it is there.
// The options are Get's.
func (f *Freshness) Read(ctx context.Context, c client.Reader, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	for doubt := firstDoubt; ; doubt = min(2*doubt, lastDoubt) {
		waiting, cancel := context.WithTimeout(ctx, doubt)
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
