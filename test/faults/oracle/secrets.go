// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/test/faults/scenario"
)

// checkSecrets compares the Secrets of bindings with the credentials that the broker holds.
func (c Checker) checkSecrets(all []client.Object) {
	if c.Broker == nil {
		return
	}
	secrets, owners := map[string]*corev1.Secret{}, map[string]bool{}
	for _, o := range all {
		if s, ok := o.(*corev1.Secret); ok {
			secrets[s.Name] = s
		}
		owners[string(o.GetUID())] = true
	}
	held := c.Broker.Holds().Bindings
	live := map[string]bool{"": true}
	for _, b := range held {
		live[scenario.PasswordOf(b)] = true
	}
	for _, s := range secrets {
		for _, owner := range s.OwnerReferences {
			switch {
			case owner.Kind != "ServiceBinding":
			case !owners[string(owner.UID)]:
				c.Reportf("Secret %s belongs to a binding that is gone", s.Name)
			case !live[string(s.Data["password"])]:
				c.Reportf("Secret %s has credentials that the broker does not have", s.Name)
			}
		}
	}
	for _, o := range all {
		b, ok := o.(*v1beta1.ServiceBinding)
		if !ok || !isReady(b) {
			continue
		}
		password := scenario.PasswordOf(held[scenario.ExternalID(b)])
		switch s := secrets[catalog.SecretName(b)]; {
		case s == nil:
			c.Reportf("binding %s is Ready without its Secret", b.Name)
		case password == "" || string(s.Data["password"]) != password:
			c.Reportf("the Secret of binding %s has other credentials than the broker", b.Name)
		}
	}
}
