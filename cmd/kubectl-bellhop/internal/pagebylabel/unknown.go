/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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

// UnknownHealth says why the operator cannot judge an object, and what somebody can do.
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
