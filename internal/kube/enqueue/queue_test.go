// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package enqueue

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestWhoIsWokenFirstComesBeforeEvents: what is kept for it would go unused as long as it
// waits behind all that has changed meanwhile.
func TestWhoIsWokenFirstComesBeforeEvents(t *testing.T) {
	queue := priorityqueue.New[reconcile.Request]("test")
	defer queue.ShutDown()
	wake := &Enqueuer{}
	wake.AddFirst(types.NamespacedName{Name: "too-early"}) // it is nobody's yet
	if err := wake.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	named := func(name string) reconcile.Request {
		return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
	}
	for _, changed := range []string{"a", "b", "c"} {
		queue.Add(named(changed))
	}
	wake.Add(named("d").NamespacedName)
	wake.AddFirst(named("e").NamespacedName)
	wake.AddFirst(named("b").NamespacedName)
	for _, want := range []string{"e", "b", "a", "c", "d"} {
		if got, _ := queue.Get(); got.Name != want {
			t.Errorf("%s came, want %s", got.Name, want)
		}
	}
}

// TestRequeueIsATurnLikeAllOthers: who was called to a slot once would else come first ever after.
func TestRequeueIsATurnLikeAllOthers(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		at   time.Time
		want time.Duration
	}{
		"later": {now.Add(time.Minute), time.Minute},
		"now":   {now, time.Millisecond},
		"past":  {now.Add(-time.Minute), time.Millisecond},
	} {
		if got := Requeue(c.at, now); got.RequeueAfter != c.want || got.Priority == nil || *got.Priority != 0 {
			t.Errorf("%s: %+v, want it in %v with priority 0", name, got, c.want)
		}
	}
	if got := Requeue(time.Time{}, now); !got.IsZero() {
		t.Errorf("without a time: %+v, want only what changes to bring it back", got)
	}
}
