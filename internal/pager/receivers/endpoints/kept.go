// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// maxKept bounds the senders of the receivers of a namespace that are kept for resolves.
const maxKept = 64

// keptSenders has the senders of receivers that are gone, or whose Secret is: for resolves alone, so that whoever holds a page hears its
// end. A namespace is deleted in any order. The zero value is empty.
type keptSenders struct {
	mu    sync.Mutex
	byKey map[Key]keptSender
}

type keptSender struct {
	*PreparedSender

	until time.Time
}

// add keeps a sender until a time, unless that has passed, or as many are kept in its namespace as can be.
func (k *keptSenders) add(key Key, prepared *PreparedSender, until, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for other := range k.byKey {
		if other.Namespace == key.Namespace {
			n++
		}
	}
	if n >= maxKept || !now.Before(until) {
		return false
	}
	if k.byKey == nil {
		k.byKey = map[Key]keptSender{}
	}
	k.byKey[key] = keptSender{prepared, until}
	return true
}

// of returns the sender that is kept of a receiver, and until when; nil: none. One whose time has passed is dropped.
func (k *keptSenders) of(key Key, now time.Time) (prepared *PreparedSender, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kept, ok := k.byKey[key]
	if !ok {
		return nil, time.Time{}
	}
	if !now.Before(kept.until) {
		delete(k.byKey, key)
		kept.Close()
		return nil, time.Time{}
	}
	return kept.PreparedSender, kept.until
}

// drop drops the sender that is kept of a receiver, if there is one.
func (k *keptSenders) drop(key Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kept, ok := k.byKey[key]; ok {
		delete(k.byKey, key)
		kept.Close()
	}
}

// KeptUntil returns until when the sender of a receiver is kept for resolves; zero: it is not.
func (c *Cache) KeptUntil(key Key) time.Time {
	_, until := c.kept.of(key, c.Senders.Clock.Now())
	return until
}

// DropKept drops the sender that is kept of a receiver, with its credentials.
func (c *Cache) DropKept(key Key) { c.kept.drop(key) }

// setKept has a target without a receiver or a Secret send resolves with the sender that it had, for as long as that is kept.
func (c *Cache) setKept(ctx context.Context, key Key, target *alertrules.Target) error {
	now := c.Senders.Clock.Now()
	prepared, _ := c.kept.of(key, now)
	if prepared == nil {
		if err := c.retire(ctx, key, *target, now); err != nil {
			return err
		}
		if prepared, _ = c.kept.of(key, now); prepared == nil {
			return nil
		}
	}
	former := *prepared.target.Load()
	former.Problem, former.Leaving, former.ResolvesOnly = target.Problem, true, true
	*target = former
	describe(ctx, target, prepared)
	return nil
}

// retire takes the sender of a receiver out of use: it is kept for resolves if the receiver, or its namespace, is being deleted. A Secret
// that was removed alone is not used any longer: its credentials may have been revoked.
func (c *Cache) retire(ctx context.Context, key Key, target alertrules.Target, now time.Time) error {
	if !c.Senders.Has(key) {
		return nil
	}
	leaving := target.Spec == nil || target.Leaving
	if !leaving { // the cache may not show it yet
		var err error
		if leaving, err = c.isTerminating(ctx, key.Namespace); err != nil {
			return err
		}
	}
	prepared, ok := c.Senders.Take(key)
	if !ok {
		return nil
	}
	former := prepared.target.Load()
	isUsable := leaving && prepared.Sender != nil && former != nil && !former.Spec.Suspend
	if !isUsable || !c.kept.add(key, prepared, now.Add(former.ResolveTimeout()), now) {
		prepared.Close()
	}
	return nil
}

// isTerminating reads whether a namespace is being deleted, or gone. It is false for the empty name.
func (c *Cache) isTerminating(ctx context.Context, name string) (bool, error) {
	if name == "" {
		return false, nil
	}
	is, err := apiserver.ReadTerminating(ctx, c.apiReader, name)
	if err != nil {
		return false, fmt.Errorf("reading whether namespace %s is being deleted: %w", name, err)
	}
	return is, nil
}

// keptSender returns the sender of a target that sends resolves only. An error is a *result.Error.
func (c *Cache) keptSender(key Key, target alertrules.Target) (*PreparedSender, error) {
	if prepared, _ := c.kept.of(key, c.Senders.Clock.Now()); prepared != nil {
		return prepared, nil
	}
	return nil, &result.Error{Class: result.Temporary, Reason: v1beta1.ReasonSecretNotFound, Message: target.Problem.Message}
}
