// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package servicecatalog has the admission webhooks of the group servicecatalog.k8s.io. Rules about an object alone are in its schema; here are the
// rules that need other objects or the request. Webhooks read caches only.
package servicecatalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
)

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers;servicebrokers;clusterserviceclasses;serviceclasses;clusterserviceplans;serviceplans;serviceinstances;servicebindings,verbs=get;list;watch

// BrokerPolicy decides on risky addresses of brokers, which manifests of the original service-catalog have: plain http, addresses
// in the cluster, certificates that are not verified.
type BrokerPolicy string

const (
	// BrokerPolicyCompatible warns.
	BrokerPolicyCompatible BrokerPolicy = "compatible"
	// BrokerPolicyStrict refuses them for ServiceBrokers, and warns for ClusterServiceBrokers.
	BrokerPolicyStrict BrokerPolicy = "strict"
)

// Options of the webhooks of the group.
type Options struct {
	// BrokerPolicy; empty: BrokerPolicyCompatible.
	BrokerPolicy BrokerPolicy
	// Guard refuses addresses.
	Guard *outbound.Guard
}

// Setup registers every webhook of the group. The indexes of index.AddIndexes have to be added before.
func Setup(mgr ctrl.Manager, o Options) error {
	if o.BrokerPolicy == "" {
		o.BrokerPolicy = BrokerPolicyCompatible
	}
	if o.BrokerPolicy != BrokerPolicyCompatible && o.BrokerPolicy != BrokerPolicyStrict {
		return fmt.Errorf("--broker-policy is %q: it has to be %s or %s", o.BrokerPolicy, BrokerPolicyCompatible, BrokerPolicyStrict)
	}
	known := knowledge{
		index: index.Index{Cache: mgr.GetCache()},
		synced: func(ctx context.Context, objs ...client.Object) bool {
			return admission.Synced(ctx, mgr.GetCache(), objs...)
		},
	}
	access, decoder := admission.NewReviewer(mgr.GetClient()), ctrladmission.NewDecoder(mgr.GetScheme())
	return errors.Join(
		register(mgr, &v1beta1.ClusterServiceBroker{}, brokerDefaulter[*v1beta1.ClusterServiceBroker]{decoder}, brokerValidator[*v1beta1.ClusterServiceBroker]{known, access, o}),
		register(mgr, &v1beta1.ServiceBroker{}, brokerDefaulter[*v1beta1.ServiceBroker]{decoder}, brokerValidator[*v1beta1.ServiceBroker]{known, access, o}),
		register(mgr, &v1beta1.ClusterServiceClass{}, classDefaulter[*v1beta1.ClusterServiceClass]{known, access, decoder}, classValidator[*v1beta1.ClusterServiceClass]{known}),
		register(mgr, &v1beta1.ServiceClass{}, classDefaulter[*v1beta1.ServiceClass]{known, access, decoder}, classValidator[*v1beta1.ServiceClass]{known}),
		register(mgr, &v1beta1.ClusterServicePlan{}, planDefaulter[*v1beta1.ClusterServicePlan]{decoder}, planValidator[*v1beta1.ClusterServicePlan]{known}),
		register(mgr, &v1beta1.ServicePlan{}, planDefaulter[*v1beta1.ServicePlan]{decoder}, planValidator[*v1beta1.ServicePlan]{known}),
		register(mgr, &v1beta1.ServiceInstance{}, instanceDefaulter{known, decoder, time.Now}, instanceValidator{known, access}),
		register(mgr, &v1beta1.ServiceBinding{}, bindingDefaulter{decoder, time.Now}, bindingValidator{known, access}),
	)
}

func register[T client.Object](mgr ctrl.Manager, obj T, defaulter ctrladmission.Defaulter[T], validator ctrladmission.Validator[T]) error {
	return errors.Join(admission.RegisterDefaulter(mgr, obj, defaulter), admission.RegisterValidator(mgr, obj, validator))
}
