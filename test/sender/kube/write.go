// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/watch"
)

// patch applies a patch to a copy of an object.
func (s *Server) patch(r *request, present *Object, body []byte) (any, error) {
	switch kind := types.PatchType(r.Header.Get("Content-Type")); kind {
	case types.JSONPatchType:
		before, err := json.Marshal(present.Object)
		if err != nil {
			return nil, err
		}
		decoded, err := jsonpatch.DecodePatch(body)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		after, err := decoded.Apply(before)
		if err != nil {
			return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
		}
		desired := &Object{}
		if err := utiljson.Unmarshal(after, &desired.Object); err != nil {
			return nil, err
		}
		return s.update(r, present, desired)
	case types.MergePatchType:
		var changes map[string]any
		if err := utiljson.Unmarshal(body, &changes); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		desired := &Object{Object: merge(present.Object, changes)}
		return s.update(r, present, desired.DeepCopy())
	default:
		return nil, apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "", r.GroupResource(), r.name, string(kind), 0, false)
	}
}

// merge applies a merge patch (RFC 7386) to an object, of which it leaves the parts that do not change in the result. Objects of other packages
// would have to be encoded, which takes most of the time of a history.
func merge(present, changes map[string]any) map[string]any {
	after := maps.Clone(present)
	if after == nil {
		after = map[string]any{}
	}
	for name, change := range changes {
		fields, isObject := change.(map[string]any)
		switch {
		case change == nil:
			delete(after, name)
		case isObject:
			inner, _ := after[name].(map[string]any)
			after[name] = merge(inner, fields)
		default:
			after[name] = change
		}
	}
	return after
}

// update replaces an object, or its status.
func (s *Server) update(r *request, present, desired *Object) (any, error) {
	if v := desired.GetResourceVersion(); v != "" && v != present.GetResourceVersion() {
		return nil, apierrors.NewConflict(r.GroupResource(), r.name, errors.New("the object has been modified"))
	}
	if uid := desired.GetUID(); uid != "" && uid != present.GetUID() {
		return nil, apierrors.NewConflict(r.GroupResource(), r.name, errors.New("the object has another UID"))
	}
	after := present.DeepCopy()
	if r.subresource == "status" {
		after.Object["status"] = desired.Object["status"]
	} else {
		after = desired
		delete(after.Object, "status")
		if status, ok := present.Object["status"]; ok {
			after.Object["status"] = status
		}
		after.SetUID(present.GetUID())
		after.SetCreationTimestamp(present.GetCreationTimestamp())
		after.SetDeletionTimestamp(present.GetDeletionTimestamp())
		after.SetGeneration(present.GetGeneration())
		if !reflect.DeepEqual(after.Object["spec"], present.Object["spec"]) {
			after.SetGeneration(present.GetGeneration() + 1)
		}
	}
	after.SetResourceVersion(present.GetResourceVersion())
	if reflect.DeepEqual(after.Object, present.Object) {
		return present.Object, nil
	}
	kind := watch.Modified
	if after.GetDeletionTimestamp() != nil && len(after.GetFinalizers()) == 0 {
		kind = watch.Deleted
	}
	s.store(r.key, kind, after)
	return after.Object, nil
}

func (s *Server) delete(r *request, present *Object, body []byte) (any, error) {
	var options metav1.DeleteOptions
	if len(body) > 0 {
		if err := json.Unmarshal(body, &options); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	if p := options.Preconditions; p != nil {
		if p.UID != nil && *p.UID != present.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != present.GetResourceVersion() {
			return nil, apierrors.NewConflict(r.GroupResource(), r.name, errors.New("a precondition is not met"))
		}
	}
	after := present.DeepCopy()
	switch {
	case len(present.GetFinalizers()) == 0:
		s.store(r.key, watch.Deleted, after)
	case present.GetDeletionTimestamp() == nil:
		after.SetDeletionTimestamp(new(metav1.NewTime(s.Now().Truncate(time.Second))))
		after.SetGeneration(present.GetGeneration() + 1)
		s.store(r.key, watch.Modified, after)
	}
	return metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess}, nil
}
