// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// replaceKilled starts a process for each one that is killed.
func (r *Run) replaceKilled(ctx context.Context, f proxy.Fault) {
	for now := &f; now != nil && now.HasSuccessor(); now = now.Then {
		switch now.Kind {
		case proxy.Deposed:
			r.replaceDeposed(ctx, now)
			return
		case proxy.StoppedLeader:
			r.replaceStopped(ctx)
			return
		}
		for range now.Successors() {
			if !r.replaceNext(ctx, now) {
				return
			}
		}
	}
}

// replaceNext waits until the process is killed, and starts another one. It returns false where that is not possible any more.
func (r *Run) replaceNext(ctx context.Context, f *proxy.Fault) bool {
	select {
	case <-ctx.Done():
		return false
	case <-r.Injector.KillSignal().Done:
	}
	r.Injector.NextProcess()
	if err := r.takeOver(ctx, f); err != nil {
		r.Env.Reportf("starting the operator again: %v", err)
		return false
	}
	return true
}

// takeOver makes the standby, or a new process, the leader.
func (r *Run) takeOver(ctx context.Context, f *proxy.Fault) error {
	if r.hasReplicas {
		return r.replaceReplica(ctx)
	}
	if f.Kind == proxy.Standby {
		r.SetLeader(r.standby)
		r.showLater(r.Injector.Unfreeze)
		return r.releaseLease(ctx)
	}
	next, err := r.StartProcess(ctx, ProcessOptions{Binary: r.Cluster.Successor, AsOf: r.Injector.TakeStaleVersion()})
	if err != nil {
		return err
	}
	r.SetLeader(next)
	return nil
}

// replaceReplica starts a process for the replica that was killed. If that one led, the other one does from now on.
func (r *Run) replaceReplica(ctx context.Context) error {
	if first := r.leaseHolder(ctx); r.currentLeader().hasEnded() {
		r.SetLeader(r.standby)
		if err := r.releaseLease(ctx); err != nil {
			return err
		}
		for end := time.Now().Add(scenario.Deadline); r.leaseHolder(ctx) == "" || r.leaseHolder(ctx) == first; proxy.Sleep(ctx, 50*time.Millisecond) {
			if ctx.Err() != nil || time.Now().After(end) {
				return errors.New("the other replica does not lead")
			}
		}
	}
	next, err := r.StartProcess(ctx, ProcessOptions{Binary: r.Cluster.Successor, AsOf: r.Injector.TakeStaleVersion(), Elect: true, Flags: r.replicaFlags()})
	if err != nil {
		return err
	}
	r.setStandby(next)
	return nil
}

// showLater ends a stale view after a while, which may give the process something to do.
func (r *Run) showLater(show func()) {
	r.Injector.ExpectWork(time.Now().Add(2*proxy.FaultDuration + proxy.MaxCatchUpDelay + time.Second/2))
	time.AfterFunc(2*proxy.FaultDuration, show)
}

// releaseLease lets the standby lead at once.
func (r *Run) releaseLease(ctx context.Context) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { // a renewal may be in flight
		lease := &coordinationv1.Lease{}
		if err := r.Cluster.Client.Get(ctx, r.leaseName(), lease); err != nil {
			return err
		}
		lease.Spec.HolderIdentity = new("")
		return r.Cluster.Client.Update(ctx, lease)
	})
}

// leaseName returns the name of the lease.
func (r *Run) leaseName() client.ObjectKey {
	return client.ObjectKey{Namespace: r.Env.OperatorNamespace, Name: "bellhop.gophernetes.io"}
}

// leaseHolder returns the identity that holds the lease; "": none.
func (r *Run) leaseHolder(ctx context.Context) string {
	lease := &coordinationv1.Lease{}
	if r.Cluster.Client.Get(ctx, r.leaseName(), lease) != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// replaceDeposed waits until another process leads and is idle, and then lets the delayed call of the deposed one be carried out. A delayed
// DELETE could remove a resource that the new leader creates under the same id, which no client of a broker can prevent: it is held until the steps
// have ended, or, if they use the id again, carried out before another process leads.
func (r *Run) replaceDeposed(ctx context.Context, f *proxy.Fault) {
	select {
	case <-ctx.Done():
		return
	case <-r.Injector.WhenDeposed():
	}
	if f.IsBrokerDelete() && r.reusesID {
		r.Injector.ReleaseDelayedCall()
	}
	end := r.waitForStandby(ctx)
	if f.IsBrokerDelete() && !r.reusesID {
		select {
		case <-ctx.Done():
			return
		case <-r.stepsDone.Done:
			end = time.Now().Add(scenario.Deadline)
		}
	}
	for proxy.Sleep(ctx, proxy.FaultDuration); ctx.Err() == nil && r.Injector.IdleTime() < proxy.FaultDuration && time.Now().Before(end); {
		proxy.Sleep(ctx, 50*time.Millisecond)
	}
	r.Injector.ReleaseDelayedCall()
}

// replaceStopped waits until another process leads. The stopped one ends once it runs again.
func (r *Run) replaceStopped(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-r.Injector.WhenHappened():
		r.waitForStandby(ctx)
	}
}

// waitForStandby waits until the standby is elected, and makes it the leader. It returns when its deadline is.
func (r *Run) waitForStandby(ctx context.Context) (end time.Time) {
	first, end := r.leaseHolder(ctx), time.Now().Add(scenario.Deadline)
	for now := first; now == "" || now == first; now = r.leaseHolder(ctx) {
		if proxy.Sleep(ctx, 100*time.Millisecond); ctx.Err() != nil || time.Now().After(end) {
			r.Env.Reportf("no other process leads")
			break
		}
	}
	r.SetLeader(r.standby)
	return end
}
