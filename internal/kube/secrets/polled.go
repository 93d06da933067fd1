// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"context"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

const (
	// maxWait bounds how long a caller waits for a read.
	maxWait = time.Second
	// maxKnown bounds the Secrets of a namespace that are remembered, maxCallers the first reads of them that callers wait for.
	maxKnown, maxCallers = 1000, 32
	// interval is the time between two reviews of the Secrets that are due. In that time maxRepeats Secrets of a namespace are read again after
	// failures, and maxRoutine because time has passed.
	interval, maxRepeats, maxRoutine = time.Second, 5, 3
	// maxEvicted bounds the Secrets of a namespace that were forgotten for others, and whose dependents are not told yet.
	maxEvicted = 10 * maxKnown
)

// Polled is the Metadata of a process that may get Secrets, but not list or watch them. It gets the metadata of a Secret when a caller reads them,
// and remembers the version. It gets them again after a time, or after a failure, and reconciles the dependents when the version is another one.
//
// The memory and requests for a namespace are bounded. If it has more Secrets than can be remembered, those are forgotten that no caller has read for
// the longest time. Their dependents are reconciled, a few in a second, and read them again.
type Polled struct {
	client.Reader // the cache

	live  client.Reader
	reads limiter.Pool

	mu         sync.Mutex
	namespaces map[string]*known
	listeners  []func(client.Object)
}

// NewPolled returns a Polled that gets metadata from live. The manager runs it.
func NewPolled(cache, live client.Reader) *Polled {
	return &Polled{Reader: cache, live: live, reads: limiter.Pool{Total: maxReads, PerTenant: namespaceReads}, namespaces: map[string]*known{}}
}

// Get gets an object from the cache, or the remembered metadata of a Secret. A Secret that is not remembered is read.
func (p *Polled) Get(ctx context.Context, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	if !isMetadata(obj) {
		return p.Reader.Get(ctx, key, obj, options...)
	}
	found, err := p.versionOf(ctx, key)
	if err != nil {
		return err
	}
	if found == (version{}) {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
	}
	obj.SetNamespace(key.Namespace)
	obj.SetName(key.Name)
	obj.SetUID(found.uid)
	obj.SetResourceVersion(found.resource)
	return nil
}

func (p *Polled) versionOf(ctx context.Context, name types.NamespacedName) (version, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.ask(ctx, name)
	if err != nil {
		return version{}, err
	}
	if !s.isKnown {
		err = p.awaitRead(ctx, s)
	}
	if err != nil {
		return version{}, err
	}
	return s.version, s.err
}

// ask returns the remembered state of a Secret, and begins to read one that is not remembered. An error is ErrBusy.
func (p *Polled) ask(ctx context.Context, name types.NamespacedName) (*remembered, error) {
	of := p.namespaces[name.Namespace]
	if of == nil {
		of = &known{secrets: map[string]*remembered{}}
		p.namespaces[name.Namespace] = of
	}
	s := of.secrets[name.Name]
	if s == nil {
		if of.callers == maxCallers {
			return nil, ErrBusy
		}
		if len(of.secrets) == maxKnown {
			of.evictOne()
		}
		s = &remembered{}
		of.secrets[name.Name] = s
		of.callers++
		p.begin(ctx, name, s, func() { of.callers-- })
	}
	s.asked = time.Now()
	return s, nil
}

// awaitRead waits for the read of a Secret that is in progress, if there is one, without the lock.
func (p *Polled) awaitRead(ctx context.Context, s *remembered) error {
	reading := s.reading
	if reading == nil {
		return nil
	}
	p.mu.Unlock()
	defer p.mu.Lock()
	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	select {
	case <-reading:
		return nil
	case <-timeout.C:
	case <-ctx.Done():
	}
	return ErrBusy
}

// begin reads the metadata of a Secret in the background, once it is the namespace's turn. It calls ended, if that is not nil, with the lock.
func (p *Polled) begin(ctx context.Context, name types.NamespacedName, s *remembered, ended func()) {
	reading := make(chan struct{})
	s.reading = reading
	ctx = context.WithoutCancel(ctx)
	p.reads.Go(name.Namespace, func() {
		p.locked(func() { s.began = time.Now() })
		found, err := p.read(ctx, name)
		isChanged := false
		p.locked(func() {
			isChanged = s.update(found, err, time.Now())
			if isChanged && apierrors.IsForbidden(err) {
				log.FromContext(ctx).Info("A Secret may not be read any more", "namespace", name.Namespace, "name", name.Name)
			}
			if ended != nil {
				ended()
			}
		})
		close(reading)
		if isChanged {
			p.notify(name)
		}
	})
}

