// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// CheckServiceName returns an error about a value that cannot be the type or the provider of a service. The error describes the valid values.
func CheckServiceName(value string) error {
	if value == "" || len(validation.IsValidLabelValue(value)) > 0 {
		return errors.New("must be 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, such as postgresql")
	}
	return nil
}

// ServiceType returns the type of a binding's service: the value of the annotation, or the class's external name.
func ServiceType(b metav1.Object, class string) string {
	return serviceName(b, v1beta1.BindingTypeAnnotation, class)
}

// ServiceProvider returns the provider of a binding's service: the value of the annotation, or the broker's name.
func ServiceProvider(b metav1.Object, broker string) string {
	return serviceName(b, v1beta1.BindingProviderAnnotation, broker)
}

func serviceName(b metav1.Object, annotation, otherwise string) string {
	value := b.GetAnnotations()[annotation]
	if CheckServiceName(value) != nil { // there is no annotation, or admission was bypassed
		return otherwise
	}
	return value
}
