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

package servicecatalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"github.com/gophernetes/bellhop/internal/redact"
)

// orphan is what a request has made, or may have made, at a broker for an object that was
// gone before that could be recorded.
type orphan struct {
	object client.Object // as it was
	broker brokerKey
	remove osb.RemovalRequest
	// ours: that very request has made it, and under an id of ours.
	ours     bool
	attempts int32
	next     time.Time
	// working is since when the broker removes it, and operation what it calls that.
	working   time.Time
	operation string
}

// orphans are those of a kind, by the names that their objects had.
type orphans struct {
	mu     sync.Mutex
	byName map[types.NamespacedName][]*orphan
}

func newOrphans() *orphans { return &orphans{byName: map[types.NamespacedName][]*orphan{}} }

func (l *orphans) add(name types.NamespacedName, o *orphan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byName[name] = append(l.byName[name], o)
}

func (l *orphans) of(name types.NamespacedName) []*orphan {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.byName[name])
}

func (l *orphans) forget(name types.NamespacedName, o *orphan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byName[name] = slices.DeleteFunc(l.byName[name], func(other *orphan) bool { return other == o })
	if len(l.byName[name]) == 0 {
		delete(l.byName, name)
	}
}

// orphanage removes what requests have made for objects that were gone before that could
// be recorded.
type orphanage struct {
	index       index.Index
	connections *connections
	definition  *definition
	recorder    events.EventRecorder
	clock       clock.PassiveClock
	orphans     *orphans
	wake        func(types.NamespacedName)
	// remove asks a broker for a removal.
	remove func(*osb.Client, context.Context, osb.RemovalRequest) (osb.RemovalResponse, osbresult.Outcome)
	// claimed says whether another object has the orphan's id.
	claimed func(context.Context, *orphan) (bool, error)
}

// maxAttempts is how often the removal of an orphan is asked for.
const maxAttempts = 20

// undo removes what former objects of a name have left behind. It says when to go on with
// that; 0: nothing is left.
func (u *orphanage) undo(ctx context.Context, name types.NamespacedName) (again time.Duration, failed error) {
	for _, o := range u.orphans.of(name) {
		wait, err := u.undoOne(ctx, o)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case wait == 0:
			u.connections.bulkheads.Withdraw(o.broker, o, u.clock.Now())
			u.orphans.forget(name, o)
		case again == 0 || wait < again:
			again = wait
		}
	}
	return again, failed
}

func (u *orphanage) undoOne(ctx context.Context, o *orphan) (wait time.Duration, err error) {
	now := u.clock.Now()
	if now.Before(o.next) {
		return o.next.Sub(now), nil
	}
	broker, err := u.index.BrokerNamed(ctx, scopeOf(o.broker), o.broker.namespace, o.broker.name)
	if err != nil && !index.IsNotFound(err) {
		return 0, err
	}
	why, err := u.mustLeave(ctx, o)
	if broker == nil {
		why = "its broker is gone, too"
	}
	switch {
	case err != nil:
		return 0, err
	case why != "":
		u.leave(o, why)
		return 0, nil
	}
	connection, err := u.connections.to(ctx, broker)
	if bad, ok := errors.AsType[*credentialsError](err); ok {
		u.connections.bulkheads.Withdraw(o.broker, o, now) // it does not come for a slot before its next attempt
		return u.undone(o, osbresult.Outcome{Class: osbresult.Retry, Description: bad.message}), nil
	}
	if err != nil {
		return 0, err
	}
	bulkhead := u.connections.bulkheads.Of(o.broker, now)
	name := client.ObjectKeyFromObject(o.object)
	// A ticket of its own: the name may be another object's by now.
	if ctx.Err() != nil { // the process stops or no longer leads
		return 0, errStopping
	}
	leave, _ := bulkhead.Enter(limiter.Ticket{Who: o, Lane: "namespace " + name.Namespace, Call: func() { u.wake(name) }}, now)
	if leave == nil {
		return askAgain, nil
	}
	result := limiter.Result{Unasked: true}
	defer func() { leave(u.clock.Now(), result) }()
	out := u.ask(context.WithoutCancel(ctx), connection.Client, o)
	result = resultOf(out)
	return u.undone(o, out), nil
}

