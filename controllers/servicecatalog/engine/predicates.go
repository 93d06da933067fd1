// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
)

var (
	// OwnershipChanged passes the changes of an instance or binding that matter to other objects with the same external id: it has become
	// the owner of the broker's resource, was deleted, or was replaced by an object of the same name.
	OwnershipChanged = predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			becameOwner := isOwner(e.ObjectNew) && !isOwner(e.ObjectOld)
			return enqueue.IsReplaced(e) || becameOwner
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
	// SpecChanged passes changes of the spec, as an option of Watches.
	SpecChanged = builder.WithPredicates(enqueue.SpecChanged)
	// BrokerChanged passes changes of the spec of a broker, and of its annotation about former addresses, as an option of Watches.
	BrokerChanged = builder.WithPredicates(predicate.Or(enqueue.SpecChanged, annotationChanged(v1beta1.MovedFromAnnotation)))
	// PlanChanged passes changes of the spec of a plan, and of its annotation about schemas, as an option of Watches.
	PlanChanged = builder.WithPredicates(predicate.Or(enqueue.SpecChanged, annotationChanged(v1beta1.SchemaPolicyAnnotation)))
	// ResourceVersionChanged passes all changes, also of the status and the metadata, but no resyncs. It is an option of Watches.
	ResourceVersionChanged = builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})
)

// annotationChanged passes updates that change an annotation.
func annotationChanged(name string) predicate.Funcs {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetAnnotations()[name] != e.ObjectNew.GetAnnotations()[name]
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// isOwner reports whether the broker's resource was created for the instance or binding itself.
func isOwner(o client.Object) bool { return createdForUID(o) == o.GetUID() }

// createdForUID returns status.createdForUID of an instance or a binding.
func createdForUID(o client.Object) types.UID {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		return o.Status.CreatedForUID
	case *v1beta1.ServiceBinding:
		return o.Status.CreatedForUID
	}
	return ""
}
