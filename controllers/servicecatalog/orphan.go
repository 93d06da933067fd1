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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"github.com/gophernetes/bellhop/internal/redact"
)

// orphan is a resource that a request has created, or may have created, at a broker for an object that was gone before the result
// could be recorded (R2).
type orphan struct {
	object client.Object // as it was last
	broker brokerKey
	remove osb.RemovalRequest
	// ours: this very request has created it, under an id of ours.
	ours     bool
	attempts int32
	next     time.Time
	// working is since when the broker removes it, and operation the broker's name of the removal; zero: it does not.
	working   time.Time
	operation string
}

// orphanList has the orphans of a kind, by the names of their objects.
type orphanList struct {
	mu     sync.Mutex
	byName map[types.NamespacedName][]*orphan
}

func newOrphans() *orphanList { return &orphanList{byName: map[types.NamespacedName][]*orphan{}} }

func (l *orphanList) add(name types.NamespacedName, o *orphan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byName[name] = append(l.byName[name], o)
}

func (l *orphanList) of(name types.NamespacedName) []*orphan {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.byName[name])
}

func (l *orphanList) forget(name types.NamespacedName, o *orphan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byName[name] = slices.DeleteFunc(l.byName[name], func(other *orphan) bool { return other == o })
	if len(l.byName[name]) == 0 {
		delete(l.byName, name)
	}
}

// OrphanRemover removes the orphans of a kind.
type OrphanRemover interface {
	// Remove sends the removal request of the kind.
	Remove(context.Context, *osb.Client, osb.RemovalRequest) (osb.RemovalResponse, osbresult.Outcome)
	// IsClaimed reports whether another object has the orphan's id.
	IsClaimed(context.Context, *orphan) (bool, error)
}

// orphanage removes orphans at their brokers.
type orphanage struct {
	index       index.Index
	connections *connections
	definition  *definition
	recorder    events.EventRecorder
	clock       clock.PassiveClock
	left        *orphanList
	wake        func(types.NamespacedName)
	remover     OrphanRemover
}

// maxAttempts bounds the removal requests for an orphan.
const maxAttempts = 20

// undo removes the orphans of a name. It returns when to continue; 0: none is left.
func (u *orphanage) undo(ctx context.Context, name types.NamespacedName) (again time.Duration, failed error) {
	for _, o := range u.left.of(name) {
		wait, err := u.undoOne(ctx, o)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case wait == 0:
			u.connections.bulkheads.Withdraw(o.broker, o, u.clock.Now())
			u.left.forget(name, o)
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
		why = "its broker does not exist any more"
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
		u.connections.bulkheads.Withdraw(o.broker, o, now) // it does not ask for a slot before its next attempt
		return u.undone(o, osbresult.Outcome{Class: osbresult.Retry, Description: bad.message}), nil
	}
	if err != nil {
		return 0, err
	}
	bulkhead := u.connections.bulkheads.Of(o.broker, now)
	name := client.ObjectKeyFromObject(o.object)
	// The orphan itself identifies the request: another object may have the name by now.
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

// ask sends the removal request of an orphan, or polls it.
func (u *orphanage) ask(ctx context.Context, broker *osb.Client, o *orphan) osbresult.Outcome {
	if o.working.IsZero() {
		removal, out := u.remover.Remove(ctx, broker, o.remove)
		if out.Class == osbresult.Accepted {
			o.working, o.operation = u.clock.Now(), removal.Operation
		}
		return out
	}
	last, out := broker.Poll(ctx, osb.PollRequest{Params: o.remove.Params, BindingID: o.remove.BindingID, Operation: o.operation, Removal: true})
	switch {
	case out.Class == osbresult.Done && last.State == osbresult.InProgress:
		out.Class = osbresult.Accepted
	case out.Class == osbresult.Done && last.State == osbresult.Failed, out.NotFound(): // the request is repeated
		out.Class, o.working = osbresult.Unknown, time.Time{}
	}
	return out
}

// undone records the outcome of a removal request, and returns when to continue; 0: the orphan is done.
func (u *orphanage) undone(o *orphan, out osbresult.Outcome) time.Duration {
	now := u.clock.Now()
	if running := now.Sub(o.working); out.Class == osbresult.Accepted && running < catalog.MaximumPollingDuration {
		wait := lifecycle.PollInterval(running, out.RetryAfter)
		o.next = now.Add(wait)
		return wait
	}
	switch o.attempts++; {
	case out.Class == osbresult.Done, out.Class == osbresult.Gone:
		u.recorder.Eventf(o.object, nil, corev1.EventTypeNormal, v1beta1.ReasonOrphanMitigationSuccessful, "Undo", "The object was gone before the result of its request was recorded; what the broker had created for it was removed")
		return 0
	case out.Class == osbresult.NeedsAsync:
		o.remove.AcceptsIncomplete = true
		return time.Millisecond
	case o.attempts >= maxAttempts:
		u.leave(o, "the broker did not remove it: "+lifecycle.StatusOnly(out))
		return 0
	}
	wait := max(lifecycle.Backoff(o.object.GetUID(), o.attempts, out.RetryAfter), time.Second)
	o.next = now.Add(wait)
	return wait
}

// mustLeave returns why an orphan is left at the broker; "": it is removed (R2).
func (u *orphanage) mustLeave(ctx context.Context, o *orphan) (why string, err error) {
	if !o.ours {
		return "it is not known that this object's request has created it", nil
	}
	if claimed, err := u.remover.IsClaimed(ctx, o); err != nil || claimed {
		return "another object has the id", err
	}
	state, err := u.definition.state(ctx)
	if state == lifecycle.DefinitionTerminating {
		return "the CustomResourceDefinition is being deleted", nil
	}
	return "", err
}

// leave announces that an orphan is left at the broker.
func (u *orphanage) leave(o *orphan, why string) {
	id := o.remove.InstanceID
	if o.remove.BindingID != "" {
		id = o.remove.BindingID
	}
	u.recorder.Eventf(o.object, nil, corev1.EventTypeWarning, v1beta1.ReasonOrphanMitigationFailed, "Undo", "%s",
		redact.Shorten(fmt.Sprintf("The object was gone before the result of its request was recorded; what the broker may have under the id %q is left there: %s", id, why), lifecycle.MaxNote))
}
