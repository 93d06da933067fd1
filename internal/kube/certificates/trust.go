// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Target is an object whose caBundle has the authorities that the API server trusts when it calls a webhook.
type Target struct {
	kind schema.GroupVersionKind
	name string
	set  func(object map[string]any, service types.NamespacedName, bundle string) error
}

// MutatingWebhooks is a MutatingWebhookConfiguration.
func MutatingWebhooks(name string) Target { return admission("MutatingWebhookConfiguration", name) }

// ValidatingWebhooks is a ValidatingWebhookConfiguration.
func ValidatingWebhooks(name string) Target {
	return admission("ValidatingWebhookConfiguration", name)
}

func admission(kind, name string) Target {
	return Target{schema.GroupVersionKind{Group: "admissionregistration.k8s.io", Version: "v1", Kind: kind}, name, setInWebhooks}
}

// Conversion is a CustomResourceDefinition.
func Conversion(name string) Target {
	return Target{schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, name, setInConversion}
}

func (t Target) object() *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(t.kind)
	return o
}

// fieldOwner is the field manager of the writes of this package.
const fieldOwner = client.FieldOwner("bellhop-certificates")

// keepTrust lets the API server trust a bundle where it calls the Service. An object that is not there is written once it appears.
func (k *Keeper) keepTrust(ctx context.Context, bundle []byte) error {
	encoded := base64.StdEncoding.EncodeToString(bundle)
	for _, target := range k.options.Trust {
		found := target.object()
		if err := k.client.Get(ctx, client.ObjectKey{Name: target.name}, found); apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return err
		}
		wanted := found.DeepCopy()
		if err := target.set(wanted.Object, k.options.Service, encoded); err != nil {
			return fmt.Errorf("%s %s: %w", target.kind.Kind, target.name, err)
		}
		if equal(found, wanted) {
			continue
		}
		if err := k.client.Update(ctx, wanted, fieldOwner); err != nil {
			return err
		}
	}
	return nil
}

// setInWebhooks sets the bundle of every webhook of a configuration that calls the Service.
func setInWebhooks(object map[string]any, service types.NamespacedName, bundle string) error {
	webhooks, _, err := unstructured.NestedSlice(object, "webhooks")
	if err != nil {
		return err
	}
	for _, webhook := range webhooks {
		if webhook, ok := webhook.(map[string]any); ok {
			if err := setBundle(webhook, service, bundle, "clientConfig"); err != nil {
				return err
			}
		}
	}
	if len(webhooks) == 0 {
		return nil
	}
	return unstructured.SetNestedSlice(object, webhooks, "webhooks")
}

// setInConversion sets the bundle of a CRD's conversion, if a webhook of the Service does that.
func setInConversion(object map[string]any, service types.NamespacedName, bundle string) error {
	if strategy, _, err := unstructured.NestedString(object, "spec", "conversion", "strategy"); err != nil || strategy != "Webhook" {
		return err
	}
	return setBundle(object, service, bundle, "spec", "conversion", "webhook", "clientConfig")
}

// setBundle sets the bundle of a clientConfig that names the Service. One with another Service is of another installation, which keeps its own.
func setBundle(object map[string]any, service types.NamespacedName, bundle string, clientConfig ...string) error {
	called, isService, err := unstructured.NestedMap(object, append(slices.Clone(clientConfig), "service")...)
	if err != nil || isService && (called["name"] != service.Name || called["namespace"] != service.Namespace) {
		return err
	}
	return unstructured.SetNestedField(object, bundle, append(slices.Clone(clientConfig), "caBundle")...)
}
