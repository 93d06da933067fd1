// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"encoding/json"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
)

// Address is a normalized address of a broker, with its keyed digest; both are empty where it is no address. Statuses of instances and
// bindings have the digest, so that tenants do not read the address of a broker of the cluster.
type Address struct{ Address, Digest string }

// AddressOf returns the present address of a broker. An error is that the key of digests cannot be read.
func (c *Clients) AddressOf(ctx context.Context, b v1beta1.Broker) (Address, error) {
	key, value := KeyOf(b), b.Common().URL
	c.mu.Lock()
	known, ok := c.addresses[key]
	c.mu.Unlock()
	if ok && known.value == value {
		return known.Address, nil
	}
	address, err := c.addressOf(ctx, value)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.addresses == nil {
			c.addresses = map[Key]presentAddress{}
		}
		c.addresses[key] = presentAddress{value, address}
	}
	return address, err
}

// presentAddress is the Address of a value of spec.url.
type presentAddress struct {
	value string
	Address
}

func (c *Clients) addressOf(ctx context.Context, value string) (Address, error) {
	normal := catalog.NormalizeAddress(value)
	if normal == "" || c.digests == nil {
		return Address{}, nil
	}
	key, err := c.digests.Get(ctx)
	if err != nil {
		return Address{}, err
	}
	return Address{Address: normal, Digest: catalog.Digest(key, json.RawMessage(strconv.Quote(normal)))}, nil
}

// AddressInputs returns the facts about a broker's addresses that decisions about its objects depend on.
func (c *Clients) AddressInputs(ctx context.Context, b v1beta1.Broker) operation.AddressInputs {
	current, err := c.AddressOf(ctx, b)
	if err != nil {
		log.FromContext(ctx).Info("Could not tell whether the address of a broker has changed", "error", err.Error())
		return operation.AddressInputs{Unknown: true}
	}
	in := operation.AddressInputs{Current: current.Digest}
	confirmed := map[string]bool{}
	for _, former := range catalog.FormerAddresses(b) {
		confirmed[former] = true
		if address, err := c.addressOf(ctx, former); err == nil && address != current {
			in.Confirmed = append(in.Confirmed, address.Digest)
		}
	}
	for i, known := range b.CommonStatus().Addresses {
		if i == 0 {
			in.Former = known.Digest
		}
		if known.Address != current.Address {
			in.Others = append(in.Others, known.Digest)
		}
		if confirmed[known.Address] {
			in.Confirmed = append(in.Confirmed, known.Digest)
		}
	}
	return in
}
