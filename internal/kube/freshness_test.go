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

package kube

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// quorum is an API server that lists in pages of one.
type quorum struct {
	client.Reader
	items []metav1.PartialObjectMetadata
	lists int
	fail  error
}

func (q *quorum) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if q.fail != nil {
		return q.fail
	}
	q.lists++
	o := (&client.ListOptions{}).ApplyOptions(opts)
	at := len(o.Continue)
	l := list.(*metav1.PartialObjectMetadataList)
	l.Items, l.ResourceVersion, l.Continue = q.items[at:at+1], "100", ""
	if at+1 < len(q.items) {
		l.Continue = o.Continue + "x"
	}
	return nil
}

func object(uid, version string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), ResourceVersion: version}}
}

func TestAnObjectIsFreshOnceTheCacheShowsWhatTheQuorumDid(t *testing.T) {
	q := &quorum{items: []metav1.PartialObjectMetadata{*object("a", "50"), *object("b", "60")}}
	f := NewFreshness(q, schema.GroupVersionKind{Kind: "Thing"})
	for name, c := range map[string]struct {
		object *metav1.PartialObjectMetadata
		want   bool
	}{
		"as it was listed":           {object("a", "50"), true},
		"from before the last write": {object("a", "49"), false},
		"from before, longer number": {object("b", "7"), false},
		"written since":              {object("b", "101"), true},
		"created since":              {object("c", "101"), true},
		"deleted before":             {object("d", "99"), false},
	} {
		got, err := f.IsFresh(t.Context(), c.object)
		if err != nil || got != c.want {
			t.Errorf("%s: fresh is %v, %v, want %v", name, got, err, c.want)
		}
	}
	if q.lists != 2 {
		t.Errorf("listed %d pages, want each of the two once", q.lists)
	}
}

func TestWithoutAListNothingIsFresh(t *testing.T) {
	q := &quorum{items: []metav1.PartialObjectMetadata{*object("a", "50")}, fail: errors.New("away")}
	f := NewFreshness(q, schema.GroupVersionKind{Kind: "Thing"})
	if fresh, err := f.IsFresh(t.Context(), object("a", "50")); err == nil || fresh {
		t.Errorf("fresh is %v, %v, want an error", fresh, err)
	}
	q.fail = nil
	if fresh, err := f.IsFresh(t.Context(), object("a", "50")); err != nil || !fresh {
		t.Errorf("fresh is %v, %v once the API server is back", fresh, err)
	}
}

func TestWhatIsCreatedAfterTheBeginningIsNew(t *testing.T) {
	q := &quorum{items: []metav1.PartialObjectMetadata{*object("a", "50")}, fail: errors.New("away")}
	q.items[0].Generation = 3
	f := NewFreshness(q, schema.GroupVersionKind{Kind: "Thing"})
	if err := f.Begin(t.Context()); err != nil || q.lists != 0 {
		t.Errorf("%d lists, %v: what is away for a moment is no reason to end", q.lists, err)
	}
	q.fail = nil
	if err := f.Begin(t.Context()); err != nil || q.lists != 1 {
		t.Errorf("%d lists, %v", q.lists, err)
	}
	if before, after := f.Since(object("a", "50")), f.Since(object("b", "60")); before != 3 || after != 0 {
		t.Errorf("generations are %d and %d, want 3 and 0", before, after)
	}
}
