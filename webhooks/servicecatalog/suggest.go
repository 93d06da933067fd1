// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"strings"

	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
)

// suggestions returns existing names similar to the class that was not found. The error about a plan lists its choices.
func (k knowledge) suggestions(ctx context.Context, namespace string, ref catalog.Reference, o offer) string {
	if o.class != nil || index.IsAmbiguous(o.problem) { // which lists the choices
		return ""
	}
	similar := catalog.Closest(ctx, ref.Class, k.classNames(ctx, namespace, ref))
	if len(similar) == 0 {
		return ""
	}
	return "; the catalog has " + strings.Join(similar, ", ")
}

// classNames returns the names of all classes of the reference's scope that are offered.
func (k knowledge) classNames(ctx context.Context, namespace string, ref catalog.Reference) (names []string) {
	brokers, err := k.index.Brokers(ctx, ref.Scope, namespace)
	if err != nil {
		return nil // a suggestion is optional
	}
	for _, broker := range brokers {
		classes, err := k.index.Classes(ctx, broker)
		if err != nil {
			return nil
		}
		for _, class := range classes {
			if !class.CommonStatus().RemovedFromBrokerCatalog {
				names = append(names, ref.NamedBy.OfClass(class))
			}
		}
	}
	return names
}
