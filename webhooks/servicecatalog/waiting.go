// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
)

// The parameters of an object that waits are sent once it is completed: by the creation of the instance that a binding names, by the offer of the
// class that an instance names, or by the reference to that class. The user who completes it chooses the broker that gets them. So that user's
// right to read the Secrets is checked too. The caches are read also before they are synced: the request then waits for them, or fails.

// parameterSecrets returns the Secrets with parameters of instances and of their bindings.
func (k knowledge) parameterSecrets(ctx context.Context, path *field.Path, instances []*v1beta1.ServiceInstance) (uses []admission.SecretUse, _ error) {
	for _, i := range instances {
		uses = append(uses, usesOf(path, "ServiceInstance", i, i.Spec.ParametersFrom)...)
		bindings, err := k.index.Bindings(ctx, client.ObjectKeyFromObject(i))
		if err != nil {
			return nil, err
		}
		for _, b := range bindings {
			uses = append(uses, usesOf(path, "ServiceBinding", b, b.Spec.ParametersFrom)...)
		}
	}
	return uses, nil
}

// waitingBindings returns the Secrets with parameters of the bindings that name an instance. path is the field that completes it.
func (k knowledge) waitingBindings(ctx context.Context, f *findings, path *field.Path, i *v1beta1.ServiceInstance) (uses []admission.SecretUse) {
	bindings, err := k.index.Bindings(ctx, client.ObjectKeyFromObject(i))
	if err != nil {
		f.refuse(field.InternalError(path, fmt.Errorf("looking up the ServiceBindings that wait for the ServiceInstance: %w", err)))
	}
	for _, b := range bindings {
		if b.DeletionTimestamp.IsZero() {
			uses = append(uses, usesOf(path, "ServiceBinding", b, b.Spec.ParametersFrom)...)
		}
	}
	return uses
}

// usesOf returns the Secrets with parameters of an object.
func usesOf(path *field.Path, kind string, obj client.Object, from []v1beta1.ParametersFromSource) (uses []admission.SecretUse) {
	for _, use := range sourceUses(nil, from) {
		uses = append(uses, admission.SecretUse{
			Secret: types.NamespacedName{Namespace: obj.GetNamespace(), Name: use.name}, Path: path, For: fmt.Sprintf("%s %q", kind, obj.GetName())})
	}
	return uses
}
