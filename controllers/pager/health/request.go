// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// jobs is the resource of objects that end, and are deleted then.
var jobs = schema.GroupResource{Group: "batch", Resource: "jobs"}

// request names an object that an Alert is about. One that was created again under the name is another, but for a Job: all Jobs of a name have
// one Alert, and so have all of a CronJob, which is named then.
type request struct {
	Resource              schema.GroupResource
	Kind, Namespace, Name string
	UID                   types.UID // empty: of Jobs
}

// key identifies a request among all.
func (req request) key() types.UID {
	if req.UID != "" {
		return req.UID
	}
	return types.UID(req.Namespace + "/" + req.Kind + "/" + req.Name)
}

// identity distinguishes objects of one name in a namespace, for the name of the Alert.
func (req request) identity() types.UID {
	if req.UID != "" {
		return req.UID
	}
	return types.UID(req.Kind + "/" + req.Name)
}

func (req request) isJob() bool { return req.Resource == jobs }

func requestFor(resource schema.GroupResource, o *healthrules.Trimmed) request {
	meta := o.GetObjectMeta()
	switch {
	case resource != jobs:
		return request{Resource: resource, Kind: o.Kind, Namespace: meta.GetNamespace(), Name: meta.GetName(), UID: meta.GetUID()}
	case o.CronJob != "":
		return request{Resource: resource, Kind: "CronJob", Namespace: meta.GetNamespace(), Name: o.CronJob}
	}
	return request{Resource: resource, Kind: o.Kind, Namespace: meta.GetNamespace(), Name: meta.GetName()}
}

// requestOf returns the request for the object that an Alert is about; false if it is about none. Versions before 0.6 recorded nothing but the
// owner.
func requestOf(alert *v1beta1.Alert) (request, bool) {
	resource, err := healthrules.ParseResource(alert.Annotations[v1beta1.PagedResourceAnnotation])
	if err != nil {
		return request{}, false
	}
	if resource == namespaceResource {
		return overflowRequest(alert.Namespace), true
	}
	req := request{Resource: resource.GroupResource(), Namespace: alert.Namespace, UID: pagedUID(alert)}
	var ok bool
	if req.Kind, req.Name, ok = strings.Cut(alert.Annotations[v1beta1.PagedObjectAnnotation], "/"); !ok {
		if len(alert.OwnerReferences) == 0 {
			return request{}, false
		}
		owner := alert.OwnerReferences[0]
		req.Kind, req.Name, req.UID = owner.Kind, owner.Name, owner.UID
	}
	if req.isJob() {
		req.UID = ""
	}
	return req, true
}

// subjectIndex finds the Alerts about an object, by the key of its request, and those about a Job also by its UID.
const subjectIndex = "pagedObject"

func subjectKeys(alert *v1beta1.Alert) []string {
	req, ok := requestOf(alert)
	switch {
	case !ok:
		return nil
	case req.isJob():
		return []string{string(req.key()), string(pagedUID(alert))}
	}
	return []string{string(req.key())}
}

func pagedUID(alert *v1beta1.Alert) types.UID {
	return types.UID(alert.Annotations[v1beta1.PagedUIDAnnotation])
}
