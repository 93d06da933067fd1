// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
)

// observeGone returns this process's observations of the answers 410 Gone in the status of an object.
func (r *Reconciler) observeGone(s *Scope) operation.GoneInputs {
	s.Memory.goneSince = operation.GoneSince(s.Memory.goneSince, s.Object.CommonStatus().Common(), r.Clock.Now())
	if len(s.Memory.goneSince) == 0 || s.Broker == nil {
		return operation.GoneInputs{Since: s.Memory.goneSince}
	}
	key := brokers.KeyOf(s.Broker)
	return operation.GoneInputs{Since: s.Memory.goneSince, Success: r.Clients.Successes.Last(key), Broker: brokers.NameOf(key)}
}

// awaitSuccesses has the availability of brokers checked as a step says, and reconciles the object once they answer with success.
func (r *Reconciler) awaitSuccesses(s *Scope, next Step) {
	if next.CheckAvailability {
		r.awaitSuccess(s, s.Broker, s.Inputs.Gone.Success)
	}
	for _, id := range next.CheckCleanUps {
		at := s.Inputs.CleanUpBrokers[id]
		r.awaitSuccess(s, at.Broker, at.Success)
	}
}

func (r *Reconciler) awaitSuccess(s *Scope, broker v1beta1.Broker, known time.Time) {
	key, name := brokers.KeyOf(broker), client.ObjectKeyFromObject(s.Object)
	r.Clients.Successes.Await(key, brokers.QueueKey{Kind: r.kind.Name, Name: name}, known, func() { r.Wake.Add(name) })
	r.CheckAvailability(key)
}

// CleanUpBrokers returns the brokers of the ids that an object has left behind, by id, as far as they exist. They may be others than the present
// one of the object.
func CleanUpBrokers(ctx context.Context, known index.Index, namespace string, s *v1beta1.OperationStatus) (map[string]operation.CleanUpBroker, error) {
	all := map[string]operation.CleanUpBroker{}
	for _, l := range s.LeftBehind {
		broker, err := known.Broker(ctx, namespace, l.Target.BrokerReference)
		switch {
		case err == nil:
			all[l.ID] = operation.CleanUpBroker{Broker: broker}
		case !index.IsNotFound(err):
			return nil, err
		}
	}
	return all, nil
}

// observeCleanUps observes the brokers of ids left behind. A problem with their credentials that a retry may end is found when a request is sent.
func (r *Reconciler) observeCleanUps(ctx context.Context, in *operation.Inputs) error {
	for id, at := range in.CleanUpBrokers {
		_, problem, err := r.connect(ctx, at.Broker)
		switch {
		case problem == nil && err != nil:
			return err
		case err == nil:
			at.Blocker = problem
		}
		at.Success, at.Address = r.Clients.Successes.Last(brokers.KeyOf(at.Broker)), r.Clients.AddressInputs(ctx, at.Broker)
		in.CleanUpBrokers[id] = at
	}
	return nil
}

// brokerOf returns where a request goes.
func (s *Scope) brokerOf(call *operation.Request) v1beta1.Broker {
	if call.CleanUp {
		return s.Inputs.CleanUpBrokers[call.ID].Broker
	}
	return s.Broker
}
