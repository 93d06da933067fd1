// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// namespaceUID returns the UID of a namespace, by which brokers know it.
func namespaceUID(ctx context.Context, cache client.Reader, name string) (string, error) {
	namespace := apiserver.Metadata("Namespace")
	if err := cache.Get(ctx, types.NamespacedName{Name: name}, namespace, client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("looking up namespace %s, whose UID is sent to brokers: %s", name, err.Error()) // not wrapped: it is not the object that is gone
	}
	return string(namespace.UID), nil
}

// NamespaceOf returns whether an object's namespace is being deleted, as far as the cache shows it.
func (r *Reconciler) NamespaceOf(ctx context.Context, o client.Object) rules.Namespace {
	if apiserver.IsTerminating(ctx, r.Client, o.GetNamespace()) {
		return rules.NamespaceTerminating
	}
	return rules.NamespaceUnconfirmed
}

// OriginatingIdentity returns the identity of a user, as brokers are sent it; nil: none.
func OriginatingIdentity(user *v1beta1.UserInfo) *osb.Identity {
	if user == nil {
		return nil
	}
	identity := &osb.Identity{Username: user.Username, UID: user.UID, Groups: user.Groups}
	if len(user.Extra) > 0 {
		identity.Extra = make(map[string][]string, len(user.Extra))
		for key, values := range user.Extra {
			identity.Extra[key] = values
		}
	}
	return identity
}

// OSBContext returns the OSB context of an instance, and the UID of its namespace.
func (r *Reconciler) OSBContext(ctx context.Context, namespace, instance string) (where osb.Context, space string, err error) {
	where = osb.Context{Namespace: namespace, InstanceName: instance}
	if where.ClusterID, err = r.ClusterID.Get(ctx); err == nil {
		space, err = namespaceUID(ctx, r.Client, namespace)
	}
	return where, space, WithReason(v1beta1.ReasonErrorGettingClusterID, err)
}
