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

// Package orphans removes what requests have created at brokers for objects that were gone before the result could be
// recorded (R2).
package orphans

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/audit"
	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// Orphan is a resource that a request has created, or may have created, at a broker for an object that was gone before the result
// could be recorded (R2).
type Orphan struct {
	Object  client.Object // as it was last
	Broker  brokers.Key
	Request osb.RemovalRequest
	// IsOwned: this very request has created it, under an id of ours.
	IsOwned  bool
	attempts int32
	next     time.Time
	// removingSince is since when the broker removes it, and operation the broker's name of the removal; zero: it does not.
	removingSince time.Time
	operation     string
}

// List has the orphans of a kind, by the names of their objects.
type List struct {
	mu     sync.Mutex
	byName map[types.NamespacedName][]*Orphan
}

// NewList returns an empty list.
func NewList() *List { return &List{byName: map[types.NamespacedName][]*Orphan{}} }

// Add adds an orphan of an object of that name.
func (l *List) Add(name types.NamespacedName, o *Orphan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byName[name] = append(l.byName[name], o)
}

func (l *List) of(name types.NamespacedName) []*Orphan {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.byName[name])
}

func (l *List) forget(name types.NamespacedName, o *Orphan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byName[name] = slices.DeleteFunc(l.byName[name], func(other *Orphan) bool { return other == o })
	if len(l.byName[name]) == 0 {
		delete(l.byName, name)
	}
}

// Remover removes the orphans of a kind.
type Remover interface {
	// Remove sends the removal request of the kind.
	Remove(context.Context, *osb.Client, osb.RemovalRequest) (osb.RemovalResponse, osbresult.Outcome)
	// IsClaimed reports whether another object has the orphan's id.
	IsClaimed(context.Context, *Orphan) (bool, error)
}

// Collector removes orphans at their brokers.
type Collector struct {
	Index      index.Index
	Clients    *brokers.Clients
	Definition *apiserver.DefinitionReader
	Recorder   events.EventRecorder
	Clock      clock.PassiveClock
	List       *List
	Wake       func(types.NamespacedName)
	Remover    Remover
}

// maxAttempts bounds the removal requests for an orphan.
const maxAttempts = 20

// Collect removes the orphans of a name. It returns when to continue; 0: none is left.
func (c *Collector) Collect(ctx context.Context, name types.NamespacedName) (again time.Duration, failed error) {
	for _, o := range c.List.of(name) {
		wait, err := c.collectOne(ctx, o)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case wait == 0:
			c.Clients.Limiters.Cancel(o.Broker, o, c.Clock.Now())
			c.List.forget(name, o)
		case again == 0 || wait < again:
			again = wait
		}
	}
	return again, failed
}

func (c *Collector) collectOne(ctx context.Context, o *Orphan) (wait time.Duration, err error) {
	now := c.Clock.Now()
	if now.Before(o.next) {
		return o.next.Sub(now), nil
	}
	broker, err := c.Index.BrokerNamed(ctx, brokers.ScopeOf(o.Broker), o.Broker.Namespace, o.Broker.Name)
	if err != nil && !index.IsNotFound(err) {
		return 0, err
	}
	why, err := c.reasonToLeave(ctx, o)
	if broker == nil {
		why = "its broker does not exist any more"
	}
	switch {
	case err != nil:
		return 0, err
	case why != "":
		c.reportLeft(ctx, o, broker, why)
		return 0, nil
	}
	connection, err := c.Clients.For(ctx, broker)
	if bad, ok := errors.AsType[*brokers.CredentialsError](err); ok {
		c.Clients.Limiters.Cancel(o.Broker, o, now) // it does not ask for a slot before its next attempt
		return c.recordOutcome(ctx, o, broker, osbresult.Outcome{Class: osbresult.Retry, Description: bad.Message}), nil
	}
	if err != nil {
		return 0, err
	}
	endpoint := c.Clients.Limiters.Of(o.Broker, now)
	name := client.ObjectKeyFromObject(o.Object)
	// The orphan itself identifies the request: another object may have the name by now.
	if ctx.Err() != nil { // the process stops or no longer leads
		return 0, brokers.ErrStopping
	}
	release, _ := endpoint.Enter(limiter.Request{ID: o, Flow: "namespace " + name.Namespace, Notify: func() { c.Wake(name) }}, now)
	if release == nil {
		return brokers.QueueHeartbeat, nil
	}
	result := limiter.Result{NotSent: true}
	defer func() { release(c.Clock.Now(), result) }()
	out := c.send(context.WithoutCancel(ctx), connection.Client, o)
	result = brokers.ResultOf(out)
	return c.recordOutcome(ctx, o, broker, out), nil
}

