// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pagebylabel

import (
	"cmp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// UnknownHealth says why the operator cannot judge an object, and has advice for a person.
type UnknownHealth struct{ Message, Remedy string }

// Compare orders by the texts.
func (u UnknownHealth) Compare(other UnknownHealth) int {
	return cmp.Or(strings.Compare(u.Message, other.Message), strings.Compare(u.Remedy, other.Remedy))
}

// Unknown judges an object as the operator does, and returns why it cannot be judged; nil: it can, or its controller may still report a status.
func Unknown(object *unstructured.Unstructured, failures []healthrules.Sign, now time.Time) *UnknownHealth {
	created := object.GetCreationTimestamp().Time
	in := healthrules.Inputs{Asks: true, Result: healthrules.Compute(object, healthrules.Evidence{Now: now, Failures: failures}), SeenSince: created}
	if at := in.UnknownAt(created); at.IsZero() || now.Before(at) {
		return nil
	}
	remedy := healthrules.RemedyOfUnknown(object)
	return &UnknownHealth{Message: in.Result.Message, Remedy: strings.ToLower(remedy[:1]) + remedy[1:]}
}

// Unknown says why the operator cannot judge an object of a resource; nil: it can, or its controller may still report a status.
func (o *Operator) Unknown(resource schema.GroupResource, object *unstructured.Unstructured, now time.Time) *UnknownHealth {
	for _, watched := range o.Watched {
		if watched.GroupResource() == resource {
			return Unknown(object, watched.Failures, now)
		}
	}
	return nil
}

// VersionOf returns a resource with its version; without one that which the API server prefers, as the operator reads it.
func VersionOf(resource schema.GroupVersionResource, newMapper func() (meta.RESTMapper, error)) (schema.GroupVersionResource, error) {
	if resource.Version != "" {
		return resource, nil
	}
	mapper, err := newMapper()
	if err != nil {
		return resource, err
	}
	return mapper.ResourceFor(resource)
}
