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

package main

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// succeed has another process take over from each that is killed.
func (r *run) succeed(ctx context.Context, f fault) {
	for now := &f; now != nil && now.kills(); now = now.then {
		crashed := r.director.crashed()
		if now.kind == deposed {
			r.depose(ctx, now)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-crashed.fired:
		}
		r.director.follow()
		if err := r.takeOver(ctx, now); err != nil {
			r.world.blame("starting the operator again: %v", err)
			return
		}
	}
}

func (r *run) takeOver(ctx context.Context, f *fault) error {
	if f.kind == standby {
		r.lead(r.backup)
		r.showLater(r.director.unfreeze)
		return r.freeLease(ctx)
	}
	next, err := r.start(ctx, false, r.director.staleAt())
	if err != nil {
		return err
	}
	r.lead(next)
	return nil
}

// showLater lets a process see after a while what it was not shown, which may give it
// something to do.
func (r *run) showLater(show func()) {
	r.director.expect(time.Now().Add(2*patience + maxLag + time.Second/2))
	time.AfterFunc(2*patience, show)
}

// freeLease lets the one who stands by lead at once.
func (r *run) freeLease(ctx context.Context) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { // a renewal may still be on its way
		lease := &coordinationv1.Lease{}
		if err := r.lab.client.Get(ctx, r.leaseName(), lease); err != nil {
			return err
		}
		lease.Spec.HolderIdentity = new("")
		return r.lab.client.Update(ctx, lease)
	})
}

func (r *run) leaseName() client.ObjectKey {
	return client.ObjectKey{Namespace: r.world.home, Name: "bellhop.gophernetes.io"}
}

// holder is who has the lease; "": nobody.
func (r *run) holder(ctx context.Context) string {
	lease := &coordinationv1.Lease{}
	if r.lab.client.Get(ctx, r.leaseName(), lease) != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// depose waits until another leads and has done what it can. A late removal may find a later life under its id, so it comes after that.
func (r *run) depose(ctx context.Context, f *fault) {
	select {
	case <-ctx.Done():
		return
	case <-r.director.whenDeposed():
	}
	first, end := r.holder(ctx), time.Now().Add(deadline)
	for now := first; now == "" || now == first; now = r.holder(ctx) {
		if wait(ctx, 100*time.Millisecond); ctx.Err() != nil || time.Now().After(end) {
			r.world.blame("no other process leads")
			break
		}
	}
	r.lead(r.backup)
	if f.removes() {
		select {
		case <-ctx.Done():
			return
		case <-r.played.fired:
			end = time.Now().Add(deadline)
		}
	}
	for wait(ctx, patience); ctx.Err() == nil && r.director.idle() < patience && time.Now().Before(end); {
		wait(ctx, 50*time.Millisecond)
	}
	r.director.releaseLate()
}
