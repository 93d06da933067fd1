// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// claims are the supplied ids under which this process has let an object create something. The cache shows that later than objects
// of the same age are reconciled.
type claims struct {
	mu      sync.Mutex
	holders map[ClaimKey]types.UID
	held    map[types.UID][]ClaimKey
}

// ClaimKey is an id at a broker.
type ClaimKey struct {
	Broker brokers.Key
	ID     string
}

// Reserve reserves an id for an object, unless one of its other claimants has reserved it: that one is marked as the first.
func (c *claims) Reserve(key ClaimKey, uid types.UID, others rules.Claimants) {
	c.mu.Lock()
	defer c.mu.Unlock()
	holder := c.holders[key]
	for i := range others {
		if others[i].UID == holder {
			others[i].First = true
			return
		}
	}
	if holder == uid {
		return
	}
	if c.holders == nil {
		c.holders, c.held = map[ClaimKey]types.UID{}, map[types.UID][]ClaimKey{}
	}
	c.drop(key, holder)
	c.holders[key], c.held[uid] = uid, append(c.held[uid], key)
}

// drop drops the reservation of an id by a former holder, which may have vanished without a release. The caller has locked mu.
func (c *claims) drop(key ClaimKey, holder types.UID) {
	left := slices.DeleteFunc(c.held[holder], func(held ClaimKey) bool { return held == key })
	if len(left) == 0 {
		delete(c.held, holder)
		return
	}
	c.held[holder] = left
}

// Release drops the reservations of an object.
func (c *claims) Release(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range c.held[uid] {
		if c.holders[key] == uid {
			delete(c.holders, key)
		}
	}
	delete(c.held, uid)
}

// IsReleased reports whether an object that is being deleted was released.
func IsReleased(o client.Object) bool {
	return !o.GetDeletionTimestamp().IsZero() && !slices.Contains(o.GetFinalizers(), v1beta1.Finalizer)
}