// send sends the removal request of an orphan, or polls it.
func (c *Collector) send(ctx context.Context, broker *osb.Client, o *Orphan) osbresult.Outcome {
	if o.removingSince.IsZero() {
		removal, out := c.Remover.Remove(ctx, broker, o.Request)
		if out.Class == osbresult.Accepted {
			o.removingSince, o.operation = c.Clock.Now(), removal.Operation
		}
		return out
	}
	last, out := broker.Poll(ctx, osb.PollRequest{Params: o.Request.Params, BindingID: o.Request.BindingID, Operation: o.operation, Removal: true})
	switch {
	case out.Class == osbresult.Done && last.State == osbresult.InProgress:
		out.Class = osbresult.Accepted
	case out.Class == osbresult.Done && last.State == osbresult.Failed, out.NotFound(): // the request is repeated
		out.Class, o.removingSince = osbresult.Unknown, time.Time{}
	}
	return out
}

// recordOutcome records the outcome of a removal request, and returns when to continue; 0: the orphan is done.
func (c *Collector) recordOutcome(ctx context.Context, o *Orphan, broker v1beta1.Broker, out osbresult.Outcome) time.Duration {
	now := c.Clock.Now()
	if running := now.Sub(o.removingSince); out.Class == osbresult.Accepted && running < catalog.MaximumPollingDuration {
		wait := lifecycle.PollInterval(running, out.RetryAfter)
		o.next = now.Add(wait)
		return wait
	}
	switch o.attempts++; {
	case out.Class == osbresult.Done, out.Class == osbresult.Gone:
		audit.Deleted(ctx, c.Recorder, o.Object, o.external(broker), lifecycle.ObjectGone)
		return 0
	case out.Class == osbresult.NeedsAsync:
		o.Request.AcceptsIncomplete = true
		return time.Millisecond
	case o.attempts >= maxAttempts:
		c.reportLeft(ctx, o, broker, "the broker did not remove it: "+lifecycle.StatusOnly(out))
		return 0
	}
	wait := max(lifecycle.Backoff(o.Object.GetUID(), o.attempts, out.RetryAfter), time.Second)
	o.next = now.Add(wait)
	return wait
}

// reasonToLeave returns why an orphan is left at the broker; "": it is removed (R2).
func (c *Collector) reasonToLeave(ctx context.Context, o *Orphan) (why string, err error) {
	if !o.IsOwned {
		return "it is not known that this object's request has created it", nil
	}
	if claimed, err := c.Remover.IsClaimed(ctx, o); err != nil || claimed {
		return "another object has the id", err
	}
	state, err := c.Definition.Read(ctx)
	if state == lifecycle.DefinitionTerminating {
		return "the CustomResourceDefinition is being deleted", nil
	}
	return "", err
}

// reportLeft announces that an orphan is left at the broker.
func (c *Collector) reportLeft(ctx context.Context, o *Orphan, broker v1beta1.Broker, why string) {
	audit.Left(ctx, c.Recorder, o.Object, o.external(broker), v1beta1.ReasonOrphanMitigationFailed, "Undo",
		"The object was gone before the result of its request was recorded; what the broker may have for it is left there: "+why)
}

// external returns what the orphan is at its broker. It is nobody's request: no user is named.
func (o *Orphan) external(broker v1beta1.Broker) audit.External {
	return audit.External{ID: cmp.Or(o.Request.BindingID, o.Request.InstanceID), Broker: broker}
}