func (p *Polled) locked(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

// read gets the metadata of a Secret from the API server.
func (p *Polled) read(ctx context.Context, name types.NamespacedName) (version, error) {
	ctx, cancel := context.WithTimeout(Silent(ctx), secretTimeout) // an annotation of kubectl apply has the content
	defer cancel()
	meta := newMetadata()
	if err := p.live.Get(ctx, name, meta); err != nil {
		return version{}, client.IgnoreNotFound(err)
	}
	return version{meta.UID, meta.ResourceVersion}, nil
}

// ReadSoon reads the metadata of a Secret again, unless they were read since it has failed.
func (p *Polled) ReadSoon(ctx context.Context, secret types.NamespacedName, failed time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readSince(ctx, secret, failed)
}

// ReadNow reads the metadata of a Secret again, unless they were read since it has failed. It returns ErrBusy if they were read in the last seconds.
func (p *Polled) ReadNow(ctx context.Context, secret types.NamespacedName, failed time.Time) (isRead bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.readSince(ctx, secret, failed)
	if s == nil {
		return false, nil
	}
	if err := p.awaitRead(ctx, s); err != nil {
		return false, err
	}
	isRead = !s.began.Before(failed)
	if !isRead {
		return false, ErrBusy // the Secret was read a moment ago, or other Secrets of the namespace come first
	}
	return true, nil
}

// ReadInterval is the minimum time between two reads of a Secret, also after failures.
func (p *Polled) ReadInterval() time.Duration { return minInterval }

// readSince begins to read a Secret that was last read before a time, now or when it may be read again. nil: it is not remembered.
func (p *Polled) readSince(ctx context.Context, name types.NamespacedName, failed time.Time) *remembered {
	of := p.namespaces[name.Namespace]
	if of == nil {
		return nil
	}
	s := of.secrets[name.Name]
	if s == nil || !s.began.Before(failed) {
		return s
	}
	if s.failed.Before(failed) {
		s.failed = failed
	}
	if s.reading != nil {
		return s
	}
	s.expire()
	if of.repeats < maxRepeats && !time.Now().Before(s.due) {
		of.repeats++
		p.begin(ctx, name, s, nil)
	}
	return s
}

// Changes reconciles the dependents of Secrets whose version is another one, and of Secrets that are forgotten: the reconcile reads the metadata
// again.
func (p *Polled) Changes(dependents handler.MapFunc) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		p.locked(func() {
			p.listeners = append(p.listeners, func(secret client.Object) {
				for _, request := range dependents(ctx, secret) {
					queue.Add(request)
				}
			})
		})
		return nil
	})
}

func (p *Polled) notify(name types.NamespacedName) {
	secret := newMetadata()
	secret.Namespace, secret.Name = name.Namespace, name.Name
	var listeners []func(client.Object)
	p.locked(func() { listeners = slices.Clone(p.listeners) })
	for _, tell := range listeners {
		tell(secret)
	}
}

// NeedLeaderElection is false: the listener of each replica needs the Secrets of AlertSources.
func (p *Polled) NeedLeaderElection() bool { return false }

// Start reads Secrets again when they are due, until ctx ends.
func (p *Polled) Start(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, forgotten := range p.review(ctx) {
				p.notify(forgotten)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// review begins to read the Secrets that are due, and forgets those that no caller reads, a few of each namespace. It returns the forgotten ones.
func (p *Polled) review(ctx context.Context) (forgotten []types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for namespace, of := range p.namespaces {
		of.repeats = 0
		for _, name := range of.takeEvicted() { // also one that was read again, perhaps for one of several dependents
			forgotten = append(forgotten, types.NamespacedName{Namespace: namespace, Name: name})
		}
		for _, name := range of.due(now) {
			full, s := types.NamespacedName{Namespace: namespace, Name: name}, of.secrets[name]
			if s.isForgotten(now) {
				delete(of.secrets, name)
				forgotten = append(forgotten, full)
				continue
			}
			of.repeats++
			p.begin(ctx, full, s, nil)
		}
		if len(of.secrets) == 0 && len(of.evicted) == 0 && of.callers == 0 {
			delete(p.namespaces, namespace)
		}
	}
	return forgotten
}
