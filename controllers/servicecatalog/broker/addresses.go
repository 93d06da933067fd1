// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokerrules"
)

// addressesOf returns the present address of a broker; where the status does not have it, also the addresses that its instances and bindings
// have on record.
func (r *Reconciler) addressesOf(ctx context.Context, b v1beta1.Broker) (a brokerrules.Addresses, err error) {
	current, err := r.connections.AddressOf(ctx, b)
	if err != nil { // it stands in no request's way
		log.FromContext(ctx).Info("Could not tell whether the address of a broker has changed", "error", err.Error())
		return a, nil
	}
	if current.Digest == "" || brokerrules.HasAddress(b.CommonStatus(), current.Digest) {
		return a, nil
	}
	a.Current = v1beta1.BrokerAddress{Digest: current.Digest, Address: current.Address, Time: *times.Timestamp(r.clock.Now())}
	a.Used = map[string]bool{}
	instances, err := r.index.InstancesOfBroker(ctx, b)
	if err != nil {
		return a, fmt.Errorf("looking up the broker's instances: %w", err)
	}
	bindings, err := r.index.BindingsOfBroker(ctx, b)
	if err != nil {
		return a, fmt.Errorf("looking up the broker's bindings: %w", err)
	}
	for _, instance := range instances {
		a.Use(instance.Status.Common())
	}
	for _, binding := range bindings {
		a.Use(binding.Status.Common())
	}
	return a, nil
}

// recordFirstAddress records the address of a broker whose catalog an earlier version of the operator has read, which recorded none: it is the
// one at which its objects were requested. With the next address it would be lost.
func (r *Reconciler) recordFirstAddress(ctx context.Context, b v1beta1.Broker) (v1beta1.Broker, error) {
	s := b.CommonStatus()
	isRead := s.CatalogDigest != "" && s.ReconciledGeneration == b.GetGeneration() // the original service-catalog has recorded no digest
	if len(s.Addresses) > 0 || !isRead {
		return b, nil
	}
	addresses, err := r.addressesOf(ctx, b)
	if err != nil {
		return b, err
	}
	status := s.DeepCopy()
	addresses.Record(status)
	return r.write(ctx, b, *status)
}
