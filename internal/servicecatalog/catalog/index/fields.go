// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// set returns the values without empty and repeated ones.
func set(values ...string) []string {
	slices.Sort(values)
	return slices.DeleteFunc(slices.Compact(values), func(v string) bool { return v == "" })
}

func classExternalName(class v1beta1.Class) string { return class.Common().ExternalName }

func classExternalID(class v1beta1.Class) string { return class.Common().ExternalID }

// instanceClass returns the objectKey of the class in an instance's references, or else the referenceKey of the class that its spec names.
func instanceClass(instance *v1beta1.ServiceInstance) string {
	for _, scope := range catalog.Scopes {
		if name := catalog.RefsOf(&instance.Spec, scope).Class; name != "" {
			return objectKey(scope, name)
		}
	}
	ref, errs := catalog.ReferenceOf(instance.Spec.PlanReference)
	if len(errs) > 0 {
		return ""
	}
	return referenceKey(ref)
}

func instancePlan(instance *v1beta1.ServiceInstance) string {
	for _, scope := range catalog.Scopes {
		if name := catalog.RefsOf(&instance.Spec, scope).Plan; name != "" {
			return objectKey(scope, name)
		}
	}
	return ""
}

func instanceBroker(instance *v1beta1.ServiceInstance) string {
	if broker := instance.Status.Broker; broker != nil {
		return objectKey(catalog.ScopeOfBroker(broker.Kind), broker.Name)
	}
	return ""
}

// objectKey returns the key of an object in an index: its scope and name.
func objectKey(scope catalog.Scope, name string) string { return string(scope) + "/" + name }

// referenceKey returns the key of a class that a reference names, in the index byClass. It never equals an objectKey: no scope is the name
// of a field.
func referenceKey(ref catalog.Reference) string { return ref.ClassField() + "/" + ref.Class }

func externalIDs(obj client.Object) []string { return set(catalog.ExternalIDs(obj)...) }

func instanceSources(obj client.Object) []string {
	return set(sources(obj.(*v1beta1.ServiceInstance).Spec.ParametersFrom)...)
}

func bindingInstance(binding *v1beta1.ServiceBinding) string { return binding.Spec.InstanceRef.Name }

func bindingBrokers(obj client.Object) (keys []string) {
	for _, ref := range catalog.BrokersOfBinding(obj.(*v1beta1.ServiceBinding)) {
		keys = append(keys, objectKey(catalog.ScopeOfBroker(ref.Kind), ref.Name))
	}
	return set(keys...)
}

// secretOfOtherName returns the name of the Secret of a binding's credentials, unless it is the name of the binding.
func secretOfOtherName(binding *v1beta1.ServiceBinding) string {
	if secret := catalog.SecretName(binding); secret != binding.Name {
		return secret
	}
	return ""
}

// bindingSources returns the names of the Secrets that a binding reads, all in its own namespace.
func bindingSources(obj client.Object) []string {
	spec := obj.(*v1beta1.ServiceBinding).Spec
	names := sources(spec.ParametersFrom)
	for _, t := range spec.SecretTransforms {
		if t.AddKeysFrom != nil && t.AddKeysFrom.SecretRef != nil {
			names = append(names, t.AddKeysFrom.SecretRef.Name)
		}
	}
	return set(names...)
}

func sources(from []v1beta1.ParametersFromSource) (names []string) {
	for _, source := range from {
		if source.SecretKeyRef != nil {
			names = append(names, source.SecretKeyRef.Name)
		}
	}
	return names
}

// brokerSources returns namespaces and names of the Secrets that a broker reads: a ClusterServiceBroker names the namespace.
func brokerSources(obj client.Object) (names []string) {
	for _, secret := range v1beta1.AuthSecrets(obj.(v1beta1.Broker)) {
		names = append(names, secret.String())
	}
	return set(names...)
}