// ask asks a broker to remove an orphan, or how far that is.
func (u *orphanage) ask(ctx context.Context, broker *osb.Client, o *orphan) osbresult.Outcome {
	if o.working.IsZero() {
		removal, out := u.remove(broker, ctx, o.remove)
		if out.Class == osbresult.Accepted {
			o.working, o.operation = u.clock.Now(), removal.Operation
		}
		return out
	}
	last, out := broker.Poll(ctx, osb.PollRequest{Params: o.remove.Params, BindingID: o.remove.BindingID, Operation: o.operation, Removal: true})
	switch {
	case out.Class == osbresult.Done && last.State == osbresult.InProgress:
		out.Class = osbresult.Accepted
	case out.Class == osbresult.Done && last.State == osbresult.Failed, out.NotFound(): // it is asked for anew
		out.Class, o.working = osbresult.Unknown, time.Time{}
	}
	return out
}

// undone says what came of a removal; 0: that is the end of it.
func (u *orphanage) undone(o *orphan, out osbresult.Outcome) time.Duration {
	now := u.clock.Now()
	if running := now.Sub(o.working); out.Class == osbresult.Accepted && running < catalog.MaximumPollingDuration {
		wait := pollInterval(running, out.RetryAfter)
		o.next = now.Add(wait)
		return wait
	}
	switch o.attempts++; {
	case out.Class == osbresult.Done, out.Class == osbresult.Gone:
		u.recorder.Eventf(o.object, nil, corev1.EventTypeNormal, v1beta1.ReasonOrphanMitigationSuccessful, "Undo", "The object was gone before what the broker has made for it could be recorded, and that is removed again")
		return 0
	case out.Class == osbresult.NeedsAsync:
		o.remove.AcceptsIncomplete = true
		return time.Millisecond
	case o.attempts >= maxAttempts:
		u.leave(o, "the broker did not remove it: "+withoutWords(out))
		return 0
	}
	wait := max(backoff(o.object.GetUID(), o.attempts, out.RetryAfter), time.Second)
	o.next = now.Add(wait)
	return wait
}

// mustLeave says why something is left as it is, "" if it is to be removed (R2).
func (u *orphanage) mustLeave(ctx context.Context, o *orphan) (why string, err error) {
	if !o.ours {
		return "it is not known that this object has made it", nil
	}
	if claimed, err := u.claimed(ctx, o); err != nil || claimed {
		return "another object has the id", err
	}
	state, err := u.definition.state(ctx)
	if state == definitionTerminating {
		return "the CustomResourceDefinition is being deleted", nil
	}
	return "", err
}

// leave says that something is left where it is.
func (u *orphanage) leave(o *orphan, why string) {
	id := o.remove.InstanceID
	if o.remove.BindingID != "" {
		id = o.remove.BindingID
	}
	u.recorder.Eventf(o.object, nil, corev1.EventTypeWarning, v1beta1.ReasonOrphanMitigationFailed, "Undo", "%s",
		redact.Shorten(fmt.Sprintf("The object was gone before what the broker has made for it could be recorded, and what it may have under the id %q is left there: %s", id, why), maxNote))
}

// sooner is the result that comes back first.
func sooner(result ctrl.Result, again time.Duration) ctrl.Result {
	if again <= 0 || result.Requeue || result.RequeueAfter > 0 && result.RequeueAfter <= again { //nolint:staticcheck // it comes by the queue's backoff
		return result
	}
	result.RequeueAfter, result.Priority = again, cmp.Or(result.Priority, new(0))
	return result
}
