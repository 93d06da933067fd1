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

// replaceKilled has another process take over from each that is killed.
func (r *run) replaceKilled(ctx context.Context, f fault) {
	for now := &f; now != nil && now.hasSuccessor(); now = now.then {
		crashed := r.injector.killSignal()
		if now.kind == deposed {
			r.replaceDeposed(ctx, now)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-crashed.fired:
		}
		r.injector.nextProcess()
		if err := r.takeOver(ctx, now); err != nil {
			r.env.reportf("starting the operator again: %v", err)
			return
		}
	}
}

func (r *run) takeOver(ctx context.Context, f *fault) error {
	if f.kind == standby {
		r.setLeader(r.standby)
		r.showLater(r.injector.unfreeze)
		return r.releaseLease(ctx)
	}
	next, err := r.startProcess(ctx, false, r.injector.takeStaleVersion())
	if err != nil {
		return err
	}
	r.setLeader(next)
	return nil
}

// showLater lets a process see after a while what it was not shown, which may give it
// something to do.
func (r *run) showLater(show func()) {
	r.injector.expectWork(time.Now().Add(2*faultDuration + maxCatchUpDelay + time.Second/2))
	time.AfterFunc(2*faultDuration, show)
}

// releaseLease lets the one who stands by lead at once.
func (r *run) releaseLease(ctx context.Context) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { // a renewal may still be on its way
		lease := &coordinationv1.Lease{}
		if err := r.cluster.client.Get(ctx, r.leaseName(), lease); err != nil {
			return err
		}
		lease.Spec.HolderIdentity = new("")
		return r.cluster.client.Update(ctx, lease)
	})
}

func (r *run) leaseName() client.ObjectKey {
	return client.ObjectKey{Namespace: r.env.operatorNamespace, Name: "bellhop.gophernetes.io"}
}

// leaseHolder is who has the lease; "": nobody.
func (r *run) leaseHolder(ctx context.Context) string {
	lease := &coordinationv1.Lease{}
	if r.cluster.client.Get(ctx, r.leaseName(), lease) != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// replaceDeposed waits until another leads and has done what it can. A late removal may find a later life under its id, so it comes after that.
func (r *run) replaceDeposed(ctx context.Context, f *fault) {
	select {
	case <-ctx.Done():
		return
	case <-r.injector.whenDeposed():
	}
	first, end := r.leaseHolder(ctx), time.Now().Add(deadline)
	for now := first; now == "" || now == first; now = r.leaseHolder(ctx) {
		if sleep(ctx, 100*time.Millisecond); ctx.Err() != nil || time.Now().After(end) {
			r.env.reportf("no other process leads")
			break
		}
	}
	r.setLeader(r.standby)
	if f.isBrokerDelete() {
		select {
		case <-ctx.Done():
			return
		case <-r.stepsDone.fired:
			end = time.Now().Add(deadline)
		}
	}
	for sleep(ctx, faultDuration); ctx.Err() == nil && r.injector.idleTime() < faultDuration && time.Now().Before(end); {
		sleep(ctx, 50*time.Millisecond)
	}
	r.injector.releaseDelayedCall()
}
