// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pager has the admission and conversion webhooks of the group
// pager.k8s.co. Rules that an object alone decides are in its schema; here are
// those that need other objects or the request. Webhooks read caches only.
package pager

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/webhooks/pager/conversion"
)

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=alerts.pager.k8s.co,verbs=list;watch;update

// Options of the webhooks of the group.
type Options struct {
	// OperatorNamespace has the Secrets of ClusterReceivers.
	OperatorNamespace string
	// Policy decides on risky destinations.
	Policy receivers.Policy
	// Guard refuses addresses.
	Guard *outbound.Guard
	// UnwatchedSecrets: no cache has the metadata of Secrets.
	UnwatchedSecrets bool
}

// Setup registers every webhook of the group.
func Setup(mgr ctrl.Manager, o Options) error {
	known := newKnowledge(mgr.GetCache(), o)
	access := admission.NewReviewer(mgr.GetClient())
	return errors.Join(
		admission.RegisterDefaulter(mgr, &v1beta1.Alert{}, alertDefaulter{}),
		admission.RegisterValidator(mgr, &v1beta1.Alert{}, alertValidator{known}),
		ctrl.NewWebhookManagedBy(mgr, &v1beta1.Alert{}).WithConverter(conversion.AlertConverter).Complete(),
		admission.RegisterValidator(mgr, &v1beta1.Receiver{}, receiverValidator[*v1beta1.Receiver]{known, access, o.Guard, o.Policy}),
		admission.RegisterValidator(mgr, &v1beta1.ClusterReceiver{}, receiverValidator[*v1beta1.ClusterReceiver]{known, access, o.Guard, receivers.PolicyCompatible}),
		admission.RegisterValidator(mgr, &v1beta1.AlertSource{}, alertSourceValidator{known}),
	)
}

// knowledge looks up objects in the caches. A cache that is not synced knows nothing: references to its objects are accepted, and left to the
// controller.
type knowledge struct {
	cache    cache.Cache
	resolver receivers.Resolver
	// secrets are looked up in the resolver's cache once that has synced the kinds of watched.
	watched []client.Object
}

// newKnowledge returns the knowledge of a cache. Where Secrets are not watched, each is taken to exist: the right to list them is missing, and
// admission of another object must not wait for a read of a Secret. An object that refers to a missing Secret causes no warning then, and shows the
// problem in its status.
func newKnowledge(c cache.Cache, o Options) knowledge {
	known := knowledge{cache: c, resolver: receivers.Resolver{Cache: c, OperatorNamespace: o.OperatorNamespace}}
	if o.UnwatchedSecrets {
		known.resolver.Cache = secrets.Assumed{Reader: c}
	} else {
		known.watched = []client.Object{apiserver.Metadata("Secret")}
	}
	return known
}

// synced reports whether the caches have all objects of the kinds of objs.
func (k knowledge) synced(ctx context.Context, objs ...client.Object) bool {
	return admission.Synced(ctx, k.cache, objs...)
}

// knowsReceivers reports whether the caches are synced with all that a Resolver looks up.
func (k knowledge) knowsReceivers(ctx context.Context) bool {
	return k.synced(ctx, append(k.watched, &v1beta1.Receiver{}, &v1beta1.ClusterReceiver{}, apiserver.Metadata("Namespace"))...)
}

// lacksSecret reports whether a Secret is known not to exist.
func (k knowledge) lacksSecret(ctx context.Context, name client.ObjectKey) bool {
	return k.synced(ctx, k.watched...) && apierrors.IsNotFound(k.resolver.Cache.Get(ctx, name, apiserver.Metadata("Secret")))
}
